//! Facts + row + now → the plan of one instance.
//!
//! 1. An instance that ECS does not know any more: Auto Scaling is let go on, and what was on it is recorded.
//! 2. Why it leaves ([`super::departure`]). Nothing says so: nothing is done, and a stranger's drain is named.
//! 3. Whose it is to empty: not where ECS's managed draining does, and not where somebody else set DRAINING.
//! 4. Ours: marked, then drained; or taken back, where the reason has passed.
//! 5. Empty: Auto Scaling is told to go on. Until then it is told that this goes on, and when the time is up
//!    the policy decides.

use jiff::SignedDuration;

use super::content::Content;
use super::departure::{departure, force, is_back, is_let_go, is_waiting, managed, marked, open, waiting};
use super::facts::{InstanceFacts, Warning};
use super::plan::{DrainPlan, Note, Step};
use super::policy::{self, Verdict};
use crate::facts::{Fact, Unreadable};
use crate::id::Timestamp;
use crate::ledger::{Departure, DepartureEnd, HowItEnded, InstanceRow, InstanceState, WhyItLeaves};
use crate::scale::facts::LiveInstance;
use crate::spec::capacity::{CapacitySpec, OnTimeout, StandaloneTasks};
use crate::spec::{ClusterSpec, cluster_parameter_name};

/// Auto Scaling waits no longer than this, and than a hundred heartbeats.
const LONGEST: SignedDuration = SignedDuration::from_hours(48);

/// What is to be done to the instance. A pure function of what it is given.
pub fn plan(facts: &InstanceFacts, row: &InstanceRow, now: Timestamp) -> DrainPlan {
    let mut report: Vec<Note> = unreadable(facts).map(|what| Note::Unreadable(what.to_string())).collect();
    let spec = capacity_spec(facts, &mut report);
    let mut pass = Pass { facts, spec, now, state: row.state.clone(), steps: Vec::new(), report };
    match &facts.instance {
        Fact::Absent => pass.gone(),
        Fact::Known(instance) => pass.there(instance),
        Fact::Unreadable(_) | Fact::NotAsked => pass.heartbeat(),
    }
    let Pass { steps, report, state, .. } = pass;
    DrainPlan { key: facts.key.clone(), steps, report, state }
}

struct Pass<'a> {
    facts: &'a InstanceFacts,
    spec: CapacitySpec,
    now: Timestamp,
    state: InstanceState,
    steps: Vec<Step>,
    report: Vec<Note>,
}

impl Pass<'_> {
    /// ECS does not know it. Auto Scaling may still wait: of a spot instance that EC2 took it asks after.
    fn gone(&mut self) {
        let waits = waiting(self.facts).is_some() && !is_let_go(&self.state, self.now);
        let is_open = open(&self.state).is_some();
        if matches!(self.facts.group, Fact::Unreadable(_)) || !(waits || is_open) {
            return;
        }
        if self.state.leaves.is_none() {
            let now = self.now;
            self.state.leaves = Some(Departure { why: WhyItLeaves::Hook, since: now, taken_at: None });
        }
        let reason = "its instance was gone before it had ended";
        let cut = policy::cut_with_it(self.state.on_it.iter(), &self.state.cut, reason, self.now);
        let how = match (cut.is_empty(), self.state.cut.is_empty()) {
            (false, _) => HowItEnded::Gone,
            (true, false) => HowItEnded::TimedOut,
            (true, true) => HowItEnded::Empty,
        };
        self.state.cut.extend(cut);
        self.state.on_it.clear();
        if self.state.ended.is_none() {
            self.end(how);
        }
        if waits {
            self.complete();
        }
    }

    fn there(&mut self, instance: &LiveInstance) {
        let let_go = self.state.ended.as_ref().filter(|end| end.how != HowItEnded::TakenBack);
        if let Some(since) = let_go.map(|end| end.at)
            && is_back(self.facts, since, self.now)
        {
            match marked(instance) {
                Some(_) => self.take_back(instance),
                None => self.end(HowItEnded::TakenBack),
            }
            return;
        }
        let Some(departure) = departure(self.facts, &self.state, &self.spec.drain, self.now) else {
            self.nothing_says_so(instance);
            return;
        };
        if self.is_ours_to_see_out(instance, &departure) {
            self.begin(&departure);
            // Somebody else drained it for Auto Scaling, and it serves again: nothing of ours is left on it.
            let is_hook = departure.why == WhyItLeaves::Hook;
            if is_hook && marked(instance).is_none() && is_back(self.facts, departure.since, self.now) {
                self.end(HowItEnded::TakenBack);
                return;
            }
            if self.empties(instance, &departure) && self.stays_after_all(instance, &departure) {
                return;
            }
            self.see_out(instance, &departure);
        }
    }

    /// What is none of ours is named.
    fn nothing_says_so(&mut self, instance: &LiveInstance) {
        if matches!(self.facts.warning, Some(Warning::Rebalance { .. })) {
            self.report.push(Note::RebalanceIgnored);
        }
        if self.state.ended.is_some() {
            return;
        }
        match (managed(self.facts), self.facts.group.known()) {
            (Some(provider), Some(member)) if is_waiting(&member.lifecycle) => {
                self.report.push(Note::ManagedDraining { provider: provider.to_owned() });
            }
            (None, Some(member)) if is_waiting(&member.lifecycle) && !member.is_ours => {
                self.report.push(Note::GroupNotOurs { group: Some(member.group.clone()) });
            }
            (None, Some(member)) if is_waiting(&member.lifecycle) => {
                self.report.push(Note::ForeignHook { group: member.group.clone() });
            }
            _ if instance.status == "DRAINING" => self.report.push(Note::NotOurs),
            _ => {}
        }
    }

    /// Whether anything is done at all. A hook of ours is completed whoever empties the instance.
    fn is_ours_to_see_out(&mut self, instance: &LiveInstance, departure: &Departure) -> bool {
        if marked(instance).is_some() || waiting(self.facts).is_some() {
            return true;
        }
        if let (Some(provider), WhyItLeaves::Rebalance) = (managed(self.facts), departure.why) {
            self.report.push(Note::ManagedDraining { provider: provider.to_owned() });
            return false;
        }
        if instance.status == "DRAINING" {
            self.report.push(Note::NotOurs);
            if open(&self.state).is_some() {
                self.end(HowItEnded::TakenBack);
            }
            return false;
        }
        let is_ours = match &self.facts.group {
            Fact::Known(member) => member.is_ours,
            // In the two minutes of an interruption nothing waits for a read that fails.
            Fact::Unreadable(_) | Fact::NotAsked => departure.why == WhyItLeaves::Spot,
            Fact::Absent => false,
        };
        let is_begun = open(&self.state).is_some();
        if !is_ours && !is_begun {
            let group = self.facts.group.known().map(|member| member.group.clone());
            self.report.push(Note::GroupNotOurs { group });
        }
        is_ours || is_begun
    }

    /// The row remembers it from now on; what an earlier departure left there is over.
    fn begin(&mut self, departure: &Departure) {
        if self.state.ended.is_some() {
            let InstanceState { schema, generation, last_report, looked_at, .. } = self.state.clone();
            self.state =
                InstanceState { schema, generation, last_report, looked_at, ..InstanceState::default() };
        }
        self.state.leaves = Some(departure.clone());
    }

    /// Whether we are the ones that empty it: not ECS's managed draining, nor whoever set DRAINING without
    /// our mark.
    fn empties(&mut self, instance: &LiveInstance, departure: &Departure) -> bool {
        let is_marked = marked(instance).is_some();
        if let (Some(provider), WhyItLeaves::Hook, false) = (managed(self.facts), departure.why, is_marked) {
            self.report.push(Note::ManagedDraining { provider: provider.to_owned() });
            return false;
        }
        if instance.status == "DRAINING" && !is_marked {
            self.report.push(Note::NotOurs);
            return false;
        }
        true
    }

    /// Takes it back where the reason has passed, or where somebody else did: two that fight would have
    /// its tasks move for ever. Otherwise marks and drains it.
    fn stays_after_all(&mut self, instance: &LiveInstance, departure: &Departure) -> bool {
        let serves = match &self.facts.group {
            Fact::Known(member) => member.lifecycle == "InService",
            Fact::Absent => true,
            Fact::Unreadable(_) | Fact::NotAsked => false,
        };
        let patience = SignedDuration::from_secs(i64::from(self.spec.drain.take_back_secs));
        let was_drained = self.state.drained_at.is_some() && instance.status == "ACTIVE";
        let is_over = match departure.why {
            WhyItLeaves::Rebalance => serves && departure.since.duration_until(self.now) >= patience,
            WhyItLeaves::Hook => is_back(self.facts, departure.since, self.now),
            WhyItLeaves::Consolidation | WhyItLeaves::Rotation | WhyItLeaves::Person | WhyItLeaves::Spot => {
                false
            }
        };
        let by_others = was_drained && force(departure.why) < force(WhyItLeaves::Hook);
        if by_others {
            self.report.push(Note::TakenBackByOthers);
        }
        if is_over || by_others {
            self.take_back(instance);
            return true;
        }
        self.mark_and_drain(instance, departure);
        false
    }

    fn mark_and_drain(&mut self, instance: &LiveInstance, departure: &Departure) {
        let arn = || instance.arn.clone();
        let is_active = instance.status == "ACTIVE";
        let weaker = marked(instance).is_none_or(|(why, _)| force(why) < force(departure.why));
        // What is empty already is let go in this very pass, and needs no better mark.
        if is_active || (weaker && !Content::of(self.facts).is_empty()) {
            let (why, since) = (departure.why, departure.since);
            self.steps.push(Step::Mark { instance: arn(), why, since });
        }
        if is_active {
            self.steps.push(Step::Drain { instance: arn() });
        }
        self.state.drained_at = self.state.drained_at.or(Some(self.now));
    }

    fn take_back(&mut self, instance: &LiveInstance) {
        self.steps.push(Step::TakeBack { instance: instance.arn.clone() });
        self.state.on_it.clear();
        self.end(HowItEnded::TakenBack);
    }

    /// Until it is empty, and then.
    fn see_out(&mut self, instance: &LiveInstance, departure: &Departure) {
        let content = Content::of(self.facts);
        if let Some(on_it) = content.by_task() {
            self.state.on_it = on_it;
        }
        let hook = waiting(self.facts).is_some() && !is_let_go(&self.state, self.now);
        if instance.status == "DRAINING" && content.is_empty() {
            if hook {
                self.complete();
                self.end(if self.state.cut.is_empty() { HowItEnded::Empty } else { HowItEnded::TimedOut });
            } else {
                self.report.push(Note::Empty { why: departure.why });
            }
            return;
        }
        let verdict = policy::verdict(&content, departure, &self.spec, hook, self.now);
        self.report.extend(content.notes(policy::until(departure, &self.spec), self.now));
        self.report.extend(policy::note(departure, &self.spec, &verdict, self.now));
        match verdict {
            Verdict::Wait => self.heartbeat(),
            Verdict::Stop(cut) => {
                self.steps.extend(policy::steps(&cut));
                self.state.cut.extend(cut);
                self.heartbeat();
            }
            Verdict::LetGo => {
                let reason = "the time to drain its instance was up, and the instance was let go";
                let cut = policy::cut_with_it(self.state.on_it.iter(), &self.state.cut, reason, self.now);
                self.state.cut.extend(cut);
                self.complete();
                self.end(HowItEnded::TimedOut);
            }
        }
    }

    /// Tells Auto Scaling to go on.
    fn complete(&mut self) {
        let Some((group, hooks)) = waiting(self.facts) else { return };
        self.steps.extend(hooks.iter().map(|hook| Step::Complete {
            group: group.clone(),
            hook: hook.name.clone(),
            instance: self.facts.key.instance.clone(),
        }));
        self.state.let_go_at = Some(self.now);
    }

    fn end(&mut self, how: HowItEnded) {
        // One that stays may leave another time, and Auto Scaling ask again.
        if how == HowItEnded::TakenBack {
            self.state.let_go_at = None;
        }
        self.state.ended = Some(DepartureEnd { how, at: self.now });
    }

    /// Tells Auto Scaling that this goes on, when half of its patience is over: one lost timer does no harm.
    /// Past its longest it goes on by itself, whatever it is told.
    fn heartbeat(&mut self) {
        let (Some((group, hooks)), Some(departure)) = (waiting(self.facts), open(&self.state)) else {
            return;
        };
        let since = departure.since;
        let last = self.state.heartbeat_at.unwrap_or(since);
        let elapsed = last.duration_until(self.now);
        let due: Vec<Step> = hooks
            .iter()
            .filter(|hook| {
                let patience = SignedDuration::from_secs(i64::from(hook.heartbeat_secs));
                let longest = LONGEST.min(patience * 100);
                elapsed * 2 >= patience && since.duration_until(self.now) < longest
            })
            .map(|hook| Step::Heartbeat {
                group: group.clone(),
                hook: hook.name.clone(),
                instance: self.facts.key.instance.clone(),
            })
            .collect();
        if !due.is_empty() {
            self.state.heartbeat_at = Some(self.now);
            self.steps.extend(due);
        }
    }
}

fn unreadable(facts: &InstanceFacts) -> impl Iterator<Item = &Unreadable> {
    fn of<T>(fact: &Fact<T>) -> Option<&Unreadable> {
        match fact {
            Fact::Unreadable(what) => Some(what),
            Fact::Known(_) | Fact::Absent | Fact::NotAsked => None,
        }
    }
    let own = [
        of(&facts.parameter),
        of(&facts.instance),
        of(&facts.tasks),
        of(&facts.targets),
        of(&facts.group),
        of(&facts.provider),
    ];
    own.into_iter().flatten().chain(facts.services.values().filter_map(of))
}

/// The cluster's section. Where one is there and cannot be told, nothing is cut short: what somebody may
/// have asked to be waited for is waited for.
fn capacity_spec(facts: &InstanceFacts, report: &mut Vec<Note>) -> CapacitySpec {
    let mut careful = CapacitySpec::default();
    careful.drain.on_timeout = OnTimeout::Wait;
    careful.consolidation.standalone = StandaloneTasks::Keep;
    match &facts.parameter {
        Fact::Known(parameter) => match ClusterSpec::parse(&parameter.text) {
            Ok(spec) => spec.capacity.unwrap_or_default(),
            Err(error) => {
                let name = cluster_parameter_name(&facts.key.cluster);
                report.push(Note::Unreadable(format!("{name}: {error}")));
                careful
            }
        },
        Fact::Absent => CapacitySpec::default(),
        Fact::Unreadable(_) | Fact::NotAsked => careful,
    }
}
