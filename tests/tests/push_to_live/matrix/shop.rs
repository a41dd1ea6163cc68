//! The shop of every cell: four tasks of Windlass's making behind a rule, on version 1, with
//! requests all the time; and the moments of a rollout at which something happens to it.

use std::time::Duration;

use windlass_shared::ledger::{Manner, Outcome};
use windlass_sim::ecs::view;
use windlass_sim::gate::Fault;
use windlass_tests::stage::Setting;
use windlass_tests::{ImageDigest, PushSpec, Stage, broken, key, labelled, version};

use super::super::strategies::{groups, production};

/// Half a minute for a task to come up where the moment is before it is up.
const SLOW: &str = "30";
/// Nothing that is tested here takes longer.
const LIMIT: Duration = Duration::from_mins(40);

/// How a new image replaces the old one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strategy {
    Rolling,
    BlueGreen,
    EcsCanary,
    Linear,
    OwnCanary,
}

impl Strategy {
    /// In the spec's words, with short steps.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Rolling => "rolling",
            Self::BlueGreen => "blue_green",
            Self::EcsCanary => "{canary: {controller: ecs, steps: [{percent: 10, minutes: 2}]}}",
            Self::Linear => "{linear: {step_percent: 50, step_minutes: 1}}",
            Self::OwnCanary => "{canary: {steps: [{percent: 25, minutes: 1}, {percent: 50, minutes: 1}]}}",
        }
    }

    pub(super) fn manner(self) -> Manner {
        match self {
            Self::Rolling => Manner::Rolling,
            Self::BlueGreen => Manner::BlueGreen,
            Self::EcsCanary => Manner::EcsCanary,
            Self::Linear => Manner::Linear,
            Self::OwnCanary => Manner::Canary,
        }
    }

    /// Whether ECS moves requests between two whole sets of tasks.
    pub(super) fn is_ecs_shift(self) -> bool {
        matches!(self, Self::BlueGreen | Self::EcsCanary | Self::Linear)
    }

    /// The moments of a rollout, in their order: at each of them something may happen.
    pub(super) fn moments(self) -> Vec<Moment> {
        use Moment::{Shares, Stage};
        match self {
            Self::Rolling => vec![Stage("SCALE_UP"), Stage("BAKE_TIME")],
            Self::BlueGreen => vec![Stage("SCALE_UP"), Stage("BAKE_TIME"), Stage("CLEAN_UP")],
            Self::EcsCanary | Self::Linear => vec![
                Stage("SCALE_UP"),
                Stage("PRODUCTION_TRAFFIC_SHIFT"),
                Stage("BAKE_TIME"),
                Stage("CLEAN_UP"),
            ],
            // After its steps the service itself is updated, as by a rolling update.
            Self::OwnCanary => {
                vec![Shares(0), Shares(250), Shares(500), Stage("SCALE_UP"), Stage("BAKE_TIME")]
            }
        }
    }

    /// As ECS names it.
    pub(super) fn of_ecs(self) -> &'static str {
        match self {
            Self::Rolling | Self::OwnCanary => "ROLLING",
            Self::BlueGreen => "BLUE_GREEN",
            Self::EcsCanary => "CANARY",
            Self::Linear => "LINEAR",
        }
    }

    /// A seed of a cell's own.
    pub(super) fn seed(self, cell: u64) -> u64 {
        10_000 + cell * 100 + 10 * self as u64
    }
}

/// Where a rollout stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// ECS's stage of the service's own deployment.
    Stage(&'static str),
    /// The share of requests of Windlass's own canary, in tenths of a percent; 0: it comes up.
    Shares(u32),
}

/// The shop, by one strategy.
pub(super) struct Shop {
    pub(super) stage: Stage,
    pub(super) strategy: Strategy,
    pub(super) one: ImageDigest,
}

impl Shop {
    /// Live on version 1; its `rollout` section says `more` beside strategy and bake time.
    pub(super) async fn new(strategy: Strategy, seed: u64, more: &str) -> Self {
        Self::of(strategy, Stage::new(seed).await, &spec(strategy, more)).await
    }

    /// With this `verify` section, too.
    pub(super) async fn verified(strategy: Strategy, seed: u64, more: &str, verify: &str) -> Self {
        let spec = format!("{}verify: {verify}\n", spec(strategy, more));
        Self::of(strategy, Stage::new(seed).await, &spec).await
    }

    /// On a stage of one's own.
    pub(super) async fn with(strategy: Strategy, setting: Setting, more: &str) -> Self {
        Self::of(strategy, Stage::with(setting).await, &spec(strategy, more)).await
    }

    async fn of(strategy: Strategy, mut stage: Stage, spec: &str) -> Self {
        stage.alarm("errors", false);
        stage.apply_spec("shop", spec);
        let one = stage.push("shop", "latest", &version("1"));
        stage.run_for(Duration::from_secs(2)).await;
        stage.until_quiet().await;
        stage.assert_live("shop", &one);
        stage.traffic.to(stage.now(), "/shop", 10);
        Self { stage, strategy, one }
    }

    pub(super) fn push(&self, image: &PushSpec) -> ImageDigest {
        self.stage.push("shop", "latest", image)
    }

    /// Pushes version 2, and lets time go on until its rollout is at this moment.
    pub(super) async fn release_until(&mut self, moment: Moment) -> ImageDigest {
        let comes_up = matches!(moment, Moment::Stage("SCALE_UP") | Moment::Shares(0));
        let slow = [("sim.start_secs", SLOW)];
        let two = self.push(&labelled("2", if comes_up { &slow } else { &[] }));
        self.until(moment).await;
        two
    }

    pub(super) async fn until(&mut self, moment: Moment) {
        match moment {
            Moment::Stage("SCALE_UP") if !self.strategy.is_ecs_shift() => self.until_updated().await,
            Moment::Stage(wanted) => super::super::strategies::until_at(&mut self.stage, wanted).await,
            Moment::Shares(share) => self.stage.until_weight("shop", share).await,
        }
    }

    /// Until the service itself is being updated, and some of its new tasks are starting.
    async fn until_updated(&mut self) {
        let before = self.stage.described("shop")["taskDefinition"].clone();
        let end = self.stage.now() + LIMIT;
        while self.stage.described("shop")["taskDefinition"] == before {
            assert!(self.stage.now() < end, "no update\n{}", self.stage.picture().await);
            self.stage.run_for(Duration::from_millis(500)).await;
        }
        self.stage.run_for(Duration::from_secs(2)).await;
    }

    /// Lets time go on until everything is over.
    pub(super) async fn over(&mut self) {
        super::super::strategies::until_over(&mut self.stage).await;
    }

    // ── how it ends ─────────────────────────────────────────────────────────────────

    /// The image is live, alone, with every request; nobody's request failed on the way.
    pub(super) async fn ends_live(mut self, image: &ImageDigest) {
        self.over().await;
        self.alone(image).await;
        let row = self.stage.row(&key("shop")).await;
        assert!(row.state.in_flight.is_none() && row.state.marks.question.is_none(), "{row:?}");
        self.stage.traffic.assert_none_failed();
        self.stage.finish().await;
    }

    /// Version 1 is live again, alone; `bad` is in quarantine for a reason that says `words`, and
    /// is not tried again.
    pub(super) async fn went_back(mut self, bad: &ImageDigest, words: &str) {
        self.over().await;
        self.gave_up(bad, words).await;
        self.stage.traffic.assert_none_failed();
        self.stage.finish().await;
    }

    /// The same where the bad version's own errors were seen.
    pub(super) async fn gave_up(&mut self, bad: &ImageDigest, words: &str) {
        self.stage.run_for(Duration::from_mins(2)).await;
        self.alone(&self.one.clone()).await;
        let row = self.stage.row(&key("shop")).await;
        let why = row.quarantine.get(bad).unwrap_or_else(|| panic!("{bad} is in quarantine: {row:?}"));
        assert!(why.reason.contains(words), "{words:?} is in {:?}", why.reason);
        assert!(row.state.in_flight.is_none() && row.state.marks.question.is_none(), "{row:?}");
    }

    /// The outcome of the newest release of an image.
    pub(super) async fn outcome_of(&self, image: &ImageDigest) -> Option<(Outcome, Manner)> {
        let releases = self.stage.releases(&key("shop")).await;
        releases.iter().rev().find(|it| it.digest == *image).map(|it| (it.outcome, it.manner))
    }

    pub(super) async fn alone(&self, image: &ImageDigest) {
        self.stage.assert_live("shop", image);
        let led = production(&self.stage);
        assert_eq!(led.len(), 1, "all requests go to one group: {led:?}");
        assert!(groups().contains(&led[0].0), "{led:?}");
        assert_eq!(self.stage.desired("shop").1, 0, "no task of a canary's is left");
        let healthy = self.stage.healthy_targets("shop");
        assert!(healthy[&led[0].0] > 0, "{led:?} of {healthy:?}\n{}", self.stage.picture().await);
    }

    /// Whether any request was answered by this image.
    pub(super) fn was_met(&self, image: &ImageDigest) -> bool {
        self.stage.traffic.counts("/shop").by_digest.contains_key(image.as_str())
    }

    /// While the verify function can look at no alarm its answer is "not yet".
    pub(super) fn verification_waits(&self, waits: bool) {
        let verify = windlass_sim::lambda::access_key(&self.stage.verify);
        self.stage.door.with(|world| {
            world.gate.faults = Box::new(move |call, _| {
                if waits && call.caller.access_key == verify && call.operation == "DescribeAlarms" {
                    let throttled = windlass_sim::call::ApiError::client("Throttling", "Rate exceeded");
                    return Fault::RefuseBefore(throttled);
                }
                Fault::None
            });
        });
    }
}

/// The spec of every cell.
pub(super) fn spec(strategy: Strategy, more: &str) -> String {
    format!(
        "
image: {{repository: shop}}
task: {{cpu: 64, memory: 128, port: 8080}}
desired: 4
route: {{paths: [/shop*], health: {{interval_secs: 5, timeout_secs: 2}}, deregistration_delay_secs: 10}}
rollout: {{strategy: {}, bake_minutes: 2, timeout_minutes: 10, grace_secs: 60{more}}}
",
        strategy.words()
    )
}

/// An image whose every answer is an error, though it looks healthy.
pub(super) fn failing(content: &str) -> PushSpec {
    labelled(content, &[("sim.status", "500"), ("sim.health_status", "200")])
}

/// An image that is never healthy.
pub(super) fn unhealthy(content: &str) -> PushSpec {
    labelled(content, &[("sim.health_status", "500")])
}

/// An image that ends half a second after its start.
pub(super) fn crashing(content: &str) -> PushSpec {
    broken(content)
}

/// How many tasks ECS is to run of the service.
pub(super) fn desired(stage: &Stage) -> u32 {
    stage.door.with(|world| view::service(world, "main", "shop")).map_or(0, |shop| shop.desired)
}
