//! Releases that fail in the midst of a shift, functions that are killed, and weights that
//! somebody left behind.

use std::time::Duration;

use serde_json::json;
use windlass_sim::ServiceId;
use windlass_sim::door::in_process::Kill;
use windlass_sim::gate::faults::When;
use windlass_tests::{Stage, key, labelled, version};

use super::{STRATEGIES, groups, production, shop, until_at, until_over};

#[tokio::test(start_paused = true)]
async fn tasks_that_are_never_healthy_are_given_up_in_time() {
    for (seed, (word, strategy)) in (1160..).zip(STRATEGIES) {
        let rollout = format!("strategy: {strategy}, timeout_minutes: 8, circuit_breaker: false");
        let (mut stage, one) = shop(seed, &rollout).await;
        let bad = stage.push("shop", "latest", &labelled("2", &[("sim.health_status", "500")]));
        until_over(&mut stage).await;
        assert_eq!(stage.running("shop"), [one.to_string()].into(), "{word}");
        let row = stage.row(&key("shop")).await;
        let why = &row.quarantine.get(&bad).expect("it is in quarantine").reason;
        assert!(why.contains("its tasks were not up within 8 min"), "{word}: {why}");
        stage.traffic.assert_none_failed();
        stage.finish().await;
    }
}

/// Twice its tasks have no room: nobody's fault, and tried again once there is some.
#[tokio::test(start_paused = true)]
async fn tasks_without_room_are_given_up_without_blame_and_tried_again() {
    for (seed, (word, strategy)) in (1170..).zip(STRATEGIES) {
        let mut stage = Stage::new(seed).await;
        let rollout = format!("strategy: {strategy}, timeout_minutes: 8");
        stage.apply_spec("shop", &super::spec(&rollout).replace("cpu: 128", "cpu: 3000"));
        let one = stage.push("shop", "latest", &version("1"));
        stage.run_for(Duration::from_secs(2)).await;
        stage.until_quiet().await;
        stage.traffic.to(stage.now(), "/shop", 10);
        let two = stage.push("shop", "latest", &version("2"));
        stage.run_for(Duration::from_mins(12)).await;
        assert_eq!(stage.running("shop"), [one.to_string()].into(), "{word}");
        let row = stage.row(&key("shop")).await;
        let why = row.quarantine.get(&two).unwrap_or_else(|| panic!("{word}: {row:?}"));
        assert!(why.reason.starts_with("no capacity: ") && why.until.is_some(), "{word}: {why:?}");
        stage.door.with(|world| {
            windlass_tests::account::instance(world, 3);
            windlass_tests::account::instance(world, 4);
        });
        stage.run_for(Duration::from_mins(16)).await;
        until_over(&mut stage).await;
        stage.assert_live("shop", &two);
        stage.assert_registered("main-shop", &[&one, &two]);
        stage.traffic.assert_none_failed();
        stage.finish().await;
    }
}

/// Whatever call of it is the last: one revision, one rollout, and the newest image live.
#[tokio::test(start_paused = true)]
async fn the_function_may_be_killed_at_each_call_of_a_rollouts_beginning() {
    let mut kills = 0;
    for call in 1..=30 {
        for when in [When::Before, When::After] {
            let (_, strategy) = STRATEGIES[call as usize % STRATEGIES.len()];
            let rollout = format!("strategy: {strategy}, test_route: {{header: x-test, values: [new]}}");
            let (mut stage, one) = shop(1200 + u64::from(call), &rollout).await;
            let mut left = Some(Kill { call, when });
            stage.door.set_kills(Box::new(move |invocation| {
                let is_push = invocation.payload["detail-type"] == "ECR Image Action";
                if is_push { left.take() } else { None }
            }));
            let two = stage.push("shop", "latest", &version("2"));
            stage.run_for(Duration::from_mins(3)).await;
            until_over(&mut stage).await;
            stage.assert_live("shop", &two);
            stage.assert_registered("main-shop", &[&one, &two]);
            stage.traffic.assert_none_failed();
            kills += u32::from(stage.errors().iter().any(|error| error.contains("signal: killed")));
            stage.finish().await;
        }
    }
    assert!(
        (30..60).contains(&kills),
        "{kills} kills: an invocation makes fewer than 30 calls, and more than 15"
    );
}

/// argo-rollouts#2864: weights moved before targets were registered.
#[tokio::test(start_paused = true)]
async fn no_weight_moves_to_a_group_before_its_targets_are_healthy() {
    for (seed, (_, strategy)) in (1120..).zip(STRATEGIES) {
        let (mut stage, one) = shop(seed, &format!("strategy: {strategy}, timeout_minutes: 10")).await;
        // Never healthy.
        stage.push("shop", "latest", &labelled("2", &[("sim.health_status", "500")]));
        until_at(&mut stage, "SCALE_UP").await;
        for _ in 0..20 {
            stage.run_for(Duration::from_secs(10)).await;
            assert_eq!(production(&stage), [(groups()[0].clone(), 100)]);
        }
        assert!(stage.running("shop").contains(one.as_str()));
        stage.traffic.assert_none_failed();
    }
}

/// roadmap#2853: production at an empty target group, which ECS does not look at.
#[tokio::test(start_paused = true)]
async fn production_at_an_empty_target_group_is_mended_before_anything_begins() {
    let (mut stage, _) = shop(1130, "strategy: blue_green").await;
    stage.push("shop", "latest", &version("2"));
    until_over(&mut stage).await;
    stage.traffic.assert_none_failed();
    stage.watch.tolerate("shop");
    lead(&stage, &[(0, 100), (1, 0)]);
    let three = stage.push("shop", "latest", &version("3"));
    stage.run_for(Duration::from_mins(2)).await;
    let mended = stage.history(&key("shop")).await;
    let words =
        mended.iter().flat_map(|pass| &pass.report).any(|line| line.contains("mended: requests went to"));
    assert!(words, "{mended:?}");
    until_over(&mut stage).await;
    stage.assert_live("shop", &three);
    stage.finish().await;
}

/// pipecd#5280: the service rolled back, its weights not.
#[tokio::test(start_paused = true)]
async fn weights_that_a_rollback_left_behind_are_taken_back() {
    let (mut stage, one) = shop(1140, "strategy: blue_green, bake_minutes: 5, alarms: [errors]").await;
    stage.push("shop", "latest", &version("2"));
    until_at(&mut stage, "BAKE_TIME").await;
    stage.alarm("errors", true);
    until_over(&mut stage).await;
    stage.watch.tolerate("shop");
    lead(&stage, &[(0, 30), (1, 70)]);
    stage.ring(&key("shop"));
    stage.run_for(Duration::from_secs(10)).await;
    assert_eq!(production(&stage), [(groups()[0].clone(), 100)]);
    assert_eq!(stage.running("shop"), [one.to_string()].into());
    stage.finish().await;
}

/// Somebody writes weights into the service's rule.
fn lead(stage: &Stage, weights: &[(usize, u32)]) {
    let rules = stage.door.with(|world| windlass_sim::elb::rules(world, &stage.listener));
    let rule = rules.into_iter().find(|rule| rule.priority.is_some()).expect("a rule");
    let groups = weights.iter().map(|(index, weight)| {
        let group = rule.groups.iter().find(|group| group.name == groups()[*index]).expect("both are there");
        json!({"TargetGroupArn": group.arn, "Weight": weight})
    });
    let groups: Vec<_> = groups.collect();
    let actions = json!([{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}]);
    let input = json!({"RuleArn": rule.arn, "Actions": actions});
    stage.by_hand(ServiceId::ElasticLoadBalancing, "ModifyRule", &input);
}
