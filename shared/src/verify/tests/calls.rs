//! What ECS's calls ask for.

use crate::event::{Event, LifecycleHook, LifecycleStage, read};
use crate::verify::{Baseline, HookCall, Reach};

fn sample(name: &str) -> LifecycleHook {
    let path = format!("{}/../events/ecs-lifecycle-hook-{name}.json", env!("CARGO_MANIFEST_DIR"));
    match read(&std::fs::read(path).unwrap()).unwrap().event {
        Event::LifecycleHook(hook) => *hook,
        other => panic!("{other:?}"),
    }
}

fn at(stage: LifecycleStage, target: f64) -> LifecycleHook {
    let mut hook = sample("production");
    let new = hook.details.target_service_revision_arn.clone();
    for (revision, weight) in &mut hook.details.production_traffic_weights {
        *weight = if *revision == new { target } else { 100.0 - target };
    }
    LifecycleHook { stage, ..hook }
}

fn check(hook: &LifecycleHook) -> (Reach, String) {
    match HookCall::read(hook) {
        HookCall::Check(check) => {
            assert_eq!(check.key.to_string(), "my-cluster/my-service");
            (check.reach, check.stage)
        }
        other => panic!("{other:?}"),
    }
}

const ID: &str = "EZe5RNVLH6PPzHXINuP28";

#[test]
fn the_samples_ask_for_what_their_stages_show() {
    assert_eq!(HookCall::read(&sample("pre-scale-up")), HookCall::NothingYet);
    assert_eq!(HookCall::read(&sample("test-traffic-shift")), HookCall::NothingYet);
    assert_eq!(HookCall::read(&sample("production-rollback-RECONSTRUCTED")), HookCall::WayBack);
    let post_test = check(&sample("post-test-with-hookdetails"));
    assert_eq!(post_test, (Reach::Test, format!("{ID}/POST_TEST_TRAFFIC_SHIFT")));
    let before = check(&sample("pre-production"));
    assert_eq!(before, (Reach::Test, format!("{ID}/PRE_PRODUCTION_TRAFFIC_SHIFT")));
    assert_eq!(check(&sample("production")), (Reach::All, format!("{ID}/PRODUCTION_TRAFFIC_SHIFT")));
}

#[test]
fn a_way_back_is_one_at_the_stages_that_move_traffic_alone() {
    for stage in [LifecycleStage::TestTrafficShift, LifecycleStage::ProductionTrafficShift] {
        let mut back = at(stage, 0.0);
        back.details.test_traffic_weights = back.details.production_traffic_weights.clone();
        assert_eq!(HookCall::read(&back), HookCall::WayBack);
    }
    // Before the first step the weights are the same, and a verdict is wanted all the same.
    assert_eq!(check(&at(LifecycleStage::PreProductionTrafficShift, 0.0)).0, Reach::Test);
}

#[test]
fn each_step_of_traffic_is_a_question_of_its_own() {
    let pre = LifecycleStage::PreProductionTrafficShift;
    assert_eq!(
        check(&at(pre.clone(), 10.0)),
        (Reach::Share(10), format!("{ID}/PRE_PRODUCTION_TRAFFIC_SHIFT@10"))
    );
    assert_eq!(check(&at(pre, 0.4)).0, Reach::Share(1), "less than one percent is some");
    assert_eq!(Reach::Share(10).baseline(), Some(Baseline::Beside));
    assert_eq!(Reach::All.baseline(), Some(Baseline::Before));
    assert_eq!(Reach::Test.baseline(), None);
}

#[test]
fn a_stage_of_tomorrow_is_passed_and_an_unknown_service_is_told() {
    let tomorrow = at(LifecycleStage::Other("POST_EVERYTHING".into()), 50.0);
    assert_eq!(HookCall::read(&tomorrow), HookCall::NothingYet);
    let mut short = at(LifecycleStage::PostTestTrafficShift, 50.0);
    short.details.service_arn = "arn:aws:ecs:us-west-2:123456789012:service/my-service".into();
    assert_eq!(HookCall::read(&short), HookCall::NoService);
}
