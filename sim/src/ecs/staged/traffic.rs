//! A staged deployment's hold on the load balancer: the weights of its listener rules.
//!
//! ECS keeps its own account of which group serves, and does not read the weights back
//! (aws/containers-roadmap#2853): what others write to the rule is overwritten.

use super::super::service::{Service, ServiceKey};
use super::super::settings::LoadBalancer;
use super::super::strategy::Share;
use super::progress::{current, current_mut};
use crate::elb;
use crate::world::World;

/// Which of a load balancer's two rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Traffic {
    Production,
    Test,
}

/// Gives the target this share of the traffic, and the source the rest. A headless service
/// has no rules; the share is recorded all the same, since hooks are told it.
pub(crate) fn shift(
    world: &mut World,
    key: &ServiceKey,
    traffic: Traffic,
    share: Share,
) -> Result<(), String> {
    let Some(service) = world.ecs.service(key) else { return Ok(()) };
    let Some((release, _)) = current(service) else { return Ok(()) };
    for balancer in balancers_of(service, &release.target) {
        set(world, &balancer, traffic, share)?;
    }
    if let Some(progress) = world.ecs.service_mut(key).and_then(current_mut) {
        match traffic {
            Traffic::Production => progress.production = share,
            Traffic::Test => progress.test = share,
        }
    }
    Ok(())
}

/// Gives the balancer's own group this share, and its other group the rest.
pub(crate) fn set(
    world: &mut World,
    balancer: &LoadBalancer,
    traffic: Traffic,
    share: Share,
) -> Result<(), String> {
    let Some(advanced) = &balancer.advanced else { return Ok(()) };
    let rule = match traffic {
        Traffic::Production => Some(&advanced.production),
        Traffic::Test => advanced.test.as_ref(),
    };
    let Some(rule) = rule else { return Ok(()) };
    let (own, rest) = share.weights();
    elb::set_weights(world, rule, &[(&balancer.group, own), (&advanced.other, rest)]).map_err(|error| {
        format!("ECS deployment: unable to shift traffic with the rule {rule}: {}", error.message)
    })
}

pub(crate) fn balancers_of(service: &Service, revision: &str) -> Vec<LoadBalancer> {
    service.revision(revision).map(|it| it.load_balancers.clone()).unwrap_or_default()
}

/// Why traffic could not be shifted, if so: AWS finds this when it deploys, and rolls back.
pub(crate) fn obstacle(world: &World, key: &ServiceKey) -> Option<String> {
    let service = world.ecs.service(key)?;
    let (release, _) = current(service)?;
    let unassociated = "Both targetGroup and alternateTargetGroup must be associated with the \
                        productionListenerRule or testListenerRule.";
    for balancer in balancers_of(service, &release.target) {
        let Some(advanced) = &balancer.advanced else { continue };
        let mut known = Vec::new();
        for rule in [Some(&advanced.production), advanced.test.as_ref()].into_iter().flatten() {
            match elb::forwards_to(world, rule) {
                Some(groups) => known.extend(groups),
                None => return Some(format!("The listener rule {rule} does not exist.")),
            }
        }
        if !known.contains(&balancer.group) || !known.contains(&advanced.other) {
            return Some(unassociated.to_owned());
        }
    }
    None
}
