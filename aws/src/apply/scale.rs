//! Another number of tasks, if the service still wants the number that the plan saw.

use windlass_shared::deploy::plan::{Part, StepOutcome};
use windlass_shared::facts::{FailureKind, LiveService};
use windlass_shared::id::ServiceKey;

use super::Run;
use super::outcome::{refused, unseen};
use crate::Clients;
use crate::clients::no_retry;
use crate::error::Failure;
use crate::observe::convert::int;
use crate::observe::service::describe;

impl Run<'_> {
    /// Scales the part of the service from `expected` to `desired` tasks.
    pub(super) async fn scale(&self, part: Part, expected: u32, desired: u32) -> StepOutcome {
        set_desired(self.clients, &part.of(self.key), expected, desired).await
    }
}

/// Scales the service from `expected` to `desired` tasks. UpdateService has no conditional
/// write: what autoscaling or a person changed since the plan looked is found by looking
/// first, so that the window is one call wide.
pub(crate) async fn set_desired(
    clients: &Clients,
    key: &ServiceKey,
    expected: u32,
    desired: u32,
) -> StepOutcome {
    let doing = format!("scaling {key} to {desired}");
    match describe(&clients.ecs, key).await {
        Err(failure) => {
            return StepOutcome::Waiting { reason: format!("{doing}: looking first: {failure}") };
        }
        Ok(Some(now)) if is_active(&now) && now.desired == desired => return StepOutcome::AlreadyDone,
        Ok(Some(now)) if is_active(&now) && now.desired == expected => {}
        Ok(now) => return stale(expected, now.as_ref()),
    }
    let failure = match send_desired(clients, key, desired).await {
        Ok(()) => return StepOutcome::Done,
        Err(failure) if failure.kind == FailureKind::Unknown => failure,
        Err(failure) if matches!(failure.kind, FailureKind::NotFound | FailureKind::Conflict) => {
            return StepOutcome::Stale {
                expected: format!("{key} to be ACTIVE"),
                found: failure.to_string(),
            };
        }
        Err(failure) => return refused(&doing, &failure),
    };
    match describe(&clients.ecs, key).await {
        Ok(Some(now)) if now.desired == desired => StepOutcome::Done,
        Ok(_) => refused(&doing, &failure),
        Err(look) => unseen(&doing, &failure, &look),
    }
}

async fn send_desired(clients: &Clients, key: &ServiceKey, desired: u32) -> Result<(), Failure> {
    let sent = clients
        .ecs
        .update_service()
        .cluster(key.cluster.as_str())
        .service(key.service.as_str())
        .desired_count(int(desired))
        .customize()
        .config_override(aws_sdk_ecs::config::Builder::new().retry_config(no_retry()))
        .send()
        .await;
    sent.map(drop).map_err(|error| Failure::new("ecs:UpdateService", &error))
}

fn is_active(service: &LiveService) -> bool {
    service.status == "ACTIVE"
}

fn stale(expected: u32, now: Option<&LiveService>) -> StepOutcome {
    let found = match now {
        Some(now) if is_active(now) => format!("{} task(s)", now.desired),
        Some(now) => format!("a service that is {}", now.status),
        None => "no such service".to_owned(),
    };
    StepOutcome::Stale { expected: format!("{expected} task(s)"), found }
}
