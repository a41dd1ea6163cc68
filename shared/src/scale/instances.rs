//! How many instances: what is missing comes in one step, what is spare is emptied and then removed.
//!
//! 1. What is wanted is packed onto what is there and what is launching. What has no place is bought:
//!    first by taking back instances that were being emptied, which are there already, then from the groups.
//! 2. Only where nothing is missing and nothing is on its way, something is emptied.
//! 3. What was emptied is removed, instance by instance: a group's own choice would be another one.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::demand::{self, Wanted};
use super::facts::{CapacityFacts, LiveGroup};
use super::plan::Step;
use super::report::{InstanceNote, Note};
use super::supply::{Shapes, There, is_removed_by_us};
use crate::capacity::{self, Instance, InstanceState, Owner, Supply};
use crate::facts::LiveService;
use crate::id::{AutoScalingGroupName, ServiceName, Timestamp};
use crate::ledger::{ClusterState, Order as PersonsOrder, WhyItLeaves};
use crate::spec::capacity::CapacitySpec;
use crate::spec::freeze::frozen;

/// What a pass decides with.
pub(super) struct Pass<'a> {
    pub(super) facts: &'a CapacityFacts,
    pub(super) there: There,
    pub(super) wanted: Wanted,
    pub(super) desired: BTreeMap<ServiceName, u32>,
    pub(super) shapes: &'a mut Shapes,
    pub(super) spec: &'a CapacitySpec,
    pub(super) rotation: Option<&'a PersonsOrder>,
    /// Whether anything may be emptied at all.
    pub(super) may_empty: bool,
    pub(super) now: Timestamp,
}

impl Pass<'_> {
    /// The steps for the cluster's instances.
    pub(super) fn steps(mut self, state: &mut ClusterState, notes: &mut Vec<Note>) -> Vec<Step> {
        self.describe(notes);
        let mut steps = self.removals();
        let is_short = self.provide(state, notes, &mut steps);
        if self.may_empty && !is_short && !self.is_launching() {
            self.rotate(state, &mut steps);
            if steps.is_empty() {
                self.consolidate(state, notes, &mut steps);
            }
        }
        steps
    }

    /// Whose groups are left alone, what is on its way, who drains.
    fn describe(&self, notes: &mut Vec<Note>) {
        for offer in &self.there.offers {
            let group = offer.name.clone();
            let launching = u32::try_from(offer.launching.len()).unwrap_or(u32::MAX);
            match offer.supply {
                Supply::NotOurs => notes.push(Note::Instances(InstanceNote::NotOurs { group })),
                Supply::ManagedScaling => {
                    let provider = self.provider_of(&offer.name);
                    notes.push(Note::Instances(InstanceNote::ManagedScaling { group, provider }));
                }
                Supply::Open | Supply::Failing if launching > 0 => {
                    notes.push(Note::Instances(InstanceNote::Launching { group, instances: launching }));
                }
                Supply::Open | Supply::Failing => {}
            }
        }
        for named in &self.spec.strategy {
            if self.group(&named.group).is_none() {
                notes.push(Note::Instances(InstanceNote::NoSuchGroup { group: named.group.clone() }));
            }
        }
        for instance in &self.there.strangers {
            notes.push(Note::Instances(InstanceNote::SomebodyDrains { instance: instance.clone() }));
        }
        for instance in &self.there.instances {
            if let (Some((why, _)), Some(ec2)) = (self.there.leaving.get(&instance.arn), &instance.ec2) {
                let tasks = counted(instance);
                let instance = ec2.clone();
                notes.push(Note::Instances(InstanceNote::Leaves { instance, why: *why, tasks }));
            }
        }
    }

    fn provider_of(&self, group: &AutoScalingGroupName) -> String {
        let providers = self.facts.providers.known().into_iter().flatten();
        let mut named = providers.filter(|it| it.group.as_ref() == Some(group)).map(|it| it.name.clone());
        named.next().unwrap_or_else(|| "(its providers could not be read)".to_owned())
    }

    fn is_launching(&self) -> bool {
        self.there.offers.iter().any(|offer| !offer.launching.is_empty())
    }

    /// Takes back, and asks for more. Whether anything is missing.
    fn provide(&mut self, state: &mut ClusterState, notes: &mut Vec<Note>, steps: &mut Vec<Step>) -> bool {
        let mut demand = self.wanted.all();
        let mut order = capacity::missing(&self.there.instances, &self.there.offers, &demand);
        let is_short = !order.groups.is_empty() || !order.unplaceable.is_empty();
        if is_short {
            let before = steps.len();
            self.take_back(steps);
            if steps.len() > before {
                demand = self.wanted.all();
                order = capacity::missing(&self.there.instances, &self.there.offers, &demand);
            }
        }
        for (group, more) in &order.groups {
            let Some(live) = self.group(group) else { continue };
            let to = live.desired.saturating_add(more.more);
            let why = format!("{} tasks have no place{}", more.tasks, self.instead_of(group));
            steps.push(Step::SetCapacity { group: group.clone(), from: live.desired, to, why });
            let mark = state.groups.entry(group.clone()).or_default();
            mark.asked = Some(to);
            mark.out_at = Some(self.now);
        }
        let tasks = self.wanted.tasks.len();
        // Room that is kept free and cannot be had is no task without a place.
        for left in order.unplaceable.iter().filter(|left| left.demand < tasks) {
            let shape = &demand[left.demand].shape;
            let groups: Vec<String> =
                left.groups.iter().map(|(group, why)| format!("{group}: {}", no_help(why))).collect();
            let why = match groups.as_slice() {
                [] => format!("{}; no Auto Scaling group has the tag `windlass:cluster`", left.why),
                groups => format!("{}; {}", left.why, groups.join("; ")),
            };
            notes.push(Note::Instances(InstanceNote::NoPlace {
                of: shape.group.to_string(),
                tasks: left.count,
                why,
            }));
        }
        is_short
    }

    /// Words for the groups whose turn it would be by their shares, were their launches not failing.
    fn instead_of(&self, group: &AutoScalingGroupName) -> String {
        let offers = &self.there.offers;
        let Some(asked) = offers.iter().find(|it| it.name == *group) else { return String::new() };
        let has = |group: &AutoScalingGroupName| {
            let own = self.stays().filter(|it| it.group.as_ref() == Some(group));
            u32::try_from(own.count()).unwrap_or(u32::MAX)
        };
        let turn = asked.turn(has(group));
        let failing = offers.iter().filter(|it| it.supply == Supply::Failing && it.share.is_some());
        let skipped: Vec<&str> =
            failing.filter(|it| it.turn(has(&it.name)) <= turn).map(|it| it.name.as_str()).collect();
        if skipped.is_empty() {
            return String::new();
        }
        format!("; {}, whose turn it is, fails to launch", skipped.join(" and "))
    }

    fn group(&self, name: &AutoScalingGroupName) -> Option<&LiveGroup> {
        self.facts.groups.known()?.iter().find(|group| group.name == *name)
    }

    /// Instances that leave for consolidation stay after all, as many as help: the newest first, which
    /// have the most left on them.
    fn take_back(&mut self, steps: &mut Vec<Step>) {
        let mut back: Vec<_> = self
            .there
            .leaving
            .iter()
            .filter(|(_, (why, _))| *why == WhyItLeaves::Consolidation)
            .map(|(arn, (_, since))| (*since, arn.clone()))
            .collect();
        back.sort();
        for (_, arn) in back.into_iter().rev() {
            let Some(at) = self.there.instances.iter().position(|it| it.arn == arn) else { continue };
            let Some(ec2) = self.there.instances[at].ec2.clone() else { continue };
            // One that is being removed in this very pass is gone.
            if steps.iter().any(|step| matches!(step, Step::Remove { ec2: gone, .. } if *gone == ec2)) {
                continue;
            }
            let demand = self.wanted.all();
            if capacity::missing(&self.there.instances, &self.there.offers, &demand).groups.is_empty() {
                return;
            }
            self.there.instances[at].state = InstanceState::Active;
            // What is on it stays there, and wants no other place.
            let headroom = self.spec.headroom.as_ref();
            self.wanted = demand::wanted(self.facts, &self.there, &self.desired, headroom, self.shapes);
            let why = "tasks have no place".to_owned();
            steps.push(Step::TakeBack { instance: arn, ec2, why });
        }
    }

    /// What was emptied, and is empty.
    fn removals(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        for instance in &self.there.instances {
            let mark = self.there.leaving.get(&instance.arn);
            let is_ours = mark.is_some_and(|(why, _)| is_removed_by_us(*why));
            let (Some(ec2), Some(group)) = (&instance.ec2, &instance.group) else { continue };
            let Some(live) = self.group(group) else { continue };
            let is_in_service = live.instances.iter().any(|it| it.id == *ec2 && it.lifecycle == "InService");
            let is_drained = self.is_drained(instance);
            if is_ours && is_in_service && is_drained && self.may_change(group) {
                let gone = steps.iter().filter(
                    |step| matches!(step, Step::Remove { group: of, fewer: true, .. } if of == group),
                );
                let left = live.desired.saturating_sub(u32::try_from(gone.count()).unwrap_or(u32::MAX));
                let fewer = left > live.min;
                steps.push(Step::Remove { ec2: ec2.clone(), group: group.clone(), fewer });
            }
        }
        steps
    }

    /// By ECS's own word it drains (a mark alone, of a pass that died after it, drains nothing), and
    /// nothing but daemons is on it: nothing that is to run, and nothing that is still being stopped.
    fn is_drained(&self, instance: &Instance) -> bool {
        let daemons = instance.tasks.len() - usize::try_from(counted(instance)).unwrap_or(usize::MAX);
        let live = self.facts.instances.known().into_iter().flatten();
        let mut own = live.filter(|it| it.arn == instance.arn && it.status == "DRAINING");
        let is_left = |it: &super::facts::LiveInstance| {
            usize::try_from(it.running.saturating_add(it.pending)).unwrap_or(usize::MAX) > daemons
        };
        counted(instance) == 0 && own.any(|it| !is_left(it))
    }

    fn may_change(&self, group: &AutoScalingGroupName) -> bool {
        let offers = self.there.offers.iter();
        offers.filter(|it| it.name == *group).any(|it| matches!(it.supply, Supply::Open | Supply::Failing))
    }

    /// Whether ECS can move a service's tasks off an instance without stopping one first, or may stop one
    /// first: at 100 percent both ways it can do neither.
    pub(super) fn can_move(&self, name: &ServiceName) -> bool {
        let (Some(live), Some(least)) = (self.live(name), self.least(name)) else { return false };
        let desired = u64::from(live.desired);
        let most = desired * u64::from(live.settings.max_percent) / 100;
        most > desired || (least < desired && desired > 1)
    }

    /// How many of a service's tasks ECS keeps healthy while it moves them.
    pub(super) fn least(&self, name: &ServiceName) -> Option<u64> {
        let live = self.live(name)?;
        Some((u64::from(live.desired) * u64::from(live.settings.min_healthy_percent)).div_ceil(100))
    }

    fn live(&self, name: &ServiceName) -> Option<&LiveService> {
        Some(&self.facts.services.known()?.get(name)?.live)
    }

    /// When it came.
    pub(super) fn registered_at(&self, instance: &Instance) -> Option<Timestamp> {
        let live = self.facts.instances.known().into_iter().flatten();
        live.filter(|it| it.arn == instance.arn).find_map(|it| it.registered_at)
    }

    pub(super) fn stays(&self) -> impl Iterator<Item = &Instance> {
        self.there.instances.iter().filter(|it| it.state == InstanceState::Active)
    }

    /// A person's order: the instances that were there before it are replaced, a few at a time. What is
    /// on them makes its own demand, so that the next pass brings what is missing.
    fn rotate(&self, state: &mut ClusterState, steps: &mut Vec<Step>) {
        let Some(order) = self.rotation else { return };
        let is_old = |it: &&Instance| self.registered_at(it).is_some_and(|at| at < order.at);
        let ours = |it: &&Instance| it.group.as_ref().is_some_and(|group| self.may_change(group));
        let mut old: Vec<&Instance> = self.stays().filter(is_old).filter(ours).collect();
        let leaving = self.there.leaving.values().filter(|(why, _)| *why == WhyItLeaves::Rotation).count();
        if old.is_empty() && leaving == 0 {
            state.rotated = Some(order.at);
            return;
        }
        old.sort_by(|a, b| self.registered_at(a).cmp(&self.registered_at(b)).then_with(|| a.arn.cmp(&b.arn)));
        let at_once = usize::try_from(self.spec.rotation.max_instances).unwrap_or(usize::MAX);
        for instance in old.into_iter().take(at_once.saturating_sub(leaving)) {
            if let Some(ec2) = instance.ec2.clone() {
                let why = WhyItLeaves::Rotation;
                steps.push(Step::Empty { instance: instance.arn.clone(), ec2, why });
            }
        }
    }

    /// Empties what is spare, within the budget and when it is time.
    fn consolidate(&self, state: &mut ClusterState, notes: &mut Vec<Note>, steps: &mut Vec<Step>) {
        let spec = &self.spec.consolidation;
        if !spec.enabled || !self.is_time(state) || self.rolls_out() {
            return;
        }
        let stays = u32::try_from(self.stays().count()).unwrap_or(u32::MAX);
        let leaving = u32::try_from(self.there.leaving.len()).unwrap_or(u32::MAX);
        let of_percent = (u64::from(stays + leaving) * u64::from(spec.max_percent) / 100).max(1);
        let budget = spec.max_instances.min(u32::try_from(of_percent).unwrap_or(u32::MAX));
        let budget = budget.saturating_sub(leaving);
        if budget == 0 {
            return;
        }
        let found = super::consolidation::spare(self, budget);
        for instance in &found.emptied {
            let why = WhyItLeaves::Consolidation;
            if let Some(ec2) = instance.ec2.clone() {
                steps.push(Step::Empty { instance: instance.arn.clone(), ec2, why });
                state.emptied_at = Some(self.now);
            }
        }
        notes.extend(found.notes.into_iter().map(Note::Instances));
    }

    /// Not soon after more was asked for, and within the windows.
    fn is_time(&self, state: &ClusterState) -> bool {
        let spec = &self.spec.consolidation;
        let calm = SignedDuration::from_secs(i64::from(spec.cool_down_secs));
        let last = state.groups.values().filter_map(|mark| mark.out_at).max();
        let is_calm = last.is_none_or(|at| at.duration_until(self.now) >= calm);
        is_calm && (spec.windows.is_empty() || frozen(&spec.windows, self.now).is_some())
    }

    /// A rollout's surge comes and goes: what looks spare in between is not.
    fn rolls_out(&self) -> bool {
        let mut services = self.facts.services.known().into_iter().flat_map(|services| services.values());
        services.any(|it| it.live.deployments.len() > 1 || it.live.desired != it.live.running)
    }
}

/// How many tasks on it count: daemons' do not, they go with it.
pub(super) fn counted(instance: &Instance) -> u32 {
    let counts = |task: &&capacity::TaskOn| !matches!(task.owner, Owner::Daemon(_));
    u32::try_from(instance.tasks.iter().filter(counts).count()).unwrap_or(u32::MAX)
}

pub(super) fn no_help(why: &capacity::NoHelp) -> String {
    use capacity::NoHelp;
    match why {
        NoHelp::Closed(Supply::NotOurs) => "it has no tag `windlass:cluster`".to_owned(),
        NoHelp::Closed(Supply::ManagedScaling) => "ECS's managed scaling sets its capacity".to_owned(),
        NoHelp::Closed(Supply::Failing) => "its last launch failed".to_owned(),
        NoHelp::Closed(Supply::Open) | NoHelp::Unknown => {
            "nothing tells what would come; tag it `windlass:instance-type`".to_owned()
        }
        NoHelp::AtMax { max } => format!("it has its most, {max}; raise its maximum"),
        NoHelp::TooSmall(lacks) => {
            let lacks: Vec<String> = lacks.iter().map(ToString::to_string).collect();
            format!("too small even when empty: {}", lacks.join(" and "))
        }
        NoHelp::Excluded(_) => "a placement constraint excludes its instances".to_owned(),
    }
}
