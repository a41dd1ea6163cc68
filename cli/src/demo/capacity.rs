//! The second half of the story: load rises and falls, and tasks and instances follow it.

use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use windlass_aws::observe;
use windlass_shared::id::{ClusterName, ServiceKey};
use windlass_shared::spec;
use windlass_sim::ecs::view;
use windlass_sim::load::{self, Onto, Profile};
use windlass_sim::{ServiceId, Time, World, autoscaling, ec2};

use super::{SHOP_WITH_CANARY, Stage, apply};
use crate::commands::capacity::ClusterLook;
use crate::failure::Result;
use crate::ready::{CLUSTER, GROUP};

/// What the application does from now on: an alarm on its cpu rings, and is followed to a value.
const SCALING: &str = "\
scaling:
  min: 2
  max: 9
  rules: [{target: {alarm: shop-busy, target: 20, patience_out_secs: 60, patience_in_secs: 60}}]
";
/// Instances are emptied a minute after the last was added: a demo has no five.
const CALM: &str = "capacity: {consolidation: {cool_down_secs: 60, settle_secs: 0}}\n";
/// Requests a second: nine tenths of what two tasks of the image can do, and next to nothing.
const MUCH: f64 = 180.0;
const LITTLE: f64 = 4.0;
/// So many tasks carry that at a fifth of their cpu.
const TASKS: usize = 9;
/// In simulated time: whatever has not come by then will not.
const PATIENCE: Duration = Duration::from_mins(20);
const LOOK: Duration = Duration::from_millis(100);

/// How capacity followed the load.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Followed {
    /// Tasks of the application when the load was highest.
    tasks: usize,
    /// Instances then.
    instances: usize,
    /// The fewest that have the cpu for all tasks then.
    needed: usize,
    /// Simulated seconds from the rise to the last task.
    out_secs: Option<f64>,
    /// Simulated seconds from a spot interruption until all was as before on another instance.
    replaced_secs: Option<f64>,
    /// Instances at the end.
    instances_after: usize,
    /// Simulated seconds from the fall to the last instance gone.
    in_secs: Option<f64>,
    /// Requests of the load: sent, and failed.
    requests: f64,
    failed: f64,
}

impl Followed {
    /// What is not as it must be.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.out_secs.is_none() {
            problems.push(format!("capacity: {} tasks came of {TASKS}", self.tasks));
        }
        if self.instances != self.needed {
            problems.push(format!("capacity: {} instances, and {} are needed", self.instances, self.needed));
        }
        if self.replaced_secs.is_none() {
            problems.push("capacity: what was on the spot instance did not come elsewhere".to_owned());
        }
        if self.in_secs.is_none() {
            problems.push(format!("capacity: {} instances stayed", self.instances_after));
        }
        if self.failed > 0.0 {
            problems.push(format!("capacity: {:.0} requests of the load failed", self.failed));
        }
        problems
    }

    /// In one line.
    pub(crate) fn words(&self) -> String {
        let secs = |secs: Option<f64>| secs.map_or_else(|| "never".to_owned(), |secs| format!("{secs:.0} s"));
        format!(
            "Load up: {} tasks on {} instances (fewer have not the room) after {}; a spot \
             instance taken: replaced after {}; down: {} instances after {}.",
            self.tasks,
            self.instances,
            secs(self.out_secs),
            secs(self.replaced_secs),
            self.instances_after,
            secs(self.in_secs)
        )
    }
}

/// Load rises and falls.
pub(super) async fn follows(stage: &Stage, shop: &ServiceKey) -> Result<Followed> {
    stage.show.heading(
        "load rises on `shop`: its alarm rings, tasks come, and exactly the instances that they need",
    );
    prepare(stage, shop).await?;
    show(stage).await?;
    let rise = now(stage);
    set_load(stage, MUCH);
    stage.show.line("load", &format!("{MUCH:.0} requests a second: 90 % of the cpu of two tasks"), Some(0.0));
    let out_secs = until(stage, rise, |seen| seen.running == TASKS && seen.launching == 0).await;
    let high = Seen::of(stage);
    show(stage).await?;

    let taken_secs = spot(stage).await?;

    stage.show.heading("load falls: tasks go, an instance is emptied, and only then removed");
    let fall = now(stage);
    set_load(stage, LITTLE);
    stage.show.line("load", &format!("{LITTLE:.0} requests a second"), Some(0.0));
    let in_secs =
        until(stage, fall, |seen| seen.running == 2 && seen.instances == 2 && seen.leaving == 0).await;
    show(stage).await?;
    let totals = stage.ready.local.with(|world| load::totals(world, "shoppers")).unwrap_or_default();
    stage.ready.local.with(|world| load::stop(world, "shoppers"));
    Ok(Followed {
        tasks: high.running,
        instances: high.instances,
        needed: high.needed,
        out_secs,
        replaced_secs: taken_secs,
        instances_after: Seen::of(stage).instances,
        in_secs,
        requests: totals.offered,
        failed: totals.failed(),
    })
}

/// EC2 takes the spot instance back, two minutes after it said so.
async fn spot(stage: &Stage) -> Result<Option<f64>> {
    let local = &stage.ready.local;
    let machines = local.with(|world| ec2::machines(world));
    let Some(spot) = machines.into_iter().find(|it| it.spot && it.state == "running") else {
        return Ok(None);
    };
    let id = spot.instance_id;
    stage.show.heading(&format!(
        "EC2 takes the spot instance {id} back in two minutes: its tasks go elsewhere first"
    ));
    let since = now(stage);
    local.with(|world| ec2::interrupt_spot(world, &id));
    let is_gone = || local.with(|world| view::instances(world).iter().all(|it| it.instance_id != id));
    let secs = until(stage, since, |seen| {
        seen.running == TASKS && seen.launching == 0 && seen.leaving == 0 && seen.instances == 3 && is_gone()
    });
    let secs = secs.await;
    show(stage).await?;
    Ok(secs)
}

/// The alarm, the application's rule, and the cluster's patience.
async fn prepare(stage: &Stage, shop: &ServiceKey) -> Result<()> {
    let alarm = json!({
        "AlarmName": "shop-busy", "Namespace": "AWS/ECS", "MetricName": "CPUUtilization", "Statistic": "Average",
        "Dimensions": [{"Name": "ClusterName", "Value": CLUSTER}, {"Name": "ServiceName", "Value": "shop"}],
        "Period": 60, "EvaluationPeriods": 1, "Threshold": 60.0, "ComparisonOperator": "GreaterThanThreshold",
    });
    stage.ready.call(ServiceId::CloudWatch, "PutMetricAlarm", alarm)?;
    stage.show.line("alarm", "shop-busy rings above 60 % of the tasks' cpu", None);
    let name = spec::cluster_parameter_name(&ClusterName::new(CLUSTER));
    observe::put_parameter(&stage.account.clients.ssm, &name, CALM).await?;
    apply(stage, shop, &format!("{SHOP_WITH_CANARY}{SCALING}"), "2 to 9 tasks, at 20 % of their cpu").await?;
    set_load(stage, LITTLE);
    Ok(())
}

fn set_load(stage: &Stage, rate: f64) {
    let onto = Onto::Service { cluster: CLUSTER.to_owned(), service: "shop".to_owned() };
    stage.ready.local.with(|world| load::set(world, "shoppers", onto, Profile::Steady(rate)));
}

/// `windlass capacity`.
async fn show(stage: &Stage) -> Result<()> {
    let look = Box::pin(ClusterLook::at(&stage.account, &ClusterName::new(CLUSTER))).await?;
    stage.show.block(&look.drawn(&stage.account));
    Ok(())
}

fn now(stage: &Stage) -> Time {
    stage.ready.local.clock().now()
}

/// What is there.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    wanted: u32,
    running: usize,
    instances: usize,
    launching: usize,
    leaving: usize,
    needed: usize,
}

impl Seen {
    fn of(stage: &Stage) -> Self {
        stage.ready.local.with(|world| Self::in_world(world))
    }

    fn in_world(world: &World) -> Self {
        let shop = view::service(world, CLUSTER, "shop");
        let all = view::instances(world);
        let group = autoscaling::group(world, GROUP);
        let members = group.map(|it| it.members).unwrap_or_default();
        let leaving = all.iter().filter(|it| it.status == "DRAINING").count();
        let taken: u32 = all.iter().map(|it| it.cpu.0).sum();
        let each = all.iter().map(|it| it.cpu.1).max().unwrap_or(1).max(1);
        Self {
            wanted: shop.as_ref().map_or(0, |it| it.desired),
            running: shop.map_or(0, |it| it.running),
            instances: all.len(),
            launching: members.iter().filter(|it| it.state.starts_with("Pending")).count(),
            leaving,
            needed: taken.div_ceil(each) as usize,
        }
    }

    fn words(&self) -> String {
        let coming =
            if self.launching > 0 { format!(", {} on their way", self.launching) } else { String::new() };
        let going = if self.leaving > 0 { format!(", {} leaving", self.leaving) } else { String::new() };
        format!("{} of {} tasks, {} instances{coming}{going}", self.running, self.wanted, self.instances)
    }
}

/// Tells what changes until it is so; the simulated seconds that it took, or `None` if it never was.
async fn until(stage: &Stage, since: Time, is_so: impl Fn(&Seen) -> bool) -> Option<f64> {
    let mut told = None;
    loop {
        let seen = Seen::of(stage);
        let elapsed = now(stage).since(since);
        let secs = elapsed.as_secs_f64();
        if told.as_ref() != Some(&seen) {
            stage.show.line("capacity", &seen.words(), Some(secs));
        }
        if is_so(&seen) {
            return Some(secs);
        }
        if elapsed > PATIENCE {
            stage.show.bad("capacity", "it did not come", Some(secs));
            return None;
        }
        stage.show.progress("capacity", &seen.words(), secs);
        told = Some(seen);
        tokio::time::sleep(LOOK).await;
    }
}
