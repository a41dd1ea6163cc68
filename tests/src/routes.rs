//! What tests of routes ask and do.

use std::time::Duration;

use serde_json::{Value, json};
use windlass_aws::clients::Retries;
use windlass_aws::retire::{self, By, Round};
use windlass_shared::deploy::plan::StepOutcome;
use windlass_shared::id::{Actor, ListenerArn};
use windlass_sim::{ServiceId, elb};

use crate::function;
use crate::stage::Stage;

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
        let name = format!("/windlass/services/{}/{service}", crate::CLUSTER);
        self.by_hand(ServiceId::Ssm, "DeleteParameter", &json!({ "Name": name }));
        let region = self.door.with(|world| world.config.region.clone());
        let clients = function::clients(self.door.connector(), &region, "AKIAPERSON", Retries::Standard);
        let listeners = [ListenerArn::new(&self.listener)];
        let mut did = Vec::new();
        for _ in 0..300 {
            let now = function::timestamp(self.now());
            let until = function::timestamp(self.now() + Duration::from_mins(1));
            let by = By { actor: Actor::new("ann"), now, until };
            let key = crate::key(service);
            let round = retire::round(&clients, &self.ledger, &key, &listeners, &by).await;
            match round.unwrap_or_else(|error| panic!("{error}")) {
                Round::Gone => return did,
                Round::Busy => {}
                Round::Tried(plan, made) => {
                    for (step, outcome) in plan.steps.iter().zip(&made.outcomes) {
                        match outcome {
                            StepOutcome::Done => did.push(step.to_string()),
                            StepOutcome::Failed { reason, .. } => panic!("{step}: {reason}"),
                            StepOutcome::AlreadyDone
                            | StepOutcome::Waiting { .. }
                            | StepOutcome::Stale { .. } => {}
                        }
                    }
                }
            }
            self.run_for(Duration::from_secs(4)).await;
        }
        panic!("{service} is not gone\n{}", self.picture().await)
    }
}
