//! CloudWatch's real client, which speaks CBOR, against the embedded AWS.

use aws_sdk_cloudwatch::error::ProvideErrorMetadata as _;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{
    AlarmType, ComparisonOperator, Dimension, Metric, MetricDataQuery, MetricDatum, MetricStat, ScanBy,
    StateValue, Statistic, StatusCode,
};
use windlass_aws::Clients;
use windlass_aws::clients::{Endpoints, Retries, Settings};
use windlass_shared::id::Region;
use windlass_sim::door::in_process::InProcess;
use windlass_sim::{Config, World};

fn start() -> (InProcess, aws_sdk_cloudwatch::Client) {
    let door = InProcess::start(World::new(Config::default()));
    let settings = Settings {
        region: Region::new("eu-central-1"),
        credentials: aws_credential_types::Credentials::new("AKIDDEPLOY", "secret", None, None, "test"),
        endpoints: Endpoints { all: Some("http://aws.invalid".into()), ..Endpoints::default() },
        retries: Retries::Off,
    };
    let clients = Clients::new(door.connector(), &settings);
    (door, clients.cloudwatch)
}

async fn put_alarm(cloudwatch: &aws_sdk_cloudwatch::Client, name: &str) {
    let group = Dimension::builder().name("TargetGroup").value("targetgroup/shop/1").build();
    cloudwatch
        .put_metric_alarm()
        .alarm_name(name)
        .namespace("AWS/ApplicationELB")
        .metric_name("HTTPCode_Target_5XX_Count")
        .dimensions(group)
        .statistic(Statistic::Sum)
        .period(60)
        .evaluation_periods(1)
        .threshold(0.5)
        .comparison_operator(ComparisonOperator::GreaterThanThreshold)
        .send()
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_sdk_puts_sets_reads_and_deletes_alarms() {
    let (_door, cloudwatch) = start();
    put_alarm(&cloudwatch, "errors").await;
    let rule = cloudwatch.put_composite_alarm().alarm_name("any").alarm_rule("ALARM(\"errors\")");
    rule.send().await.unwrap();
    let set = cloudwatch.set_alarm_state().alarm_name("errors").state_value(StateValue::Alarm);
    set.state_reason("test").send().await.unwrap();
    let types = [AlarmType::MetricAlarm, AlarmType::CompositeAlarm];
    let told = cloudwatch.describe_alarms().set_alarm_types(Some(types.to_vec())).send().await.unwrap();
    let [errors] = told.metric_alarms() else { panic!("{told:?}") };
    assert_eq!((errors.alarm_name(), errors.state_value()), (Some("errors"), Some(&StateValue::Alarm)));
    assert_eq!((errors.threshold(), errors.period()), (Some(0.5), Some(60)));
    assert!(errors.state_updated_timestamp() > Some(&DateTime::from_secs(1_767_225_600)));
    assert_eq!(told.composite_alarms()[0].state_value(), Some(&StateValue::Alarm));
    cloudwatch.delete_alarms().alarm_names("any").alarm_names("errors").send().await.unwrap();
    let told = cloudwatch.describe_alarms().send().await.unwrap();
    assert!(told.metric_alarms().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_sdk_pages_and_reads_errors_by_their_codes() {
    let (_door, cloudwatch) = start();
    for name in ["a", "b", "c"] {
        put_alarm(&cloudwatch, name).await;
    }
    let (mut names, mut pages) =
        (Vec::new(), cloudwatch.describe_alarms().max_records(2).into_paginator().send());
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        names.extend(page.metric_alarms().iter().filter_map(|alarm| alarm.alarm_name().map(str::to_owned)));
    }
    assert_eq!(names, ["a", "b", "c"]);
    let missing = cloudwatch.set_alarm_state().alarm_name("none").state_value(StateValue::Ok);
    let missing = missing.state_reason("test").send().await.unwrap_err().into_service_error();
    assert!(missing.is_resource_not_found(), "{missing:?}");
    let wrong = cloudwatch.describe_alarms().max_records(0).send().await.unwrap_err();
    assert_eq!(wrong.code(), Some("ValidationError"), "{wrong:?}");
}

fn sum_of(id: &str, metric: Metric) -> MetricDataQuery {
    let stat = MetricStat::builder().metric(metric).period(60).stat("Sum").build();
    MetricDataQuery::builder().id(id).metric_stat(stat).build()
}

#[tokio::test(start_paused = true)]
async fn the_sdk_measures_and_reads_page_by_page() {
    let (door, cloudwatch) = start();
    let group = Dimension::builder().name("Service").value("shop").build();
    for value in [1.0, 2.0, 3.5] {
        let datum =
            MetricDatum::builder().metric_name("Errors").dimensions(group.clone()).value(value).build();
        cloudwatch.put_metric_data().namespace("Shop").metric_data(datum).send().await.unwrap();
        door.run_for(std::time::Duration::from_mins(1)).await;
    }
    let listed = cloudwatch.list_metrics().namespace("Shop").send().await.unwrap();
    let [metric] = listed.metrics() else { panic!("{listed:?}") };
    assert_eq!((metric.metric_name(), metric.dimensions()), (Some("Errors"), &[group][..]));
    let rate = MetricDataQuery::builder().id("half").expression("m1 / 2").build();
    let ask = cloudwatch
        .get_metric_data()
        .metric_data_queries(sum_of("m1", metric.clone()))
        .metric_data_queries(rate)
        .start_time(DateTime::from_secs(1_767_225_600))
        .end_time(DateTime::from_secs(1_767_229_200))
        .scan_by(ScanBy::TimestampAscending)
        .max_datapoints(2);
    let (mut values, mut codes, mut pages) = (Vec::new(), Vec::new(), ask.into_paginator().send());
    while let Some(page) = pages.next().await {
        for result in page.unwrap().metric_data_results() {
            codes.extend(result.status_code().cloned());
            values.extend(result.values().iter().map(|value| (result.id().unwrap().to_owned(), *value)));
        }
    }
    let expected = [("m1", 1.0), ("m1", 2.0), ("m1", 3.5), ("half", 0.5), ("half", 1.0), ("half", 1.75)];
    assert_eq!(values, expected.map(|(id, value)| (id.to_owned(), value)));
    assert_eq!(
        codes,
        [StatusCode::PartialData, StatusCode::Complete, StatusCode::PartialData, StatusCode::Complete]
    );
}
