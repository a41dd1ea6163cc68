//! Managed scaling: the documented algorithm of ECS cluster auto scaling.
//!
//! Each minute, for each provider:
//!
//! 1. `N` is the number of instances in its group; `M` how many it needs: those that run tasks,
//!    and as many as its waiting tasks need by a first-fit packing onto the empty ones and onto
//!    new ones of the group's largest type. Tasks that do not fit on its smallest type are left out,
//!    and wait for ever. Where tasks wait, `M` is kept within
//!    `[N + minimumScalingStepSize, N + maximumScalingStepSize]`.
//! 2. `CapacityProviderReservation = 100 × M / N`; with no instance 100 if none is needed, else
//!    200, which is why a cluster comes from zero by two. It is published to CloudWatch.
//! 3. Above the target for a minute: the group grows to `⌈100 × M / target⌉`, unless one of its
//!    instances was launched less than `instanceWarmupPeriod` ago: then it waits until that is over.
//! 4. Below it for fifteen minutes: it shrinks to the same, by at least one and by less than half of it
//!    a minute. Growing begins the fifteen anew.
//! 5. With managed termination protection, what runs tasks is protected from scale-in.
//!
//! Simplifications: the two alarms are counted here rather than kept as CloudWatch alarms; a task
//! that waits is one that its service lacks, not a record in PROVISIONING; `RunTask` does not wait.
//! Sources: "Amazon ECS cluster auto scaling" and "managed scaling behavior" of the Developer Guide.

use std::time::Duration;

use super::blueprint::Blueprint;
use super::census::Census;
use super::providers::{self, Provider};
use super::service::{Service, ServiceKey};
use super::{Due, staged, task_definitions};
use crate::autoscaling::inside;
use crate::cloudwatch::{self, Measured};
use crate::ec2::types::InstanceType;
use crate::world::{self, World};

/// Minutes below the target after which a group shrinks.
const SCALE_IN_MINUTES: u32 = 15;

/// What is reserved of a group, and needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Reading {
    n: u32,
    m: u32,
}

impl Reading {
    /// `CapacityProviderReservation`.
    fn reservation(self) -> f64 {
        match (self.n, self.m) {
            (0, 0) => 100.0,
            (0, _) => 200.0,
            (n, m) => f64::from(m) * 100.0 / f64::from(n),
        }
    }

    /// The size at which the target would be met.
    fn size(self, target: u32) -> u32 {
        let (n, m) = (u64::from(self.n), u64::from(self.m));
        // From zero the metric says 200, and target tracking doubles what is counted as one.
        let needed = if n == 0 && m > 0 { 2 } else { m };
        u32::try_from((needed * 100).div_ceil(u64::from(target))).unwrap_or(u32::MAX)
    }
}

/// A provider's minute.
pub(crate) fn minute(world: &mut World, name: &str) {
    let Some(provider) = world.ecs.providers.get(name).filter(|it| it.scaling.enabled).cloned() else {
        return;
    };
    let at = world.now() + Duration::from_mins(1);
    world.at(at, world::Due::Ecs(Due::ManagedScaling { provider: name.to_owned() }));
    let clusters = world.ecs.clusters.values();
    let using = clusters.filter(|it| it.active && it.providers().contains(&name));
    let Some(cluster) = using.map(|it| it.name.clone()).next() else { return };
    let reading = read(world, &cluster, &provider);
    publish(world, &cluster, name, reading);
    if provider.protects {
        protect(world, &cluster, &provider);
    }
    scale(world, &provider, reading);
}

fn publish(world: &mut World, cluster: &str, name: &str, reading: Reading) {
    let measured = Measured {
        namespace: "AWS/ECS/ManagedScaling",
        name: "CapacityProviderReservation",
        dimensions: &[("CapacityProviderName", name), ("ClusterName", cluster)],
        unit: "Percent",
        value: reading.reservation(),
        times: 1.0,
    };
    let now = world.now();
    cloudwatch::publish(world, &measured, now);
}

fn scale(world: &mut World, provider: &Provider, reading: Reading) {
    let (group, target) = (provider.group(), provider.scaling.target);
    let wanted = reading.size(target);
    let share = reading.reservation();
    let low = if share < f64::from(target) { provider.low_minutes + 1 } else { 0 };
    let shrinks = low >= SCALE_IN_MINUTES;
    if let Some(live) = world.ecs.providers.get_mut(&provider.name) {
        live.low_minutes = low;
    }
    if share > f64::from(target) {
        let warm_up = Duration::from_secs(provider.scaling.warmup_secs.into());
        if inside::youngest(world, group).is_none_or(|launched| world.now() >= launched + warm_up) {
            inside::scale_to(world, group, wanted.max(reading.n));
        }
    } else if shrinks && wanted < reading.n {
        inside::scale_to(world, group, wanted.max(reading.n - most_fewer(reading.n)));
    }
}

/// How many leave in a minute at most: at least one, and less than half.
fn most_fewer(n: u32) -> u32 {
    (n.saturating_sub(1) / 2).max(1)
}

/// Busy instances, and how many the waiting tasks need.
fn read(world: &World, cluster: &str, provider: &Provider) -> Reading {
    let n = inside::desired_of(world, provider.group()).unwrap_or(0);
    let mut empty = Vec::new();
    let mut busy = 0;
    for instance in world.ecs.instances.values().filter(|it| it.cluster == cluster) {
        if providers::of_instance(world, instance).is_none_or(|it| it.name != provider.name) {
            continue;
        }
        if instance.reserved.is_empty() {
            empty.push(Bin { cpu: instance.cpu, memory: instance.memory });
        } else {
            busy += 1;
        }
    }
    let waiting = waiting(world, cluster, &provider.name);
    let bins = bins(world, provider);
    let fits_all = |task: &Blueprint| bins.iter().all(|bin| bin.has_room_for(task));
    let waiting: Vec<Blueprint> = waiting.into_iter().filter(fits_all).collect();
    let needed = pack(&waiting, empty, bins.into_iter().max_by_key(|bin| (bin.cpu, bin.memory)));
    let mut m = busy + needed;
    if m > n {
        m = m.clamp(n + provider.scaling.least_step, n.saturating_add(provider.scaling.most_step));
    }
    Reading { n, m }
}

/// Room on an instance.
#[derive(Debug, Clone, Copy)]
struct Bin {
    cpu: u32,
    memory: u32,
}

impl Bin {
    fn has_room_for(self, task: &Blueprint) -> bool {
        self.cpu >= task.cpu && self.memory >= task.memory
    }

    fn take(&mut self, task: &Blueprint) -> bool {
        let fits = self.has_room_for(task);
        if fits {
            self.cpu -= task.cpu;
            self.memory -= task.memory;
        }
        fits
    }
}

/// The types of a group.
fn bins(world: &World, provider: &Provider) -> Vec<Bin> {
    let types = inside::types_of(world, provider.group());
    let kinds = types.iter().filter_map(|name| InstanceType::parse(name));
    kinds.map(|kind| Bin { cpu: kind.cpu_units(), memory: kind.registered_mib() }).collect()
}

/// How many instances the tasks need: first fit, the empty ones first.
fn pack(tasks: &[Blueprint], empty: Vec<Bin>, new: Option<Bin>) -> u32 {
    let mut open: Vec<(Bin, bool)> = empty.into_iter().map(|bin| (bin, false)).collect();
    for task in tasks {
        if let Some(at) = open.iter_mut().position(|(bin, _)| bin.take(task)) {
            open[at].1 = true;
            continue;
        }
        let Some(mut bin) = new else { continue };
        if bin.take(task) {
            open.push((bin, true));
        }
    }
    u32::try_from(open.iter().filter(|(_, used)| *used).count()).unwrap_or(u32::MAX)
}

/// The tasks of this provider's services that no instance runs yet.
fn waiting(world: &World, cluster: &str, provider: &str) -> Vec<Blueprint> {
    let services = world.ecs.clusters.get(cluster).into_iter().flat_map(|it| it.services.values());
    services.flat_map(|service| missing(world, service, provider)).collect()
}

fn missing(world: &World, service: &Service, provider: &str) -> Vec<Blueprint> {
    let shares = providers::strategy(&service.settings.member("capacityProviderStrategy"));
    if !shares.iter().any(|it| it.provider == provider) {
        return Vec::new();
    }
    let key: &ServiceKey = &service.key;
    let mut tasks = Vec::new();
    for set in staged::sets(service).iter().filter(|set| set.starts) {
        let census = Census::of_set(world, key, set);
        let room = service.settings.most_tasks(set.wanted).saturating_sub(census.total());
        let lacks = (set.wanted as usize).saturating_sub(census.fresh.len()).min(room);
        let revision = service.revision(&set.revision);
        let plan = revision.and_then(|it| task_definitions::find(world, &it.task_definition));
        if let Some(definition) = plan {
            tasks.extend(vec![definition.blueprint(); lacks]);
        }
    }
    tasks
}

/// Instances with tasks are protected, empty ones are not.
fn protect(world: &mut World, cluster: &str, provider: &Provider) {
    for (id, protected) in inside::in_service(world, provider.group()) {
        let instance = world.ecs.instance_by_ec2(&id).filter(|it| it.cluster == cluster);
        // One whose agent has not joined is as good as busy: it was asked for.
        let busy = instance.is_none_or(|it| !it.reserved.is_empty());
        if busy != protected {
            inside::set_protection(world, &id, busy);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reservation_is_as_documented() {
        for (n, m, expected) in [(0, 0, 100.0), (0, 3, 200.0), (4, 4, 100.0), (4, 6, 150.0), (4, 1, 25.0)] {
            assert!((Reading { n, m }.reservation() - expected).abs() < f64::EPSILON, "{n} {m}");
        }
        assert_eq!(Reading { n: 0, m: 7 }.size(100), 2);
        assert_eq!(Reading { n: 4, m: 6 }.size(80), 8);
    }

    #[test]
    fn one_leaves_at_least_and_less_than_half() {
        assert_eq!([1, 2, 3, 4, 5, 10].map(most_fewer), [1, 1, 1, 1, 2, 4]);
    }
}
