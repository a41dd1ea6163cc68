//! Where a canary's requests come from: the service's own rules, its group, and the canary's.
//!
//! A service without a load balancer has none of it: its canary is tasks alone.

use super::super::{Planner, Stop};
use crate::deploy::canary::Weights;
use crate::deploy::plan::{CreateLoadBalancer, Forward, Made, RuleAction, RuleChange, Step, TargetGroupSpec};
use crate::deploy::report::{CanaryNote, Note};
use crate::deploy::{desired, route};
use crate::facts::{Fact, LiveService, RouteFacts, Rule, ServiceLoadBalancer, TargetGroup, TargetHealth};
use crate::id::TargetGroupArn;
use crate::names;
use crate::spec::{NetworkMode, RouteSpec, ServiceSpec};

/// The way that requests take.
pub(super) struct Lane<'a> {
    /// The service's own rules that lead to it.
    pub(super) rules: Vec<&'a Rule>,
    /// Rules of the service's that lead to its canary alone: the test route.
    pub(super) test_rules: Vec<&'a Rule>,
    /// The group that the service's tasks are in.
    pub(super) main: TargetGroupArn,
    pub(super) main_health: TargetHealth,
    /// The canary's group; `None`: it is to be made.
    pub(super) canary: Option<TargetGroupArn>,
    pub(super) canary_health: TargetHealth,
    /// How the canary's tasks are registered: as the service's are.
    balancer: ServiceLoadBalancer,
    pub(super) route: RouteSpec,
    pub(super) facts: &'a RouteFacts,
}

/// What a rule is to lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leads {
    /// To both, by weight. With 0 the canary's group is still health-checked, and ECS takes it.
    ToBoth(Weights),
    /// To the service alone, as before the canary.
    ToMain,
}

impl<'a> Planner<'a> {
    /// The service's lane; `None` where it has no load balancer.
    pub(super) fn lane(
        &mut self,
        spec: &ServiceSpec,
        service: &LiveService,
    ) -> Result<Option<Lane<'a>>, Stop> {
        let (route, balancer) = match (&spec.route, service.load_balancers.as_slice()) {
            (None, []) => return Ok(None),
            (Some(route), [balancer]) => (route, balancer.clone()),
            (None, _) => return self.impossible("it is in a target group, and the spec has no `route`: nothing tells whose rule's weights to change"),
            (Some(_), []) => return self.impossible("the spec has a `route`, and the service was made without a target group; make it anew, or take the route out of its spec"),
            (Some(_), _) => return self.impossible("the service is in several target groups, and Windlass weighs one"),
        };
        if balancer.advanced.is_some() {
            return self.impossible("ECS shifts this service between two groups since its last strategy; roll out once with `strategy: rolling`, and a canary can follow");
        }
        let facts = self.route_facts(route)?;
        let own = self.group(&facts.target_group, "the target group")?;
        let second = self.group(&facts.second_group, "the second target group")?;
        let of = |group: Option<&TargetGroup>| group.map(|group| group.arn.clone());
        let (own, second) = (of(own), of(second));
        let main = balancer.target_group.clone();
        let (canary, main_health, canary_health) = if own.as_ref() == Some(&main) {
            (second, &facts.health, &facts.second_health)
        } else if second.as_ref() == Some(&main) {
            (own, &facts.second_health, &facts.health)
        } else {
            return self.impossible("the service is in a target group that Windlass did not make, so that the rule that leads there is not its own");
        };
        let main_health = self.need(main_health, "the service's targets")?.copied().unwrap_or_default();
        let canary_health = match &canary {
            Some(_) => self.need(canary_health, "the canary's targets")?.copied().unwrap_or_default(),
            None => TargetHealth::default(),
        };
        let (rules, test_rules) = self.own_rules(facts, &main, canary.as_ref());
        let route = route.clone();
        Ok(Some(Lane { rules, test_rules, main, main_health, canary, canary_health, balancer, route, facts }))
    }

    /// One of the service's groups: there and its own, or not there.
    fn group(&mut self, fact: &'a Fact<TargetGroup>, what: &str) -> Result<Option<&'a TargetGroup>, Stop> {
        let Some(group) = self.need(fact, what)? else { return Ok(None) };
        if group.tags.get(names::TAG_SERVICE) == Some(&self.facts.key.to_string()) {
            return Ok(Some(group));
        }
        let reason =
            format!("a target group named {} exists and is not Windlass's; rename or remove it", group.name);
        self.impossible(&reason)
    }

    fn own_rules(
        &self,
        facts: &'a RouteFacts,
        main: &TargetGroupArn,
        canary: Option<&TargetGroupArn>,
    ) -> (Vec<&'a Rule>, Vec<&'a Rule>) {
        let key = self.facts.key.to_string();
        let leads = |rule: &Rule, group: &TargetGroupArn| rule.forwards.iter().any(|(to, _)| to == group);
        let own = facts
            .rules
            .iter()
            .filter(|rule| rule.priority.is_some() && rule.tags.get(names::TAG_SERVICE) == Some(&key));
        let (rules, others): (Vec<&Rule>, Vec<&Rule>) = own.partition(|rule| leads(rule, main));
        let test = others.into_iter().filter(|rule| canary.is_some_and(|canary| leads(rule, canary)));
        (rules, test.collect())
    }

    pub(super) fn impossible<T>(&mut self, reason: &str) -> Result<T, Stop> {
        self.refuse(Note::Canary(CanaryNote::Impossible { reason: reason.to_owned() }))
    }

    /// The canary's group, and the step that makes it where it is not there.
    pub(super) fn canary_group(&mut self, spec: &ServiceSpec, lane: &Lane<'_>) -> Made<TargetGroupArn> {
        if let Some(group) = &lane.canary {
            return Made::Already(group.clone());
        }
        let key = &self.facts.key;
        let own = names::target_group(key);
        let is_own_free = lane.facts.target_group.known().is_none();
        let name = if is_own_free { own } else { names::second_target_group(key) };
        self.steps.push(Step::CreateTargetGroup(TargetGroupSpec {
            name: name.clone(),
            vpc: lane.facts.vpc.clone(),
            target_type: if self.is_awsvpc(spec) { "ip" } else { "instance" }.into(),
            port: lane.balancer.port,
            health: lane.route.health.clone(),
            deregistration_delay_secs: lane.route.deregistration_delay_secs,
            tags: desired::tags(key),
        }));
        Made::ByThisPlan(name)
    }

    /// Whether its tasks have addresses of their own.
    pub(super) fn is_awsvpc(&self, spec: &ServiceSpec) -> bool {
        match (&spec.task, self.facts.live_task_definition.known()) {
            (Some(task), _) => task.network_mode == NetworkMode::Awsvpc,
            (None, Some(live)) => live.content.get("networkMode").is_some_and(|mode| mode == "awsvpc"),
            (None, None) => false,
        }
    }

    /// Has the service's rules lead so. Only what differs is changed.
    pub(super) fn lead(&mut self, lane: &Lane<'_>, group: Option<&Made<TargetGroupArn>>, leads: Leads) {
        let forward = |group: Made<TargetGroupArn>, weight| Forward { group, weight };
        let main = Made::Already(lane.main.clone());
        let forwards = match (leads, group) {
            (Leads::ToBoth(weights), Some(group)) => {
                vec![forward(main, weights.main), forward(group.clone(), weights.canary)]
            }
            (Leads::ToBoth(_) | Leads::ToMain, _) => vec![forward(main, 1)],
        };
        for rule in lane.rules.iter().filter(|rule| !leads_so(rule, &forwards)) {
            let action = RuleAction { forwards: forwards.clone(), stickiness_secs: rule.stickiness_secs };
            let change = RuleChange { action: Some(action), ..RuleChange::default() };
            self.steps.push(Step::ModifyRule { expected: Box::new((*rule).clone()), change });
        }
    }
}

impl Lane<'_> {
    /// How the canary's service registers its tasks.
    pub(super) fn registers(&self, group: &Made<TargetGroupArn>) -> CreateLoadBalancer {
        CreateLoadBalancer {
            target_group: group.clone(),
            container: self.balancer.container.clone(),
            port: self.balancer.port,
        }
    }

    /// A group of neither: an experiment's.
    pub(super) fn leads_elsewhere(&self) -> bool {
        let is_known = |to: &TargetGroupArn| *to == self.main || self.canary.as_ref() == Some(to);
        self.rules.iter().any(|rule| rule.forwards.iter().any(|(to, _)| !is_known(to)))
    }

    /// Whether any rule is waiting for its first healthy target.
    pub(super) fn is_parked(&self) -> bool {
        self.rules.iter().any(|rule| route::is_parked(rule))
    }
}

/// Whether a rule leads so already. The weight of an only group means nothing.
fn leads_so(rule: &Rule, forwards: &[Forward]) -> bool {
    match (rule.forwards.as_slice(), forwards) {
        ([(to, _)], [only]) => Made::Already(to.clone()) == only.group,
        (there, forwards) => {
            there.len() == forwards.len()
                && forwards.iter().all(|wanted| {
                    there.iter().any(|(to, weight)| {
                        Made::Already(to.clone()) == wanted.group && *weight == wanted.weight
                    })
                })
        }
    }
}
