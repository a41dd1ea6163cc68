//! Parameters, schedules, doorbells.

use super::*;

const SPEC: &str = "ssm-parameter-store-change-spec-update-RECONSTRUCTED";

#[test]
fn a_written_and_a_deleted_spec_ring_their_service() {
    for operation in ["Create", "Update", "Delete"] {
        assert_eq!(rings(&with(SPEC, "/detail/operation", json!(operation))), shop());
    }
    let labelled = with(SPEC, "/detail/operation", json!("LabelParameterVersion"));
    assert!(matches!(rings(&labelled), Rings::Nothing(Silence::ValueUnchanged(_))));
}

#[test]
fn other_parameters_ring_nothing() {
    for name in ["foo", "/windlass/services/main", "/windlass/services/main/shop/old", "/other/main/shop"] {
        let other = with(SPEC, "/detail/name", json!(name));
        assert_eq!(rings(&other), Rings::Nothing(Silence::NotOurs(name.to_owned())));
    }
}

#[test]
fn the_scheduler_writes_its_detail_as_a_text() {
    assert_eq!(rings(&sample("schedule-eventbridge-scheduler-real")), Rings::Sweep);
    assert_eq!(rings(&sample("schedule-eventbridge-rule")), Rings::Sweep);
}

#[test]
fn a_doorbell_must_name_a_service() {
    assert_eq!(rings(&sample("windlass-doorbell")), shop());
    for (field, value) in [("cluster", json!("")), ("service", json!(" ")), ("service", json!(null))] {
        let error = read_json(&with("windlass-doorbell", &format!("/detail/{field}"), value)).unwrap_err();
        assert_eq!(error.path, format!("detail.{field}"));
    }
}
