//! The stage itself: a world with an account and the stack in it, and its time.

use std::time::Duration;

use windlass_aws::Ledger;
use windlass_aws::clients::Retries;
use windlass_shared::id::{ImageDigest, ServiceKey};
use windlass_sim::door::in_process::InProcess;
use windlass_sim::template::{self, StackConfig};
use windlass_sim::{Config, Time, World};

use crate::account::{self, ByHand};
use crate::looks::FunctionCall;
use crate::traffic::Traffic;
use crate::watch::Watch;
use crate::{CLUSTER, function, grants};

/// The stack that users deploy.
const TEMPLATE: &str = include_str!("../../template.yaml");
const STACK: &str = "windlass";
/// The roles that specs may name.
const PASS_ROLES: &str = "arn:aws:iam::123456789012:role/tasks/*";
/// How often requests are sent and invariants asked.
const TICK: Duration = Duration::from_millis(500);
/// Nothing that is tested takes longer than this to become quiet.
const LIMIT: Duration = Duration::from_mins(40);

/// A world, its people and its traffic.
pub struct Stage {
    /// The world.
    pub door: InProcess,
    /// The shared load balancer's listener.
    pub listener: String,
    /// The deploy function's name.
    pub function: String,
    /// The verify function's name.
    pub verify: String,
    /// The scale function's name.
    pub scale: String,
    /// The drain function's name.
    pub drain: String,
    /// Requests under way.
    pub traffic: Traffic,
    /// The invariants.
    pub watch: Watch,
    pub(crate) ledger: Ledger,
    tick: Duration,
}

/// How a stage differs from the usual one.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Seeds the world, latencies, and jitter.
    pub seed: u64,
    /// Whether the function's SDK tries reads again. Its retry quota is kept by the process,
    /// so that runs that must repeat themselves do without.
    pub retries: Retries,
    /// How often requests are sent and invariants asked.
    pub tick: Duration,
    /// What the cluster runs on.
    pub capacity: Capacity,
}

/// What the cluster runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capacity {
    /// Two instances that are there and stay; the scale function sleeps.
    Fixed,
    /// The Auto Scaling group `nodes`, given to Windlass, with so many instances; the scale function is awake.
    Group {
        /// How many at first.
        desired: u32,
        /// How many at most.
        max: u32,
    },
}

impl Stage {
    /// The usual stage.
    pub async fn new(seed: u64) -> Self {
        Self::with(Setting { seed, retries: Retries::Standard, tick: TICK, capacity: Capacity::Fixed }).await
    }

    /// A stage on an Auto Scaling group, with the scale function awake.
    pub async fn on_a_group(seed: u64, desired: u32, max: u32) -> Self {
        let capacity = Capacity::Group { desired, max };
        Self::with(Setting { seed, retries: Retries::Standard, tick: TICK, capacity }).await
    }

    /// A stage of one's own.
    pub async fn with(setting: Setting) -> Self {
        Self::of_stack(setting, &[]).await
    }

    /// The usual stage, whose stack was given these parameters too.
    pub async fn with_parameters(seed: u64, parameters: &[(&str, &str)]) -> Self {
        let setting = Setting { seed, retries: Retries::Standard, tick: TICK, capacity: Capacity::Fixed };
        Self::of_stack(setting, parameters).await
    }

    async fn of_stack(setting: Setting, parameters: &[(&str, &str)]) -> Self {
        let mut world = World::new(Config { seed: setting.seed, ..Config::default() });
        match setting.capacity {
            Capacity::Fixed => account::cluster(&mut world),
            Capacity::Group { desired, max } => account::cluster_on_a_group(&mut world, desired, max),
        }
        let listener = account::listener(&mut world);
        let stack = install(&mut world, &listener, parameters);
        let region = world.config.region.clone();
        let door = InProcess::start(world);
        let function = stack.functions["DeployFunction"].clone();
        function::register(&door, &function, setting.retries);
        let verify = stack.functions["VerifyFunction"].clone();
        function::register_verify(&door, &verify, setting.retries);
        let scale = stack.functions["ScaleFunction"].clone();
        let drain = stack.functions["DrainFunction"].clone();
        match setting.capacity {
            Capacity::Fixed => {
                function::register_asleep(&door, &scale);
                function::register_asleep(&door, &drain);
            }
            Capacity::Group { .. } => {
                function::register_scale(&door, &scale, setting.retries);
                function::register_drain(&door, &drain, setting.retries);
            }
        }
        let clients = function::clients(door.connector(), &region, "AKIAPERSON", Retries::Standard);
        let ledger = Ledger::new(clients.dynamo, stack.tables["LedgerTable"].clone());
        let watch = Watch::new(&windlass_sim::lambda::access_key(&function));
        let mut stage = Self {
            door,
            listener,
            function,
            verify,
            scale,
            drain,
            traffic: Traffic::default(),
            watch,
            ledger,
            tick: setting.tick,
        };
        // The instances are there, and the first sweep found nothing.
        let launch = if setting.capacity == Capacity::Fixed { 1 } else { 120 };
        stage.run_for(Duration::from_secs(launch)).await;
        stage
    }

    /// A service made by hand, once its tasks are in service and, where it is tracked,
    /// Windlass has found it; its image, version 1.
    pub async fn service_by_hand(&mut self, what: &ByHand) -> ImageDigest {
        let one = self.push(&what.repository, &what.tag, &crate::version("1"));
        let listener = self.listener.clone();
        self.door.with(|world| account::service(world, &listener, what));
        let name = what.name.clone();
        let up = move |world: &World| is_steady(world, &name);
        let is_up = self.door.wait_for(LIMIT, up).await;
        assert!(is_up, "{} did not come up\n{}", what.name, self.picture().await);
        if what.track.is_some() {
            self.until_adopted(&crate::key(&what.name)).await;
        }
        one
    }

    /// Lets time go on until the sweep has found a service by its tag, pinned its image by
    /// digest, and knows it as settled. From then on pushes ring it.
    async fn until_adopted(&mut self, key: &ServiceKey) {
        let end = self.now() + LIMIT;
        while self.row(key).await.state.settled.is_none() {
            assert!(self.now() < end, "{key} is not adopted\n{}", self.picture().await);
            self.run_for(Duration::from_secs(1)).await;
        }
        self.until_quiet().await;
    }

    /// The virtual instant.
    pub fn now(&self) -> Time {
        self.door.now()
    }

    /// Lets time go on, tick by tick: requests are sent, invariants asked.
    pub async fn run_for(&mut self, time: Duration) {
        let end = self.now() + time;
        while self.now() < end {
            let next = (self.now() + self.tick).min(end);
            self.door.run_until(next).await;
            let Self { door, traffic, watch, listener, .. } = self;
            door.with(|world| {
                traffic.tick(world, listener);
                watch.tick(world, listener);
            });
        }
    }

    /// Lets time go on until `done`, or fails as `what`.
    pub async fn until(&mut self, what: &str, done: impl Fn(&World) -> bool) {
        let end = self.now() + LIMIT;
        while !self.door.with(|world| done(world)) {
            assert!(self.now() < end, "{what}: not within {LIMIT:?}\n{}", self.picture().await);
            self.run_for(self.tick).await;
        }
    }

    /// Lets time go on until nothing is under way: no event, no invocation or retry of one, no
    /// rollout, and no row that the sweep would come back to.
    pub async fn until_quiet(&mut self) {
        let end = self.now() + LIMIT;
        loop {
            self.until("a quiet world", is_quiet).await;
            while self.door.with(|world| is_leaving(world)) {
                // ECS says that it is steady a moment after the last one is gone.
                self.run_for(Duration::from_secs(3)).await;
            }
            if self.open_rows().await.is_empty() && self.door.with(|world| is_quiet(world)) {
                return;
            }
            assert!(self.now() < end, "rows stay open\n{}", self.picture().await);
            self.run_for(Duration::from_secs(2)).await;
        }
    }

    /// The last word of every scenario: in the quiet world another sweep makes only reads,
    /// the invariants held all the time, and no event ended as a dead letter.
    pub async fn finish(mut self) {
        self.until_quiet().await;
        // ECS's last word, SERVICE_STEADY_STATE, comes a while after the last task has gone.
        self.run_for(Duration::from_secs(10)).await;
        self.until_quiet().await;
        self.sweeps_without_a_write().await;
        self.watch.verdict();
        let letters = self.dead_letters();
        assert!(letters.is_empty(), "dead letters: {letters:?}");
    }

    /// plan → apply → plan is empty: two sweeps write nothing anywhere, the ledger included. Also
    /// where something waits for a person.
    pub async fn sweeps_without_a_write(&mut self) {
        self.door.with(|world| world.gate.log.clear());
        self.run_for(Duration::from_secs(130)).await;
        assert!(!self.calls().is_empty(), "no sweep came");
        self.assert_only_reads(&[]).await;
    }

    /// Asserts that the function only read since the log of calls began, apart from `but`.
    pub async fn assert_only_reads(&self, but: &[&str]) {
        let is_bad = |call: &&FunctionCall| call.is_write() && !but.contains(&call.service.name());
        let writes: Vec<String> = self.calls().iter().filter(is_bad).map(ToString::to_string).collect();
        assert!(writes.is_empty(), "a sweep of a quiet world writes: {writes:?}\n{}", self.picture().await);
    }
}

/// What the functions were allowed and did is written down, however the test ends.
impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(dir) = grants::wanted() {
            self.door.with(|world| grants::note(&dir, world, STACK));
        }
    }
}

fn install(world: &mut World, listener: &str, parameters: &[(&str, &str)]) -> template::Stack {
    let config = StackConfig::named(STACK)
        .with("ClusterNames", CLUSTER)
        .with("ListenerArn", listener)
        .with("PassRoleArns", PASS_ROLES)
        .with("LabelClusters", CLUSTER)
        .with("LabelPathPrefixes", "/apps,/admin")
        .with("LabelMaxDesired", "4");
    let config = parameters.iter().fold(config, |config, (name, value)| config.with(name, value));
    template::install(world, TEMPLATE, &config).unwrap_or_else(|error| panic!("template.yaml: {error:#}"))
}

/// No event, no invocation, no rollout is under way.
fn is_quiet(world: &World) -> bool {
    world.bus.under_way() == 0
        && world.lambda.is_idle()
        && windlass_sim::ecs::view::services(world).iter().all(|service| {
            service.status == "INACTIVE" || (service.rollout != "IN_PROGRESS" && service.pending == 0)
        })
}

/// Tasks that were scaled in still drain.
fn is_leaving(world: &World) -> bool {
    windlass_sim::ecs::view::services(world)
        .iter()
        .any(|service| service.tasks.iter().any(|task| !task.wanted))
}

fn is_steady(world: &World, name: &str) -> bool {
    windlass_sim::ecs::view::service(world, CLUSTER, name)
        .is_some_and(|service| service.rollout == "COMPLETED")
}
