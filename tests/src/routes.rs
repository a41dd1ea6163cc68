//! What tests of routes ask and do.

use std::time::Duration;

use serde_json::{Value, json};
use windlass_aws::Ledger;
use windlass_aws::clients::Retries;
use windlass_aws::retire::{self, By, Round};
use windlass_shared::deploy::plan::StepOutcome;
use windlass_shared::id::{Actor, ListenerArn};
use windlass_sim::{ServiceId, elb};

use crate::function;
use crate::stage::Stage;

/// The access key that `windlass retire` signs with.
pub const RETIRES: &str = "AKIARETIRES";

impl Stage {
    /// The listener's rules but the default one: priority, conditions, groups' names.
    pub fn rules(&self) -> Vec<(u32, String, Vec<String>)> {
        let rules = self.door.with(|world| elb::rules(world, &self.listener));
        rules
            .into_iter()
            .filter_map(|rule| {
                let groups = rule.groups.iter().map(|group| group.name.clone()).collect();
                Some((rule.priority?, rule.conditions.join(" and "), groups))
            })
            .collect()
    }

    /// A person's rule, which answers by itself.
    pub fn persons_rule(&self, priority: u32, path: &str) -> Value {
        let action = json!([{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}]);
        let rule = json!({"ListenerArn": self.listener, "Priority": priority, "Actions": action,
            "Conditions": [{"Field": "path-pattern", "Values": [path]}]});
        self.by_hand(ServiceId::ElasticLoadBalancing, "CreateRule", &rule)
    }

    /// `windlass retire SERVICE --yes`, with the rights of a person; the steps in words.
    pub async fn retire(&mut self, service: &str) -> Vec<String> {
        self.delete_spec(service);
        let mut did = Vec::new();
        for _ in 0..300 {
            let round = self.retire_round(service).await.unwrap_or_else(|error| panic!("{error}"));
            let Some(steps) = round else { return did };
            did.extend(steps);
            self.run_for(Duration::from_secs(4)).await;
        }
        panic!("{service} is not gone\n{}", self.picture().await)
    }

    /// Deletes the parameter, where there is one.
    pub fn delete_spec(&self, service: &str) {
        let name = format!("/windlass/services/{}/{service}", crate::CLUSTER);
        let names = json!({ "Names": [name] });
        self.by_hand(ServiceId::Ssm, "DeleteParameters", &names);
    }

    /// One round of it: the steps that it made; `None`: nothing is left.
    ///
    /// # Errors
    ///
    /// What could not be read or written, in words.
    pub async fn retire_round(&self, service: &str) -> Result<Option<Vec<String>>, String> {
        let region = self.door.with(|world| world.config.region.clone());
        let clients = function::clients(self.door.connector(), &region, RETIRES, Retries::Off);
        let listeners = [ListenerArn::new(&self.listener)];
        let now = function::timestamp(self.now());
        let until = function::timestamp(self.now() + Duration::from_mins(1));
        let by = By { actor: Actor::new("ann"), now, until };
        let key = crate::key(service);
        let ledger = Ledger::new(clients.dynamo.clone(), self.ledger.table());
        let round = retire::round(&clients, &ledger, &key, &listeners, &by).await;
        let (plan, made) = match round.map_err(|error| error.to_string())? {
            Round::Gone => return Ok(None),
            Round::Busy => return Ok(Some(Vec::new())),
            Round::Tried(plan, made) => (plan, made),
        };
        let mut did = Vec::new();
        for (step, outcome) in plan.steps.iter().zip(&made.outcomes) {
            match outcome {
                StepOutcome::Done => did.push(step.to_string()),
                StepOutcome::Failed { reason, .. } => return Err(format!("{step}: {reason}")),
                StepOutcome::AlreadyDone | StepOutcome::Waiting { .. } | StepOutcome::Stale { .. } => {}
            }
        }
        Ok(Some(did))
    }
}
