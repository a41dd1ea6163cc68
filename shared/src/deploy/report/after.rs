//! What the service that another one follows has against a rollout.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::{ImageDigest, ImageTag, ServiceKey, Timestamp};
use crate::spec::FollowBy;

/// A rollout waits for the service that it follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AfterNote {
    /// The service that is followed.
    pub upstream: ServiceKey,
    /// What must be live there.
    pub by: FollowBy,
    /// What would be rolled out.
    pub would: ImageDigest,
    /// Its tag.
    pub tag: Option<ImageTag>,
    /// What is in the way.
    pub why: AfterWhy,
}

/// What is in the way of a rollout that follows another service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "why")]
pub enum AfterWhy {
    /// The service is not there.
    Missing,
    /// Nothing was ever settled there: its first release is not live, or nobody asked Windlass
    /// to look after it.
    NothingSettled,
    /// It is being rolled out there.
    OnItsWay,
    /// Something else is live there.
    Elsewhere {
        /// What.
        live: ImageDigest,
        /// Its tag.
        tag: Option<ImageTag>,
    },
    /// It failed there, or was left by hand.
    GivenUp {
        /// Why.
        reason: String,
    },
    /// It is settled there, and the service is not well now.
    Unsteady {
        /// What is wrong.
        reason: String,
    },
    /// It is live there, not long enough.
    Soaks {
        /// Since when.
        since: Timestamp,
        /// Until when it must be.
        until: Timestamp,
    },
    /// The specs follow one another in a circle.
    Circle {
        /// Through these.
        path: Vec<ServiceKey>,
    },
}

impl AfterNote {
    /// Whether a person has to do something before this service goes on.
    pub fn needs_a_person(&self) -> bool {
        match self.why {
            AfterWhy::Missing | AfterWhy::GivenUp { .. } | AfterWhy::Circle { .. } => true,
            AfterWhy::NothingSettled
            | AfterWhy::OnItsWay
            | AfterWhy::Elsewhere { .. }
            | AfterWhy::Unsteady { .. }
            | AfterWhy::Soaks { .. } => false,
        }
    }
}

fn named(digest: &ImageDigest, tag: Option<&ImageTag>) -> String {
    match tag {
        Some(tag) => format!("{} ({tag})", digest.short()),
        None => digest.short().to_string(),
    }
}

impl fmt::Display for AfterNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { upstream, by, would, tag, why } = self;
        let wanted = match (by, tag) {
            (FollowBy::Tag, Some(tag)) => format!("the release {tag}"),
            (FollowBy::Tag | FollowBy::Digest, _) => "this image".to_owned(),
        };
        let would = named(would, tag.as_ref());
        match why {
            AfterWhy::Missing => write!(
                f,
                "waiting: {would} follows {upstream}, which does not exist; create it, or correct `after.service`"
            ),
            AfterWhy::NothingSettled => write!(
                f,
                "waiting: {would} follows {upstream}, where no release is settled yet; if Windlass does not look after {upstream}, give it a spec or a tag"
            ),
            AfterWhy::OnItsWay => {
                write!(f, "waiting: {would} follows {upstream}, where {wanted} is being rolled out")
            }
            AfterWhy::Elsewhere { live, tag } => write!(
                f,
                "waiting: {would} follows {upstream}, where {} is live and {wanted} is not",
                named(live, tag.as_ref())
            ),
            AfterWhy::GivenUp { reason } => write!(
                f,
                "held: {would} follows {upstream}, which gave {wanted} up ({reason}); push another image, or `windlass release` it there"
            ),
            AfterWhy::Unsteady { reason } => {
                write!(
                    f,
                    "waiting: {would} follows {upstream}, where {wanted} is live and not well: {reason}"
                )
            }
            AfterWhy::Soaks { since, until } => write!(
                f,
                "waiting: {would} follows {upstream}, where {wanted} is live since {since}, until {until}"
            ),
            AfterWhy::Circle { path } => {
                let path: Vec<String> = path.iter().map(ToString::to_string).collect();
                write!(
                    f,
                    "refused: {would} follows {upstream}, and the specs follow one another in a circle: {}; take `after` out of one of them",
                    path.join(" → ")
                )
            }
        }
    }
}
