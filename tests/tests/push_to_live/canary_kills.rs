//! The function killed during a whole canary, and during the giving up of one: at every call
//! that writes anything but the ledger, before its effect and after it, and at some of the
//! others. Calls are counted over all invocations.

use std::time::Duration;

use windlass_aws::clients::Retries;
use windlass_sim::door::in_process::Kill;
use windlass_sim::gate::faults::When;
use windlass_tests::stage::Setting;
use windlass_tests::{ImageDigest, Stage, key, version};

use super::canary;

const SHORT: &str = "{percent: 25, minutes: 1}, {percent: 50, minutes: 1}";
/// As many reads and ledger calls are killed at in one test.
const SAMPLES: u32 = 6;

/// How a canary ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    Promoted,
    GivenUp,
}

/// Everything to the next quiet world, but what came before the canary.
async fn run(seed: u64, ends: Ends, kill: Option<Kill>) -> (Stage, ImageDigest, ImageDigest) {
    let setting = Setting { seed, retries: Retries::Off, tick: Duration::from_secs(1) };
    let mut stage = Stage::with(setting).await;
    stage.alarm("errors", false);
    stage.apply_spec("shop", &canary::spec(SHORT, ", alarms: [errors]"));
    let one = stage.push("shop", "latest", &version("1"));
    stage.run_for(Duration::from_secs(2)).await;
    stage.until_quiet().await;
    stage.traffic.to(stage.now(), "/shop", 4);
    stage.door.with(|world| world.gate.log.clear());
    if let Some(kill) = kill.filter(|_| ends == Ends::Promoted) {
        stage.door.kill_at(kill);
    }
    let two = stage.push("shop", "latest", &version("2"));
    if ends == Ends::GivenUp {
        stage.until_weight("shop", 250).await;
        stage.run_for(Duration::from_secs(5)).await;
        stage.door.with(|world| world.gate.log.clear());
        if let Some(kill) = kill {
            stage.door.kill_at(kill);
        }
        stage.alarm("errors", true);
    }
    // Lambda's own retry comes after a minute, and the dead holder's lease ends by then.
    stage.run_for(Duration::from_mins(3)).await;
    stage.until_quiet().await;
    (stage, one, two)
}

async fn ends_well(stage: Stage, ends: Ends, one: &ImageDigest, two: &ImageDigest) {
    let live = if ends == Ends::Promoted { two } else { one };
    canary::assert_only(&stage, live);
    stage.assert_registered("main-shop", &[one, two]);
    stage.traffic.assert_none_failed();
    let story = stage.story(&key("shop"), &[("1", one), ("2", two)]).await;
    let expected = if ends == Ends::Promoted { "2: live (from 1)" } else { "2: rolled back (from 1)" };
    assert_eq!(story, format!("1: live (from nothing)\n{expected}"));
    stage.finish().await;
}

/// At which calls a run is killed: 1 for its first.
async fn points(seed: u64, ends: Ends) -> Vec<(u32, When)> {
    let (stage, one, two) = run(seed, ends, None).await;
    let calls = stage.calls();
    ends_well(stage, ends, &one, &two).await;
    let stride = u32::try_from(calls.len()).unwrap() / SAMPLES;
    let offset = u32::try_from(seed).unwrap() % stride;
    let mut points = Vec::new();
    for (number, call) in (1..).zip(&calls) {
        if call.is_write() && !["dynamodb", "events"].contains(&call.service.name()) {
            points.extend([(number, When::Before), (number, When::After)]);
        } else if number % stride == offset {
            points.push((number, When::After));
        }
    }
    assert!(points.len() > 10, "{calls:?}");
    points
}

async fn killed_everywhere(seed: u64, ends: Ends) {
    let points = points(seed, ends).await;
    let mut killed = 0;
    for &(call, when) in &points {
        println!("{ends:?}: call {call}, {when:?}");
        let (stage, one, two) = run(seed, ends, Some(Kill { call, when })).await;
        killed += usize::from(stage.errors().iter().any(|error| error.contains("signal: killed")));
        ends_well(stage, ends, &one, &two).await;
    }
    assert!(killed * 10 >= points.len() * 9, "{killed} of {} runs were killed", points.len());
}

#[tokio::test(start_paused = true)]
async fn a_whole_canary_killed_at_any_write_is_live_once() {
    killed_everywhere(430, Ends::Promoted).await;
}

#[tokio::test(start_paused = true)]
async fn a_giving_up_killed_at_any_write_is_over_once() {
    killed_everywhere(431, Ends::GivenUp).await;
}
