//! Load by its number: thousands of requests a second without one of them, as rates that are
//! shared out over the tasks that are there. Each step ([`STEP`]) the same rules, weights and
//! healthy targets decide that decide on single requests.
//!
//! | room | holds |
//! |---|---|
//! | `profile` | how much comes when |
//! | `strain` | what it makes of a task: cpu, memory, latency, what waits, what is refused |
//! | `step` | who gets how much, and how it ended |
//!
//! *How it adds up with single requests.* Those that a door or a test carries (`elb::request`)
//! count towards their task's rate too, and meet it as it is: they wait as long as the rest,
//! and are refused by chance in the same share. CloudWatch's metrics are of both.
//! [`totals`] is of the load alone. Health checks cost nothing and are never refused.
//!
//! Simplified: within a step everything is even; a target is as loaded as its neighbours of the
//! same size; clients do not try again.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

mod profile;
mod step;
mod strain;
#[cfg(test)]
mod tests;

pub use profile::Profile;
use strain::Strain;
pub(crate) use strain::{Strained, Used};

use crate::cloudwatch::{self, Measured};
use crate::ecs::{self, Worker};
use crate::time::Time;
use crate::world::{self, World};

/// How long a step is; a minute is a whole number of them.
pub const STEP: Duration = Duration::from_secs(5);

/// The load's state.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Load {
    sources: BTreeMap<String, Source>,
    /// By the task's id.
    tasks: BTreeMap<String, Strain>,
    /// Whether the next step's timer is set.
    awake: bool,
}

/// Where load comes in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Onto {
    /// Requests to a host and path that come to a listener (its ARN) and go by its rules.
    Path {
        /// The listener's ARN.
        listener: String,
        /// The Host header.
        host: String,
        /// `/shop/cart`
        path: String,
    },
    /// Requests to a target group (its ARN), past the rules.
    Group {
        /// The target group's ARN.
        arn: String,
    },
    /// Requests to a service: by the first rule that forwards to one of its target groups;
    /// where it has none, straight to its tasks.
    Service {
        /// The cluster's name.
        cluster: String,
        /// The service's name.
        service: String,
    },
    /// Messages of a queue that a service's tasks work off, as fast as they can. What waits is
    /// `AWS/SQS` `ApproximateNumberOfMessagesVisible` of `QueueName`.
    Queue {
        /// The queue's name.
        name: String,
        /// The cluster's name.
        cluster: String,
        /// The service's name.
        service: String,
    },
    /// No load: a value that some program puts each minute, as `PutMetricData`.
    Metric {
        /// Not one of AWS's own.
        namespace: String,
        /// Its name.
        name: String,
        /// Its dimensions.
        dimensions: BTreeMap<String, String>,
    },
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Source {
    onto: Onto,
    profile: Profile,
    totals: Totals,
}

/// How a source's requests ended so far.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    /// That came.
    pub offered: f64,
    /// By the status that the client got. A queue's messages are 200 once they are worked off.
    pub by_status: BTreeMap<u16, f64>,
    /// A queue's messages that wait.
    pub waiting: f64,
    /// What the slowest step took, in milliseconds.
    pub slowest_ms: u64,
}

impl Totals {
    /// Answered with 5xx, or cut.
    pub fn failed(&self) -> f64 {
        self.by_status.iter().filter(|(status, _)| **status >= 500).map(|(_, count)| count).sum()
    }

    fn add(&mut self, status: u16, count: f64) {
        if count > 0.0 {
            *self.by_status.entry(status).or_default() += count;
        }
    }
}

/// A task under load, at a glance.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TaskLoad {
    /// Percent of its cpu.
    pub cpu: f64,
    /// Percent of its memory.
    pub memory: f64,
    /// Requests that wait in it.
    pub waiting: f64,
    /// The share (0 to 1) that it refuses.
    pub refused: f64,
    /// How much longer a request takes than on an idle task, in milliseconds.
    pub waits_ms: u64,
}

/// What this module's timers are for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Due {
    /// A step is over.
    Step,
}

/// Lets load come in from now on, under a name of its own. A source of that name gets the new
/// place and profile, and keeps what it has counted.
pub fn set(world: &mut World, name: &str, onto: Onto, profile: Profile) {
    let source = Source { onto, profile, totals: Totals::default() };
    let found = world.load.sources.insert(name.to_owned(), source);
    if let (Some(found), Some(source)) = (found, world.load.sources.get_mut(name)) {
        source.totals = found.totals;
    }
    wake(world);
    cloudwatch::wake(world);
}

/// No more load of this name; what it has counted is forgotten with it.
pub fn stop(world: &mut World, name: &str) {
    world.load.sources.remove(name);
}

/// How a source's requests ended so far.
pub fn totals(world: &World, name: &str) -> Option<Totals> {
    world.load.sources.get(name).map(|source| source.totals.clone())
}

/// A source's rate now.
pub fn rate(world: &World, name: &str) -> Option<f64> {
    world.load.sources.get(name).map(|source| source.profile.at(world.now()))
}

/// A task's load in the last step, by its id or ARN; `None` where none came.
pub fn task(world: &World, reference: &str) -> Option<TaskLoad> {
    let id = reference.rsplit('/').next().unwrap_or(reference);
    let Strain { used, waiting, strained, .. } = world.load.tasks.get(id)?;
    Some(TaskLoad {
        cpu: used.cpu,
        memory: used.memory,
        waiting: *waiting,
        refused: strained.refused,
        waits_ms: strained.waits_ms,
    })
}

/// A single request was answered by the task behind a target.
pub(crate) fn single(world: &mut World, instance_id: &str, port: u16) {
    let Some(worker) = ecs::worker_at(world, instance_id, port) else { return };
    if strain::capacity(&worker).is_finite() {
        world.load.tasks.entry(worker.task).or_default().singles += 1.0;
        wake(world);
    }
}

impl Load {
    /// What a client of this task notices; `None`: nothing.
    pub(crate) fn strained(&self, task: &str) -> Option<Strained> {
        self.tasks.get(task).map(|strain| strain.strained)
    }

    /// What a task used in the minute that ends.
    pub(crate) fn of_minute(&self, worker: &Worker) -> Used {
        let strain = self.tasks.get(&worker.task);
        strain.and_then(Strain::of_minute).unwrap_or_else(|| strain::at_rest(worker))
    }

    /// The minute was measured: the next begins.
    pub(crate) fn forget_minute(&mut self) {
        for strain in self.tasks.values_mut() {
            (strain.minute, strain.steps) = (Used::default(), 0.0);
        }
    }
}

pub(crate) fn due(world: &mut World, due: &Due) {
    match due {
        Due::Step => {
            world.load.awake = false;
            step::all(world);
            world.load.tasks.retain(|_, strain| !strain.is_over());
            if !world.load.sources.is_empty() || !world.load.tasks.is_empty() {
                wake(world);
            }
        }
    }
}

/// Steps end at whole multiples of [`STEP`], so that the last of a minute is in it.
fn wake(world: &mut World) {
    if !std::mem::replace(&mut world.load.awake, true) {
        let step = u64::try_from(STEP.as_millis()).unwrap_or(u64::MAX);
        let at = Time((world.now().0 / step + 1) * step);
        world.at(at, world::Due::Load(Due::Step));
    }
}

/// A minute is over: what waits in queues, and what programs put.
pub(crate) fn measure(world: &mut World) {
    let now = world.now();
    let (at, middle) = (Time(now.0.saturating_sub(1)), Time(now.0.saturating_sub(30_000)));
    for source in world.load.sources.values().cloned().collect::<Vec<_>>() {
        match &source.onto {
            Onto::Queue { name, .. } => {
                let dimensions = [("QueueName", name.as_str())];
                let name = "ApproximateNumberOfMessagesVisible";
                put(world, ("AWS/SQS", name), &dimensions, source.totals.waiting.round(), at);
            }
            Onto::Metric { namespace, name, dimensions } => {
                let dimensions: Vec<_> =
                    dimensions.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                put(world, (namespace, name), &dimensions, source.profile.at(middle), at);
            }
            Onto::Path { .. } | Onto::Group { .. } | Onto::Service { .. } => {}
        }
    }
}

fn put(world: &mut World, metric: (&str, &str), dimensions: &[(&str, &str)], value: f64, at: Time) {
    let (namespace, name) = metric;
    let measured = Measured { namespace, name, dimensions, unit: "Count", value, times: 1.0 };
    cloudwatch::publish(world, &measured, at);
}
