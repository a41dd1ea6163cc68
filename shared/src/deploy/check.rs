//! The judge: holds a plan against the invariants, without knowing how it was made.
//!
//! A violation is a fault of the planner. Nothing of such a plan is applied; the pass ends
//! in an error that names the rule.

mod revisions;
mod weights;

use std::collections::{BTreeMap, BTreeSet};

use super::plan::{AdvancedBalancing, InFlightChange, Part, Plan, RuleAction, RuleChange, Step};
use super::route;
use crate::facts::{Fact, LiveService, RouteFacts, Rule, ServiceFacts};
use crate::id::{ContainerName, ImageDigest, RuleArn, ServiceKey, TargetGroupArn, TaskDefinitionArn};
use crate::ledger::{InFlight, ServiceRow, StopScope};
use crate::task_definition::{READ_ONLY, TaskDefinition};

/// An invariant that a plan breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// Law 4.
    #[error("law 4: it rolls out {0}, which is in quarantine")]
    Quarantined(ImageDigest),
    /// A hold was passed over.
    #[error("it begins a rollout while a person holds the service")]
    Held,
    /// A stop was passed over.
    #[error("it begins a rollout while a person stopped {0}, and nobody ordered it")]
    Stopped(StopScope),
    /// Law 7.
    #[error("law 7: the new revision differs from the live one in {0}, beside images of tracked containers")]
    Lossy(String),
    /// Law 7.
    #[error("law 7: the new revision carries the read-only member {0}")]
    ReadOnly(String),
    /// The same content twice.
    #[error("it registers a revision that says what {0} says")]
    RegisteredTwice(String),
    /// A new revision must carry its digest.
    #[error("the new revision does not carry the digest {0} that it is for")]
    WithoutDigest(ImageDigest),
    /// An intent is written before a rollout.
    #[error("it begins a rollout and writes no intent")]
    NoIntent,
    /// A task is marked before it runs, once.
    #[error("step {0} runs a task that is not marked as begun")]
    UnmarkedTask(usize),
    /// One rollout a pass.
    #[error("it has {0} steps that begin a rollout")]
    ManyRollouts(usize),
    /// A step uses what no earlier step makes.
    #[error("step {0} uses what no earlier step makes")]
    NotMade(usize),
    /// Law 8.
    #[error("law 8: step {0} changes a rule that is not this service's")]
    NotOurs(usize),
    /// Law 8.
    #[error("law 8: step {0} makes something without the tag windlass:service")]
    Untagged(usize),
    /// No rule of ours forwards to a group without a healthy target.
    #[error("step {0} opens a rule although no target is healthy")]
    OpensEmpty(usize),
    /// No weight to a group without a healthy target, while the other one has one.
    #[error(
        "step {0} gives requests to a target group in which nothing is healthy, although another could answer"
    )]
    WeighsEmpty(usize),
    /// Weights are a whole.
    #[error("step {0} gives weights that are no whole: {1:?}")]
    NotAWhole(usize, Vec<u32>),
    /// Priorities are unique.
    #[error("step {0} takes priority {1}, which another rule has")]
    PriorityTaken(usize, u32),
    /// Unreadable is never taken for absent.
    #[error("it creates the service although ECS did not say that there is none")]
    CreatesUnseen,
    /// Between two groups the weights are ECS's.
    #[error("step {0} changes a rule while ECS shifts this service's requests")]
    WhileShifting(usize),
    /// A rollback needs what it goes back to.
    #[error("step {0} deregisters {1}, {2}")]
    Deregisters(usize, TaskDefinitionArn, &'static str),
    /// Somebody else's deployments.
    #[error("it updates a service that {0} deploys")]
    OtherController(String),
}

/// All invariants that `plan` breaks; empty for a sound one.
pub fn check(plan: &Plan, facts: &ServiceFacts, row: &ServiceRow) -> Vec<Violation> {
    let mut broken = Vec::new();
    rollouts(plan, facts, row, &mut broken);
    for (at, step) in plan.steps.iter().enumerate() {
        made_before(plan, at, step, &mut broken);
        tagged(at, step, &mut broken);
        while_shifting(at, step, facts, &mut broken);
        match step {
            Step::RegisterTaskDefinition { content, digest, replaces, .. } => {
                registers(content, digest, replaces.is_some(), facts, &mut broken);
            }
            Step::CreateRule { priority, parked, action, .. } => {
                creates_rule(plan, at, *priority, *parked, action, facts, &mut broken);
            }
            Step::ModifyRule { expected, change } => sets_rule(at, expected, change, facts, &mut broken),
            Step::SetPriorities { .. } => sets_priorities(plan, at, facts, &mut broken),
            Step::RunTask(task) => runs_task(plan, at, &task.token, row, &mut broken),
            Step::CreateTargetGroup(_)
            | Step::DeleteRule { .. }
            | Step::SetTargetGroup { .. }
            | Step::DeleteTargetGroup { .. }
            | Step::CreateService(_)
            | Step::UpdateService { .. }
            | Step::RollOutAgain { .. }
            | Step::Scale { .. }
            | Step::DeleteService { .. }
            | Step::StopRollout { .. }
            | Step::AnswerHook { .. }
            | Step::StartScan { .. }
            | Step::Publish { .. }
            | Step::AskVerdict(_) => {}
            Step::Deregister { task_definition } => {
                revisions::judge(plan, at, task_definition, facts, row, &mut broken);
            }
        }
    }
    broken
}

fn rollouts(plan: &Plan, facts: &ServiceFacts, row: &ServiceRow, broken: &mut Vec<Violation>) {
    let begins = |step: &&Step| {
        matches!(step, Step::UpdateService { .. } | Step::RollOutAgain { .. } | Step::CreateService(_))
    };
    let count = plan.steps.iter().filter(begins).count();
    if count == 0 {
        return;
    }
    if count > 1 {
        broken.push(Violation::ManyRollouts(count));
    }
    // Back to what ran before is no beginning: neither a hold nor a quarantine stands against it.
    let goes_back =
        matches!(&plan.ledger.in_flight, InFlightChange::Set(intent) if intent.given_up.is_some());
    if row.hold.is_some() && !goes_back {
        broken.push(Violation::Held);
    }
    match &plan.ledger.in_flight {
        InFlightChange::Set(_) if goes_back => {}
        InFlightChange::Set(intent) => {
            stopped(plan, intent, facts, row, broken);
            let mut why =
                [&row.quarantine, &plan.ledger.quarantine].map(|all| all.get(&intent.digest)).into_iter();
            let is_bad =
                why.any(|why| why.is_some_and(|why| why.holds_under(&intent.spec, intent.started_at)));
            if is_bad {
                broken.push(Violation::Quarantined(intent.digest.clone()));
            }
        }
        InFlightChange::Keep | InFlightChange::Clear => broken.push(Violation::NoIntent),
    }
    let makes = |part: Part| {
        plan.steps.iter().any(|step| matches!(step, Step::CreateService(spec) if spec.part == part))
    };
    match &facts.canary {
        Fact::Absent => {}
        Fact::Known(canary) if canary.status == "INACTIVE" => {}
        _ if makes(Part::Canary) => broken.push(Violation::CreatesUnseen),
        _ => {}
    }
    let creates = makes(Part::Main);
    match &facts.service {
        Fact::Known(service) if creates && service.status != "INACTIVE" => {
            broken.push(Violation::CreatesUnseen);
        }
        Fact::Known(service) if !creates && service.controller != "ECS" => {
            broken.push(Violation::OtherController(service.controller.clone()));
        }
        Fact::Known(_) | Fact::Absent => {}
        Fact::Unreadable(_) | Fact::NotAsked => broken.push(Violation::CreatesUnseen),
    }
}

/// A task before a rollout is a part of it: neither held nor of an image in quarantine, and
/// found again by its mark, whatever dies.
fn runs_task(plan: &Plan, at: usize, token: &str, row: &ServiceRow, broken: &mut Vec<Violation>) {
    let marks = plan.ledger.marks.as_deref().unwrap_or(&row.state.marks);
    let mark = marks.pre_deployed.iter().find(|mark| mark.token == token && mark.ended.is_none());
    let Some(mark) = mark else { return broken.push(Violation::UnmarkedTask(at)) };
    if row.hold.is_some() {
        broken.push(Violation::Held);
    }
    let mut why = [&row.quarantine, &plan.ledger.quarantine].map(|all| all.get(&mark.digest)).into_iter();
    if why.any(|why| why.is_some_and(|why| why.holds_under(&mark.spec, mark.started_at))) {
        broken.push(Violation::Quarantined(mark.digest.clone()));
    }
}

/// A rollout that goes on already may, and so may one that a person ordered.
fn stopped(
    plan: &Plan,
    intent: &InFlight,
    facts: &ServiceFacts,
    row: &ServiceRow,
    broken: &mut Vec<Violation>,
) {
    let goes_on = row.state.in_flight.as_ref().is_some_and(|going| going.digest == intent.digest);
    let marks = plan.ledger.marks.as_deref().unwrap_or(&row.state.marks);
    let ordered = row.pending_bypass().is_some() || row.pending_rollback().is_some() || marks.pin.is_some();
    let stop = facts.stops.known().and_then(|stops| stops.of(&facts.key.cluster));
    if let (Some((scope, _)), false, false) = (stop, goes_on, ordered) {
        broken.push(Violation::Stopped(scope));
    }
}

fn registers(
    content: &TaskDefinition,
    digest: &ImageDigest,
    replaces: bool,
    facts: &ServiceFacts,
    broken: &mut Vec<Violation>,
) {
    if !content.carries(digest) {
        broken.push(Violation::WithoutDigest(digest.clone()));
    }
    for name in READ_ONLY.iter().filter(|name| content.content.contains_key(**name)) {
        broken.push(Violation::ReadOnly((*name).to_owned()));
    }
    for there in [&facts.live_task_definition, &facts.newest_revision].into_iter().filter_map(Fact::known) {
        if there.same_content(content) {
            let name = there.arn.as_ref().map_or("a live one", |arn| arn.short());
            broken.push(Violation::RegisteredTwice(name.to_owned()));
        }
    }
    if replaces && let Some(live) = facts.live_task_definition.known() {
        broken.extend(lost(live, content).map(Violation::Lossy));
    }
}

/// A member of the live revision that the new one has no more: the first one found.
/// Changes are the spec's right; disappearing is not, but for what a `task` section names.
fn lost(live: &TaskDefinition, new: &TaskDefinition) -> Option<String> {
    const NAMED_BY_A_TASK: [&str; 3] = ["taskRoleArn", "executionRoleArn", "runtimePlatform"];
    let gone = live
        .content
        .keys()
        .find(|name| !new.content.contains_key(*name) && !NAMED_BY_A_TASK.contains(&name.as_str()));
    if let Some(gone) = gone {
        return Some(gone.clone());
    }
    let names = |revision: &TaskDefinition| -> BTreeSet<ContainerName> {
        revision.images().into_iter().map(|(name, _)| name).collect()
    };
    names(live).difference(&names(new)).next().map(|name| format!("container {name}"))
}

fn made_before(plan: &Plan, at: usize, step: &Step, broken: &mut Vec<Violation>) {
    let is_made = |name: &str| {
        plan.steps[..at].iter().any(|step| match step {
            Step::RegisterTaskDefinition { family, .. } => family.as_str() == name,
            Step::CreateTargetGroup(group) => group.name == name,
            Step::CreateRule { name: made, .. } => made == name,
            _ => false,
        })
    };
    let is_bad = used(step).into_iter().any(|name| !is_made(name));
    if is_bad {
        broken.push(Violation::NotMade(at));
    }
}

/// What a step takes from earlier ones, by name.
fn used(step: &Step) -> Vec<&str> {
    fn groups(action: &RuleAction) -> Vec<&str> {
        action.forwards.iter().filter_map(|forward| forward.group.by_this_plan()).collect()
    }
    match step {
        Step::UpdateService { task_definition, load_balancer, .. } => {
            let between = load_balancer.as_ref().and_then(|balancer| balancer.advanced.as_ref());
            let made = between.into_iter().flat_map(|between| {
                let AdvancedBalancing { alternate, production_rule, test_rule, role: _ } = between;
                let test = test_rule.as_ref().and_then(|rule| rule.by_this_plan());
                [alternate.by_this_plan(), production_rule.by_this_plan(), test]
            });
            task_definition.by_this_plan().into_iter().chain(made.flatten()).collect()
        }
        Step::RunTask(task) => task.task_definition.by_this_plan().into_iter().collect(),
        Step::CreateService(service) => {
            let group = service.load_balancer.as_ref().and_then(|lb| lb.target_group.by_this_plan());
            service.task_definition.by_this_plan().into_iter().chain(group).collect()
        }
        Step::CreateRule { action, .. } => groups(action),
        Step::ModifyRule { change, .. } => change.action.as_ref().map(groups).unwrap_or_default(),
        Step::RegisterTaskDefinition { .. }
        | Step::CreateTargetGroup(_)
        | Step::SetPriorities { .. }
        | Step::DeleteRule { .. }
        | Step::SetTargetGroup { .. }
        | Step::DeleteTargetGroup { .. }
        | Step::RollOutAgain { .. }
        | Step::Scale { .. }
        | Step::DeleteService { .. }
        | Step::StopRollout { .. }
        | Step::AnswerHook { .. }
        | Step::StartScan { .. }
        | Step::AskVerdict(_)
        | Step::Publish { .. }
        | Step::Deregister { .. } => Vec::new(),
    }
}

fn while_shifting(at: usize, step: &Step, facts: &ServiceFacts, broken: &mut Vec<Violation>) {
    let is_of_rule =
        matches!(step, Step::CreateRule { .. } | Step::ModifyRule { .. } | Step::DeleteRule { .. });
    if is_of_rule && facts.service.known().is_some_and(LiveService::is_shifting) {
        broken.push(Violation::WhileShifting(at));
    }
}

fn tagged(at: usize, step: &Step, broken: &mut Vec<Violation>) {
    let tags = match step {
        Step::CreateTargetGroup(group) => &group.tags,
        Step::CreateRule { tags, .. } => tags,
        Step::CreateService(service) => &service.tags,
        Step::RunTask(task) => &task.tags,
        Step::RegisterTaskDefinition { .. }
        | Step::ModifyRule { .. }
        | Step::SetPriorities { .. }
        | Step::DeleteRule { .. }
        | Step::SetTargetGroup { .. }
        | Step::DeleteTargetGroup { .. }
        | Step::UpdateService { .. }
        | Step::RollOutAgain { .. }
        | Step::Scale { .. }
        | Step::DeleteService { .. }
        | Step::StopRollout { .. }
        | Step::AnswerHook { .. }
        | Step::StartScan { .. }
        | Step::AskVerdict(_)
        | Step::Publish { .. }
        | Step::Deregister { .. } => return,
    };
    if !tags.contains_key("windlass:service") {
        broken.push(Violation::Untagged(at));
    }
}

fn creates_rule(
    plan: &Plan,
    at: usize,
    priority: u32,
    parked: bool,
    action: &RuleAction,
    facts: &ServiceFacts,
    broken: &mut Vec<Violation>,
) {
    let Some(route) = facts.route.known() else { return broken.push(Violation::NotOurs(at)) };
    if priorities_before(plan, at, route).values().any(|there| *there == priority) {
        broken.push(Violation::PriorityTaken(at, priority));
    }
    let led = action.forwards.iter().filter_map(|forward| match &forward.group {
        super::plan::Made::Already(arn) => Some(arn),
        super::plan::Made::ByThisPlan(_) => None,
    });
    if !parked && !any_serves(led, route) && !leads_where_requests_go(action, route, &facts.key) {
        broken.push(Violation::OpensEmpty(at));
    }
    if !parked {
        weights::judge(at, action, route, broken);
    }
}

/// Whether a rule of the service leads to these very groups already: nobody is worse off by
/// another one, as when a test route is made while nothing of the service is healthy.
fn leads_where_requests_go(action: &RuleAction, route: &RouteFacts, key: &ServiceKey) -> bool {
    let open = || route.rules.iter().filter(|rule| route::is_of(rule, key) && !route::is_parked(rule));
    action.forwards.iter().filter(|forward| forward.weight > 0).all(|forward| match &forward.group {
        super::plan::Made::Already(arn) => {
            open().any(|rule| rule.forwards.iter().any(|(to, weight)| to == arn && *weight > 0))
        }
        super::plan::Made::ByThisPlan(_) => false,
    })
}

/// The listener's priorities as they are before step `at`.
fn priorities_before<'f>(plan: &'f Plan, at: usize, route: &'f RouteFacts) -> BTreeMap<&'f RuleArn, u32> {
    let mut there: BTreeMap<&RuleArn, u32> =
        route.rules.iter().filter_map(|rule| Some((&rule.arn, rule.priority?))).collect();
    for step in &plan.steps[..at] {
        if let Step::SetPriorities { moves, .. } = step {
            there.extend(moves.iter().map(|moved| (&moved.rule, moved.to)));
        }
    }
    there
}

/// Only rules that carry our tag move, and no two end at one priority.
fn sets_priorities(plan: &Plan, at: usize, facts: &ServiceFacts, broken: &mut Vec<Violation>) {
    let Some(route) = facts.route.known() else { return broken.push(Violation::NotOurs(at)) };
    let Some(Step::SetPriorities { moves, .. }) = plan.steps.get(at) else { return };
    let is_ours = |arn: &RuleArn| {
        route.rules.iter().any(|rule| rule.arn == *arn && rule.tags.contains_key("windlass:service"))
    };
    if !moves.iter().all(|moved| is_ours(&moved.rule)) {
        broken.push(Violation::NotOurs(at));
    }
    let mut seen = BTreeSet::new();
    for priority in priorities_before(plan, at + 1, route).into_values() {
        if !seen.insert(priority) {
            broken.push(Violation::PriorityTaken(at, priority));
        }
    }
}

fn sets_rule(
    at: usize,
    expected: &Rule,
    change: &RuleChange,
    facts: &ServiceFacts,
    broken: &mut Vec<Violation>,
) {
    let Some(route) = facts.route.known() else { return broken.push(Violation::NotOurs(at)) };
    let key = facts.key.to_string();
    let own = route.rules.iter().find(|rule| {
        rule.arn == expected.arn
            && rule.priority.is_some()
            && rule.tags.get(crate::names::TAG_SERVICE) == Some(&key)
    });
    let Some(own) = own else { return broken.push(Violation::NotOurs(at)) };
    let parks = change.conditions.as_ref().is_none_or(|wanted| *wanted == route::parked(&facts.key));
    if route::is_parked(own) && !parks && !any_serves(own.forwards.iter().map(|(group, _)| group), route) {
        broken.push(Violation::OpensEmpty(at));
    }
    if let Some(action) = &change.action {
        weights::judge(at, action, route, broken);
    }
}

/// Whether one of these groups has a healthy target.
fn any_serves<'g>(mut groups: impl Iterator<Item = &'g TargetGroupArn>, route: &RouteFacts) -> bool {
    let known = [(&route.target_group, &route.health), (&route.second_group, &route.second_health)];
    groups.any(|group| {
        known.iter().any(|(of, health)| {
            of.known().is_some_and(|of| of.arn == *group)
                && health.known().is_some_and(|health| health.healthy > 0)
        })
    })
}
