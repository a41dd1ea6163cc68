//! A step: each source's requests go to the tasks that are there, and end.

use std::collections::BTreeMap;
use std::time::Duration;

use super::strain::{self, Strain};
use super::{Onto, STEP};
use crate::ecs::{self, Worker};
use crate::elb::flow::{self, Flow, To};
use crate::elb::{Ended, Many, RequestHead};
use crate::time::Time;
use crate::world::World;

/// Requests of one source that go the same way.
struct Portion {
    source: String,
    /// How many.
    count: f64,
    /// The load balancer's dimension, where one is on the way.
    balancer: Option<String>,
    group: Option<String>,
    to: Whom,
}

enum Whom {
    Task(Worker),
    /// Nobody: the client gets this status.
    Nobody(u16),
}

/// The step that ends now.
pub(super) fn all(world: &mut World) {
    let secs = STEP.as_secs_f64();
    let portions = portions(world, secs);
    let mut arrived: BTreeMap<String, (Worker, BTreeMap<String, f64>)> = BTreeMap::new();
    for portion in &portions {
        if let Whom::Task(worker) = &portion.to {
            let of_task =
                arrived.entry(worker.task.clone()).or_insert_with(|| (worker.clone(), BTreeMap::new()));
            *of_task.1.entry(portion.source.clone()).or_default() += portion.count;
        }
    }
    for (worker, from) in arrived.values() {
        let strain = world.load.tasks.entry(worker.task.clone()).or_default();
        let singles = std::mem::take(&mut strain.singles);
        strain.step(worker, from.values().sum::<f64>() + singles, secs);
        strain.from.clone_from(from);
    }
    the_others(world, &arrived, secs);
    for portion in &portions {
        end(world, portion);
    }
}

/// Tasks to which no load came go on with what they have; of those that are gone everything
/// that waited is cut.
fn the_others(world: &mut World, arrived: &BTreeMap<String, (Worker, BTreeMap<String, f64>)>, secs: f64) {
    let others: Vec<String> =
        world.load.tasks.keys().filter(|task| !arrived.contains_key(*task)).cloned().collect();
    for task in others {
        let worker = ecs::worker(world, &task);
        let Some(strain) = world.load.tasks.get_mut(&task) else { continue };
        if strain.is_over() {
            continue; // it is swept away
        }
        let singles = std::mem::take(&mut strain.singles);
        if let Some(worker) = worker {
            strain.step(&worker, singles, secs);
        } else {
            let strain = std::mem::take(strain);
            cut(world, &strain);
        }
    }
}

/// What waited in a task that is gone was counted as answered when it came.
fn cut(world: &mut World, strain: &Strain) {
    let all: f64 = strain.from.values().sum();
    for (name, part) in &strain.from {
        let Some(source) = world.load.sources.get_mut(name) else { continue };
        let lost = strain.waiting * part / all.max(f64::MIN_POSITIVE);
        source.totals.add(502, lost);
        if let Some(answered) = source.totals.by_status.get_mut(&200) {
            *answered = (*answered - lost).max(0.0);
        }
    }
}

fn portions(world: &mut World, secs: f64) -> Vec<Portion> {
    let middle = Time(world.now().0.saturating_sub(u64::try_from(STEP.as_millis() / 2).unwrap_or(0)));
    let mut portions = Vec::new();
    let sources: Vec<_> = world
        .load
        .sources
        .iter()
        .map(|(name, source)| (name.clone(), source.onto.clone(), source.profile.at(middle) * secs))
        .collect();
    for (source, onto, count) in sources {
        let flows = match &onto {
            Onto::Metric { .. } => continue,
            Onto::Queue { cluster, service, .. } => {
                queue(world, &source, count, (cluster, service), secs, &mut portions);
                continue;
            }
            Onto::Path { listener, host, path } => {
                flow::of_requests(world, listener, &RequestHead::get(host, path)).unwrap_or_default()
            }
            Onto::Group { arn } => flow::of_group(world, arn),
            Onto::Service { cluster, service } => {
                let groups = ecs::groups_of(world, cluster, service);
                if groups.is_empty() {
                    straight(world, &source, count, (cluster, service), &mut portions);
                    continue;
                }
                flow::of_groups(world, &groups)
            }
        };
        if flows.is_empty() {
            // No listener, no rule, no load balancer: nobody takes the connection.
            let to = Whom::Nobody(503);
            portions.push(Portion { source, count, balancer: None, group: None, to });
            continue;
        }
        for flow in flows {
            forward(world, &source, count, flow, &mut portions);
        }
    }
    portions.retain(|portion| portion.count > 0.0);
    portions
}

fn forward(world: &World, source: &str, count: f64, flow: Flow, portions: &mut Vec<Portion>) {
    let Flow { share, balancer, to } = flow;
    let mut push = |count: f64, group: Option<&String>, to: Whom| {
        let (source, balancer) = (source.to_owned(), Some(balancer.clone()));
        portions.push(Portion { source, count, balancer, group: group.cloned(), to });
    };
    let group = match to {
        To::Rule(status) => return push(count * share, None, Whom::Nobody(status)),
        To::Nobody => return push(count * share, None, Whom::Nobody(503)),
        To::Group(group) => group,
    };
    let targets = flow::targets(world, &group);
    if targets.is_empty() {
        return push(count * share, None, Whom::Nobody(503));
    }
    let each = count * share / parts(targets.len());
    for (instance, port) in targets {
        let to = ecs::worker_at(world, &instance, port).map_or(Whom::Nobody(502), Whom::Task);
        push(each, Some(&group), to);
    }
}

/// To a service without a load balancer.
fn straight(world: &World, source: &str, count: f64, service: (&str, &str), portions: &mut Vec<Portion>) {
    let workers = ecs::workers_of(world, service.0, service.1);
    let portion = |count, to| Portion { source: source.to_owned(), count, balancer: None, group: None, to };
    if workers.is_empty() {
        portions.push(portion(count, Whom::Nobody(503)));
    }
    let each = count / parts(workers.len());
    portions.extend(workers.into_iter().map(|worker| portion(each, Whom::Task(worker))));
}

/// Messages wait together; tasks take as many as each of them can.
fn queue(
    world: &mut World,
    source: &str,
    count: f64,
    service: (&str, &str),
    secs: f64,
    portions: &mut Vec<Portion>,
) {
    let workers = ecs::workers_of(world, service.0, service.1);
    let Some(found) = world.load.sources.get_mut(source) else { return };
    found.totals.offered += count;
    found.totals.waiting += count;
    let most = |worker: &Worker| strain::capacity(worker).min(found.totals.waiting / secs) * secs;
    let all: f64 = workers.iter().map(most).sum();
    let worked = all.min(found.totals.waiting);
    if worked <= 0.0 {
        return;
    }
    for worker in workers {
        let count = worked * most(&worker) / all;
        let to = Whom::Task(worker);
        portions.push(Portion { source: source.to_owned(), count, balancer: None, group: None, to });
    }
    found.totals.waiting -= worked;
}

fn parts(count: usize) -> f64 {
    u32::try_from(count.max(1)).map_or(f64::MAX, f64::from)
}

/// Counts how a portion ended, for its source and for CloudWatch.
fn end(world: &mut World, portion: &Portion) {
    let is_queue = |onto: &Onto| matches!(onto, Onto::Queue { .. });
    let queued = world.load.sources.get(&portion.source).is_some_and(|it| is_queue(&it.onto));
    if !queued && let Some(source) = world.load.sources.get_mut(&portion.source) {
        source.totals.offered += portion.count;
    }
    match &portion.to {
        Whom::Nobody(status) => {
            // A rule's own answer is no error of the load balancer's; 502 and 503 are.
            let is_error = *status >= 500;
            count(world, portion, Ended::Own { status: *status }, portion.count, is_error);
        }
        Whom::Task(worker) => {
            let strained = world.load.strained(&worker.task).unwrap_or_default();
            let behaviour = &worker.behaviour;
            let took = Duration::from_millis(behaviour.latency_ms + strained.waits_ms);
            let refused = portion.count * strained.refused;
            let broken = (portion.count - refused) * behaviour.error_share;
            let at_once = Duration::from_millis(behaviour.latency_ms);
            let answered = portion.count - refused - broken;
            for (status, took, times) in
                [(503, at_once, refused), (500, took, broken), (behaviour.status, took, answered)]
            {
                count(world, portion, Ended::Target { status, took }, times, true);
            }
        }
    }
}

fn count(world: &mut World, portion: &Portion, ended: Ended, times: f64, tells: bool) {
    if times <= 0.0 {
        return;
    }
    let (status, took) = match ended {
        Ended::Own { status } => (status, Duration::ZERO),
        Ended::Target { status, took } => (status, took),
    };
    if let Some(source) = world.load.sources.get_mut(&portion.source) {
        source.totals.add(status, times);
        let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        source.totals.slowest_ms = source.totals.slowest_ms.max(ms);
    }
    let Some(balancer) = portion.balancer.as_deref().filter(|_| tells) else { return };
    let at = Time(world.now().0.saturating_sub(1));
    let many = Many { balancer, group: portion.group.as_deref(), ended, times, at };
    many.tell(world);
}
