use std::collections::{BTreeMap, BTreeSet};

use super::super::*;
use crate::facts::{CircuitBreaker, Fact, FailureKind, ImageContent, LiveService, ParameterText, Unreadable};
use crate::id::ContainerName;

fn key() -> ServiceKey {
    ServiceKey::new("main", "shop")
}

fn parameter(text: &str) -> Fact<ParameterText> {
    Fact::Known(ParameterText { name: parameter_name(&key()), version: 4, text: text.into() })
}

fn live(status: &str, tags: &[(&str, &str)]) -> Fact<LiveService> {
    Fact::Known(LiveService {
        arn: "arn:aws:ecs:eu-central-1:123456789012:service/main/shop".into(),
        status: status.into(),
        task_definition: "arn:aws:ecs:eu-central-1:123456789012:task-definition/shop:7".into(),
        desired: 1,
        running: 1,
        pending: 0,
        deployments: Vec::new(),
        load_balancers: Vec::new(),
        tags: tags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        controller: "ECS".into(),
        settings: crate::rollout_settings::RolloutSettings::default(),
        newest_deployment: None,
        circuit_breaker: CircuitBreaker { enable: true, rollback: true },
        grace_secs: 0,
        events: Vec::new(),
        placement: crate::scale::facts::Placement::default(),
    })
}

fn unreadable<T>() -> Fact<T> {
    Fact::Unreadable(Unreadable {
        doing: "reading the spec of main/shop".into(),
        kind: FailureKind::Throttled,
        detail: "ThrottlingException: Rate exceeded".into(),
    })
}

fn image(service: &str) -> ImageContent {
    ImageContent {
        digest: format!("sha256:{}", "a".repeat(64)).parse().unwrap(),
        repository: "from-labels".into(),
        architectures: BTreeSet::new(),
        labels: BTreeMap::from([("windlass.service".into(), service.into())]),
        children: BTreeSet::new(),
    }
}

/// The origin and the repository of what is wanted, in one line.
fn resolved(
    parameter: &Fact<ParameterText>,
    service: &Fact<LiveService>,
    labels: Option<&ImageContent>,
) -> String {
    let rails = GuardRails {
        enabled: true,
        clusters: ["main".into()].into(),
        max_cpu: 1024,
        max_memory: 1024,
        max_desired: 1,
        ..GuardRails::default()
    };
    let key = key();
    let labelled = labels.map(|image| Labelled { image, rails: &rails, default_cluster: &key.cluster });
    match resolve(&key, parameter, service, labelled) {
        Ok(Some(wanted)) => format!("{}: {}", wanted.origin, wanted.spec.image.repository),
        Ok(None) => "nothing".into(),
        Err(error) => format!("refused: {error}"),
    }
}

#[test]
fn the_first_place_that_has_a_spec_counts() {
    let (parameter, tagged) =
        (parameter("image: {repository: from-parameter}"), live("ACTIVE", &[(TRACK_TAG, "from-tag:v1")]));
    let (labels, untagged) = (image("shop"), live("ACTIVE", &[]));
    for (got, expected) in [
        (
            resolved(&parameter, &tagged, Some(&labels)),
            "parameter /windlass/services/main/shop, version 4: from-parameter",
        ),
        (resolved(&Fact::Absent, &tagged, Some(&labels)), "tag windlass:track: from-tag"),
        (resolved(&Fact::Absent, &untagged, Some(&labels)), "labels of the image: from-labels"),
        (resolved(&Fact::Absent, &Fact::Absent, Some(&labels)), "labels of the image: from-labels"),
        (resolved(&Fact::Absent, &Fact::Absent, Some(&image("other"))), "nothing"),
        (resolved(&Fact::Absent, &untagged, None), "nothing"),
        (resolved(&Fact::Absent, &live("INACTIVE", &[(TRACK_TAG, "from-tag:v1")]), None), "nothing"),
    ] {
        assert_eq!(got, expected);
    }
}

#[test]
fn a_place_that_cannot_be_read_is_never_passed_by_for_the_next() {
    let tagged = live("ACTIVE", &[(TRACK_TAG, "from-tag:v1")]);
    let throttled = "refused: reading the spec of main/shop: ThrottlingException: Rate exceeded";
    assert_eq!(resolved(&unreadable(), &tagged, Some(&image("shop"))), throttled);
    assert_eq!(resolved(&Fact::Absent, &unreadable(), Some(&image("shop"))), throttled);
    insta::assert_snapshot!(resolved(&parameter("imag: 1"), &tagged, None), @r#"
    refused: parameter /windlass/services/main/shop, version 4, is no service spec; correct it and `windlass apply` it:
    line 1: unknown key `imag`: did you mean `image`?
    "#);
}

#[test]
fn a_parameter_speaks_for_the_service_of_its_name_alone() {
    let named = parameter("cluster: main\nservice: shop\nimage: {repository: from-parameter}");
    assert!(resolved(&named, &Fact::Absent, None).starts_with("parameter"));
    let other = parameter("service: other\nimage: {repository: from-parameter}");
    insta::assert_snapshot!(resolved(&other, &Fact::Absent, None), @"refused: parameter /windlass/services/main/shop holds the spec of main/other: `windlass apply` it again, so that it gets its own name, and delete this one");
}

fn tags(value: &str, containers: Option<&str>) -> Result<Tracked, TagError> {
    let mut tags = BTreeMap::from([(TRACK_TAG.to_owned(), value.to_owned())]);
    tags.extend(containers.map(|names| (CONTAINERS_TAG.to_owned(), names.to_owned())));
    from_tags(&tags).unwrap()
}

#[test]
fn every_compact_form_reads() {
    for (value, repository, policy) in [
        ("shop:latest", "shop", "latest"),
        ("shop", "shop", "latest"),
        ("team/web/shop:v1.2.3", "team/web/shop", "v1.2.3"),
        ("shop:semver=1.x", "shop", "semver=1.*"),
        ("shop:prefix=prod-", "shop", "glob=prod-*"),
        ("shop:newest=all", "shop", "newest=all"),
    ] {
        let tracked = tags(value, None).unwrap();
        assert_eq!(
            (tracked.repository.as_str(), tracked.policy.canonical_text().as_str()),
            (repository, policy)
        );
        assert!(tracked.containers.is_empty());
    }
    for names in ["web worker", "web+worker", " web  worker "] {
        let expected: Vec<ContainerName> = vec!["web".into(), "worker".into()];
        assert_eq!(tags("shop", Some(names)).unwrap().containers, expected);
    }
}

#[test]
fn an_adopted_service_keeps_everything_but_its_image() {
    let spec = ServiceSpec::from(tags("shop:latest", None).unwrap());
    assert_eq!((&spec.task, &spec.route, &spec.rollout, &spec.network), (&None, &None, &None, &None));
}

#[test]
fn a_tag_that_cannot_be_read_says_why() {
    let said = |value: &str, containers| tags(value, containers).unwrap_err().to_string();
    insta::assert_snapshot!(said("Shop:latest", None), @"tag `windlass:track = Shop:latest`: the repository wants an ECR repository's name: 2 to 256 lower-case letters and digits, with single `.`, `_`, `-` and `/` between them");
    insta::assert_snapshot!(said("shop:", None), @"tag `windlass:track = shop:`: `` is no image tag: at most 128 letters, digits, `_`, `.` and `-`, the first no `.` or `-`");
    insta::assert_snapshot!(said("shop:semver=one", None), @"tag `windlass:track = shop:semver=one`: the version range `one` cannot be read: unexpected character 'o' while parsing major version number; write `1.x`, `1.2.x`, `=1.2.3`, or with commas `>=1.2.0, <2.0.0`");
    insta::assert_snapshot!(said("shop:newest", Some("a,b")), @"tag `windlass:containers = a,b` names no containers: `web`, or several with spaces (`web worker`)");
}

#[test]
fn one_wrong_letter_in_a_tags_name_is_told_and_other_tags_are_not_ours() {
    let one = |name: &str| from_tags(&BTreeMap::from([(name.to_owned(), "shop:latest".to_owned())]));
    insta::assert_snapshot!(one("windlass:trak").unwrap().unwrap_err(), @"unknown tag `windlass:trak`: did you mean `windlass:track`?");
    for other in ["team", "windlass:stack", "windlass:service", "windlass:containers", ""] {
        assert_eq!(one(other), None, "{other}");
    }
}
