//! Taking away a service that nobody wants any more, round by round, under its lease.
//! It knows where to look; what is to go, and in which order, `shared` says.

use futures::future::join_all;
use futures::try_join;
use windlass_shared::deploy::plan::{Part, Plan};
use windlass_shared::deploy::record::{self, Made};
use windlass_shared::deploy::retire::{Leftovers, retire};
use windlass_shared::id::{Actor, ListenerArn, ServiceKey, Timestamp};
use windlass_shared::names;

use crate::error::Failure;
use crate::ledger::{Ledger, LedgerError, RingResult};
use crate::observe::service::describe;
use crate::observe::{listener_rules, route};
use crate::{Clients, apply};

/// What one round came to.
#[derive(Debug)]
pub enum Round {
    /// A pass has the lease: later.
    Busy,
    /// Nothing is left.
    Gone,
    /// These steps were tried, with these ends.
    Tried(Box<Plan>, Made),
}

/// Why a round could not be made.
#[derive(Debug, thiserror::Error)]
pub enum RetireError {
    /// Something could not be read.
    #[error("looking for what is left of {key}: {source}")]
    Looking {
        /// The service.
        key: ServiceKey,
        /// Why.
        source: Failure,
    },
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Whoever retires a service, and when.
#[derive(Debug, Clone)]
pub struct By {
    /// Who.
    pub actor: Actor,
    /// Now.
    pub now: Timestamp,
    /// Until when nobody else may act.
    pub until: Timestamp,
}

/// What is left of the service on these listeners.
///
/// # Errors
///
/// If any of it could not be read: what is not seen would stay behind.
pub async fn leftovers(
    clients: &Clients,
    key: &ServiceKey,
    listeners: &[ListenerArn],
) -> Result<Leftovers, RetireError> {
    let looked = async {
        let canary = Part::Canary.of(key);
        let (main, canary) = try_join!(describe(&clients.ecs, key), describe(&clients.ecs, &canary))?;
        let mut found = Leftovers::default();
        let services = [(Part::Main, main), (Part::Canary, canary)].into_iter();
        found.services = services
            .filter_map(|(part, service)| Some((part, service?)))
            .filter(|(_, service)| service.status == "ACTIVE")
            .collect();
        for rules in join_all(listeners.iter().map(|listener| listener_rules(&clients.elb, listener))).await {
            found.rules.extend(rules?);
        }
        for name in [names::target_group(key), names::second_target_group(key)] {
            if let Some(mut group) = route::target_group(&clients.elb, &name).await? {
                let mut tags = route::tags_of(&clients.elb, vec![group.arn.to_string()]).await?;
                group.tags = tags.remove(group.arn.as_str()).unwrap_or_default();
                found.groups.push(group);
            }
        }
        Ok(found.of(key))
    };
    looked.await.map_err(|source| RetireError::Looking { key: key.clone(), source })
}

/// One round: what is left is looked at and taken away, as far as it goes now.
///
/// # Errors
///
/// The ledger's, or what could not be read. A refused step is not an error but an end.
pub async fn round(
    clients: &Clients,
    ledger: &Ledger,
    key: &ServiceKey,
    listeners: &[ListenerArn],
    by: &By,
) -> Result<Round, RetireError> {
    let holder = format!("retire/{}/{key}", by.actor);
    let (lease, row) = match ledger.lease_only(key, by.now, by.until, &holder).await? {
        RingResult::Leased { lease, row } => (lease, row),
        RingResult::Busy { .. } => return Ok(Round::Busy),
    };
    let done = async {
        let plan = retire(key, &leftovers(clients, key, listeners).await?);
        if plan.steps.is_empty() {
            return Ok(Round::Gone);
        }
        let made = Box::pin(apply(clients, &plan, row.state.generation + 1, async { Ok(()) })).await?;
        let context = record::Context {
            now: by.now,
            token: lease.token,
            cause: "retire".to_owned(),
            by: by.actor.clone(),
        };
        if let Some(steps) = record::steps(&plan, &row, &made, &context) {
            ledger.record(&steps).await?;
        }
        Ok(Round::Tried(Box::new(plan), made))
    }
    .await;
    ledger.let_go(&lease).await?;
    done
}
