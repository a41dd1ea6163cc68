//! What is refused, where and in which words; what is tolerated.

use super::*;

#[test]
fn a_refusal_says_which_field_why_and_what_next() {
    let refusals = [
        read_json(&push_with("image-digest", json!("latest"))),
        read_json(&without("ecr-image-action-push-doc", "/detail/repository-name")),
        read_json(&with("ecs-hook-awaiting-action", "/detail/updatedAt", json!("soon"))),
        read_json(&with("ecs-task-state-change-stopped-RECONSTRUCTED", "/detail/version", json!("six"))),
        read(b"{\"source\": "),
        read(b"[]"),
        read(b"{}"),
    ];
    let told: Vec<String> = refusals.into_iter().map(|read| read.unwrap_err().to_string()).collect();
    insta::assert_snapshot!(told.join("\n\n"), @r#"
    malformed event `ECR Image Action`, field `detail.image-digest`: `latest` is not an image digest: `sha256:` and 64 hex digits. Next: compare it with the sample of its kind in events/. If it came from AWS, report it as a bug; no push is lost by it, for the timer looks at every service

    malformed event `ECR Image Action`, field `detail.repository-name`: missing. Next: compare it with the sample of its kind in events/. If it came from AWS, report it as a bug; no push is lost by it, for the timer looks at every service

    malformed event `ECS Hook State Change`, field `detail.updatedAt`: `soon` is not a time like 2026-03-05T15:54:41Z. Next: compare it with the sample of its kind in events/. If it came from AWS, report it as a bug; no push is lost by it, for the timer looks at every service

    malformed event `ECS Task State Change`, field `detail.version`: invalid type: string "six", expected a whole number. Next: compare it with the sample of its kind in events/. If it came from AWS, report it as a bug; no push is lost by it, for the timer looks at every service

    not JSON, field `source`: EOF while parsing a value at line 1 column 11. Next: give the event as one JSON object, as EventBridge delivers it

    not JSON: the event is not a JSON object. Next: give the event as one JSON object, as EventBridge delivers it

    not an event: it has no `detail-type`, no `alarmData` and no `lifecycleStage`. Next: give the whole event as EventBridge delivers it, with `source`, `detail-type` and `detail`; events/ has one sample of each
    "#);
}

#[test]
fn a_missing_field_is_named_itself() {
    for (name, pointer, path) in [
        ("ecr-image-action-push-doc", "/detail/repository-name", "detail.repository-name"),
        ("ecr-image-action-push-doc", "/detail", "detail"),
        ("ecr-image-action-push-doc", "/source", "source"),
        ("ecr-image-action-push-doc", "/detail-type", "detail-type"),
        ("ecs-deployment-failed", "/detail/deploymentId", "detail.deploymentId"),
        ("ecs-lifecycle-hook-production", "/lifecycleStage", "lifecycleStage"),
        ("ecs-lifecycle-hook-production", "/executionDetails", "executionDetails"),
        ("ecs-lifecycle-hook-production", "/executionDetails/serviceArn", "executionDetails.serviceArn"),
        ("cloudwatch-alarm-lambda-direct-metric", "/alarmData/state", "alarmData.state"),
    ] {
        let error = read_json(&without(name, pointer)).unwrap_err();
        assert_eq!((error.path.as_str(), error.problem), (path, Problem::Missing), "{name} {pointer}");
    }
}

#[test]
fn a_detail_in_another_shape_is_refused() {
    for detail in [json!([]), json!(["PUSH", "SUCCESS", "shop"]), json!("{}"), json!(null), json!(1)] {
        let error = read_json(&with("ecr-image-action-push-doc", "/detail", detail)).unwrap_err();
        assert_eq!(error.path, "detail");
        assert_eq!(error.detail_type.as_deref(), Some("ECR Image Action"));
    }
}

#[test]
fn what_is_no_event_is_told_what_it_is() {
    for (bytes, word) in [
        (&br#"{"hookStatus": "SUCCEEDED"}"#[..], "reply"),
        (br#"{"Records": []}"#, "`body`"),
        (br#"{"requestPayload": {}}"#, "`requestPayload`"),
        (br#"{"repository": "shop"}"#, "no `detail-type`"),
    ] {
        let error = read(bytes).unwrap_err();
        assert_eq!(error.problem, Problem::NotAnEvent);
        assert!(error.to_string().contains(word), "{error}");
    }
    for bytes in [&b""[..], b"  ", b"null", b"\"PUSH\"", b"{} {}", b"\xff\xfe", b"{\"a\": 1,}"] {
        assert_eq!(read(bytes).unwrap_err().problem, Problem::NotJson, "{bytes:?}");
    }
}

#[test]
fn unknown_kinds_and_fields_are_tolerated_and_counted() {
    let mut odd = push();
    odd["detail"]["colour"] = json!({ "deep": [1] });
    odd["spare"] = json!(true);
    let incoming = read_json(&odd).unwrap();
    assert!(matches!(doorbells(&incoming), Rings::Repository { .. }));
    let field = |path: &str| UnknownPart::Field { path: path.to_owned() };
    let mut parts = incoming.unknown_parts();
    parts.sort_by_key(|part| format!("{part:?}"));
    assert_eq!(parts, [field("detail.colour"), field("spare")]);

    let kind = with("ecr-image-action-push-doc", "/detail-type", json!("ECR Weather Report"));
    let parts = read_json(&kind).unwrap().unknown_parts();
    let (source, detail_type) = ("aws.ecr".to_owned(), "ECR Weather Report".to_owned());
    assert_eq!(parts, [UnknownPart::Kind { source, detail_type }]);
}

#[test]
fn a_time_before_time_is_refused() {
    let early = with("schedule-eventbridge-rule", "/time", json!("-100000-01-01T00:00:00Z"));
    assert_eq!(read_json(&early).unwrap_err().path, "time");
}
