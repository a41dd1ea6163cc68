//! What a verdict takes of the world.
//!
//! | file | holds |
//! |---|---|
//! | `rollout` | ECS's record of a rollout: the new revision's image, both revisions' target groups |
//! | `balancer` | where requests go: the listener's protocol and port, the load balancer's name |
//! | `http` | the requests themselves: bounded in time, in number at once, in size |
//! | `alarms` | the alarms' states |
//! | `metrics` | both sides' requests, errors and latency |
//!
//! Everything is read side by side, and each part is readable or not by itself: what could not
//! be read is no verdict on the revision.

mod alarms;
mod balancer;
mod http;
mod metrics;
mod rollout;

use futures::join;
use windlass_shared::facts::{Fact, ParameterText};
use windlass_shared::id::{ListenerArn, ServiceKey, TargetGroupArn, Timestamp};
use windlass_shared::verify::{Answer, Baseline, HttpAsk, Observed, Rollout, Sides, Wanted};

use crate::clock::Clock;
use crate::{Clients, observe};

/// Reads what verdicts take.
#[derive(Debug, Clone)]
pub struct Verifier {
    clients: Clients,
    clock: Clock,
    /// Where load balancers are reached, where not at their own names: the embedded AWS.
    endpoint: Option<String>,
}

/// Where a service's requests are to be looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Requests go through this listener.
    pub listener: Option<ListenerArn>,
    /// The target groups of the new revision and of the old one.
    pub groups: Option<(TargetGroupArn, TargetGroupArn)>,
    /// Since when the new revision has carried requests.
    pub since: Timestamp,
}

impl Verifier {
    /// With these clients; `endpoint` is `WINDLASS_ALB_ENDPOINT`, which only the embedded AWS sets.
    pub fn new(clients: Clients, clock: Clock, endpoint: Option<String>) -> Self {
        Self { clients, clock, endpoint: endpoint.filter(|endpoint| !endpoint.is_empty()) }
    }

    /// The service's spec, as text.
    pub async fn spec(&self, key: &ServiceKey) -> Fact<ParameterText> {
        observe::parameter::parameter(&self.clients.ssm, &windlass_shared::spec::parameter_name(key)).await
    }

    /// ECS's record of a rollout.
    pub async fn rollout(&self, deployment: &str, revision: &str) -> Fact<Rollout> {
        rollout::read(&self.clients.ecs, deployment, revision).await
    }

    /// Looks at everything that is wanted, at once.
    pub async fn observe(&self, wanted: &Wanted, place: &Place) -> Observed {
        let sides = async {
            match wanted.compare {
                Some(baseline) => Some(self.sides(baseline, place).await),
                None => None,
            }
        };
        let (http, alarms, sides) = join!(
            self.ask_all(&wanted.http, place),
            alarms::states(&self.clients.cloudwatch, &wanted.alarms),
            sides
        );
        Observed { http, alarms, sides }
    }

    async fn ask_all(&self, asks: &[HttpAsk], place: &Place) -> Vec<Vec<Answer>> {
        if asks.is_empty() {
            return Vec::new();
        }
        let origin =
            balancer::origin(&self.clients.elb, place.listener.as_ref(), self.endpoint.as_deref()).await;
        http::ask_all(&self.clients.http, &origin, asks).await
    }

    async fn sides(&self, baseline: Baseline, place: &Place) -> Fact<Sides> {
        let Some((new, old)) = &place.groups else { return Fact::Absent };
        let window = metrics::Window { since: place.since, now: self.clock.now(), baseline };
        metrics::sides(&self.clients, new, old, window).await
    }
}
