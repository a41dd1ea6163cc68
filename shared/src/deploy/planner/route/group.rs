//! The service's target groups, as the spec wants them; and the load balancer's quotas,
//! asked before anything is made.

use crate::deploy::plan::Step;
use crate::deploy::planner::{Planner, Stop};
use crate::deploy::report::{Note, RouteNote};
use crate::facts::{Fact, RouteFacts, TargetGroup};
use crate::names;
use crate::spec::RouteSpec;

impl Planner<'_> {
    /// Health check and delay as the spec says them: a pass that was killed between two
    /// calls leaves AWS's 300 s. While something rolls out the health check stays: the tasks
    /// that go may not answer on the path of those that come.
    pub(super) fn keep_groups(&mut self, route: &RouteSpec, facts: &RouteFacts) {
        let rolls = self.going.is_some() || self.begins_something();
        for group in [&facts.target_group, &facts.second_group].into_iter().filter_map(Fact::known) {
            let is_ours = group.tags.get(names::TAG_SERVICE) == Some(&self.facts.key.to_string());
            if is_ours && let Some(step) = set_group(group, route, rolls) {
                self.steps.push(step);
            }
        }
    }

    fn begins_something(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::UpdateService { .. } | Step::CreateService(_)))
    }

    /// Whether the load balancer takes as many rules and groups more. Where nothing is to be
    /// made it was not asked.
    pub(in crate::deploy::planner) fn there_is_room(
        &mut self,
        facts: &RouteFacts,
        rules: usize,
        groups: usize,
    ) -> Result<(), Stop> {
        if rules == 0 && groups == 0 {
            return Ok(());
        }
        let usage = match &facts.usage {
            Fact::Known(usage) => usage,
            Fact::Unreadable(what) => return self.refuse(Note::Unreadable { what: what.clone() }),
            Fact::Absent | Fact::NotAsked => return Ok(()),
        };
        let full = |what: &str, there, more, quota, adjustable| {
            Note::Route(RouteNote::Full { what: what.to_owned(), there, more, quota, adjustable })
        };
        if usage.rules + rules > usage.rules_max {
            return self.refuse(full("rules", usage.rules, rules, usage.rules_max, true));
        }
        if usage.groups + groups > usage.groups_max {
            return self.refuse(full("target groups", usage.groups, groups, usage.groups_max, false));
        }
        Ok(())
    }
}

fn set_group(group: &TargetGroup, route: &RouteSpec, rolls: bool) -> Option<Step> {
    let other_check = group.check.as_ref().is_some_and(|check| *check != route.health);
    let health = (other_check && !rolls).then(|| route.health.clone());
    let delay = group.deregistration_delay_secs.filter(|delay| *delay != route.deregistration_delay_secs);
    let delay = delay.map(|_| route.deregistration_delay_secs);
    (health.is_some() || delay.is_some()).then(|| Step::SetTargetGroup {
        group: group.arn.clone(),
        name: group.name.clone(),
        health,
        deregistration_delay_secs: delay,
    })
}
