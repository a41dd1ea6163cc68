//! Alarms: the five mistakes of the published structs, and the new shapes.

use super::*;

fn alarm(json: &Value) -> Box<super::super::super::Alarm> {
    match event(json) {
        Event::Alarm(alarm) => alarm,
        Event::AlarmAction(action) => Box::new(action.alarm),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_event_bridge_alarm_is_never_taken_for_a_direct_call() {
    let incoming = read_json(&sample("cloudwatch-alarm-state-change-single")).unwrap();
    assert!(incoming.envelope.is_some());
    let Event::Alarm(alarm) = incoming.event else { panic!("an alarm of EventBridge") };
    assert_eq!(alarm.name.as_str(), "ServerCpuTooHigh");
    let direct = event(&sample("cloudwatch-alarm-lambda-direct-metric"));
    assert!(matches!(direct, Event::AlarmAction(_)));
}

#[test]
fn metric_math_has_no_metric_stat() {
    for name in [
        "cloudwatch-alarm-state-change-metric-math",
        "cloudwatch-alarm-lambda-direct-metric-math-RECONSTRUCTED",
    ] {
        let configuration = alarm(&sample(name)).configuration;
        assert_eq!(configuration.shape(), AlarmShape::MetricMath);
        assert_eq!(configuration.metrics[0].metric_stat, None);
        assert_eq!(configuration.metrics[1].metric_stat.as_ref().unwrap().period_secs, 300);
    }
}

#[test]
fn a_period_may_be_a_day() {
    let day = alarm(&sample("cloudwatch-alarm-state-change-period-one-day-RECONSTRUCTED"));
    assert_eq!(day.configuration.shape(), AlarmShape::SingleMetric);
    assert_eq!(day.configuration.metrics[0].metric_stat.as_ref().unwrap().period_secs, 86_400);
}

#[test]
fn a_composite_needs_no_suppressor() {
    let plain = alarm(&sample("cloudwatch-alarm-state-change-composite-without-suppressor-RECONSTRUCTED"));
    assert_eq!(plain.configuration.shape(), AlarmShape::Composite);
    assert_eq!(plain.configuration.actions_suppressor, None);
    let with_one = alarm(&sample("cloudwatch-alarm-lambda-direct-composite"));
    assert_eq!(with_one.configuration.shape(), AlarmShape::Composite);
    assert_eq!(with_one.configuration.suppressor_wait_secs, Some(120));
}

#[test]
fn an_anomalys_reason_is_a_band_and_no_composite() {
    let anomaly = alarm(&sample("cloudwatch-alarm-state-change-anomaly"));
    assert_eq!(anomaly.configuration.shape(), AlarmShape::Anomaly);
    let Some(ReasonData::Band { lower, upper, recent }) = anomaly.state.reason_data else { panic!("a band") };
    assert_eq!((lower.len(), upper.len(), recent), (1, 1, vec![Some(0.0)]));
}

#[test]
fn a_reason_in_another_form_is_kept_as_it_came() {
    let odd = with("cloudwatch-alarm-state-change-single", "/detail/state/reasonData", json!("soon"));
    let text = "soon".to_owned();
    assert_eq!(alarm(&odd).state.reason_data, Some(ReasonData::Untold { text }));
}

#[test]
fn times_with_a_bare_offset_are_read() {
    let single = alarm(&sample("cloudwatch-alarm-state-change-single"));
    assert_eq!(single.state.timestamp.unwrap().to_string(), "2019-10-02T17:04:40.989Z");
}

#[test]
fn a_contributors_event_has_no_previous_state_and_must_name_the_contributor() {
    let contributor = alarm(&sample("cloudwatch-alarm-contributor-state-change"));
    assert_eq!(contributor.previous_state, None);
    assert_eq!(contributor.contributor.unwrap().attributes["TableName"], "example-dynamodb-table-name");
    let nameless = without("cloudwatch-alarm-contributor-state-change", "/detail/alarmContributor");
    let error = read_json(&nameless).unwrap_err();
    assert_eq!((error.path.as_str(), error.problem), ("detail.alarmContributor", Problem::Missing));
}
