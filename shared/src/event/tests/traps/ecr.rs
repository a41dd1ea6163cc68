//! ECR and Inspector.

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
fn a_failed_scan_rings_too_and_a_failed_replication_does_not() {
    let scan = with("ecr-image-scan-complete", "/detail/scan-status", json!("FAILED"));
    assert!(matches!(rings(&scan), Rings::Repository { digest: None, tag: None, .. }));
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
