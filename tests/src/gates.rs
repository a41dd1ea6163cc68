//! What stands before rollouts, as people and AWS put it there.

use serde_json::json;
use windlass_sim::ServiceId;

use crate::Stage;

impl Stage {
    /// An alarm that rings (or is quiet) whether there is data or not.
    pub fn alarm(&self, name: &str, rings: bool) {
        let missing = if rings { "breaching" } else { "notBreaching" };
        let alarm = json!({
            "AlarmName": name, "Namespace": "shop", "MetricName": "errors", "Statistic": "Sum", "Period": 60,
            "EvaluationPeriods": 1, "Threshold": 1, "ComparisonOperator": "GreaterThanOrEqualToThreshold",
            "TreatMissingData": missing});
        self.by_hand(ServiceId::CloudWatch, "PutMetricAlarm", &alarm);
        let state = if rings { "ALARM" } else { "OK" };
        let set = json!({"AlarmName": name, "StateValue": state, "StateReason": "the test says so"});
        self.by_hand(ServiceId::CloudWatch, "SetAlarmState", &set);
    }
}
