//! The tag form: adopts a service that exists. AWS allows letters, digits, spaces and
//! `_ . : / = + - @` in tag values, so `^ * ~ > <` cannot be written there.

use std::collections::BTreeMap;

use super::problem::nearest;
use super::{ImageSpec, ServiceSpec};
use crate::id::{ContainerName, RepositoryName};
use crate::image::{Policy, PolicyError};

/// `windlass:track = <repository>:<policy>`.
pub const TRACK_TAG: &str = "windlass:track";
/// `windlass:containers = web`, several with spaces or `+`.
pub const CONTAINERS_TAG: &str = "windlass:containers";

/// What the tags of a service say: which image, in which containers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tracked {
    /// The repository.
    pub repository: RepositoryName,
    /// Which of its images.
    pub policy: Policy,
    /// The containers; empty: those whose image is of the repository, or the only one.
    pub containers: Vec<ContainerName>,
}

/// Tags that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    /// The repository's part.
    #[error("tag `{TRACK_TAG} = {value}`: the repository {reason}")]
    Repository {
        /// The tag's value.
        value: String,
        /// What is wanted.
        reason: String,
    },
    /// The policy's part.
    #[error("tag `{TRACK_TAG} = {value}`: {source}")]
    Policy {
        /// The tag's value.
        value: String,
        /// What is wrong with it.
        source: PolicyError,
    },
    /// The containers.
    #[error(
        "tag `{CONTAINERS_TAG} = {value}` names no containers: `web`, or several with spaces (`web worker`)"
    )]
    Containers {
        /// The tag's value.
        value: String,
    },
    /// A name that was meant to be one of ours.
    #[error("unknown tag `{tag}`: did you mean `{nearest}`?")]
    Misspelt {
        /// The tag's name.
        tag: String,
        /// The nearest of ours.
        nearest: &'static str,
    },
}

/// Reads the tags of an ECS service; `None` if they do not mention Windlass's tracking.
pub fn from_tags(tags: &BTreeMap<String, String>) -> Option<Result<Tracked, TagError>> {
    match tags.get(TRACK_TAG) {
        Some(value) => Some(tracked(value, tags.get(CONTAINERS_TAG))),
        None => misspelt(tags).map(Err),
    }
}

fn tracked(value: &str, containers: Option<&String>) -> Result<Tracked, TagError> {
    // Repositories and tags have no colon; without one the policy is `latest`, as in `docker pull`.
    let (repository, policy) = match value.split_once(':') {
        Some((repository, policy)) => (repository, policy.parse()),
        None => (value, Ok(Policy::default())),
    };
    super::check::check_repository(repository)
        .map_err(|reason| TagError::Repository { value: value.to_owned(), reason })?;
    let policy = policy.map_err(|source| TagError::Policy { value: value.to_owned(), source })?;
    let containers = containers.map_or(Ok(Vec::new()), |text| containers_of(text))?;
    Ok(Tracked { repository: repository.into(), policy, containers })
}

fn containers_of(text: &str) -> Result<Vec<ContainerName>, TagError> {
    let names: Vec<&str> = text.split([' ', '+']).filter(|name| !name.is_empty()).collect();
    if names.is_empty() || !names.iter().all(|name| super::check::is_ecs_name(name)) {
        return Err(TagError::Containers { value: text.to_owned() });
    }
    Ok(names.into_iter().map(ContainerName::new).collect())
}

/// One letter wrong would leave a service untracked without a word. More than one may be
/// another tag of ours.
fn misspelt(tags: &BTreeMap<String, String>) -> Option<TagError> {
    tags.keys().filter(|tag| !tag.is_empty()).find_map(|tag| {
        let nearest = nearest(tag, [TRACK_TAG, CONTAINERS_TAG])?;
        let known = if nearest == TRACK_TAG { TRACK_TAG } else { CONTAINERS_TAG };
        (strsim::osa_distance(tag, known) == 1)
            .then(|| TagError::Misspelt { tag: tag.clone(), nearest: known })
    })
}

impl From<Tracked> for ServiceSpec {
    /// Only the image is Windlass's; everything else stays as the live revision has it.
    fn from(tracked: Tracked) -> Self {
        let Tracked { repository, policy, containers } = tracked;
        Self::of_image(ImageSpec { repository, policy, containers })
    }
}
