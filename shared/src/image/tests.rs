//! The choice and its order.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::facts::ImageFact;
use crate::id::{ImageDigest, Timestamp};
use crate::ledger::Quarantine;

const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";

fn digest(number: u64) -> ImageDigest {
    format!("sha256:{number:064x}").parse().unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// An image whose number is its digest and the second of its push.
fn image(number: u64, tags: &[&str]) -> ImageFact {
    ImageFact {
        digest: digest(number),
        tags: tags.iter().map(|tag| (*tag).into()).collect(),
        pushed_at: at(i64::try_from(number).unwrap()),
        manifest_media_type: Some(OCI_MANIFEST.into()),
        artifact_media_type: Some(OCI_CONFIG.into()),
        status: Some("ACTIVE".into()),
    }
}

fn policy(text: &str) -> Policy {
    text.parse().unwrap()
}

fn quarantined(numbers: &[u64]) -> BTreeMap<ImageDigest, Quarantine> {
    let failure =
        Quarantine { reason: "exit 1".into(), at: at(0), deployment: None, spec: None, until: None };
    numbers.iter().map(|number| (digest(*number), failure.clone())).collect()
}

/// The chosen tag and image, as `tag@number`.
fn chosen(text: &str, images: &[ImageFact]) -> String {
    match select(&policy(text), images, &BTreeMap::new()).chosen {
        Some(candidate) => format!("{}@{}", candidate.tag, candidate.pushed_at.as_second()),
        None => "none".into(),
    }
}

#[test]
fn each_policy_chooses_by_its_own_order() {
    let images = [
        image(1, &["v2.0.0", "stable"]),
        image(2, &["v1.9.0", "prod-7"]),
        image(3, &["1.10.0", "prod-6", "1.10", "1"]),
        image(4, &["v2.1.0-rc.1"]),
        image(5, &["feature-x"]),
        image(6, &["latest", "main-abc"]),
    ];
    for (text, expected) in [
        ("stable", "stable@1"),
        ("latest", "latest@6"),
        ("absent", "none"),
        ("prefix=prod-", "prod-6@3"),
        ("glob=v*", "v2.1.0-rc.1@4"),
        ("glob=prod-?", "prod-6@3"),
        ("regex=^v[0-9]+[.]", "v2.1.0-rc.1@4"),
        (r"regex=^v\d+\.\d+\.\d+$", "v1.9.0@2"),
        ("regex=(?i)FEATURE", "feature-x@5"),
        ("semver=1.x", "1.10.0@3"),
        ("semver=1.9", "v1.9.0@2"),
        ("semver=*", "v2.0.0@1"),
        ("semver=>=2.1.0-rc.0", "v2.1.0-rc.1@4"),
        ("semver=3.x", "none"),
        ("newest=all", "main-abc@6"),
    ] {
        assert_eq!(chosen(text, &images), expected, "{text}");
    }
}

#[test]
fn an_older_push_of_a_lower_version_cannot_win_however_late_it_is_heard_of() {
    let (newer, older) = (image(9, &["v1.3.0"]), image(8, &["v1.2.9"]));
    assert_eq!(chosen("semver=1.x", &[newer.clone(), older.clone()]), "v1.3.0@9");
    assert_eq!(chosen("semver=1.x", &[older, newer]), "v1.3.0@9");
    assert_eq!(
        chosen("semver=1.x", &[image(1, &["v1.3.0"]), image(2, &["v1.2.10"])]),
        "v1.3.0@1",
        "not by push"
    );
}

#[test]
fn versions_of_equal_precedence_go_by_push() {
    assert_eq!(chosen("semver=1.x", &[image(1, &["v1.2.3"]), image(2, &["1.2.3"])]), "1.2.3@2");
}

#[test]
fn what_is_no_image_is_never_a_candidate() {
    let hex = "b".repeat(64);
    let with = |number, tags: &[&str], change: fn(&mut ImageFact)| {
        let mut image = image(number, tags);
        change(&mut image);
        image
    };
    let images = [
        image(9, &[]),
        image(8, &[&format!("sha256-{hex}.sig")]),
        image(7, &[&format!("sha256-{hex}.att")]),
        image(6, &[&format!("sha256-{hex}")]),
        with(5, &["v5"], |image| {
            image.artifact_media_type = Some("application/vnd.cncf.helm.config.v1+json".into());
        }),
        with(4, &["v4"], |image| {
            image.manifest_media_type = Some("application/vnd.example+json".into());
        }),
        with(3, &["v3"], |image| {
            image.status = Some("ARCHIVED".into());
        }),
        with(2, &["v2"], |image| {
            image.status = Some("ACTIVATING".into());
        }),
        with(1, &["v1"], |image| {
            image.manifest_media_type = Some(OCI_INDEX.into());
            image.artifact_media_type = None;
            image.status = None;
        }),
    ];
    let selection = select(&Policy::Newest, &images, &BTreeMap::new());
    assert_eq!(selection.chosen.unwrap().tag.as_str(), "v1");
    let reasons: Vec<_> = selection
        .passed_over
        .iter()
        .map(|passed| {
            format!(
                "{} {}",
                passed.digest.as_str().trim_start_matches("sha256:0").trim_start_matches('0'),
                passed.reason
            )
        })
        .collect();
    insta::assert_snapshot!(reasons.join("\n"), @r#"
    9 has no tag
    8 a signature or attestation
    7 a signature or attestation
    6 a signature or attestation
    5 not a container image: application/vnd.cncf.helm.config.v1+json
    4 not a container image: application/vnd.example+json
    3 cannot be pulled: its status is ARCHIVED
    2 cannot be pulled: its status is ACTIVATING
    "#);
}

#[test]
fn a_failed_image_is_passed_over_and_told_where_it_would_have_been_chosen() {
    let images = [image(1, &["v1"]), image(2, &["v2"]), image(3, &["v3"]), image(4, &["other"])];
    let selection = select(&policy("glob=v*"), &images, &quarantined(&[1, 3, 4]));
    assert_eq!(selection.chosen.as_ref().unwrap().tag.as_str(), "v2");
    let held: Vec<_> = selection.held_back().map(|passed| passed.tag.as_ref().unwrap().as_str()).collect();
    assert_eq!(held, ["v3"], "v1 comes later in the order, `other` is not wanted");
}

#[test]
fn an_exact_tag_whose_image_failed_wants_nothing_else() {
    let selection =
        select(&policy("latest"), &[image(1, &["v1"]), image(2, &["latest"])], &quarantined(&[2]));
    assert_eq!(selection.chosen, None);
    assert_eq!(selection.held_back().count(), 1);
}

fn candidate(policy: &Policy, number: u64, tag: &str) -> Candidate {
    select(policy, &[image(number, &[tag])], &BTreeMap::new()).chosen.unwrap()
}

#[test]
fn a_candidate_that_comes_before_what_is_live_is_a_downgrade() {
    for (text, live, pushed, number, tag, older) in [
        ("semver=1.x", Some("v1.3.0"), Some(5), 3, "v1.2.0", true),
        ("semver=1.x", Some("v1.3.0"), Some(5), 3, "v1.4.0", false),
        ("semver=1.x", Some("v1.3.0"), Some(5), 3, "1.3.0", true),
        ("semver=1.x", Some("v1.3.0"), None, 3, "1.3.0", false),
        ("semver=1.x", Some("v1.3.0"), None, 3, "1.2.0", true),
        ("semver=1.x", Some("v2.0.0"), Some(5), 3, "v1.2.0", false),
        ("semver=1.x", Some("latest"), Some(5), 3, "v1.2.0", false),
        ("semver=1.x", None, Some(5), 3, "v1.2.0", false),
        ("newest=all", Some("a"), Some(5), 3, "b", true),
        ("newest=all", Some("a"), Some(5), 5, "a", false),
        ("newest=all", Some("a"), Some(2), 3, "b", false),
        ("newest=all", Some("a"), None, 3, "b", false),
        ("glob=v*", Some("w1"), Some(5), 3, "v1", false),
        ("latest", Some("latest"), Some(5), 3, "latest", false),
    ] {
        let policy = policy(text);
        let live_tag = live.map(crate::id::ImageTag::from);
        let live = policy::Live { tag: live_tag.as_ref(), pushed_at: pushed.map(at) };
        assert_eq!(
            policy.older(live, &candidate(&policy, number, tag)),
            older,
            "{text} {live:?} → {tag}@{number}"
        );
    }
}

#[test]
fn policies_that_cannot_be_read_say_how_to_write_them() {
    let said: Vec<String> = [
        "",
        "a:b",
        "-x",
        "semver=1.2.x.4",
        "semver=>=1 <2",
        "regex=(",
        "glob=[",
        "glob=",
        "prefix=*",
        "oldest=all",
        "newest=some",
    ]
    .iter()
    .map(|text| text.parse::<Policy>().expect_err(text).to_string())
    .collect();
    insta::assert_snapshot!(said.join("\n"), @r#"
    `` is no image tag: at most 128 letters, digits, `_`, `.` and `-`, the first no `.` or `-`
    `a:b` is no image tag: at most 128 letters, digits, `_`, `.` and `-`, the first no `.` or `-`
    `-x` is no image tag: at most 128 letters, digits, `_`, `.` and `-`, the first no `.` or `-`
    the version range `1.2.x.4` cannot be read: expected comma after patch version number, found '.'; write `1.x`, `1.2.x`, `=1.2.3`, or with commas `>=1.2.0, <2.0.0`
    the version range `>=1 <2` cannot be read: expected comma after major version number, found '<'; write `1.x`, `1.2.x`, `=1.2.3`, or with commas `>=1.2.0, <2.0.0`
    the regex `(` cannot be read: unclosed group
    the glob `[` cannot be read: unclosed character class; missing ']'
    the glob `` cannot be read: it is empty and matches no tag
    `*` is no image tag: at most 128 letters, digits, `_`, `.` and `-`, the first no `.` or `-`
    `oldest=all` is no image policy: a tag (`latest`), `semver=1.x`, `prefix=prod-`, `glob=prod-*`, `regex=^v[0-9]+$` or `newest=all`
    `newest=some` is no image policy: a tag (`latest`), `semver=1.x`, `prefix=prod-`, `glob=prod-*`, `regex=^v[0-9]+$` or `newest=all`
    "#);
}

fn any_image() -> impl Strategy<Value = ImageFact> {
    let tag = prop_oneof![
        (0_u64..3, 0_u64..3, 0_u64..3).prop_map(|(a, b, c)| format!("v{a}.{b}.{c}")),
        (0_u64..3, 0_u64..3).prop_map(|(a, b)| format!("1.{a}.{b}-rc.{b}")),
        prop::sample::select(vec!["latest", "prod-1", "prod-2"]).prop_map(str::to_owned),
    ];
    let tags = prop::collection::btree_set(tag, 0..3);
    let media = prop::sample::select(vec![OCI_MANIFEST, OCI_INDEX, "application/other"]);
    (0_u64..40, tags, 0_i64..4, media, prop::bool::weighted(0.1)).prop_map(
        |(number, tags, second, media, archived)| {
            let tags: BTreeSet<_> = tags.into_iter().map(crate::id::ImageTag::from).collect();
            let status = if archived { "ARCHIVED" } else { "ACTIVE" };
            ImageFact {
                tags,
                pushed_at: at(second),
                manifest_media_type: Some(media.into()),
                status: Some(status.into()),
                ..image(number, &[])
            }
        },
    )
}

fn any_policy() -> impl Strategy<Value = Policy> {
    let texts = vec![
        "latest",
        "prefix=prod-",
        "glob=*",
        "regex=^v",
        "semver=*",
        "semver=1.x",
        "semver=>=1.0.0-0",
        "newest=all",
    ];
    prop::sample::select(texts).prop_map(policy)
}

proptest! {
    #[test]
    fn the_choice_does_not_depend_on_the_order_of_the_list(
        policy in any_policy(),
        images in prop::collection::vec(any_image(), 0..12),
        failed in prop::collection::vec(0_u64..40, 0..4),
        seed in any::<u64>(),
    ) {
        // A registry lists a digest once.
        let images: Vec<_> = images.into_iter().map(|image| (image.digest.clone(), image)).collect::<BTreeMap<_, _>>().into_values().collect();
        let mut turned = images.clone();
        turned.sort_by_key(|image| crate::names::short_hash(&format!("{seed}{}", image.digest)));
        let quarantine = quarantined(&failed);
        let selection = select(&policy, &images, &quarantine);
        prop_assert_eq!(&selection, &select(&policy, &turned, &quarantine));

        // Two-sided: what was chosen may be deployed and nothing that may comes before it;
        // if nothing was chosen, every image has its reason.
        let candidates = images.len() - selection.passed_over.len();
        prop_assert_eq!(selection.chosen.is_none(), candidates == 0);
        for image in &images {
            let alone = select(&policy, std::slice::from_ref(image), &quarantine).chosen;
            if let (Some(alone), Some(best)) = (alone, &selection.chosen) {
                prop_assert!(alone.rank <= best.rank);
                prop_assert!(!quarantine.contains_key(&best.digest));
                prop_assert!(policy.rank(&best.tag, best.pushed_at).is_some());
            }
        }
    }

    #[test]
    fn what_was_chosen_is_never_older_than_any_other_that_might_be_live(
        policy in any_policy(), images in prop::collection::vec(any_image(), 1..10),
    ) {
        let images: Vec<_> = images.into_iter().map(|image| (image.digest.clone(), image)).collect::<BTreeMap<_, _>>().into_values().collect();
        let best = select(&policy, &images, &BTreeMap::new()).chosen;
        for image in &images {
            let Some(live) = select(&policy, std::slice::from_ref(image), &BTreeMap::new()).chosen else { continue };
            let best = best.as_ref().expect("one may be deployed");
            let live = policy::Live { tag: Some(&live.tag), pushed_at: Some(live.pushed_at) };
            prop_assert!(!policy.older(live, best));
        }
    }

    #[test]
    fn any_policy_text_is_read_or_refused_and_reads_back(text in any::<String>(), key in prop::sample::select(vec!["", "tag=", "semver=", "glob=", "regex=", "prefix="])) {
        if let Ok(policy) = format!("{key}{text}").parse::<Policy>() {
            prop_assert_eq!(policy.canonical_text().parse::<Policy>(), Ok(policy.clone()));
            let json = serde_json::to_string(&policy).unwrap();
            prop_assert_eq!(serde_json::from_str::<Policy>(&json).unwrap(), policy);
        }
    }
}
