//! The traps that AWS sets (aws-facts.md, 1.1 to 1.5), one test each.

use serde_json::{Value, json};

use super::super::{
    AlarmShape, Event, InstanceFate, Problem, ReasonData, Rings, Silence, UnknownPart, doorbells, read,
};
use super::{read_json, sample, with, without};
use crate::id::ServiceKey;

const DIGEST: &str = "sha256:3c949327e32569aff0c532905dcb9626892e4c9b109be08027bb1e44f7f96518";

fn event(json: &Value) -> Event {
    read_json(json).unwrap_or_else(|error| panic!("{error}")).event
}

fn rings(json: &Value) -> Rings {
    doorbells(&read_json(json).unwrap_or_else(|error| panic!("{error}")))
}

fn shop() -> Rings {
    Rings::Service(ServiceKey::new("main", "shop"))
}

/// A push of `shop:v2` whose digest is whole.
fn push() -> Value {
    let mut push = with("ecr-image-action-push-doc", "/detail/image-digest", json!(DIGEST));
    push["detail"]["repository-name"] = json!("shop");
    push["detail"]["image-tag"] = json!("v2");
    push
}

fn push_with(field: &str, value: Value) -> Value {
    let mut push = push();
    push["detail"][field] = value;
    push
}

mod ecr {
    use super::super::super::{ActionResult, ImageActionKind};
    use super::*;

    #[test]
    fn a_tagged_push_rings_its_repository_with_what_came() {
        let Rings::Repository { repository, digest, tag } = rings(&push()) else { panic!("a repository") };
        assert_eq!(repository.as_str(), "shop");
        assert_eq!(digest.unwrap().as_str(), DIGEST);
        assert_eq!(tag.unwrap().as_str(), "v2");
        assert_eq!(read_json(&push()).unwrap().describe(), "push of shop:v2 (sha256:3c949327e325…)");
    }

    #[test]
    fn an_empty_or_absent_tag_is_an_untagged_child() {
        for tag in [json!(""), Value::Null] {
            assert_eq!(rings(&push_with("image-tag", tag)), Rings::Nothing(Silence::UntaggedChild));
        }
        let absent = without("ecr-image-action-push-doc", "/detail/image-tag");
        assert_eq!(rings(&absent), Rings::Nothing(Silence::UntaggedChild));
    }

    #[test]
    fn only_a_push_that_succeeded_rings() {
        let delete = rings(&push_with("action-type", json!("DELETE")));
        assert_eq!(delete, Rings::Nothing(Silence::NotAPush(ImageActionKind::Delete)));
        let archived = rings(&push_with("action-type", json!("UPDATE_STORAGE_CLASS")));
        assert_eq!(archived, Rings::Nothing(Silence::NotAPush(ImageActionKind::UpdateStorageClass)));
        let failed = rings(&push_with("result", json!(ActionResult::Failure)));
        assert_eq!(failed, Rings::Nothing(Silence::Failed("FAILURE".to_owned())));
    }

    #[test]
    fn an_index_rings_whatever_its_artifact_media_type_says() {
        let mut index = push_with("manifest-media-type", json!("application/vnd.oci.image.index.v1+json"));
        index["detail"]["artifact-media-type"] = json!("application/vnd.oci.image.index.v1+json");
        assert!(matches!(rings(&index), Rings::Repository { .. }));
        index["detail"]["artifact-media-type"] = json!("");
        assert!(matches!(rings(&index), Rings::Repository { .. }));
    }

    #[test]
    fn a_chart_rings_nothing() {
        let helm = "application/vnd.cncf.helm.config.v1+json";
        let silence = Silence::NotAnImage(helm.to_owned());
        assert_eq!(rings(&push_with("artifact-media-type", json!(helm))), Rings::Nothing(silence));
    }

    #[test]
    fn signatures_attestations_and_referrers_ring_nothing() {
        for suffix in ["", ".sig", ".att", ".sbom"] {
            let tag = format!("{}{suffix}", DIGEST.replace(':', "-"));
            let silence = Rings::Nothing(Silence::Attachment(tag.as_str().into()));
            assert_eq!(rings(&push_with("image-tag", json!(tag))), silence);
        }
        assert_eq!(rings(&sample("ecr-referrer-action")), Rings::Nothing(Silence::Referrer));
        let a_persons_tag = push_with("image-tag", json!("sha256-is-great"));
        assert!(matches!(rings(&a_persons_tag), Rings::Repository { .. }));
    }

    #[test]
    fn a_shortened_digest_of_the_docs_rings_without_being_believed() {
        let Rings::Repository { digest, .. } = rings(&sample("ecr-image-action-push-doc")) else {
            panic!("a repository")
        };
        assert_eq!(digest, None);
    }

    #[test]
    fn what_is_no_digest_is_refused_at_its_path() {
        for nonsense in [json!("latest"), json!("sha256:abc"), json!(""), json!(7), json!({})] {
            let error = read_json(&push_with("image-digest", nonsense)).unwrap_err();
            assert_eq!((error.path.as_str(), error.problem), ("detail.image-digest", Problem::Invalid));
        }
    }

    #[test]
    fn a_scan_without_counts_and_tags_is_one() {
        let bare = sample("ecr-image-scan-without-counts-RECONSTRUCTED");
        let Event::EcrScan(scan) = event(&bare) else { panic!("a scan") };
        assert!(scan.severities.is_empty() && scan.tags.is_empty());
        assert!(matches!(rings(&bare), Rings::Repository { .. }));
    }

    #[test]
    fn inspector_writes_the_repository_as_an_arn_and_a_total() {
        let Event::InspectorScan(scan) = event(&sample("inspector2-scan-image")) else { panic!("a scan") };
        assert_eq!(scan.repository.unwrap().as_str(), "amazon/amazon-ecs-sample");
        assert_eq!(scan.severities["TOTAL"], 158);
    }

    #[test]
    fn inspector_scans_instances_too() {
        let instance = sample("inspector2-scan-instance");
        assert_eq!(rings(&instance), Rings::Nothing(Silence::NoRepository));
    }

    #[test]
    fn a_failed_scan_and_a_failed_replication_ring_nothing() {
        let scan = with("ecr-image-scan-complete", "/detail/scan-status", json!("FAILED"));
        assert_eq!(rings(&scan), Rings::Nothing(Silence::Failed("FAILED".to_owned())));
        let copy = sample("ecr-replication-action-failed");
        assert_eq!(rings(&copy), Rings::Nothing(Silence::Failed("FAILED".to_owned())));
        assert!(matches!(rings(&sample("ecr-replication-action-success")), Rings::Repository { .. }));
    }

    #[test]
    fn an_event_that_only_looks_like_ecrs_is_not_ecrs() {
        let mut forged = push();
        forged["source"] = json!("my.app");
        assert!(matches!(event(&forged), Event::Unknown { .. }));
        assert_eq!(rings(&forged), Rings::Nothing(Silence::UnknownKind));
    }
}

mod ecs {
    use super::*;

    #[test]
    fn a_deployment_names_its_service_only_in_resources() {
        for name in ["in-progress", "in-progress-rollback", "completed", "failed"] {
            let service = Rings::Service(ServiceKey::new("default", "servicetest"));
            assert_eq!(rings(&sample(&format!("ecs-deployment-{name}"))), service);
        }
        let nameless = with("ecs-deployment-failed", "/resources", json!([]));
        assert_eq!(rings(&nameless), Rings::Nothing(Silence::NoService));
    }

    #[test]
    fn a_rollback_is_a_second_in_progress() {
        let is_rollback = |name: &str| match event(&sample(name)) {
            Event::EcsDeployment(deployment) => deployment.is_rollback(),
            other => panic!("{other:?}"),
        };
        assert!(is_rollback("ecs-deployment-in-progress-rollback"));
        assert!(!is_rollback("ecs-deployment-in-progress"));
    }

    #[test]
    fn a_short_service_arn_takes_its_cluster_from_the_detail() {
        let arn = json!(["arn:aws:ecs:us-west-2:111122223333:service/servicetest"]);
        let action = with("ecs-service-action-steady-state", "/resources", arn.clone());
        assert_eq!(rings(&action), Rings::Service(ServiceKey::new("default", "servicetest")));
        // A deployment's detail names no cluster: then the timer has to find it.
        let deployment = with("ecs-deployment-failed", "/resources", arn);
        assert_eq!(rings(&deployment), Rings::Nothing(Silence::NoService));
    }

    #[test]
    fn steady_state_rings_and_a_capacity_providers_does_not() {
        assert!(matches!(rings(&sample("ecs-service-action-steady-state")), Rings::Service(_)));
        let provider = sample("ecs-service-action-capacity-provider-steady-state");
        assert!(matches!(rings(&provider), Rings::Nothing(Silence::NoRollout(_))));
    }

    #[test]
    fn a_name_of_tomorrow_is_tolerated_and_counted() {
        let odd = with("ecs-service-action-steady-state", "/detail/eventName", json!("SERVICE_LEVITATES"));
        let incoming = read_json(&odd).unwrap();
        let part =
            UnknownPart::Word { path: "detail.eventName".to_owned(), word: "SERVICE_LEVITATES".to_owned() };
        assert_eq!(incoming.unknown_parts(), [part]);
        assert!(matches!(doorbells(&incoming), Rings::Nothing(Silence::NoRollout(_))));
    }

    #[test]
    fn a_container_may_have_cpu_null_in_text_and_no_image() {
        let Event::EcsTask(task) = event(&sample("ecs-task-state-change-stopped-RECONSTRUCTED")) else {
            panic!("a task")
        };
        let agent = &task.containers[1];
        assert_eq!((agent.cpu, agent.image.as_deref()), (None, None));
        assert_eq!(task.containers[0].cpu, Some(99));
        let bad =
            with("ecs-task-state-change-stopped-RECONSTRUCTED", "/detail/containers/1/cpu", json!("many"));
        assert_eq!(read_json(&bad).unwrap_err().path, "detail.containers[1].cpu");
    }

    #[test]
    fn only_a_stopped_task_of_a_service_rings() {
        let stopped = "ecs-task-state-change-stopped-RECONSTRUCTED";
        assert_eq!(rings(&sample(stopped)), shop());
        let running = with(stopped, "/detail/lastStatus", json!("RUNNING"));
        assert!(matches!(rings(&running), Rings::Nothing(Silence::TaskLives(_))));
        let standalone = with(stopped, "/detail/group", json!("family:shop"));
        assert_eq!(rings(&standalone), Rings::Nothing(Silence::StandaloneTask));
    }

    #[test]
    fn a_tasks_starter_is_its_deployment() {
        let Event::EcsTask(task) = event(&sample("ecs-task-state-change-stopped-RECONSTRUCTED")) else {
            panic!("a task")
        };
        assert_eq!(task.deployment().unwrap().as_str(), "ecs-svc/1234567890123456789");
    }

    #[test]
    fn a_pause_hook_that_waits_rings_its_service() {
        let waits = rings(&sample("ecs-hook-awaiting-action"));
        assert_eq!(waits, Rings::Service(ServiceKey::new("my-cluster", "my-service")));
        let begun = with("ecs-hook-awaiting-action", "/detail/eventName", json!("HOOK_IN_PROGRESS"));
        assert!(matches!(rings(&begun), Rings::Nothing(Silence::NoRollout(_))));
    }

    #[test]
    fn a_rollback_calls_the_shift_hooks_again_and_is_told_apart() {
        let call = |name: &str| match event(&sample(name)) {
            Event::LifecycleHook(call) => call.is_rollback(),
            other => panic!("{other:?}"),
        };
        assert!(call("ecs-lifecycle-hook-production-rollback-RECONSTRUCTED"));
        assert!(!call("ecs-lifecycle-hook-production"));
        assert!(!call("ecs-lifecycle-hook-test-traffic-shift"));
        // Target 0 and another 100 *before* the shift is where every rollout begins.
        assert!(!call("ecs-lifecycle-hook-pre-production"));
    }
}

mod cloudwatch {
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
        let plain =
            alarm(&sample("cloudwatch-alarm-state-change-composite-without-suppressor-RECONSTRUCTED"));
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
        let Some(ReasonData::Band { lower, upper, recent }) = anomaly.state.reason_data else {
            panic!("a band")
        };
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
}

mod instances {
    use super::*;

    fn fate(json: &Value) -> (InstanceFate, bool) {
        let Event::AutoScalingLifecycle(action) = event(json) else { panic!("a lifecycle action") };
        (action.fate(), action.is_termination())
    }

    #[test]
    fn a_terminate_into_the_warm_pool_is_no_termination() {
        let into_pool = fate(&sample("asg-lifecycle-terminate-into-warm-pool"));
        assert_eq!(into_pool, (InstanceFate::ReturnsToWarmPool, false));
        assert_eq!(fate(&sample("asg-lifecycle-terminate")), (InstanceFate::Terminates, true));
    }

    #[test]
    fn a_terminate_that_says_no_destination_is_a_termination() {
        let older = fate(&sample("asg-lifecycle-terminate-without-destination"));
        assert_eq!(older, (InstanceFate::Terminates, true));
    }

    #[test]
    fn a_replaced_root_volume_is_no_termination() {
        let replaced = fate(&sample("asg-lifecycle-terminate-replace-root-volume-RECONSTRUCTED"));
        assert_eq!(replaced, (InstanceFate::ReplacesRootVolume, false));
    }

    #[test]
    fn a_launch_into_the_warm_pool_enters_no_service() {
        let warmed = fate(&sample("asg-lifecycle-launch-into-warm-pool"));
        assert_eq!(warmed, (InstanceFate::EntersWarmPool, false));
    }

    #[test]
    fn a_spot_warnings_arn_is_odd_and_its_detail_counts() {
        let Event::SpotWarning(warning) = event(&sample("ec2-spot-interruption-warning")) else {
            panic!("a warning")
        };
        assert_eq!(warning.instance_id.as_str(), "i-1234567890abcdef0");
    }
}

mod specs_and_timers {
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
        for name in ["foo", "/windlass/services/main", "/windlass/services/main/shop/old", "/other/main/shop"]
        {
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
            let error =
                read_json(&with("windlass-doorbell", &format!("/detail/{field}"), value)).unwrap_err();
            assert_eq!(error.path, format!("detail.{field}"));
        }
    }
}

mod refusals {
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
}
