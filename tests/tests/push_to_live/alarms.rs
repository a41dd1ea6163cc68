//! Every alarm sample of `events/`, as it comes to the scale function: each ends in tasks, or in a reason
//! for none. CloudWatch's own event of the same alarm is lost here, so that the sample alone rings.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use windlass_shared::id::ClusterName;
use windlass_sim::bus::DeliveryFaults;
use windlass_sim::call::ApiError;
use windlass_sim::gate::faults;
use windlass_sim::lambda::{Ended, access_key};
use windlass_sim::{ServiceId, World, ecs};
use windlass_tests::{Stage, version};

const SHOP: &str = "image: {repository: shop}\ntask: {cpu: 512, memory: 1024, port: 8080}\ndesired: 2\nroute: {paths: [/shop*]}\n";

/// What a sample ends in.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// Two tasks more, by the pass that it rang.
    Acts,
    /// Nothing, and these words of why.
    Reason(&'static str),
}

/// By the samples' names; one that is not here fails the test.
fn expected(name: &str) -> End {
    match name {
        "cloudwatch-alarm-state-change-single"
        | "cloudwatch-alarm-state-change-anomaly"
        | "cloudwatch-alarm-contributor-state-change"
        // Muted and suppressed: the mute is told, it holds for every kind.
        | "cloudwatch-alarm-state-change-composite" => End::Reason("is held back: muted"),
        "cloudwatch-alarm-state-change-metric-math"
        | "cloudwatch-alarm-state-change-multi-time-series"
        | "cloudwatch-alarm-state-change-period-one-day-RECONSTRUCTED"
        | "cloudwatch-alarm-state-change-composite-without-suppressor-RECONSTRUCTED"
        | "cloudwatch-alarm-lambda-direct-metric"
        | "cloudwatch-alarm-lambda-direct-metric-math-RECONSTRUCTED"
        | "cloudwatch-alarm-lambda-direct-composite" => End::Acts,
        other => panic!("{other}: what does it end in?"),
    }
}

/// Every alarm sample, by its name.
fn samples() -> BTreeMap<String, Value> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../events");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let alarms = files.filter_map(|path| {
        let name = path.file_stem()?.to_str()?.to_owned();
        let is_alarm = name.starts_with("cloudwatch-alarm") && path.extension()? == "json";
        is_alarm.then(|| (name, serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap()))
    });
    alarms.collect()
}

/// The event's part that is the alarm: an event's detail, a direct call's data.
fn part(sample: &Value) -> &'static str {
    if sample["alarmData"].is_null() { "detail" } else { "alarmData" }
}

fn alarm_of(sample: &Value) -> &Value {
    &sample[part(sample)]
}

fn name_of(sample: &Value) -> &str {
    alarm_of(sample)["alarmName"].as_str().unwrap()
}

/// The same without what holds the alarm's actions back.
fn let_go(sample: &Value) -> Value {
    let part = part(sample);
    let mut sample = sample.clone();
    let alarm = &mut sample[part];
    alarm.as_object_mut().unwrap().remove("muteDetail");
    let state = alarm["state"].as_object_mut().unwrap();
    state.remove("actionsSuppressedBy");
    state.remove("actionsSuppressedReason");
    sample
}

/// `shop` with two tasks, which scales by this alarm alone. The bus loses what CloudWatch says.
async fn shop(seed: u64, alarm: &str) -> Stage {
    let mut stage = Stage::on_a_group(seed, 1, 4).await;
    let step = format!("    - step: {{alarm: {alarm:?}, steps: [{{beyond: 0, change: 2}}]}}\n");
    stage.alarm(alarm, false);
    stage.apply_spec("shop", &format!("{SHOP}scaling:\n  min: 2\n  max: 4\n  rules:\n{step}"));
    stage.push("shop", "latest", &version("1"));
    stage.until("shop is up", |world| running(world) == 2).await;
    stage.until_quiet().await;
    stage.traffic.to(stage.now(), "/shop", 20);
    stage.door.with(|world| world.bus.delivery = DeliveryFaults::lose("CloudWatch Alarm State Change"));
    stage
}

fn running(world: &World) -> usize {
    ecs::view::service(world, "main", "shop").map_or(0, |it| it.running)
}

/// The sample's alarm, made from the sample's own configuration, and ringing. CloudWatch finds the state
/// of a composite itself; of the others, what is missing breaches.
fn make(stage: &Stage, sample: &Value) {
    let (alarm, name) = (alarm_of(sample), name_of(sample));
    stage.by_hand(ServiceId::CloudWatch, "DeleteAlarms", &json!({"AlarmNames": [name]}));
    let configuration = &alarm["configuration"];
    if let Some(rule) = configuration["alarmRule"].as_str() {
        for child in rule.split(" OR ").map(|it| it.trim_start_matches("ALARM(").trim_end_matches(')')) {
            stage.alarm(child, true);
        }
        stage.by_hand(
            ServiceId::CloudWatch,
            "PutCompositeAlarm",
            &json!({"AlarmName": name, "AlarmRule": rule}),
        );
        return;
    }
    let metrics: Vec<Value> = configuration["metrics"].as_array().unwrap().iter().map(query).collect();
    let band = metrics.iter().find(|it| it["Expression"].as_str().is_some_and(|it| it.contains("_BAND(")));
    let mut put = json!({"AlarmName": name, "EvaluationPeriods": 1, "TreatMissingData": "breaching"});
    if let Some(band) = band {
        put["ThresholdMetricId"] = band["Id"].clone();
        put["ComparisonOperator"] = json!("LessThanLowerOrGreaterThanUpperThreshold");
    } else {
        put["Threshold"] = json!(1);
        put["ComparisonOperator"] = json!("GreaterThanThreshold");
    }
    put["Metrics"] = json!(metrics);
    stage.by_hand(ServiceId::CloudWatch, "PutMetricAlarm", &put);
    let set = json!({"AlarmName": name, "StateValue": "ALARM", "StateReason": "the sample says so"});
    stage.by_hand(ServiceId::CloudWatch, "SetAlarmState", &set);
}

/// A line of the sample's configuration as `PutMetricAlarm` takes it. What the embedded CloudWatch does not
/// compute (it says so) is put as what it comes to here.
fn query(line: &Value) -> Value {
    let id = line["id"].as_str().unwrap();
    let id = if id.starts_with(|it: char| it.is_ascii_lowercase()) { id } else { "m0" };
    let mut query = json!({"Id": id, "ReturnData": line["returnData"]});
    let insights = line["expression"].as_str().is_some_and(|it| it.starts_with("SELECT"));
    if insights {
        let metric = json!({"Namespace": "AWS/DynamoDB", "MetricName": "ConsumedWriteCapacityUnits"});
        query["MetricStat"] = json!({"Metric": metric, "Period": line["period"], "Stat": "Average"});
        return query;
    }
    if let Some(expression) = line["expression"].as_str() {
        query["Expression"] = json!(expression.replace("SUM(METRICS())", "m1 + m2"));
    }
    if let Some(stat) = line["metricStat"].as_object() {
        // A day is further than it looks back.
        let period = stat["period"].as_u64().unwrap().min(3600);
        let metric = &stat["metric"];
        let dimensions = metric["dimensions"].as_object().unwrap();
        let dimensions: Vec<Value> =
            dimensions.iter().map(|(name, value)| json!({"Name": name, "Value": value})).collect();
        let metric =
            json!({"Namespace": metric["namespace"], "MetricName": metric["name"], "Dimensions": dimensions});
        query["MetricStat"] = json!({"Metric": metric, "Period": period, "Stat": stat["stat"]});
    }
    query
}

/// Hands the event to the scale function, as EventBridge or CloudWatch does, and what it answers.
async fn rung(stage: &mut Stage, event: &Value) -> Value {
    let invoke = json!({"FunctionName": stage.scale, "InvocationType": "Event", "Payload": event});
    stage.by_hand(ServiceId::Lambda, "Invoke", &invoke);
    stage.run_for(Duration::from_secs(5)).await;
    let ended = stage.door.with(|world| {
        let mut log = world.lambda.log.iter().rev();
        log.find(|it| it.invocation.payload == *event).map(|it| it.ended.clone())
    });
    match ended {
        Some(Ended::Ok(answer)) => answer,
        other => panic!("{}: {other:?}", name_of(event)),
    }
}

fn reason(answer: &Value) -> &str {
    answer["reason"].as_str().unwrap_or_default()
}

fn writes(stage: &Stage) -> usize {
    let caller = access_key(&stage.scale);
    stage.door.with(|world| {
        let own = world.gate.log.records().filter(|it| it.caller.access_key == caller && it.error.is_none());
        own.filter(|it| matches!(it.operation.as_str(), "UpdateService" | "SetDesiredCapacity")).count()
    })
}

#[tokio::test(start_paused = true)]
async fn every_alarm_sample_ends_in_the_right_action_or_in_its_reason_for_none() {
    for (seed, (name, sample)) in (1..).zip(samples()) {
        let mut stage = shop(seed, name_of(&sample)).await;
        let expected = expected(&name);
        if expected == End::Acts {
            make(&stage, &sample);
        }
        let answer = rung(&mut stage, &sample).await;
        match expected {
            End::Acts => {
                assert_eq!(answer["rings"][0]["end"], "did 1 steps", "{name}: {answer}");
                stage.until("two tasks more", |world| running(world) == 4).await;
                let history = stage.cluster_history(&ClusterName::new("main")).await;
                assert!(
                    history.iter().any(|it| it.cause == answer["event"] && it.steps.len() == 1),
                    "{name}: {history:#?}"
                );
                stage.alarm(name_of(&sample), false);
            }
            End::Reason(words) => {
                assert!(reason(&answer).contains(words), "{name}: {answer}");
                assert_eq!(stage.door.with(|world| running(world)), 2, "{name}");
            }
        }
        stage.traffic.assert_none_failed();
        stage.finish().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_held_back_acts_once_nothing_holds_it_back() {
    for name in ["single", "anomaly", "composite"] {
        let sample = samples()[&format!("cloudwatch-alarm-state-change-{name}")].clone();
        let mut stage = shop(40, name_of(&sample)).await;
        make(&stage, &sample);
        let answer = rung(&mut stage, &let_go(&sample)).await;
        assert_eq!(answer["rings"][0]["end"], "did 1 steps", "{name}: {answer}");
        stage.until("two tasks more", |world| running(world) == 4).await;
        stage.alarm(name_of(&sample), false);
        stage.traffic.assert_none_failed();
        stage.finish().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_alarm_for_an_unknown_thing_is_reported_once_and_not_every_minute() {
    let mut stage = shop(41, "mine").await;
    let before = stage.cluster_history(&ClusterName::new("main")).await.len();
    stage.door.with(|world| world.gate.log.clear());
    let samples = samples();
    for (name, sample) in samples.iter().filter(|(name, _)| !name.contains("contributor")) {
        let answer = rung(&mut stage, &let_go(sample)).await;
        let words = format!("no service's `scaling.rules` names the alarm {}", name_of(sample));
        assert!(reason(&answer).starts_with(&words), "{name}: {answer}");
        assert_eq!(answer["rings"][0]["end"], "nothing to do", "{name}: {answer}");
    }
    let from = stage.door.with(|world| world.lambda.log.len());
    stage.run_for(Duration::from_mins(5)).await;
    let said_again = stage.door.with(|world| {
        let mut later = world.lambda.log.iter().skip(from).map(|it| format!("{:?}", it.ended));
        later.any(|ended| ended.contains("names the alarm"))
    });
    assert!(!said_again, "the timer says nothing of it");
    assert_eq!(stage.cluster_history(&ClusterName::new("main")).await.len(), before);
    assert_eq!((writes(&stage), stage.door.with(|world| running(world))), (0, 2));
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

/// How often the history tells this.
async fn told(stage: &Stage, words: &str) -> usize {
    let history = stage.cluster_history(&ClusterName::new("main")).await;
    history.iter().filter(|it| it.report.iter().any(|it| it.contains(words))).count()
}

#[tokio::test(start_paused = true)]
async fn a_muted_alarm_moves_nothing_while_it_is_muted_is_told_once_and_acts_afterwards() {
    let mut stage = shop(43, "mine").await;
    let begin = format!("at({})", &stage.now().iso()[..16]);
    let rule = json!({"Name": "load-test", "MuteTargets": {"AlarmNames": ["mine"]},
        "Rule": {"Schedule": {"Expression": begin, "Duration": "PT20M"}}});
    stage.by_hand(ServiceId::CloudWatch, "PutAlarmMuteRule", &rule);
    stage.door.with(|world| world.gate.log.clear());
    stage.alarm("mine", true);
    stage.run_for(Duration::from_mins(10)).await;
    assert_eq!((writes(&stage), stage.door.with(|world| running(world))), (0, 2));
    assert_eq!(told(&stage, "shop: the mute rule load-test holds mine back").await, 1);
    // Its window ends, and it still rings.
    stage.until("two tasks more", |world| running(world) == 4).await;
    stage.alarm("mine", false);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn who_may_not_read_mute_rules_scales_by_the_alarm_and_says_so() {
    let mut stage = shop(44, "mine").await;
    stage.door.with(|world| {
        let denied =
            ApiError::client("AccessDenied", "not authorized to perform cloudwatch:ListAlarmMuteRules");
        world.gate.faults = faults::refuse(ServiceId::CloudWatch, "ListAlarmMuteRules", denied);
    });
    stage.alarm("mine", true);
    stage.until("two tasks more", |world| running(world) == 4).await;
    assert!(told(&stage, "asking which alarms are muted").await >= 1);
    stage.alarm("mine", false);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_suppressed_composite_moves_nothing_until_its_suppressor_and_its_periods_let_it_go() {
    let mut stage = shop(45, "all").await;
    stage.by_hand(ServiceId::CloudWatch, "DeleteAlarms", &json!({"AlarmNames": ["all"]}));
    stage.alarm("errors", false);
    stage.alarm("deploying", true);
    let composite = json!({"AlarmName": "all", "AlarmRule": "ALARM(errors)", "ActionsSuppressor": "deploying",
        "ActionsSuppressorWaitPeriod": 60, "ActionsSuppressorExtensionPeriod": 180});
    stage.by_hand(ServiceId::CloudWatch, "PutCompositeAlarm", &composite);
    stage.door.with(|world| world.gate.log.clear());
    stage.alarm("errors", true);
    stage.run_for(Duration::from_mins(5)).await;
    assert_eq!((writes(&stage), stage.door.with(|world| running(world))), (0, 2));
    assert_eq!(told(&stage, "all rings, and its actions are off or suppressed").await, 1);
    stage.alarm("deploying", false);
    stage.run_for(Duration::from_secs(100)).await;
    assert_eq!(stage.door.with(|world| running(world)), 2, "its extension goes on");
    stage.until("two tasks more", |world| running(world) == 4).await;
    stage.alarm("errors", false);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn an_alarm_whose_actions_are_off_is_told_once_and_does_nothing() {
    let mut stage = shop(42, "mine").await;
    let put = |stage: &Stage, enabled: bool| {
        let alarm = json!({
            "AlarmName": "mine", "Namespace": "shop", "MetricName": "errors", "Statistic": "Sum", "Period": 60,
            "EvaluationPeriods": 1, "Threshold": 1, "ComparisonOperator": "GreaterThanOrEqualToThreshold",
            "TreatMissingData": "breaching", "ActionsEnabled": enabled});
        stage.by_hand(ServiceId::CloudWatch, "PutMetricAlarm", &alarm);
        let set = json!({"AlarmName": "mine", "StateValue": "ALARM", "StateReason": "the test says so"});
        stage.by_hand(ServiceId::CloudWatch, "SetAlarmState", &set);
    };
    put(&stage, false);
    stage.run_for(Duration::from_mins(5)).await;
    let history = stage.cluster_history(&ClusterName::new("main")).await;
    let told = history
        .iter()
        .filter(|it| it.report.iter().any(|it| it.contains("mine rings, and its actions are off")));
    assert_eq!((told.count(), stage.door.with(|world| running(world))), (1, 2));
    put(&stage, true);
    stage.until("two tasks more", |world| running(world) == 4).await;
    stage.alarm("mine", false);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}
