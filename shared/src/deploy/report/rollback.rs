//! A rollback, or the end of a rollout that was given up.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::deploy::rollback::PinEnd;
use crate::id::{Actor, Family, ImageDigest, ImageTag, TaskDefinitionArn, Timestamp};

/// A rollback, or the end of a rollout that was given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "note")]
pub enum RollbackNote {
    /// A person rolled back; this holds until something newer is pushed.
    Pinned {
        /// What is wanted.
        to: ImageDigest,
        /// What it left.
        left: ImageDigest,
        /// Who.
        by: Actor,
        /// Why.
        reason: String,
    },
    /// It waits for the end of a hold.
    Held {
        /// Who holds.
        by: Actor,
        /// Why.
        reason: String,
        /// Since when.
        since: Timestamp,
    },
    /// It holds no more.
    PinEnded {
        /// What was wanted until now.
        to: ImageDigest,
        /// Why.
        why: PinEnd,
    },
    /// An order that cannot be carried out, and is not tried again.
    Refused {
        /// Why not.
        why: NoWayBack,
        /// What else can be gone back to, newest first.
        instead: Vec<(ImageDigest, Option<ImageTag>)>,
    },
    /// What a person went back to failed: nothing is tried in its place.
    TargetFailed {
        /// What was wanted.
        to: ImageDigest,
        /// How it failed.
        reason: String,
    },
    /// A rollout is being given up.
    GivingUp {
        /// The image that it brings.
        digest: ImageDigest,
        /// Why.
        reason: String,
        /// What it waits for.
        waits: String,
    },
    /// The first release failed: nothing of it serves.
    NothingServes {
        /// The image.
        digest: ImageDigest,
        /// What was made, and is used by the next push.
        made: Vec<String>,
    },
    /// Revisions that nothing needs are deregistered some at a time.
    RevisionsLater {
        /// Of which family.
        family: Family,
        /// How many are left for the next pass.
        more: usize,
    },
    /// Revisions are to be deregistered, and may not be.
    RevisionsStay {
        /// How many are to be kept.
        keep: u32,
        /// Why the others stay.
        why: RevisionsStay,
    },
    /// The first release failed; the route of the one on its way opens once it is live.
    OpensOnceLive {
        /// The image on its way.
        digest: ImageDigest,
    },
}

/// Why revisions that nothing needs stay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevisionsStay {
    /// The stack leaves its function no right to.
    ByTheStack,
    /// AWS refused it.
    Refused(String),
}

/// Why there is no way back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoWayBack {
    /// The image is gone from the repository.
    ImageGone(ImageDigest),
    /// Nothing was settled before.
    NothingBefore,
    /// It is what runs.
    Runs(ImageDigest),
    /// It failed before.
    InQuarantine(ImageDigest, String),
    /// The revision runs no image of the repository by its digest.
    NotPinned(TaskDefinitionArn),
    /// There is no such revision.
    RevisionGone(TaskDefinitionArn),
    /// The service is not there.
    NoService,
}

impl fmt::Display for NoWayBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ImageGone(digest) => {
                write!(f, "the image {} is gone from the repository; push it again", digest.short())
            }
            Self::NothingBefore => f.write_str("nothing was live here before what runs now"),
            Self::Runs(digest) => write!(f, "{} is what runs", digest.short()),
            Self::InQuarantine(digest, reason) => write!(
                f,
                "{} is in quarantine ({reason}); `windlass release SERVICE {}` ends that",
                digest.short(),
                digest.short()
            ),
            Self::NotPinned(revision) => {
                write!(f, "{} does not name its image by a digest", revision.short())
            }
            Self::RevisionGone(revision) => write!(f, "there is no revision {}", revision.short()),
            Self::NoService => f.write_str("the service does not exist"),
        }
    }
}

impl RollbackNote {
    /// Whether a person has to do something before this service goes on.
    pub fn needs_a_person(&self) -> bool {
        match self {
            Self::Held { .. }
            | Self::Refused { .. }
            | Self::TargetFailed { .. }
            | Self::NothingServes { .. } => true,
            Self::Pinned { .. }
            | Self::PinEnded { .. }
            | Self::GivingUp { .. }
            | Self::RevisionsLater { .. }
            | Self::RevisionsStay { .. }
            | Self::OpensOnceLive { .. } => false,
        }
    }

    /// Whether the sweep should look again although nothing rings.
    pub fn leaves_open(&self) -> bool {
        match self {
            Self::Held { .. } | Self::GivingUp { .. } | Self::OpensOnceLive { .. } => true,
            // The order is answered; what failed waits for a person or a push, who ring.
            Self::Refused { .. }
            | Self::TargetFailed { .. }
            | Self::NothingServes { .. }
            // The row's mark says so.
            | Self::RevisionsLater { .. }
            | Self::RevisionsStay { .. }
            | Self::Pinned { .. }
            | Self::PinEnded { .. } => false,
        }
    }
}

impl fmt::Display for RollbackNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pinned { to, left, by, reason } => write!(
                f,
                "rolled back by {by} ({reason}): {} is wanted until something newer than {} is pushed",
                to.short(),
                left.short()
            ),
            Self::Held { by, reason, since } => write!(
                f,
                "held: by {by} since {since} ({reason}); the rollback waits; `windlass resume` ends the hold"
            ),
            Self::PinEnded { to, why } => {
                write!(f, "the rollback to {} holds no more: ", to.short())?;
                match why {
                    PinEnd::Newer(digest) => write!(f, "{} is newer than what it left", digest.short()),
                    PinEnd::Released => f.write_str("what it left was released from quarantine"),
                    PinEnd::OtherSpec => f.write_str("the spec that it left has changed"),
                }
            }
            Self::Refused { why, instead } => {
                write!(f, "refused: the rollback is not carried out: {why}")?;
                let words = |(digest, tag): &(ImageDigest, Option<ImageTag>)| match tag {
                    Some(tag) => format!("{tag} ({})", digest.short()),
                    None => digest.short().to_owned(),
                };
                match instead.as_slice() {
                    [] => f.write_str("; there is nothing else to go back to"),
                    some => {
                        let some: Vec<String> = some.iter().map(words).collect();
                        write!(f, "; one can go back to {}", some.join(", "))
                    }
                }
            }
            Self::TargetFailed { to, reason } => write!(
                f,
                "refused: {}, which was rolled back to, failed too ({reason}); push a fixed image, roll back to another one, or `windlass release SERVICE {}`",
                to.short(),
                to.short()
            ),
            Self::GivingUp { digest, reason, waits } => {
                write!(f, "giving up: {} ({reason}); {waits}", digest.short())
            }
            Self::NothingServes { digest, made } => write!(
                f,
                "failed: the first release, {}; nothing of it serves. Made, and used by the next push: {}",
                digest.short(),
                made.join(", ")
            ),
            Self::RevisionsLater { family, more } => {
                write!(f, "waiting: {more} more revisions of {family} are deregistered by the next passes")
            }
            Self::RevisionsStay { keep, why: RevisionsStay::ByTheStack } => write!(
                f,
                "not done: keep_revisions: {keep}, for the stack leaves its function no right to deregister; update it with DeregisterRevisions=yes, or take keep_revisions out"
            ),
            Self::RevisionsStay { keep, why: RevisionsStay::Refused(reason) } => {
                write!(
                    f,
                    "not done: keep_revisions: {keep}, for AWS refused it; the next release tries again. {reason}"
                )
            }
            Self::OpensOnceLive { digest } => write!(
                f,
                "waiting: the route opens once {} is live; tasks of the release that failed before it may still be there",
                digest.short()
            ),
        }
    }
}
