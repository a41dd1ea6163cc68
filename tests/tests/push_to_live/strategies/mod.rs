//! Rollouts by ECS's own controller, end to end: blue/green, canary and linear under traffic.
//!
//! Each world has `shop` as Windlass made it, behind its own rule, on version 1. Requests are
//! sent all the time; but for images that answer badly none may fail.

mod approvals;
mod failures;
mod gates;
mod releases;
mod rolling;
mod verified;

use std::time::Duration;

use windlass_sim::ecs;
use windlass_tests::{ImageDigest, Stage, key, version};

use super::create::SPEC;

/// The strategies of ECS's that have a second set of tasks, each short.
pub(crate) const STRATEGIES: [(&str, &str); 3] = [
    ("BLUE_GREEN", "blue_green"),
    ("CANARY", "{canary: {controller: ecs, steps: [{percent: 10, minutes: 2}]}}"),
    ("LINEAR", "{linear: {step_percent: 50, step_minutes: 1}}"),
];

/// The spec with this `rollout`, in flow style: `strategy: blue_green, bake_minutes: 1`.
pub(crate) fn spec(rollout: &str) -> String {
    format!("{SPEC}rollout: {{{rollout}}}\n")
}

/// `shop` on version 1, and its spec asks for this `rollout` from now on; requests come.
pub(crate) async fn shop(seed: u64, rollout: &str) -> (Stage, ImageDigest) {
    let mut stage = Stage::new(seed).await;
    stage.alarm("errors", false);
    stage.apply_spec("shop", &spec(rollout));
    let one = stage.push("shop", "latest", &version("1"));
    stage.run_for(Duration::from_secs(2)).await;
    stage.until_quiet().await;
    stage.assert_live("shop", &one);
    stage.traffic.to(stage.now(), "/shop", 10);
    (stage, one)
}

/// Lets time go on until the rollout has ended, and what rings after it was answered.
pub(crate) async fn until_over(stage: &mut Stage) {
    stage.run_for(Duration::from_secs(5)).await;
    stage.until_quiet().await;
    stage.run_for(Duration::from_secs(5)).await;
    stage.until_quiet().await;
}

/// The stage of the rollout under way.
pub(crate) fn at(stage: &Stage) -> Option<String> {
    stage.door.with(|world| ecs::view::service(world, "main", "shop").and_then(|shop| shop.stage))
}

/// Lets time go on until ECS is at this stage.
pub(crate) async fn until_at(stage: &mut Stage, wanted: &str) {
    let words = format!("the stage {wanted}");
    stage
        .until(&words, |world| {
            let shop = ecs::view::service(world, "main", "shop");
            shop.is_some_and(|shop| shop.rollout == "IN_PROGRESS" && shop.stage.as_deref() == Some(wanted))
        })
        .await;
}

/// The weights of the service's own rule, by group name; zeros left out.
pub(crate) fn production(stage: &Stage) -> Vec<(String, u32)> {
    let rules = stage.door.with(|world| windlass_sim::elb::rules(world, &stage.listener));
    let is_own = |rule: &windlass_sim::elb::RuleView| {
        rule.priority.is_some() && !rule.conditions.iter().any(|it| it.contains("x-test"))
    };
    let own = rules.into_iter().rfind(is_own);
    own.into_iter()
        .flat_map(|rule| rule.groups)
        .filter(|group| group.weight > 0)
        .map(|group| (group.name, group.weight))
        .collect()
}

/// The names of the service's two groups.
pub(crate) fn groups() -> [String; 2] {
    let shop = key("shop");
    [windlass_shared::names::target_group(&shop), windlass_shared::names::second_target_group(&shop)]
}
