//! What must stand before ECS can roll out by a strategy, and what is refused first.
//!
//! ECS takes both groups only once a rule forwards to both, and it does not look at the
//! weights that it finds (aws/containers-roadmap#2853). So before the first such rollout the
//! rule gets the second group at weight 0, and before each one production is seen to lead to
//! what can answer.

use super::super::{Planner, Stop};
use super::pair::{Pair, Side, weight};
use super::settings::{settings, shift_of};
use crate::deploy::plan::{
    AdvancedBalancing, Forward, Made, RolloutSettings, RuleAction, RuleChange, Step, TargetGroupSpec,
    UpdateLoadBalancer, Was,
};
use crate::deploy::report::{Note, StrategyNote};
use crate::deploy::{desired, route};
use crate::facts::{Fact, LiveService, RouteFacts, Rule};
use crate::id::{RuleArn, TargetGroupArn};
use crate::names;
use crate::rollout_settings::{Bounds, Shift};
use crate::spec::{RolloutSpec, RouteSpec, ServiceSpec};

/// All of a rule's requests, in the weights that ECS itself writes.
const ALL: u32 = 100;

/// An update's part beside the revision.
#[derive(Debug, Default)]
pub(in crate::deploy::planner) struct Prepared {
    /// Groups and rules that come first.
    pub(in crate::deploy::planner) steps: Vec<Step>,
    /// Settings that differ from the live ones.
    pub(in crate::deploy::planner) settings: Option<RolloutSettings>,
    /// Target groups that differ from the live ones.
    pub(in crate::deploy::planner) load_balancer: Option<Box<UpdateLoadBalancer>>,
    /// What the two replace.
    pub(in crate::deploy::planner) was: Option<Box<Was>>,
    /// How it shifts.
    pub(in crate::deploy::planner) shift: Shift,
}

impl Planner<'_> {
    /// What an update of the service takes beside its revision. Without a `rollout` section the
    /// service's own settings stay as they are.
    pub(in crate::deploy::planner) fn prepare(
        &mut self,
        spec: &ServiceSpec,
        service: &LiveService,
    ) -> Result<Prepared, Stop> {
        let Some(rollout) = &spec.rollout else {
            self.can_move(&service.settings, service)?;
            return Ok(Prepared { shift: service.settings.shift, ..Prepared::default() });
        };
        let wanted = settings(spec, rollout, self.settings.verify.as_ref(), service);
        self.can_be_verified(spec, wanted.shift)?;
        self.not_between_two(service, wanted.shift)?;
        let prepared = if wanted.shift.has_two_sets() {
            self.two_groups(spec, rollout, service)?
        } else {
            self.one_group(spec, service)?
        };
        let wanted = match prepared.shift {
            Shift::Rolling => super::rolling(rollout),
            _ => wanted,
        };
        self.with_settings(prepared, wanted, service)
    }

    /// The same as a rolling update, though the spec has another strategy: for this once.
    pub(in crate::deploy::planner) fn prepare_rolling(
        &mut self,
        spec: &ServiceSpec,
        service: &LiveService,
    ) -> Result<Prepared, Stop> {
        self.not_between_two(service, Shift::Rolling)?;
        let prepared = self.one_group(spec, service)?;
        self.with_settings(prepared, super::rolling(&spec.rollout_or_default()), service)
    }

    fn with_settings(
        &mut self,
        mut prepared: Prepared,
        wanted: RolloutSettings,
        service: &LiveService,
    ) -> Result<Prepared, Stop> {
        self.can_move(&wanted, service)?;
        prepared.settings = Some(wanted).filter(|wanted| *wanted != service.settings);
        let changes = prepared.settings.is_some() || prepared.load_balancer.is_some();
        let was = || Was {
            settings: service.settings.clone(),
            balancing: service.load_balancers.first().and_then(|balancer| balancer.advanced.clone()),
        };
        prepared.was = changes.then(was).map(Box::new);
        Ok(prepared)
    }

    /// The spec was checked with the tasks that the service began with; scaling has its own
    /// number. ECS would say nothing and wait.
    pub(in crate::deploy::planner) fn can_move(
        &mut self,
        settings: &RolloutSettings,
        service: &LiveService,
    ) -> Result<(), Stop> {
        let Bounds { least, most } =
            Bounds::of(service.desired, settings.min_healthy_percent, settings.max_percent);
        if settings.shift.has_two_sets() || (Bounds { least, most }).permit_a_move() {
            return Ok(());
        }
        self.strategy(StrategyNote::NoMove { desired: service.desired, least, most })
    }

    pub(super) fn strategy<T>(&mut self, note: StrategyNote) -> Result<T, Stop> {
        self.refuse(Note::Strategy(note))
    }

    fn can_be_verified(&mut self, spec: &ServiceSpec, shift: Shift) -> Result<(), Stop> {
        if shift.has_two_sets() && spec.verify.is_some() && self.settings.verify.is_none() {
            return self.strategy(StrategyNote::NoVerifyFunction);
        }
        Ok(())
    }

    /// While ECS is between two groups, only the same kind of rollout can take over from it.
    fn not_between_two(&mut self, service: &LiveService, wanted: Shift) -> Result<(), Stop> {
        if service.is_shifting() && !wanted.has_two_sets() {
            return self.strategy(StrategyNote::SwitchWaits);
        }
        Ok(())
    }

    // ── back to one group ───────────────────────────────────────────────────────────

    /// A rolling update stays in the group that serves, and ECS forgets the other one.
    fn one_group(&mut self, spec: &ServiceSpec, service: &LiveService) -> Result<Prepared, Stop> {
        let shifts = service.load_balancers.iter().any(|balancer| balancer.advanced.is_some());
        let (true, Some(route)) = (shifts, &spec.route) else { return Ok(Prepared::default()) };
        let facts = self.route_facts(route)?;
        let Some(pair) = self.pair(facts, service) else { return self.strategy(StrategyNote::ForeignGroup) };
        let load_balancer = UpdateLoadBalancer {
            target_group: pair.serving.group.clone(),
            container: pair.balancer.container.clone(),
            port: pair.balancer.port,
            advanced: None,
        };
        Ok(Prepared { load_balancer: Some(Box::new(load_balancer)), ..Prepared::default() })
    }

    // ── two groups ──────────────────────────────────────────────────────────────────

    fn two_groups(
        &mut self,
        spec: &ServiceSpec,
        rollout: &RolloutSpec,
        service: &LiveService,
    ) -> Result<Prepared, Stop> {
        let shift = shift_of(&rollout.strategy);
        let Some(route) = &spec.route else { return self.without_route(shift, service) };
        let facts = self.route_facts(route)?;
        for group in [&facts.target_group, &facts.second_group] {
            if let Fact::Unreadable(what) = group {
                return self.refuse(Note::Unreadable { what: what.clone() });
            }
        }
        let Some(pair) = self.pair(facts, service) else { return self.strategy(StrategyNote::ForeignGroup) };
        if route::is_parked(pair.rule) {
            // Nothing was ever reached: there is nothing to shift from.
            self.notes.push(Note::Strategy(StrategyNote::NothingToShiftFrom));
            return self.one_group(spec, service);
        }
        self.leads_nowhere_else(&pair)?;
        let role = self.settings.infrastructure_role.clone();
        let role = role.or_else(|| pair.balancer.advanced.as_ref().map(|live| live.role.clone()));
        let Some(role) = role else { return self.strategy(StrategyNote::NoInfrastructureRole) };
        let mut prepared = Prepared { shift, ..Prepared::default() };
        if !service.is_shifting() {
            self.production_serves(&pair)?;
        }
        let other = self.other_group(route, facts, &pair, &mut prepared.steps)?;
        lead_to_both(&pair, &other, &mut prepared.steps);
        let test = self.test_rule(route, rollout, facts, &pair, &other, &mut prepared.steps)?;
        if service.is_shifting() && !prepared.steps.is_empty() {
            return self.strategy(StrategyNote::SwitchWaits);
        }
        prepared.load_balancer = balancing(&pair, &other, test, role);
        Ok(prepared)
    }

    /// ECS rolls out blue/green without a load balancer, too; shares of requests need one.
    fn without_route(&mut self, shift: Shift, service: &LiveService) -> Result<Prepared, Stop> {
        let balancers = &service.load_balancers;
        let is_set_up = !balancers.is_empty() && balancers.iter().all(|balancer| balancer.advanced.is_some());
        if is_set_up || (balancers.is_empty() && shift == Shift::BlueGreen) {
            return Ok(Prepared { shift, ..Prepared::default() });
        }
        self.strategy(StrategyNote::NeedsRoute)
    }

    /// ECS writes the weights of two groups; an experiment's third one would be lost.
    fn leads_nowhere_else(&mut self, pair: &Pair<'_>) -> Result<(), Stop> {
        let known = |group: &TargetGroupArn| {
            group == pair.serving.group || pair.other.is_some_and(|other| other.group == group)
        };
        match pair.rule.forwards.iter().find(|(to, _)| !known(to)) {
            Some((to, _)) => self.strategy(StrategyNote::LeadsElsewhere { to: to.clone() }),
            None => Ok(()),
        }
    }

    /// Production leads to what can answer; or nothing can, and a rollout is the way out.
    fn production_serves(&mut self, pair: &Pair<'_>) -> Result<(), Stop> {
        let others = pair.other.filter(Side::can_serve);
        if pair.serving.is_empty()
            && let Some(other) = others
        {
            let (production, healthy) = (pair.serving.group.clone(), other.group.clone());
            return self.strategy(StrategyNote::ProductionEmpty { production, healthy });
        }
        if pair.serving.is_empty() {
            self.notes.push(Note::Strategy(StrategyNote::NothingServes));
        }
        Ok(())
    }

    /// The group beside the one that serves.
    fn other_group(
        &mut self,
        route: &RouteSpec,
        facts: &RouteFacts,
        pair: &Pair<'_>,
        steps: &mut Vec<Step>,
    ) -> Result<Made<TargetGroupArn>, Stop> {
        if let Some(other) = pair.other {
            return Ok(Made::Already(other.group.clone()));
        }
        let key = &self.facts.key;
        if let Some(taken) = [&facts.target_group, &facts.second_group]
            .into_iter()
            .filter_map(Fact::known)
            .find(|group| group.tags.get(names::TAG_SERVICE) != Some(&key.to_string()))
        {
            return self.strategy(StrategyNote::GroupTaken { name: taken.name.clone() });
        }
        let is_awsvpc = self
            .facts
            .live_task_definition
            .known()
            .is_some_and(|live| live.content.get("networkMode").is_some_and(|mode| mode == "awsvpc"));
        let first_is_free = facts.target_group.known().is_none();
        let spec = TargetGroupSpec {
            name: if first_is_free { names::target_group(key) } else { names::second_target_group(key) },
            vpc: facts.vpc.clone(),
            target_type: if is_awsvpc { "ip" } else { "instance" }.into(),
            port: pair.balancer.port,
            health: route.health.clone(),
            deregistration_delay_secs: route.deregistration_delay_secs,
            tags: desired::tags(key),
        };
        let made = Made::ByThisPlan(spec.name.clone());
        steps.push(Step::CreateTargetGroup(spec));
        Ok(made)
    }
}

/// All requests to what serves, and none yet to the other group.
pub(super) fn both(
    pair: &Pair<'_>,
    other: &Made<TargetGroupArn>,
    stickiness_secs: Option<u32>,
) -> RuleAction {
    let serving = Forward { group: Made::Already(pair.serving.group.clone()), weight: ALL };
    RuleAction { forwards: vec![serving, Forward { group: other.clone(), weight: 0 }], stickiness_secs }
}

pub(super) fn leads_to_both(rule: &Rule, pair: &Pair<'_>, other: &Made<TargetGroupArn>) -> bool {
    let Made::Already(other) = other else { return false };
    let knows = |group: &TargetGroupArn| rule.forwards.iter().any(|(to, _)| to == group);
    knows(pair.serving.group) && knows(other)
}

/// The rule knows both groups. A share that an earlier rollout left with the other one is
/// taken back: ECS would not.
fn lead_to_both(pair: &Pair<'_>, other: &Made<TargetGroupArn>, steps: &mut Vec<Step>) {
    let left = pair.other.map_or(0, |other| weight(pair.rule, other.group));
    if leads_to_both(pair.rule, pair, other) && left == 0 {
        return;
    }
    let action = Some(both(pair, other, pair.rule.stickiness_secs));
    let change = RuleChange { action, ..RuleChange::default() };
    steps.push(Step::ModifyRule { expected: Box::new(pair.rule.clone()), change });
}

/// What ECS is told of groups and rules, where it was not told so already. The group that the
/// service names stays: ECS itself finds the one that does not serve.
fn balancing(
    pair: &Pair<'_>,
    other: &Made<TargetGroupArn>,
    test_rule: Option<Made<RuleArn>>,
    role: String,
) -> Option<Box<UpdateLoadBalancer>> {
    let named = &pair.balancer.target_group;
    let alternate =
        if named == pair.serving.group { other.clone() } else { Made::Already(pair.serving.group.clone()) };
    let advanced = AdvancedBalancing {
        alternate,
        production_rule: Made::Already(pair.rule.arn.clone()),
        test_rule,
        role,
    };
    let live = pair.balancer.advanced.as_ref().map(|live| AdvancedBalancing {
        alternate: Made::Already(live.alternate.clone()),
        production_rule: Made::Already(live.production_rule.clone()),
        test_rule: live.test_rule.clone().map(Made::Already),
        role: live.role.clone(),
    });
    (live.as_ref() != Some(&advanced)).then(|| {
        Box::new(UpdateLoadBalancer {
            target_group: named.clone(),
            container: pair.balancer.container.clone(),
            port: pair.balancer.port,
            advanced: Some(advanced),
        })
    })
}
