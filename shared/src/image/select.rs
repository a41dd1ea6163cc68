//! The choice among a repository's images, with a reason for each that was passed over.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use semver::Version;
use serde::{Deserialize, Serialize};

use super::media;
use super::policy::Policy;
use crate::facts::ImageFact;
use crate::id::{ImageDigest, ImageTag, Timestamp};
use crate::ledger::Quarantine;

/// What a policy wants of a repository now.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Selection {
    /// The first in the policy's order that may be deployed.
    pub chosen: Option<Candidate>,
    /// The images that may not be, newest push first. Those that may and only come later
    /// in the order are not listed.
    pub passed_over: Vec<PassedOver>,
}

impl Selection {
    /// Whether nothing is chosen because what would be is in quarantine: what runs may stay.
    pub fn only_held_back(&self) -> bool {
        self.chosen.is_none() && self.held_back().next().is_some()
    }

    /// The quarantined images that would have been chosen: a person sees what is held back.
    pub fn held_back(&self) -> impl Iterator<Item = &PassedOver> {
        let chosen = self.chosen.as_ref().map(Candidate::order);
        self.passed_over.iter().filter(move |passed| match (&passed.reason, passed.order()) {
            (PassedOverReason::Quarantined { .. }, Some(order)) => {
                chosen.as_ref().is_none_or(|chosen| order > *chosen)
            }
            _ => false,
        })
    }
}

/// An image that may be deployed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// The manifest's, or the index's.
    pub digest: ImageDigest,
    /// The tag by which the policy wants it.
    pub tag: ImageTag,
    /// When it was pushed.
    pub pushed_at: Timestamp,
    /// Where it stands in the policy's order.
    pub rank: Rank,
}

type Order<'a> = (&'a Rank, Timestamp, &'a ImageDigest);

impl Candidate {
    /// Rank, then push, then digest: no two images are equal, so the choice never depends
    /// on the order in which they were listed.
    fn order(&self) -> Order<'_> {
        (&self.rank, self.pushed_at, &self.digest)
    }
}

/// A place in a policy's order; the greatest is wanted. All ranks of one policy are of one kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rank {
    /// The tag points here.
    Pointed,
    /// By the time of the push.
    Pushed(Timestamp),
    /// By version, build metadata left out.
    Version(Version),
}

/// An image that may not be deployed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassedOver {
    /// The image.
    pub digest: ImageDigest,
    /// The tag by which the policy would want it; else one of its tags.
    pub tag: Option<ImageTag>,
    /// When it was pushed.
    pub pushed_at: Timestamp,
    /// Where it would stand, where the policy wants one of its tags.
    pub rank: Option<Rank>,
    /// Why not.
    pub reason: PassedOverReason,
}

impl PassedOver {
    fn order(&self) -> Option<Order<'_>> {
        Some((self.rank.as_ref()?, self.pushed_at, &self.digest))
    }
}

/// Why an image may not be deployed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "why")]
pub enum PassedOverReason {
    /// It failed before.
    Quarantined {
        /// How.
        reason: String,
    },
    /// A chart, a policy bundle, an SBOM: nothing that runs.
    NotAnImage {
        /// Its media type.
        media_type: String,
    },
    /// A signature or attestation, by cosign's tag (`sha256-….sig`) or the referrers' one.
    Signature,
    /// It lies in ECR's archive, or is on its way out of it, and cannot be pulled.
    Archived {
        /// ECR's `imageStatus`.
        status: String,
    },
    /// A platform of an index, an attestation, or what a moved tag left behind.
    Untagged,
    /// The policy wants none of its tags.
    TagDoesNotMatch,
}

impl fmt::Display for PassedOverReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quarantined { reason } => write!(f, "in quarantine: {reason}"),
            Self::NotAnImage { media_type } => write!(f, "not a container image: {media_type}"),
            Self::Signature => f.write_str("a signature or attestation"),
            Self::Archived { status } => write!(f, "cannot be pulled: its status is {status}"),
            Self::Untagged => f.write_str("has no tag"),
            Self::TagDoesNotMatch => f.write_str("has no tag that the policy wants"),
        }
    }
}

/// Chooses among a repository's images.
///
/// 1. Only what can be pulled and run: in ECR's standard storage, with an image's media types.
/// 2. Only what has a tag, and one that no signing tool made.
/// 3. Only what has a tag that the policy wants; of several the first in its order.
/// 4. Never what is in quarantine.
/// 5. Of those the first in the policy's order; on a tie the newest push, then the greater digest.
pub fn select(
    policy: &Policy,
    images: &[ImageFact],
    quarantine: &BTreeMap<ImageDigest, Quarantine>,
) -> Selection {
    let mut selection = Selection::default();
    for image in images {
        match judge(policy, image, quarantine) {
            Judged::May(candidate) => {
                if selection.chosen.as_ref().is_none_or(|chosen| chosen.order() < candidate.order()) {
                    selection.chosen = Some(candidate);
                }
            }
            Judged::MayNot(passed) => selection.passed_over.push(passed),
        }
    }
    selection.passed_over.sort_by(|a, b| (b.pushed_at, &b.digest).cmp(&(a.pushed_at, &a.digest)));
    selection
}

enum Judged {
    May(Candidate),
    MayNot(PassedOver),
}

fn judge(policy: &Policy, image: &ImageFact, quarantine: &BTreeMap<ImageDigest, Quarantine>) -> Judged {
    let ImageFact { digest, tags, pushed_at, manifest_media_type: _, artifact_media_type: _, status: _ } =
        image;
    let wanted = wanted_tag(policy, tags, *pushed_at);
    let passed = |reason| PassedOver {
        digest: digest.clone(),
        tag: wanted.as_ref().map(|(tag, _)| *tag).or_else(|| tags.first()).cloned(),
        pushed_at: *pushed_at,
        rank: wanted.as_ref().map(|(_, rank)| rank.clone()),
        reason,
    };
    if let Some(reason) = cannot_run(image) {
        return Judged::MayNot(passed(reason));
    }
    if tags.is_empty() {
        return Judged::MayNot(passed(PassedOverReason::Untagged));
    }
    if tags.iter().all(is_signature_tag) {
        return Judged::MayNot(passed(PassedOverReason::Signature));
    }
    let Some((tag, rank)) = &wanted else { return Judged::MayNot(passed(PassedOverReason::TagDoesNotMatch)) };
    if let Some(failure) = quarantine.get(digest) {
        return Judged::MayNot(passed(PassedOverReason::Quarantined { reason: failure.reason.clone() }));
    }
    Judged::May(Candidate {
        digest: digest.clone(),
        tag: (*tag).clone(),
        pushed_at: *pushed_at,
        rank: rank.clone(),
    })
}

/// Of an image's tags the first in the policy's order; among equals the one that says most:
/// not `latest`, then the greater text.
fn wanted_tag<'a>(
    policy: &Policy,
    tags: &'a BTreeSet<ImageTag>,
    pushed_at: Timestamp,
) -> Option<(&'a ImageTag, Rank)> {
    tags.iter()
        .filter(|tag| !is_signature_tag(tag))
        .filter_map(|tag| Some((tag, policy.rank(tag, pushed_at)?)))
        .max_by(|(a, a_rank), (b, b_rank)| {
            let says = |tag: &ImageTag| tag.as_str() != "latest";
            (a_rank, says(a), a).cmp(&(b_rank, says(b), b))
        })
}

fn cannot_run(image: &ImageFact) -> Option<PassedOverReason> {
    if let Some(status) = image.status.as_ref().filter(|status| *status != "ACTIVE") {
        return Some(PassedOverReason::Archived { status: status.clone() });
    }
    let pulled: Vec<&str> = media::pulled().collect();
    // Whether ECR gives an index an artifact media type is not documented; if it does, the index's
    // own type is no reason against it.
    let runs: Vec<&str> = media::CONFIGS.into_iter().chain(media::INDEXES).collect();
    let types = [(&image.manifest_media_type, pulled), (&image.artifact_media_type, runs)];
    types.into_iter().find_map(|(media_type, known)| {
        let media_type = media_type.as_ref().filter(|media_type| !known.contains(&media_type.as_str()))?;
        Some(PassedOverReason::NotAnImage { media_type: media_type.clone() })
    })
}

/// `sha256-<64 hex>`, with cosign's `.sig`, `.att` or `.sbom`, or alone: the referrers' tag of
/// the distribution specification 1.1.
fn is_signature_tag(tag: &ImageTag) -> bool {
    let Some(rest) = tag.as_str().strip_prefix("sha256-") else { return false };
    let hex = rest.split_once('.').map_or(rest, |(hex, _)| hex);
    hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit())
}
