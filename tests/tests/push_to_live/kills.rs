//! The function killed at each of its calls, before its effect and after it: the world
//! still ends on the newest image, with one revision for each release.

use std::time::Duration;

use windlass_sim::door::in_process::Kill;
use windlass_sim::gate::faults::When;
use windlass_tests::{ImageDigest, Stage, version};

use super::{create, update};

/// No invocation makes this many calls.
const MANY: u32 = 80;

/// What the killed invocation was rung by.
#[derive(Debug, Clone, Copy)]
enum Bell {
    Push,
    Completed,
}

impl Bell {
    fn rang(self, event: &serde_json::Value) -> bool {
        match self {
            Self::Push => event["detail-type"] == "ECR Image Action",
            Self::Completed => event["detail"]["eventName"] == "SERVICE_DEPLOYMENT_COMPLETED",
        }
    }
}

/// Kills the next invocation that `bell` rings, once, at its call number `call`.
fn kill_at(stage: &Stage, bell: Bell, call: u32, when: When) {
    let mut left = Some(Kill { call, when });
    stage.door.set_kills(Box::new(
        move |invocation| {
            if bell.rang(&invocation.payload) { left.take() } else { None }
        },
    ));
}

pub(crate) fn was_killed(stage: &Stage) -> bool {
    stage.errors().iter().any(|error| error.contains("signal: killed"))
}

/// Each kill comes at another moment of the world, and there the invocation may have found somebody
/// else's pass under way and ended early: only so many misses in a row say that it makes no more calls.
const MISSES: u32 = 3;

/// Runs `once` with a kill at call 1, 2, 3, …, until invocations end without reaching their kill; how many
/// calls that were.
pub(crate) async fn at_every_call<Fut: Future<Output = bool>>(mut once: impl FnMut(u32, When) -> Fut) -> u32 {
    let mut last = 0;
    for call in 1..MANY {
        for when in [When::Before, When::After] {
            if once(call, when).await {
                last = call;
            }
        }
        if call - last == MISSES {
            return last;
        }
    }
    panic!("an invocation makes {MANY} calls")
}

/// The end that every kill must come to.
async fn converges(mut stage: Stage, service: &str, family: &str, images: &[&ImageDigest]) -> bool {
    // Lambda's own retry comes after a minute, and the dead holder's lease ends by then.
    stage.run_for(Duration::from_mins(3)).await;
    stage.until_quiet().await;
    let newest = images.last().expect("an image");
    stage.assert_live(service, newest);
    stage.assert_registered(family, images);
    let killed = was_killed(&stage);
    stage.finish().await;
    killed
}

async fn update_killed(bell: Bell, call: u32, when: When) -> bool {
    let (stage, one) = update::shop(200 + u64::from(call)).await;
    kill_at(&stage, bell, call, when);
    let two = stage.push("shop", "latest", &version("2"));
    converges(stage, "shop", "shop", &[&one, &two]).await
}

async fn create_killed(bell: Bell, call: u32, when: When) -> bool {
    let mut stage = Stage::new(300 + u64::from(call)).await;
    stage.apply_spec("shop", create::SPEC);
    stage.run_for(Duration::from_secs(5)).await;
    kill_at(&stage, bell, call, when);
    let one = stage.push("shop", "latest", &version("1"));
    converges(stage, "shop", "main-shop", &[&one]).await
}

#[tokio::test(start_paused = true)]
async fn an_update_killed_at_any_call_ends_on_the_newest_image_registered_once() {
    let calls = at_every_call(|call, when| update_killed(Bell::Push, call, when)).await;
    assert!(calls >= 6, "{calls} calls: did the push ring?");
}

#[tokio::test(start_paused = true)]
async fn the_pass_that_records_a_rollouts_end_may_be_killed_at_any_call() {
    let calls = at_every_call(|call, when| update_killed(Bell::Completed, call, when)).await;
    assert!(calls >= 4, "{calls} calls: did ECS's event ring?");
}

#[tokio::test(start_paused = true)]
async fn a_creation_killed_at_any_call_makes_each_thing_once() {
    let calls = at_every_call(|call, when| create_killed(Bell::Push, call, when)).await;
    assert!(calls >= 8, "{calls} calls: did the push ring?");
}

#[tokio::test(start_paused = true)]
async fn the_pass_that_opens_a_route_may_be_killed_at_any_call() {
    let calls = at_every_call(|call, when| create_killed(Bell::Completed, call, when)).await;
    assert!(calls >= 4, "{calls} calls: did ECS's event ring?");
}
