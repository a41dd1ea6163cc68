//! One instance that leaves: which one an event means, observing it in two rounds, and applying a drain
//! pass's steps.
//!
//! # Flow of an observation
//!
//! 1. Side by side, without knowing anything: the cluster's parameter, ECS's container instance, what Auto
//!    Scaling says of it, the cluster's capacity providers.
//! 2. What only the first round could say: its tasks (those that are being stopped among them), their
//!    services, and the instance's targets in these services' target groups.
//!
//! A fact that could not be read is said to be so, and hides no other one.

mod apply;
mod content;
mod find;
mod group;

use futures::join;
use windlass_shared::drain::facts::{InstanceFacts, Warning};
use windlass_shared::facts::Fact;
use windlass_shared::id::ContainerInstanceArn;
use windlass_shared::ledger::InstanceKey;
use windlass_shared::scale::facts::{LiveInstance, LiveProvider};
use windlass_shared::spec;

pub use self::apply::apply;
use self::content::Content;
pub use self::find::FindError;
use crate::capacity::{Listed, describe_instances, providers};
use crate::error::Failure;
use crate::observe::convert::fact;
use crate::observe::parameter;
use crate::{Clients, Ledger};

/// Reads instances for drain passes.
#[derive(Debug)]
pub struct DrainObserver {
    clients: Clients,
    ledger: Ledger,
}

impl DrainObserver {
    /// An observer.
    pub fn new(clients: Clients, ledger: Ledger) -> Self {
        Self { clients, ledger }
    }

    /// Everything that a pass over the instance must see.
    pub async fn instance_facts(&self, key: &InstanceKey, warning: Option<Warning>) -> InstanceFacts {
        let name = spec::cluster_parameter_name(&key.cluster);
        let (parameter, instance, group, providers) = join!(
            parameter(&self.clients.ssm, &name),
            self.container_instance(key),
            group::member(&self.clients, key),
            providers(&self.clients.ecs, &key.cluster),
        );
        let content = match instance.known() {
            Some(instance) => content::of(&self.clients, key, &instance.arn).await,
            None => Content::not_asked(),
        };
        let provider = provider(providers, instance.known(), group.known().map(|it| &it.group));
        InstanceFacts {
            key: key.clone(),
            parameter,
            instance,
            tasks: content.tasks,
            services: content.services,
            targets: content.targets,
            group,
            provider,
            warning,
        }
    }

    async fn container_instance(&self, key: &InstanceKey) -> Fact<LiveInstance> {
        let found = async {
            let arns = self.arns(key).await?;
            if arns.is_empty() {
                return Ok(None);
            }
            let live = describe_instances(&self.clients.ecs, &key.cluster, &arns).await?;
            // An agent that registered anew leaves its old self behind for a while.
            Ok(live.into_iter().max_by_key(|it| it.registered_at))
        };
        fact(found.await, || format!("describing the container instance of {key}"))
    }

    /// ECS's names for the instance; none where its cluster does not have it.
    async fn arns(&self, key: &InstanceKey) -> Listed<String> {
        let sent = self
            .clients
            .ecs
            .list_container_instances()
            .cluster(key.cluster.as_str())
            .filter(format!("ec2InstanceId == {}", key.instance))
            .send()
            .await;
        let listed = sent.map_err(|error| Failure::new("ecs:ListContainerInstances", &error))?;
        Ok(listed.container_instance_arns().to_vec())
    }

    /// The instance by ECS's own name.
    async fn described(&self, cluster: &str, arn: &ContainerInstanceArn) -> Listed<LiveInstance> {
        describe_instances(&self.clients.ecs, &cluster.into(), &[arn.to_string()]).await
    }
}

/// The provider that the instance came by, or that has its group.
fn provider(
    providers: Fact<Vec<LiveProvider>>,
    instance: Option<&LiveInstance>,
    group: Option<&windlass_shared::id::AutoScalingGroupName>,
) -> Fact<LiveProvider> {
    let name = instance.and_then(|it| it.provider.as_ref());
    match providers {
        Fact::Known(all) => {
            let is_its =
                |it: &LiveProvider| Some(&it.name) == name || (group.is_some() && it.group.as_ref() == group);
            all.into_iter().find(is_its).map_or(Fact::Absent, Fact::Known)
        }
        Fact::Absent => Fact::Absent,
        Fact::Unreadable(what) => Fact::Unreadable(what),
        Fact::NotAsked => Fact::NotAsked,
    }
}
