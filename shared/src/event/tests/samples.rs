//! Every sample of `events/` parses into its snapshot, holds nothing unknown, and says
//! where it comes from.

use std::collections::BTreeSet;

use serde::Serialize;

use super::super::{Event, HookReply, HookStatus, Incoming, Rings, UnknownPart, doorbells, read};
use super::{sample, samples};

#[derive(Serialize)]
struct Read<'a> {
    says: String,
    rings: Rings,
    silent_because: Option<String>,
    unknown: Vec<UnknownPart>,
    incoming: &'a Incoming,
}

fn rendered(incoming: &Incoming) -> Read<'_> {
    let rings = doorbells(incoming);
    let silent_because = match &rings {
        Rings::Nothing(silence) => Some(silence.to_string()),
        _ => None,
    };
    Read { says: incoming.describe(), rings, silent_because, unknown: incoming.unknown_parts(), incoming }
}

/// A sample without a snapshot fails here; so does a snapshot without a sample, below.
#[test]
fn every_sample_reads_as_its_snapshot_says() {
    for (name, bytes) in samples() {
        let incoming = read(bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        insta::with_settings!({ snapshot_path => "snapshots", prepend_module_to_snapshot => false }, {
            insta::assert_json_snapshot!(name.as_str(), rendered(&incoming));
        });
    }
}

#[test]
fn every_snapshot_has_its_sample() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/event/tests/snapshots");
    let kept: BTreeSet<String> = std::fs::read_dir(folder)
        .expect("snapshots")
        .map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned())
        .filter_map(|name| name.strip_suffix(".snap").map(str::to_owned))
        .collect();
    let names: BTreeSet<String> = samples().iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(kept, names);
}

#[test]
fn the_index_tells_where_every_sample_comes_from() {
    let index = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../events/INDEX.md")).unwrap();
    for (name, _) in samples() {
        let row = index.lines().find(|row| row.starts_with(&format!("| {name}.json |")));
        let row = row.unwrap_or_else(|| panic!("{name} is not in events/INDEX.md"));
        assert_eq!(
            row.contains("| reconstructed |"),
            name.ends_with("RECONSTRUCTED"),
            "{name}: what no source shows says so in its name"
        );
    }
}

#[test]
fn nothing_in_aws_own_samples_is_unknown() {
    for (name, bytes) in samples() {
        let unknown = read(bytes).unwrap().unknown_parts();
        let is_unused_kind = matches!(unknown.as_slice(), [UnknownPart::Kind { .. }]);
        assert!(unknown.is_empty() || is_unused_kind, "{name}: {unknown:?}");
    }
}

#[test]
fn there_is_a_sample_of_every_kind() {
    let kinds: BTreeSet<String> =
        samples().iter().map(|(_, bytes)| read(bytes).unwrap().event.kind()).collect();
    let all = [
        "alarm",
        "alarm_action",
        "auto_scaling_activity",
        "auto_scaling_lifecycle",
        "cluster_doorbell",
        "doorbell",
        "ecr_image_action",
        "ecr_pull_through_cache",
        "ecr_referrer_action",
        "ecr_replication",
        "ecr_scan",
        "ecs_container_instance",
        "ecs_deployment",
        "ecs_hook",
        "ecs_service_action",
        "ecs_task",
        "inspector_scan",
        "lifecycle_hook",
        "parameter_change",
        "rebalance",
        "schedule",
        "spot_warning",
        "unknown",
        "verdict_wanted",
    ];
    assert_eq!(kinds, all.into_iter().map(str::to_owned).collect());
}

#[test]
fn the_sample_of_a_hooks_reply_is_what_we_answer() {
    let text = include_str!("../../../../events/replies/ecs-lifecycle-hook-response-in-progress.json");
    let aws: HookReply = serde_json::from_str(text).unwrap();
    assert_eq!(aws.hook_status, HookStatus::InProgress);
    let ours = HookReply::ask_again(30, Some(serde_json::json!({ "approvalChecked": true })));
    assert_eq!(
        serde_json::to_value(&ours).unwrap(),
        serde_json::from_str::<serde_json::Value>(text).unwrap()
    );
    let go_on = serde_json::to_value(HookReply::succeeded()).unwrap();
    assert_eq!(go_on, serde_json::json!({ "hookStatus": "SUCCEEDED" }));
}

#[test]
fn a_doorbells_detail_is_written_as_it_is_read() {
    let Event::Doorbell(bell) = super::read_json(&sample("windlass-doorbell")).unwrap().event else {
        panic!("a doorbell")
    };
    assert_eq!(serde_json::to_value(&bell).unwrap(), sample("windlass-doorbell")["detail"]);
    let Event::ClusterDoorbell(bell) = super::read_json(&sample("windlass-cluster-doorbell")).unwrap().event
    else {
        panic!("a cluster's doorbell")
    };
    assert_eq!(serde_json::to_value(&bell).unwrap(), sample("windlass-cluster-doorbell")["detail"]);
}
