//! Real requests are measured.

use super::rollout::{call, furnished, settle};
use super::*;
use crate::call::ServiceId::CloudWatch;

fn requests(local: &Local) -> f64 {
    local.with(|world| {
        let now = world.now().epoch_secs();
        let ask =
            json!({ "MetricName": "HTTPCode_Target_2XX_Count", "Dimensions": [{ "Name": "TargetGroup" }] });
        let listed = call(world, CloudWatch, "ListMetrics", ask);
        let ask = json!({
            "Namespace": "AWS/ApplicationELB", "MetricName": "HTTPCode_Target_2XX_Count", "Period": 60,
            "Dimensions": listed["Metrics"][0]["Dimensions"].as_array().cloned().unwrap_or_default(),
            "StartTime": now - 3000.0, "EndTime": now, "Statistics": ["Sum"],
        });
        let told = call(world, CloudWatch, "GetMetricStatistics", ask);
        told["Datapoints"].as_array().unwrap().iter().filter_map(|point| point["Sum"].as_f64()).sum()
    })
}

#[tokio::test]
async fn real_requests_are_counted_once_their_minute_is_over() {
    let local = furnished(None).await;
    settle(&local).await;
    for _ in 0..20 {
        assert_eq!(get(&format!("{}/shop", local.alb_url())).await.0.status, 200);
    }
    let counted = async {
        while requests(&local) < 20.0 {
            tokio::time::sleep(Duration::from_millis(50)).await; // a virtual minute is 1.2 s here
        }
    };
    tokio::time::timeout(Duration::from_secs(20), counted).await.expect("20 requests within two minutes");
    local.shutdown().await.unwrap();
}
