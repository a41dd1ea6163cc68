//! What stands before rollouts, as people and AWS put it there.

use serde_json::json;
use windlass_shared::id::{Actor, ServiceKey};
use windlass_shared::ledger::{Answer, Hold, Order, StopScope};
use windlass_sim::ServiceId;

use crate::Stage;
use crate::function::timestamp;

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

impl Stage {
    /// `windlass stop`.
    pub async fn stop(&self, scope: &StopScope, reason: &str) {
        let why = Hold { by: Actor::new("ann"), reason: reason.to_owned(), at: timestamp(self.now()) };
        self.ledger.stop(scope, &why).await.unwrap_or_else(|error| panic!("{error}"));
    }

    /// `windlass start`.
    pub async fn start(&self, scope: &StopScope) {
        let was_stopped = self.ledger.start(scope).await.unwrap_or_else(|error| panic!("{error}"));
        assert!(was_stopped, "{scope} was stopped");
    }

    /// `windlass ring SERVICE --force --reason …`.
    pub async fn force(&self, key: &ServiceKey, reason: &str) {
        let order = Order { by: Actor::new("bob"), reason: reason.to_owned(), at: timestamp(self.now()) };
        self.ledger.order_bypass(key, &order).await.unwrap_or_else(|error| panic!("{error}"));
        self.ring(key);
    }

    /// `windlass approve` and `windlass reject`, after which they ring.
    pub async fn answer(&self, key: &ServiceKey, approve: bool) {
        let row = self.row(key).await;
        let question = row.state.marks.question.unwrap_or_else(|| panic!("{key} asks nothing")).id;
        let order = Order { by: Actor::new("bob"), reason: "I looked".into(), at: timestamp(self.now()) };
        let answer = Answer { question, approve, order };
        self.ledger.answer(key, &answer).await.unwrap_or_else(|error| panic!("{error}"));
        self.ring(key);
    }
}
