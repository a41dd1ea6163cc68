//! The ECS service of Windlass's own canary, and why its tasks stopped.

use windlass_shared::facts::{Fact, LiveService, StoppedTask};
use windlass_shared::id::ServiceKey;
use windlass_shared::ledger::{InFlight, Manner};
use windlass_shared::names;
use windlass_shared::spec::ServiceSpec;

use super::service;

/// What was read of a canary.
pub(super) struct Canary {
    pub(super) service: Fact<LiveService>,
    /// Tasks of its newest deployment that stopped; read while it is watched for failing ones.
    pub(super) stopped: Fact<Vec<StoppedTask>>,
}

impl Canary {
    /// A service that neither has one nor is to have one costs no call.
    pub(super) const NOT_ASKED: Self = Self { service: Fact::NotAsked, stopped: Fact::NotAsked };
}

/// Whether a service has a canary of ours, or is to have one.
pub(super) fn is_involved(spec: Option<&ServiceSpec>, begun: Option<&InFlight>) -> bool {
    let wanted = spec.and_then(|spec| spec.rollout.as_ref()).is_some_and(|it| it.own_canary().is_some());
    wanted || begun.is_some_and(|begun| begun.manner == Manner::Canary)
}

/// Whether the rollout in flight is a canary of ours whose service has not been touched yet:
/// ECS has no deployment of it to tell of.
pub(super) fn is_beside(begun: &InFlight) -> bool {
    begun.manner == Manner::Canary
        && begun.canary.as_ref().is_none_or(|canary| canary.promoting_since.is_none())
}

/// Reads the canary; `begun` is the rollout in flight.
pub(super) async fn canary(ecs: &aws_sdk_ecs::Client, key: &ServiceKey, begun: Option<&InFlight>) -> Canary {
    let key = names::canary(key);
    let found = service::service(ecs, &key).await;
    let newest = found.known().and_then(|live| live.deployments.first()).map(|newest| newest.id.clone());
    let stopped = match newest.filter(|_| begun.is_some_and(is_beside)) {
        Some(newest) => service::stopped_tasks(ecs, &key, &newest).await,
        None => Fact::NotAsked,
    };
    Canary { service: found, stopped }
}
