//! Making a service, and pointing one at a revision.

use std::collections::BTreeMap;

use aws_sdk_ecs::types::{
    AssignPublicIp, AwsVpcConfiguration, LoadBalancer, NetworkConfiguration, Service, Tag,
};
use windlass_shared::deploy::plan::{
    CreateServiceSpec, Part, RolloutSettings, StepOutcome, UpdateLoadBalancer,
};
use windlass_shared::facts::{FailureKind, LiveService};
use windlass_shared::id::{DeploymentId, ServiceKey, TargetGroupArn, TaskDefinitionArn};
use windlass_shared::names::short_hash;
use windlass_shared::spec::Network;

use super::configuration::{advanced, configuration};
use super::outcome::{refused, unseen};
use super::{Did, Product, Run};
use crate::clients::no_retry;
use crate::error::Failure;
use crate::observe::convert::int;
use crate::observe::service::{describe, live};

const CREATE: &str = "ecs:CreateService";
const UPDATE: &str = "ecs:UpdateService";

impl Run<'_> {
    /// Makes the service. One that is there and wants this revision is a dead pass's; any
    /// other is `Stale`.
    pub(super) async fn create_service(&self, spec: &CreateServiceSpec) -> Did {
        let revision = match self.revision(&spec.task_definition) {
            Ok(revision) => revision,
            Err(did) => return did,
        };
        let group = match spec.load_balancer.as_ref().map(|lb| self.group(&lb.target_group)).transpose() {
            Ok(group) => group,
            Err(did) => return did,
        };
        let key = spec.part.of(self.key);
        let doing = format!("making service {key}");
        let rollout = |outcome, now: &LiveService| rollout(spec.part, outcome, revision, now);
        let failure = match self.send_create(&key, spec, revision, group).await {
            Ok(made) => return rollout(StepOutcome::Done, &made),
            Err(failure) if matches!(failure.kind, FailureKind::Unknown | FailureKind::Conflict) => failure,
            Err(failure) => return refused(&doing, &failure).into(),
        };
        match describe(&self.clients.ecs, &key).await {
            Ok(Some(there)) if is_active(&there) && there.task_definition == *revision => {
                rollout(StepOutcome::AlreadyDone, &there)
            }
            Ok(Some(there)) if is_active(&there) => StepOutcome::Stale {
                expected: "no such service".to_owned(),
                found: format!("{key} with {}", there.task_definition.short()),
            }
            .into(),
            Ok(_) => refused(&doing, &failure).into(),
            Err(look) => unseen(&doing, &failure, &look).into(),
        }
    }

    async fn send_create(
        &self,
        key: &ServiceKey,
        spec: &CreateServiceSpec,
        revision: &TaskDefinitionArn,
        group: Option<&TargetGroupArn>,
    ) -> Result<LiveService, Failure> {
        let balancer = spec.load_balancer.as_ref().zip(group).map(|(lb, group)| {
            LoadBalancer::builder()
                .target_group_arn(group.as_str())
                .container_name(&lb.container)
                .container_port(i32::from(lb.port))
                .build()
        });
        // ECS refuses a grace period where there is no load balancer to be graceful to.
        let grace = balancer.is_some().then(|| int(spec.grace_secs));
        let made = self
            .clients
            .ecs
            .create_service()
            .cluster(key.cluster.as_str())
            .service_name(key.service.as_str())
            .task_definition(revision.as_str())
            .desired_count(int(spec.desired))
            .set_load_balancers(balancer.map(|balancer| vec![balancer]))
            .set_health_check_grace_period_seconds(grace)
            .deployment_configuration(configuration(&spec.settings))
            .set_network_configuration(spec.network.as_ref().map(network))
            .set_tags(Some(tags(&spec.tags)))
            .client_token(client_token(key, self.generation))
            .customize()
            .config_override(aws_sdk_ecs::config::Builder::new().retry_config(no_retry()))
            .send()
            .await
            .map_err(|error| Failure::new(CREATE, &error))?;
        answered(CREATE, made.service(), revision)
    }

    /// Points the service at the revision, if it still wants `expected`.
    pub(super) async fn update_service(
        &self,
        part: Part,
        expected: &TaskDefinitionArn,
        revision: &TaskDefinitionArn,
        settings: Option<&RolloutSettings>,
        load_balancer: Option<&UpdateLoadBalancer>,
    ) -> Did {
        let balancer = match load_balancer.map(|wanted| self.balancer(wanted)).transpose() {
            Ok(balancer) => balancer,
            Err(did) => return did,
        };
        let key = part.of(self.key);
        let doing = format!("pointing {key} at {}", revision.short());
        let rollout = |outcome, now: &LiveService| rollout(part, outcome, revision, now);
        let looked = match (part, &self.seen) {
            (Part::Main, Some(seen)) => seen.clone(),
            _ => describe(&self.clients.ecs, &key).await,
        };
        match looked {
            Err(failure) => {
                return StepOutcome::Waiting { reason: format!("{doing}: looking first: {failure}") }.into();
            }
            Ok(Some(now)) if is_active(&now) && now.task_definition == *revision => {
                return rollout(StepOutcome::AlreadyDone, &now);
            }
            Ok(Some(now)) if is_active(&now) && now.task_definition == *expected => {}
            Ok(now) => return stale(expected, now.as_ref()).into(),
        }
        let failure = match self.send_update(&key, revision, settings, balancer).await {
            Ok(updated) => return rollout(StepOutcome::Done, &updated),
            Err(failure) if failure.kind == FailureKind::Unknown => failure,
            Err(failure) if matches!(failure.kind, FailureKind::NotFound | FailureKind::Conflict) => {
                let found = failure.to_string();
                return StepOutcome::Stale { expected: format!("{key} to be ACTIVE"), found }.into();
            }
            Err(failure) => return refused(&doing, &failure).into(),
        };
        match describe(&self.clients.ecs, &key).await {
            Ok(Some(now)) if now.task_definition == *revision => rollout(StepOutcome::Done, &now),
            Ok(_) => refused(&doing, &failure).into(),
            Err(look) => unseen(&doing, &failure, &look).into(),
        }
    }

    async fn send_update(
        &self,
        key: &ServiceKey,
        revision: &TaskDefinitionArn,
        settings: Option<&RolloutSettings>,
        balancer: Option<LoadBalancer>,
    ) -> Result<LiveService, Failure> {
        let updated = self
            .clients
            .ecs
            .update_service()
            .cluster(key.cluster.as_str())
            .service(key.service.as_str())
            .task_definition(revision.as_str())
            .set_deployment_configuration(settings.map(configuration))
            .set_load_balancers(balancer.map(|balancer| vec![balancer]))
            .customize()
            .config_override(aws_sdk_ecs::config::Builder::new().retry_config(no_retry()))
            .send()
            .await
            .map_err(|error| Failure::new(UPDATE, &error))?;
        answered(UPDATE, updated.service(), revision)
    }

    /// The load balancer's part in ECS's shape, with what earlier steps made.
    fn balancer(&self, wanted: &UpdateLoadBalancer) -> Result<LoadBalancer, Did> {
        let UpdateLoadBalancer { target_group, container, port, advanced: between } = wanted;
        let between = between.as_ref().map(|between| -> Result<_, Did> {
            let test = between.test_rule.as_ref().map(|rule| self.rule(rule)).transpose()?;
            let (group, rule) = (self.group(&between.alternate)?, self.rule(&between.production_rule)?);
            Ok(advanced(group, rule, test, &between.role))
        });
        Ok(LoadBalancer::builder()
            .target_group_arn(target_group.as_str())
            .container_name(container)
            .container_port(i32::from(*port))
            .set_advanced_configuration(between.transpose()?)
            .build())
    }
}

/// The service out of an answer, seen to want the revision.
pub(super) fn answered(
    action: &'static str,
    service: Option<&Service>,
    revision: &TaskDefinitionArn,
) -> Result<LiveService, Failure> {
    match service.map(live) {
        Some(service) if service.task_definition == *revision => Ok(service),
        _ => Err(Failure::of_code(action, None, "the response does not show the service as wanted")),
    }
}

pub(super) fn is_active(service: &LiveService) -> bool {
    service.status == "ACTIVE"
}

pub(super) fn stale(expected: &TaskDefinitionArn, now: Option<&LiveService>) -> StepOutcome {
    let found = match now {
        Some(now) if is_active(now) => now.task_definition.short().to_owned(),
        Some(now) => format!("a service that is {}", now.status),
        None => "no such service".to_owned(),
    };
    StepOutcome::Stale { expected: expected.short().to_owned(), found }
}

/// The rollout that was begun: the PRIMARY deployment of this revision.
/// A canary's own deployment is not the rollout's: that one is followed by its own id.
pub(super) fn rollout(
    part: Part,
    outcome: StepOutcome,
    revision: &TaskDefinitionArn,
    service: &LiveService,
) -> Did {
    if part == Part::Canary {
        return Did::made(outcome, Product::TaskDefinition(revision.clone()));
    }
    let primary = service
        .deployments
        .iter()
        .find(|deployment| deployment.status == "PRIMARY" && deployment.task_definition == *revision);
    let deployment: Option<DeploymentId> = primary.map(|deployment| deployment.id.clone());
    Did::made(outcome, Product::Rollout { task_definition: revision.clone(), deployment })
}

pub(super) fn network(network: &Network) -> NetworkConfiguration {
    let vpc = AwsVpcConfiguration::builder()
        .set_subnets(Some(network.subnets.clone()))
        .set_security_groups((!network.security_groups.is_empty()).then(|| network.security_groups.clone()))
        .assign_public_ip(AssignPublicIp::Disabled)
        .build();
    NetworkConfiguration::builder().set_awsvpc_configuration(vpc.ok()).build()
}

pub(super) fn tags(tags: &BTreeMap<String, String>) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

/// The same for the same try, another for another: 16 hex digits of the key and the
/// generation, which together keep within ECS's 36 characters.
fn client_token(key: &ServiceKey, generation: u64) -> String {
    let key = key.to_string();
    format!("{}{}-{generation}", short_hash(&key), short_hash(&format!("client token of {key}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_token_is_its_tries_own_and_short_enough() {
        let (shop, admin) = (ServiceKey::new("main", "shop"), ServiceKey::new("main", "admin"));
        assert_eq!(client_token(&shop, 3), client_token(&shop, 3));
        assert_ne!(client_token(&shop, 3), client_token(&shop, 4));
        assert_ne!(client_token(&shop, 3), client_token(&admin, 3));
        assert!(client_token(&shop, 9_999_999_999_999_999_999).len() <= 36);
    }
}
