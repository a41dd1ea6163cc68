//! Releases that are good: live, with no request failed, and the rules left to ECS meanwhile.

use std::time::Duration;

use windlass_tests::{key, version};

use super::{STRATEGIES, shop, until_at, until_over};

/// What runs is said, and nobody touches the rule.
#[tokio::test(start_paused = true)]
async fn while_ecs_shifts_the_rule_is_left_alone_and_the_stage_is_told() {
    let (mut stage, _) = shop(810, "strategy: blue_green, bake_minutes: 5").await;
    stage.push("shop", "latest", &version("2"));
    until_at(&mut stage, "BAKE_TIME").await;
    let before = stage.count("elasticloadbalancing:ModifyRule");
    // A change of the route in the midst of it waits.
    stage.apply_spec(
        "shop",
        &super::spec("strategy: blue_green, bake_minutes: 5").replace("/shop*", "/shop/*"),
    );
    stage.run_for(Duration::from_mins(2)).await;
    assert_eq!(stage.count("elasticloadbalancing:ModifyRule"), before);
    let report = stage.report(&key("shop")).await;
    assert!(report.contains("ECS is at BAKE_TIME, 100 % of the requests reach the new tasks"), "{report}");
    until_over(&mut stage).await;
    assert_eq!(stage.count("elasticloadbalancing:ModifyRule"), before + 1, "once it has ended");
}

/// From one strategy to another on a live service, and back to rolling in the group that serves.
#[tokio::test(start_paused = true)]
async fn a_service_changes_from_strategy_to_strategy_without_a_failed_request() {
    let (mut stage, one) = shop(840, "strategy: rolling").await;
    let mut digests = vec![one];
    let to = ["blue_green", STRATEGIES[2].1, "rolling", "rolling", STRATEGIES[1].1, "blue_green"];
    for (n, strategy) in (2..).zip(to) {
        stage.apply_spec("shop", &super::spec(&format!("strategy: {strategy}")));
        digests.push(stage.push("shop", "latest", &version(&n.to_string())));
        until_over(&mut stage).await;
        stage.assert_live("shop", digests.last().expect("one was pushed"));
    }
    stage.assert_registered("main-shop", &digests.iter().collect::<Vec<_>>());
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

/// Requests with the header reach the new tasks before anybody else does.
#[tokio::test(start_paused = true)]
async fn the_test_route_reaches_the_new_tasks_first() {
    let rollout = "strategy: blue_green, bake_minutes: 1, test_route: {header: x-test, values: [new]}, \
                   approval: {before: traffic}";
    let (mut stage, one) = shop(850, rollout).await;
    let two = stage.push("shop", "latest", &version("2"));
    until_at(&mut stage, "PRE_PRODUCTION_TRAFFIC_SHIFT").await;
    stage.run_for(Duration::from_secs(5)).await;
    let asks = |header: bool| {
        let mut head = windlass_sim::elb::RequestHead::get("shop.example.com", "/shop");
        if header {
            head.headers.push(("x-test".to_owned(), "new".to_owned()));
        }
        stage.door.with(|world| {
            let served = windlass_sim::elb::request(world, &stage.listener, &head).expect("a listener");
            let task = served.task_arn.expect("a target");
            let images = windlass_sim::ecs::view::task(world, &task).expect("a task").images;
            images.into_iter().next().and_then(|(_, digest)| digest).expect("a digest")
        })
    };
    assert_eq!(asks(true), two.to_string());
    assert_eq!(asks(false), one.to_string());
}
