//! Names that Windlass gives: at most as long as AWS allows, and never the same for two
//! services.

use sha2::{Digest, Sha256};

use crate::id::ServiceKey;

/// The tag of everything that Windlass makes: the key of the service it is for. The
/// role in `template.yaml` lets a function make and change only what carries it.
pub const TAG_SERVICE: &str = "windlass:service";

/// The tag of a rule's place among the others: [`crate::deploy::route::Place`].
pub const TAG_PRIORITY: &str = "windlass:priority";

/// AWS's limit for a target group's name.
pub const TARGET_GROUP_NAME_MAX: usize = 32;

/// The ECS service of a service's own canary: `<service>-canary`.
pub fn canary(key: &ServiceKey) -> ServiceKey {
    ServiceKey::new(key.cluster.as_str(), format!("{}-canary", key.service))
}

/// The service whose canary this one would be, by its name.
pub fn canary_of(key: &ServiceKey) -> Option<ServiceKey> {
    let service = key.service.as_str().strip_suffix("-canary").filter(|service| !service.is_empty())?;
    Some(ServiceKey::new(key.cluster.as_str(), service))
}

/// The name of a service's second target group: its canary's, or ECS's alternate one.
pub fn second_target_group(key: &ServiceKey) -> String {
    target_group(&canary(key))
}

/// The name of a service's target group: `<service, cut>-<8 hex of sha256(cluster/service)>`.
///
/// Cutting alone collides (two services whose names share 32 characters); the hash is
/// over the whole key, so cutting costs only looks. 32 bits over a fixed AWS limit of
/// 3,000 groups per Region: a collision among all of them has odds of about 1 in 1,000,
/// and a taken name is found by the step's precheck, which looks at the group's tags.
pub fn target_group(key: &ServiceKey) -> String {
    let hash = short_hash(&key.to_string());
    let room = TARGET_GROUP_NAME_MAX - hash.len() - 1;
    let mut stem: String = key
        .service
        .as_str()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(room)
        .collect();
    stem = stem.trim_matches('-').to_owned();
    if stem.is_empty() { format!("wl-{hash}") } else { format!("{stem}-{hash}") }
}

/// The host that a parked rule waits on. `.invalid` never resolves (RFC 2606), so no
/// request carries it.
pub fn parking_host(key: &ServiceKey) -> String {
    format!("{}.parked.windlass.invalid", short_hash(&key.to_string()))
}

/// ECS's longest `startedBy`.
const STARTED_BY_MAX: usize = 128;
/// What `startedBy` of the tasks before rollouts begins with.
const STARTED_BY: &str = "windlass/";

/// The token of a task before a rollout: 16 hex digits, another for another try.
pub fn pre_deploy_token(try_of: &str) -> String {
    format!("{}{}", short_hash(try_of), short_hash(&format!("{try_of} again")))
}

/// `startedBy` of a task before a rollout: it is found by it, and the event of its end names
/// its service by it; not where the service's name leaves no room.
pub fn pre_deploy_started_by(token: &str, key: &ServiceKey) -> String {
    let whole = format!("{STARTED_BY}{token}/{}", key.service);
    if whole.len() <= STARTED_BY_MAX { whole } else { format!("{STARTED_BY}{token}") }
}

/// The service of which a task with this `startedBy` runs before a rollout.
pub fn pre_deploy_service(started_by: &str) -> Option<&str> {
    let (_, service) = started_by.strip_prefix(STARTED_BY)?.split_once('/')?;
    (!service.is_empty() && !service.contains('/')).then_some(service)
}

/// The first 8 hex digits of the text's sha256.
pub fn short_hash(text: &str) -> String {
    use std::fmt::Write as _;
    Sha256::digest(text.as_bytes()).iter().take(4).fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn two_services_whose_first_32_characters_are_the_same_get_two_names() {
        let long = "customer-facing-storefront-backend-api";
        let one = target_group(&ServiceKey::new("main", format!("{long}-blue")));
        let two = target_group(&ServiceKey::new("main", format!("{long}-green")));
        assert_ne!(one, two);
        assert_eq!(one.len(), 32);
    }

    #[test]
    fn the_same_service_of_two_clusters_gets_two_names() {
        assert_ne!(
            target_group(&ServiceKey::new("staging", "shop")),
            target_group(&ServiceKey::new("main", "shop"))
        );
    }

    #[test]
    fn a_task_before_a_rollout_names_its_service_where_there_is_room() {
        let shop = ServiceKey::new("main", "shop");
        let token = pre_deploy_token("main/shop sha256:aa 12");
        assert_eq!(token.len(), 16);
        assert_eq!(pre_deploy_service(&pre_deploy_started_by(&token, &shop)), Some("shop"));
        let long = pre_deploy_started_by(&token, &ServiceKey::new("main", "x".repeat(255)));
        assert!(long.len() <= 128 && pre_deploy_service(&long).is_none());
        assert_eq!(pre_deploy_service("ecs-svc/123"), None);
    }

    #[test]
    fn a_canary_is_known_by_its_name() {
        let shop = ServiceKey::new("main", "shop");
        assert_eq!(canary_of(&canary(&shop)), Some(shop.clone()));
        assert_eq!(canary_of(&shop), None);
        assert_eq!(canary_of(&ServiceKey::new("main", "-canary")), None);
    }

    proptest! {
        #[test]
        fn every_name_is_one_that_aws_takes(service in "[A-Za-z0-9_-]{1,255}") {
            let name = target_group(&ServiceKey::new("main", service));
            prop_assert!(name.len() <= TARGET_GROUP_NAME_MAX);
            prop_assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'));
            prop_assert!(!name.starts_with('-') && !name.ends_with('-'));
        }
    }
}
