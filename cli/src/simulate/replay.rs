//! One trace under one policy, on the virtual clock.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use serde::Serialize;
use serde_json::json;
use windlass_sim::door::in_process::InProcess;
use windlass_sim::ec2::types::InstanceType;
use windlass_sim::{Config, ServiceId, World, ec2, ecs};

use super::account::{self, CLUSTER};
use super::measure::{Look, Meter, Point, Totals};
use super::trace::{Event, Service, Trace, What};
use super::{Policy, function};
use crate::ready::call;

/// Between two looks.
const TICK: u32 = 5;
/// What stands before the trace: its first tasks run, and either policy has come to rest on their instances.
const BEFORE: Duration = Duration::from_mins(45);

/// What a policy made of a trace.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Run {
    pub(crate) policy: Policy,
    #[serde(flatten)]
    pub(crate) totals: Totals,
    /// The instances' hours at the trace's price.
    pub(crate) usd: f64,
    /// Tasks that were wanted at the end and had no place: a run that ends so did not reach its demand.
    pub(crate) waiting_at_end: u32,
    #[serde(skip)]
    pub(crate) curve: Vec<Point>,
}

/// Replays the trace.
pub(crate) fn replay(trace: &Trace, policy: Policy, seed: u64) -> anyhow::Result<Run> {
    // Tokio's clock is the world's: paused, it jumps to what is due next whenever everything waits.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .context("starting the runtime")?;
    runtime.block_on(Box::pin(run(trace, policy, seed))).with_context(|| format!("replaying with {policy}"))
}

async fn run(trace: &Trace, policy: Policy, seed: u64) -> anyhow::Result<Run> {
    let mut world = World::new(Config { seed, ..Config::default() });
    let stack = account::make(&mut world, trace, policy)?;
    let door = InProcess::start(world);
    if let Some(stack) = &stack {
        function::register(&door, stack)?;
    }
    door.run_for(BEFORE).await;
    let mut wanted: BTreeMap<String, u32> =
        trace.services.iter().map(|(name, service)| (name.clone(), service.tasks_at_first())).collect();
    let mut meter = Meter::new(door.with(|world| look(world, trace, &wanted)));
    let mut events = trace.events().into_iter().peekable();
    for at in (0..trace.hours * 3600).step_by(TICK as usize) {
        while let Some(event) = events.next_if(|event| event.minute * 60 <= at) {
            door.with(|world| happen(world, trace, &mut wanted, &event))?;
            meter.look(0, door.with(|world| look(world, trace, &wanted)));
        }
        door.run_for(Duration::from_secs(TICK.into())).await;
        meter.look(TICK, door.with(|world| look(world, trace, &wanted)));
    }
    let (totals, curve) = meter.end();
    let usd = hours(totals.instance_secs) * trace.group.usd_per_hour;
    let waiting_at_end = curve.last().map_or(0, |last| last.waiting);
    Ok(Run { policy, totals, usd, waiting_at_end, curve })
}

/// Seconds as hours.
pub(crate) fn hours(secs: u64) -> f64 {
    Duration::from_secs(secs).as_secs_f64() / 3600.0
}

fn happen(
    world: &mut World,
    trace: &Trace,
    wanted: &mut BTreeMap<String, u32>,
    event: &Event,
) -> anyhow::Result<()> {
    let mut input = json!({ "cluster": CLUSTER, "service": event.service });
    match event.what {
        What::Tasks(tasks) => {
            wanted.insert(event.service.clone(), tasks);
            input["desiredCount"] = json!(tasks);
        }
        What::Deploy => {
            let service = trace.services.get(&event.service).context("the trace names its services")?;
            input["taskDefinition"] = account::register(world, &event.service, service)?;
        }
    }
    call(world, ServiceId::Ecs, "UpdateService", input).map(drop)
}

fn look(world: &World, trace: &Trace, wanted: &BTreeMap<String, u32>) -> Look {
    let mut look = Look {
        wanted: wanted.values().sum(),
        least: least(trace, wanted),
        open: ecs::view::instances(world)
            .into_iter()
            .filter(|it| it.status == "ACTIVE")
            .map(|it| it.instance_id)
            .collect(),
        instances: ec2::machines(world)
            .into_iter()
            .filter(|it| matches!(it.state.as_str(), "pending" | "running"))
            .map(|it| it.instance_id)
            .collect(),
        ..Look::default()
    };
    for service in ecs::view::services(world) {
        let there = service.tasks.iter().filter(|task| task.wanted);
        let newest = there.clone().filter(|task| task.task_definition == service.task_definition).count();
        let newest = u32::try_from(newest).unwrap_or(u32::MAX);
        look.waiting += wanted.get(&service.name).copied().unwrap_or_default().saturating_sub(newest);
        look.tasks.extend(there.map(|task| (task.arn.clone(), task.instance_id.clone())));
    }
    look
}

/// As many instances as the tasks take by their CPU, or by their memory: no packing needs fewer.
fn least(trace: &Trace, wanted: &BTreeMap<String, u32>) -> u32 {
    let Some(kind) = InstanceType::parse(&trace.group.kind) else { return 0 };
    let all = |of: fn(&Service) -> u32| -> u32 {
        trace.services.iter().map(|(name, it)| of(it) * wanted.get(name).copied().unwrap_or_default()).sum()
    };
    all(|it| it.cpu).div_ceil(kind.cpu_units()).max(all(|it| it.memory).div_ceil(kind.registered_mib()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four tasks fill an m5.large.
    const STEPS: &str = "
about: up and down
hours: 1
group: {type: m5.large, usd_per_hour: 0.1, max: 10}
services:
  shop: {cpu: 512, memory: 1024, tasks: [[0, 2], [5, 14], [20, 3]]}
";

    fn trace(text: &str) -> Trace {
        Trace::parse(text).unwrap()
    }

    #[test]
    fn no_packing_needs_fewer_than_the_least() {
        let trace = trace(STEPS);
        let least = |tasks: u32| super::least(&trace, &[("shop".to_owned(), tasks)].into());
        assert_eq!([0, 1, 4, 5, 14].map(least), [0, 1, 1, 2, 4]);
    }

    #[test]
    fn both_policies_reach_the_demand_and_windlass_goes_back_to_what_is_needed() {
        let trace = trace(STEPS);
        let windlass = replay(&trace, Policy::Windlass, 1).unwrap();
        let ecs = replay(&trace, Policy::Ecs, 1).unwrap();
        for run in [&windlass, &ecs] {
            assert_eq!((run.waiting_at_end, run.totals.most_instances), (0, 4), "{:?}", run.totals);
            assert_eq!(run.totals.launched, 3);
        }
        let ends = |run: &Run| run.curve.last().map(|it| it.instances);
        assert_eq!(ends(&windlass), Some(1));
        assert!(windlass.totals.waited_task_secs <= ecs.totals.waited_task_secs);
    }

    #[test]
    fn from_zero_one_instance_comes_where_ecs_brings_two() {
        let text = STEPS.replace("[[0, 2], [5, 14], [20, 3]]", "[[5, 1]]");
        let most = |policy| replay(&trace(&text), policy, 3).unwrap().totals.most_instances;
        assert_eq!((most(Policy::Windlass), most(Policy::Ecs)), (1, 2));
    }

    #[test]
    fn the_same_seed_repeats_itself() {
        let trace = trace(STEPS);
        for policy in [Policy::Windlass, Policy::Ecs] {
            assert_eq!(replay(&trace, policy, 7).unwrap(), replay(&trace, policy, 7).unwrap());
        }
    }

    #[test]
    fn a_group_that_may_not_grow_ends_with_tasks_that_wait() {
        let trace = trace(&STEPS.replace("max: 10", "max: 1").replace(", [20, 3]", ""));
        for policy in [Policy::Windlass, Policy::Ecs] {
            let run = replay(&trace, policy, 1).unwrap();
            assert_eq!((run.waiting_at_end, run.totals.longest_wait_secs), (10, 55 * 60), "{policy}");
        }
    }
}
