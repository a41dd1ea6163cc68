//! What CloudWatch is told of requests.

use super::*;
use crate::call::{Call, Caller, ServiceId};

/// The sum, or the average, of a metric over the last hour; `None` without a value.
fn metric(bench: &mut Bench, name: &str, stat: &str, group: Option<&str>) -> Option<f64> {
    let last = |arn: &str| arn.rsplit(':').next().unwrap().to_owned();
    let balancer = last(&bench.lb).trim_start_matches("loadbalancer/").to_owned();
    let mut dimensions = vec![json!({ "Name": "LoadBalancer", "Value": balancer })];
    dimensions.extend(group.map(|arn| json!({ "Name": "TargetGroup", "Value": last(arn) })));
    let now = bench.world.now().epoch_secs();
    let input = json!({
        "Namespace": "AWS/ApplicationELB", "MetricName": name, "Dimensions": dimensions,
        "StartTime": now - 3600.0, "EndTime": now, "Period": 3600, "Statistics": [stat],
    });
    let caller = Caller { access_key: "AKIDEXAMPLE".into() };
    let call =
        Call { service: ServiceId::CloudWatch, operation: "GetMetricStatistics".into(), input, caller };
    bench.world.call(&call).unwrap()["Datapoints"].as_array()?.last()?[stat].as_f64()
}

#[test]
fn requests_are_counted_by_how_they_ended() {
    let mut bench = Bench::new();
    let (good, bad, empty) = (bench.group("good"), bench.group("bad"), bench.group("empty"));
    bench.rule(1, "/good", &[(&good, 1)]);
    bench.rule(2, "/bad", &[(&bad, 1)]);
    bench.rule(3, "/empty", &[(&empty, 1)]);
    for (group, id, status) in [(&good, "i-good", 200), (&bad, "i-bad", 200)] {
        run(id, 8080, Some(status));
        register(&mut bench.world, group, id, 8080).unwrap();
    }
    bench.wait(60);
    run("i-bad", 8080, Some(500));
    let answers = ["/good", "/good", "/good", "/bad", "/empty", "/none"].map(|path| bench.get(path));
    assert_eq!(answers, [200, 200, 200, 500, 503, 404]);
    run("i-bad", 8080, None);
    assert_eq!(bench.get("/bad"), 502);
    assert_eq!(metric(&mut bench, "RequestCount", "Sum", None), None, "the minute is not over");
    bench.wait(60);
    let rows = [
        ("RequestCount", "Sum", None, Some(5.0)),
        ("RequestCount", "Sum", Some(&good), Some(3.0)),
        ("HTTPCode_Target_2XX_Count", "Sum", Some(&good), Some(3.0)),
        ("HTTPCode_Target_5XX_Count", "Sum", Some(&good), None),
        ("HTTPCode_Target_5XX_Count", "Sum", Some(&bad), Some(1.0)),
        ("HTTPCode_Target_5XX_Count", "Sum", None, Some(1.0)),
        ("TargetConnectionErrorCount", "Sum", Some(&bad), Some(1.0)),
        ("HTTPCode_ELB_5XX_Count", "Sum", None, Some(2.0)),
        ("RequestCount", "Sum", Some(&empty), None),
        ("TargetResponseTime", "Average", Some(&good), Some(0.005)),
        ("HealthyHostCount", "Maximum", Some(&good), Some(1.0)),
        ("UnHealthyHostCount", "Maximum", Some(&good), Some(0.0)),
        ("HealthyHostCount", "Maximum", Some(&empty), None),
    ];
    for (name, stat, group, expected) in rows {
        let found = metric(&mut bench, name, stat, group.map(String::as_str));
        let near = |found: f64, expected: f64| (found - expected).abs() < 1e-9;
        assert!(
            found.zip(expected).map_or(found == expected, |(found, expected)| near(found, expected)),
            "{name} {group:?}: {found:?} and not {expected:?}"
        );
    }
}
