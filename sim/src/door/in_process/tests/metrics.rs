//! Requests through the connector are measured, and behave as their image's labels say.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::InProcess;
use super::balancer::{furnished, get};
use crate::ServiceId::{CloudWatch, Ecs};
use crate::door::tcp::tests::rollout::{call, release};

fn total(door: &InProcess, name: &str, stat: &str) -> f64 {
    let listed = door.with(|world| {
        call(
            world,
            CloudWatch,
            "ListMetrics",
            json!({ "MetricName": name, "Dimensions": [{ "Name": "TargetGroup" }] }),
        )
    });
    let metric: &Value = &listed["Metrics"][0];
    let now = door.now().epoch_secs();
    let query = json!({ "Id": "m", "MetricStat": { "Metric": metric, "Period": 60, "Stat": stat } });
    let ask = json!({ "MetricDataQueries": [query], "StartTime": now - 300.0, "EndTime": now });
    let told = door.with(|world| call(world, CloudWatch, "GetMetricData", ask));
    let values = told["MetricDataResults"][0]["Values"].as_array().unwrap();
    values.iter().map(|value| value.as_f64().unwrap()).sum()
}

#[tokio::test(start_paused = true)]
async fn a_share_of_errors_and_a_latency_are_seen_in_the_metrics() {
    let (door, name) = furnished().await;
    door.with(|world| {
        let labels = [("sim.error_share", "0.3"), ("sim.latency_ms", "250"), ("sim.health_status", "200")];
        let definition = release(world, "bad", labels);
        let input = json!({ "cluster": "main", "service": "shop", "taskDefinition": definition });
        call(world, Ecs, "UpdateService", input);
    });
    door.run_for(Duration::from_mins(5)).await;
    door.run_until(crate::Time((door.now().0 / 60_000 + 1) * 60_000)).await;
    let mut failed = 0;
    for _ in 0..100 {
        failed += u32::from(get(&door, &format!("http://{name}/shop"), &[]).await.unwrap().status == 500);
    }
    assert!((20..=40).contains(&failed), "{failed} of 100");
    door.run_for(Duration::from_mins(1)).await;
    let near =
        |found: f64, expected: f64| assert!((found - expected).abs() < 1e-6, "{found}, not {expected}");
    near(total(&door, "RequestCount", "Sum"), 100.0);
    near(total(&door, "HTTPCode_Target_5XX_Count", "Sum"), f64::from(failed));
    near(total(&door, "TargetResponseTime", "SampleCount"), 100.0);
    near(total(&door, "TargetResponseTime", "Sum"), 25.0);
}
