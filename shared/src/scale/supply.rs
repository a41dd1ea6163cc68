//! What there is: container instances with their tasks, and groups from which more can come.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::SignedDuration;

use super::facts::{CapacityFacts, LiveGroup, LiveInstance, LiveResources, LiveTask, Placement};
use super::report::{InstanceNote, Note};
use super::settings::{Price, Settings};
use super::{machines, shapes};
use crate::capacity::{
    Agent, GroupOffer, HostPorts, Instance, InstanceState, Machine, OnDemand, Owner, Protection, Protocol,
    Resources, Share, Standing, Supply, TaskOn, TaskShape,
};
use crate::id::{
    AutoScalingGroupName, AvailabilityZone, ContainerInstanceArn, InstanceId, InstanceType, ServiceName,
    TaskDefinitionArn, Timestamp,
};
use crate::ledger::{ClusterState, LaunchFailure, MARK, SeenShape, WhyItLeaves, read_mark};
use crate::spec::ClusterSpec;
use crate::spec::capacity::GroupShare;

/// The tag of Auto Scaling groups whose capacity Windlass may set: the cluster's name.
pub const TAG: &str = "windlass:cluster";
/// The tag that says which type comes where a group has no instance and no policy that says it.
pub const TYPE_TAG: &str = "windlass:instance-type";
/// The attributes that ECS's agent sets.
const ZONE: &str = "ecs.availability-zone";
pub(super) const TYPE: &str = "ecs.instance-type";
/// Of an instance whose interface is trunked.
const TRUNK: &str = "ecs.awsvpc-trunk-id";
/// Ports that the agent, Docker and SSH have on every instance.
const AGENT_PORTS: [u16; 5] = [22, 2375, 2376, 51_678, 51_679];
/// After a failed launch another group is asked for so long.
const FAILING: SignedDuration = SignedDuration::from_mins(10);

/// What there is, as the packer takes it.
#[derive(Debug, Clone)]
pub struct There {
    /// The instances, those that leave among them.
    pub instances: Vec<Instance>,
    /// Those that Windlass marked: why, and since when.
    pub leaving: BTreeMap<ContainerInstanceArn, (WhyItLeaves, Timestamp)>,
    /// Those that drain, and not for Windlass.
    pub strangers: Vec<ContainerInstanceArn>,
    /// The groups.
    pub offers: Vec<GroupOffer>,
    /// Shapes that could not be told, in words.
    pub untold: Vec<String>,
}

/// Shapes, each made once: ten thousand tasks have few.
#[derive(Debug, Default)]
pub(super) struct Shapes {
    made: BTreeMap<(TaskDefinitionArn, String), Option<Arc<TaskShape>>>,
    pub(super) untold: Vec<String>,
}

impl Shapes {
    /// The shape of a group's tasks of a revision; `None`, and a word why, where it cannot be told.
    pub(super) fn of(
        &mut self,
        facts: &CapacityFacts,
        group: &str,
        revision: &TaskDefinitionArn,
    ) -> Option<Arc<TaskShape>> {
        let at = (revision.clone(), group.to_owned());
        if let Some(made) = self.made.get(&at) {
            return made.clone();
        }
        let made = self.make(facts, group, revision);
        self.made.insert(at, made.clone());
        made
    }

    fn make(
        &mut self,
        facts: &CapacityFacts,
        group: &str,
        revision: &TaskDefinitionArn,
    ) -> Option<Arc<TaskShape>> {
        let nowhere = Placement::default();
        let service = service_of(group).and_then(|name| facts.services.known()?.get(&name));
        let placement = service.map_or(&nowhere, |service| &service.placement);
        let Some(definition) = facts.task_definitions.get(revision).and_then(|it| it.known()) else {
            self.untold.push(format!("{group}: {} could not be read", revision.short()));
            return None;
        };
        match shapes::shape(definition, group, placement) {
            Ok(shape) => Some(Arc::new(shape)),
            Err(error) => {
                self.untold.push(format!("{group}: {error}"));
                None
            }
        }
    }
}

/// The service of a task's group `service:<name>`.
pub(super) fn service_of(group: &str) -> Option<ServiceName> {
    group.strip_prefix("service:").map(ServiceName::new)
}

/// What there is. `None` where instances, tasks or groups could not be read: then nothing is said of
/// capacity at all.
pub(super) fn there(
    facts: &CapacityFacts,
    state: &ClusterState,
    settings: &Settings,
    shapes: &mut Shapes,
    now: Timestamp,
) -> Option<There> {
    let (live, tasks) = (facts.instances.known()?, facts.tasks.known()?);
    let groups = facts.groups.known()?;
    let members = members(groups);
    let mut on: BTreeMap<&ContainerInstanceArn, Vec<&LiveTask>> = BTreeMap::new();
    for task in tasks {
        if let Some(instance) = &task.instance {
            on.entry(instance).or_default().push(task);
        }
    }
    let mut there = There {
        instances: Vec::new(),
        leaving: BTreeMap::new(),
        strangers: Vec::new(),
        offers: Vec::new(),
        untold: Vec::new(),
    };
    for it in live {
        let mark = it.attributes.get(MARK).and_then(|mark| read_mark(mark.as_deref()?));
        let member = it.ec2.as_ref().and_then(|id| members.get(id));
        let is_terminating = member.is_some_and(|(_, it)| it.lifecycle.starts_with("Terminating"));
        match mark {
            Some(mark) => drop(there.leaving.insert(it.arn.clone(), mark)),
            None if it.status == "DRAINING" && !is_terminating => there.strangers.push(it.arn.clone()),
            None => {}
        }
        let here = on.get(&it.arn).map(Vec::as_slice).unwrap_or_default();
        let tasks = here.iter().filter_map(|task| task_on(facts, shapes, task, now)).collect();
        let group = member.map(|(group, _)| (*group).clone());
        there.instances.push(instance(it, group, mark.is_some() || is_terminating, tasks, &settings.prices));
    }
    there.instances.sort_by(|a, b| a.arn.cmp(&b.arn));
    let daemons = daemons(facts, shapes);
    let strategy = strategy(facts);
    let offer = |group: &LiveGroup| GroupOffer {
        share: share(&strategy, &group.name),
        ..offer(facts, group, &there, live, state, settings, &daemons, now)
    };
    there.offers = groups.iter().map(offer).collect();
    Some(there)
}

/// How the cluster's spec shares instances out. One that could not be read shares nothing out, and the report
/// says so: more is asked for all the same, by price.
pub(super) fn strategy(facts: &CapacityFacts) -> Vec<GroupShare> {
    let text = facts.parameter.known().map(|it| it.text.as_str());
    let spec = text.and_then(|text| ClusterSpec::parse(text).ok());
    spec.and_then(|spec| spec.capacity).map(|it| it.strategy).unwrap_or_default()
}

/// A group that the strategy does not name comes last; where there is none, the price alone counts.
fn share(strategy: &[GroupShare], group: &AutoScalingGroupName) -> Option<Share> {
    let named = strategy.iter().find(|it| it.group == *group);
    let named = named.map(|it| Share { base: it.base, weight: it.weight });
    (!strategy.is_empty()).then(|| named.unwrap_or(Share { base: 0, weight: 0 }))
}

/// The instances as they are by themselves: without what is on them, and whose they are.
pub(super) fn bare(live: &[LiveInstance]) -> Vec<Instance> {
    let leaves = |it: &LiveInstance| it.attributes.contains_key(MARK);
    live.iter().map(|it| instance(it, None, leaves(it), Vec::new(), &BTreeMap::new())).collect()
}

/// Which group, and which of its instances, an EC2 instance is.
fn members(
    groups: &[LiveGroup],
) -> BTreeMap<&InstanceId, (&AutoScalingGroupName, &super::facts::GroupInstance)> {
    let each = |group| move |it| (it, group);
    let all = groups.iter().flat_map(|group: &LiveGroup| group.instances.iter().map(each(&group.name)));
    all.map(|(it, group)| (&it.id, (group, it))).collect()
}

fn instance(
    it: &LiveInstance,
    group: Option<AutoScalingGroupName>,
    leaves: bool,
    tasks: Vec<TaskOn>,
    prices: &BTreeMap<String, Price>,
) -> Instance {
    let attribute = |name: &str| it.attributes.get(name).and_then(Option::as_deref);
    let kind = attribute(TYPE).unwrap_or_default();
    let enis = machines::interfaces(kind, it.attributes.contains_key(TRUNK));
    let on_enis: u32 = tasks.iter().map(|task| task.shape.needs.enis).sum();
    let state = match it.status.as_str() {
        "ACTIVE" if !leaves => InstanceState::Active,
        "ACTIVE" | "DRAINING" => InstanceState::Draining,
        _ => InstanceState::Other,
    };
    Instance {
        arn: it.arn.clone(),
        ec2: it.ec2.clone(),
        group,
        zone: AvailabilityZone::new(attribute(ZONE).unwrap_or_default()),
        state,
        agent: if it.agent_connected { Agent::Connected } else { Agent::Disconnected },
        agent_version: it.agent_version.clone(),
        registered: resources(&it.registered).enis(enis),
        remaining: resources(&it.remaining).enis(enis.saturating_sub(on_enis)),
        used_ports: taken(&it.remaining),
        attributes: it.attributes.clone(),
        price: prices.get(kind).map(|price| price.on_demand),
        tasks,
    }
}

fn resources(live: &LiveResources) -> Resources {
    let gpus = u32::try_from(live.gpus.len()).unwrap_or(u32::MAX);
    Resources::new(live.cpu, live.memory).gpus(gpus)
}

/// ECS's `PORTS` are those that are taken, in what remains as in what is registered.
fn taken(live: &LiveResources) -> HostPorts {
    let mut ports = HostPorts::tcp(live.ports.iter().copied());
    live.ports_udp.iter().for_each(|port| ports.take(Protocol::Udp, *port));
    ports
}

fn task_on(facts: &CapacityFacts, shapes: &mut Shapes, task: &LiveTask, now: Timestamp) -> Option<TaskOn> {
    if task.last_status == "STOPPED" {
        return None;
    }
    let shape = shapes.of(facts, &task.group, &task.task_definition)?;
    let standing = match (task.desired_status.as_str(), task.last_status.as_str(), task.health.as_str()) {
        ("STOPPED", ..) => Standing::Leaving,
        (_, "RUNNING", health) if health != "UNHEALTHY" => Standing::Healthy,
        _ => Standing::Unhealthy,
    };
    let is_protected = task.protected_until.is_some_and(|until| now < until);
    Some(TaskOn {
        arn: task.arn.clone(),
        shape,
        owner: owner(facts, &task.group),
        protection: if is_protected { Protection::Protected } else { Protection::Unprotected },
        standing,
    })
}

fn owner(facts: &CapacityFacts, group: &str) -> Owner {
    let Some(name) = service_of(group) else { return Owner::Standalone };
    let service = facts.services.known().and_then(|services| services.get(&name));
    match service {
        Some(service) if service.placement.scheduling == "DAEMON" => Owner::Daemon(name),
        _ => Owner::Service(name),
    }
}

/// What daemons take of every instance, and their ports.
fn daemons(facts: &CapacityFacts, shapes: &mut Shapes) -> (Resources, HostPorts) {
    let mut all = (Resources::default(), HostPorts::tcp(AGENT_PORTS));
    for (name, service) in facts.services.known().into_iter().flatten() {
        if service.placement.scheduling != "DAEMON" {
            continue;
        }
        if let Some(shape) = shapes.of(facts, &format!("service:{name}"), &service.live.task_definition) {
            all.0 = all.0.plus(shape.needs);
            all.1.extend(&shape.ports);
        }
    }
    all
}

#[expect(clippy::too_many_arguments, reason = "what a group is made of")]
fn offer(
    facts: &CapacityFacts,
    group: &LiveGroup,
    there: &There,
    live: &[LiveInstance],
    state: &ClusterState,
    settings: &Settings,
    (overhead, used_ports): &(Resources, HostPorts),
    now: Timestamp,
) -> GroupOffer {
    let registered = |id: &InstanceId| there.instances.iter().any(|it| it.ec2.as_ref() == Some(id));
    let staying = || group.instances.iter().filter(|it| !it.lifecycle.starts_with("Terminating"));
    let of_group = || there.instances.iter().filter(|it| it.group.as_ref() == Some(&group.name));
    // Those that scale itself empties are counted in the group's number until they are removed.
    let going = of_group().filter(|it| {
        there.leaving.get(&it.arn).is_some_and(|(why, _)| is_removed_by_us(*why))
            && staying().any(|member| Some(&member.id) == it.ec2.as_ref())
    });
    let going = u32::try_from(going.count()).unwrap_or(u32::MAX);
    let known: Vec<_> = staying().filter(|it| !registered(&it.id)).map(|it| Some(it.zone.clone())).collect();
    let there_now = u32::try_from(staying().count()).unwrap_or(u32::MAX);
    let to_come = group.desired.saturating_sub(there_now);
    let supply = supply(facts, group, state, now);
    // What fails to launch does not come.
    let to_come = if supply == Supply::Failing { 0 } else { to_come };
    let launching = known.into_iter().chain((0..to_come).map(|_| None)).collect();
    let trunks = of_group().any(|it| it.attributes.contains_key(TRUNK));
    let types = types(group, live);
    let machines = types.iter().filter_map(|kind| {
        let capacity =
            machines::capacity(kind, seen(kind, live).or(state.shapes.get(kind).cloned()).as_ref(), trunks)?;
        let price = settings.prices.get(kind);
        Some(Machine {
            instance_type: InstanceType::new(kind.as_str()),
            capacity,
            on_demand: price.map(|it| it.on_demand),
            spot: price.and_then(|it| it.spot),
        })
    });
    let all_on_demand = OnDemand::ALL;
    GroupOffer {
        name: group.name.clone(),
        min: group.min,
        max: group.max.saturating_sub(going),
        desired: group.desired.saturating_sub(going),
        supply,
        zones: group.zones.clone(),
        machines: machines.collect(),
        attributes: BTreeMap::new(),
        used_ports: used_ports.clone(),
        overhead: *overhead,
        launching,
        on_demand: group
            .on_demand
            .map_or(all_on_demand, |(base, percent_above_base)| OnDemand { base, percent_above_base }),
        share: None,
    }
}

/// Whether scale removes what leaves for this reason, so that its group gets smaller. Of a spot instance
/// that EC2 takes, too: its tasks have asked for room of their own, and what Auto Scaling would bring in its
/// place after that would be one too many.
pub(super) fn is_removed_by_us(why: WhyItLeaves) -> bool {
    matches!(why, WhyItLeaves::Consolidation | WhyItLeaves::Rotation | WhyItLeaves::Spot)
}

/// What may come: by the group's policy, else what it has, else what its tag says.
fn types(group: &LiveGroup, live: &[LiveInstance]) -> Vec<String> {
    if !group.types.is_empty() {
        return group.types.clone();
    }
    let mut there: Vec<String> = group.instances.iter().filter_map(|it| it.instance_type.clone()).collect();
    if there.is_empty() {
        let ids: Vec<_> = group.instances.iter().map(|it| &it.id).collect();
        let ours = live.iter().filter(|it| it.ec2.as_ref().is_some_and(|id| ids.contains(&id)));
        there = ours.filter_map(|it| it.attributes.get(TYPE).cloned().flatten()).collect();
    }
    there.extend(group.tags.get(TYPE_TAG).cloned());
    there.sort();
    there.dedup();
    there
}

/// What an instance of the type that is there registered with.
fn seen(kind: &str, live: &[LiveInstance]) -> Option<SeenShape> {
    let is_kind = |it: &&LiveInstance| it.attributes.get(TYPE).and_then(Option::as_deref) == Some(kind);
    live.iter().find(is_kind).map(|it| SeenShape {
        cpu: it.registered.cpu,
        memory: it.registered.memory,
        gpus: u32::try_from(it.registered.gpus.len()).unwrap_or(u32::MAX),
    })
}

/// What instances registered with, for the row: the next one's shape, also from zero.
pub(super) fn remember(facts: &CapacityFacts, state: &mut ClusterState) {
    for it in facts.instances.known().into_iter().flatten() {
        let Some(kind) = it.attributes.get(TYPE).cloned().flatten() else { continue };
        if let Some(shape) = seen(&kind, std::slice::from_ref(it)) {
            state.shapes.insert(kind, shape);
        }
    }
}

/// Launches that fail, for the row: once for as long as another group is asked first. Each retry of Auto
/// Scaling's is another activity, and no news.
pub(super) fn remember_failures(
    facts: &CapacityFacts,
    state: &mut ClusterState,
    notes: &mut Vec<Note>,
    now: Timestamp,
) {
    for group in facts.groups.known().into_iter().flatten() {
        let known = state.groups.get(&group.name).and_then(|mark| mark.failed.clone());
        let is_fresh = known.as_ref().is_some_and(|known| known.at.duration_until(now) < FAILING);
        let failed = match (&group.failed, known) {
            (Some(_), Some(known)) if is_fresh => Some(known),
            (Some(failed), _) => Some(LaunchFailure { at: now, reason: failed.reason.clone() }),
            (None, _) => None,
        };
        if let Some(LaunchFailure { at, reason }) = &failed {
            let (group, reason) = (group.name.clone(), reason.clone());
            notes.push(Note::Instances(InstanceNote::LaunchFails { group, since: *at, reason }));
        }
        if failed.is_some() || state.groups.contains_key(&group.name) {
            state.groups.entry(group.name.clone()).or_default().failed = failed;
        }
    }
}

fn supply(facts: &CapacityFacts, group: &LiveGroup, state: &ClusterState, now: Timestamp) -> Supply {
    let providers = facts.providers.known().into_iter().flatten();
    let managed = providers.filter(|it| it.managed_scaling).any(|it| it.group.as_ref() == Some(&group.name));
    let failed = state.groups.get(&group.name).and_then(|mark| mark.failed.as_ref());
    if group.tags.get(TAG).map(String::as_str) != Some(facts.cluster.as_str()) {
        Supply::NotOurs
    } else if managed || facts.providers.known().is_none() {
        // What could not be read is taken for managed: two that set one number would fight.
        Supply::ManagedScaling
    } else if failed.is_some_and(|failed| failed.at.duration_until(now) < FAILING) {
        Supply::Failing
    } else {
        Supply::Open
    }
}
