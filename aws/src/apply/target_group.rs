//! Making a service's target group.

use std::collections::BTreeMap;

use aws_sdk_elasticloadbalancingv2::types::{
    Matcher, ProtocolEnum, Tag, TargetGroupAttribute, TargetTypeEnum,
};
use windlass_shared::deploy::plan::{StepOutcome, TargetGroupSpec};
use windlass_shared::facts::FailureKind;
use windlass_shared::id::{ServiceKey, TargetGroupArn};
use windlass_shared::names::TAG_SERVICE;
use windlass_shared::spec::HealthSpec;

use super::outcome::{refused, unseen};
use super::{Did, Product};
use crate::Clients;
use crate::clients::no_retry;
use crate::error::Failure;
use crate::observe::convert::int;
use crate::observe::route;

const DELAY: &str = "deregistration_delay.timeout_seconds";

/// Makes the group and sets its deregistration delay. A group of that name and of this
/// service is taken over; a stranger's is left alone.
pub(super) async fn create(clients: &Clients, key: &ServiceKey, spec: &TargetGroupSpec) -> Did {
    let doing = format!("making target group {}", spec.name);
    let (arn, outcome) = match make(clients, spec).await {
        Ok(arn) => (arn, StepOutcome::Done),
        Err(failure) if matches!(failure.kind, FailureKind::Unknown | FailureKind::Conflict) => {
            match ours(clients, key, &spec.name).await {
                Ok(Some(arn)) => (arn, StepOutcome::AlreadyDone),
                Ok(None) => return refused(&doing, &failure).into(),
                Err(look) => return unseen(&doing, &failure, &look).into(),
            }
        }
        Err(failure) => return refused(&doing, &failure).into(),
    };
    match set_delay(clients, &arn, spec.deregistration_delay_secs).await {
        Ok(()) => Did::made(outcome, Product::TargetGroup(spec.name.clone(), arn)),
        Err(failure) => refused(&format!("setting {DELAY} of {}", spec.name), &failure).into(),
    }
}

async fn make(clients: &Clients, spec: &TargetGroupSpec) -> Result<TargetGroupArn, Failure> {
    const ACTION: &str = "elasticloadbalancing:CreateTargetGroup";
    let health = &spec.health;
    let made = clients
        .elb
        .create_target_group()
        .name(&spec.name)
        .protocol(ProtocolEnum::Http)
        .port(i32::from(spec.port))
        .vpc_id(&spec.vpc)
        .target_type(TargetTypeEnum::from(spec.target_type.as_str()))
        .health_check_enabled(true)
        .health_check_protocol(ProtocolEnum::Http)
        .health_check_path(&health.path)
        .health_check_interval_seconds(int(health.interval_secs))
        .health_check_timeout_seconds(int(health.timeout_secs))
        .healthy_threshold_count(int(health.healthy_threshold))
        .unhealthy_threshold_count(int(health.unhealthy_threshold))
        .matcher(Matcher::builder().http_code(&health.matcher).build())
        .set_tags(Some(tags(&spec.tags)))
        .customize()
        .config_override(aws_sdk_elasticloadbalancingv2::config::Builder::new().retry_config(no_retry()))
        .send()
        .await
        .map_err(|error| Failure::new(ACTION, &error))?;
    let arn = made.target_groups().first().and_then(|group| group.target_group_arn());
    // Answered and unreadable: looked for by its name, as after no answer.
    arn.map(TargetGroupArn::new).ok_or_else(|| Failure::of_code(ACTION, None, "the response has no group"))
}

/// The group of this name, if it carries this service's tag.
async fn ours(clients: &Clients, key: &ServiceKey, name: &str) -> Result<Option<TargetGroupArn>, Failure> {
    let Some(group) = route::target_group(&clients.elb, name).await? else { return Ok(None) };
    let tags = route::tags_of(&clients.elb, vec![group.arn.to_string()]).await?;
    let tag = tags.get(group.arn.as_str()).and_then(|tags| tags.get(TAG_SERVICE));
    Ok((tag == Some(&key.to_string())).then_some(group.arn))
}

/// Gives a group that is there the health check and the delay that the spec says.
pub(super) async fn set(
    clients: &Clients,
    group: &TargetGroupArn,
    name: &str,
    health: Option<&HealthSpec>,
    delay: Option<u32>,
) -> StepOutcome {
    if let Some(health) = health
        && let Err(failure) = set_health(clients, group, health).await
    {
        return refused(&format!("setting the health check of {name}"), &failure);
    }
    match delay {
        Some(secs) => match set_delay(clients, group, secs).await {
            Ok(()) => StepOutcome::Done,
            Err(failure) => refused(&format!("setting {DELAY} of {name}"), &failure),
        },
        None => StepOutcome::Done,
    }
}

async fn set_health(clients: &Clients, group: &TargetGroupArn, health: &HealthSpec) -> Result<(), Failure> {
    let sent = clients
        .elb
        .modify_target_group()
        .target_group_arn(group.as_str())
        .health_check_path(&health.path)
        .health_check_interval_seconds(int(health.interval_secs))
        .health_check_timeout_seconds(int(health.timeout_secs))
        .healthy_threshold_count(int(health.healthy_threshold))
        .unhealthy_threshold_count(int(health.unhealthy_threshold))
        .matcher(Matcher::builder().http_code(&health.matcher).build())
        .send()
        .await;
    sent.map(drop).map_err(|error| Failure::new("elasticloadbalancing:ModifyTargetGroup", &error))
}

/// Setting it again changes nothing, so that the SDK may try again.
async fn set_delay(clients: &Clients, arn: &TargetGroupArn, secs: u32) -> Result<(), Failure> {
    let attribute = TargetGroupAttribute::builder().key(DELAY).value(secs.to_string()).build();
    let sent = clients
        .elb
        .modify_target_group_attributes()
        .target_group_arn(arn.as_str())
        .attributes(attribute)
        .send()
        .await;
    sent.map(drop).map_err(|error| Failure::new("elasticloadbalancing:ModifyTargetGroupAttributes", &error))
}

/// Tags as ELBv2 takes them.
pub(super) fn tags(tags: &BTreeMap<String, String>) -> Vec<Tag> {
    tags.iter().filter_map(|(key, value)| Tag::builder().key(key).value(value).build().into()).collect()
}
