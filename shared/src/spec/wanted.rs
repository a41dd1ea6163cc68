//! Where a spec came from, and which of the three places counts: the first that has one.

use serde::{Deserialize, Serialize};

use super::labels::{GuardRails, LabelRefusal, from_labels};
use super::problem::SpecError;
use super::tag::{TagError, from_tags};
use super::{ServiceSpec, parameter_name};
use crate::facts::{Fact, ImageContent, LiveService, ParameterText, Unreadable};
use crate::id::{ClusterName, ServiceKey};

/// What is wanted of a service, and who said so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// Who said so.
    pub origin: Origin,
    /// What.
    pub spec: ServiceSpec,
}

/// Where a spec came from. The first that has one counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "from")]
pub enum Origin {
    /// The SSM parameter.
    Parameter {
        /// `/windlass/services/<cluster>/<service>`.
        name: String,
        /// Parameter Store's version.
        version: i64,
    },
    /// The tag `windlass:track` on the ECS service: only its image is ours.
    Tag,
    /// The image's labels.
    Labels,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Parameter { name, version } => write!(f, "parameter {name}, version {version}"),
            Self::Tag => f.write_str("tag windlass:track"),
            Self::Labels => f.write_str("labels of the image"),
        }
    }
}

/// What is wanted cannot be said. Nothing is deployed until it can: a place that cannot be
/// read is never passed by for the next one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unresolved {
    /// AWS did not show it.
    #[error("{0}")]
    Unreadable(Unreadable),
    /// The parameter's text is no spec.
    #[error(
        "parameter {name}, version {version}, is no service spec; correct it and `windlass apply` it:\n{source}"
    )]
    Parameter {
        /// Its name.
        name: String,
        /// Its version.
        version: i64,
        /// What is wrong with it.
        source: SpecError,
    },
    /// The parameter's text names another service than its name does.
    #[error(
        "parameter {name} holds the spec of {found}: `windlass apply` it again, so that it gets its own name, \
         and delete this one"
    )]
    Misplaced {
        /// The parameter's name.
        name: String,
        /// The service that the text names.
        found: ServiceKey,
    },
    /// The service's tags.
    #[error("service {key}: {source}; correct the tag")]
    Tag {
        /// The service.
        key: ServiceKey,
        /// What is wrong with them.
        source: Box<TagError>,
    },
    /// The image's labels.
    #[error("{0}")]
    Labels(LabelRefusal),
}

/// An image whose labels may make a service.
#[derive(Debug, Clone, Copy)]
pub struct Labelled<'a> {
    /// What is in it.
    pub image: &'a ImageContent,
    /// What labels may ask for.
    pub rails: &'a GuardRails,
    /// The cluster where no label names one.
    pub default_cluster: &'a ClusterName,
}

/// What is wanted of a service: the first of the parameter, the service's tags and the
/// image's labels that says. `Ok(None)`: nobody wants anything of it.
///
/// 1. What could not be read is an error, never taken for absent.
/// 2. A parameter is the service's own: its text may name no other.
/// 3. Tags count on a service that is there; `INACTIVE` ones are not.
/// 4. Labels count where they make exactly this service.
pub fn resolve(
    key: &ServiceKey,
    parameter: &Fact<ParameterText>,
    service: &Fact<LiveService>,
    labelled: Option<Labelled<'_>>,
) -> Result<Option<Wanted>, Unresolved> {
    match parameter {
        Fact::Known(parameter) => return from_parameter(key, parameter).map(Some),
        Fact::Unreadable(unreadable) => return Err(Unresolved::Unreadable(unreadable.clone())),
        Fact::Absent | Fact::NotAsked => {}
    }
    match service {
        Fact::Known(live) if live.status != "INACTIVE" => match from_tags(&live.tags) {
            Some(Ok(tracked)) => return Ok(Some(Wanted { origin: Origin::Tag, spec: tracked.into() })),
            Some(Err(source)) => return Err(Unresolved::Tag { key: key.clone(), source: Box::new(source) }),
            None => {}
        },
        Fact::Unreadable(unreadable) => return Err(Unresolved::Unreadable(unreadable.clone())),
        Fact::Known(_) | Fact::Absent | Fact::NotAsked => {}
    }
    let Some(Labelled { image, rails, default_cluster }) = labelled else { return Ok(None) };
    match from_labels(&image.repository, &image.labels, rails, default_cluster) {
        Ok(Some((named, spec))) if named == *key => Ok(Some(Wanted { origin: Origin::Labels, spec })),
        Ok(_) => Ok(None),
        Err(refusal) => Err(Unresolved::Labels(refusal)),
    }
}

fn from_parameter(key: &ServiceKey, parameter: &ParameterText) -> Result<Wanted, Unresolved> {
    let ParameterText { name, version, text } = parameter;
    let spec = ServiceSpec::parse(text).map_err(|source| Unresolved::Parameter {
        name: name.clone(),
        version: *version,
        source,
    })?;
    let found = ServiceKey {
        cluster: spec.cluster.clone().unwrap_or_else(|| key.cluster.clone()),
        service: spec.service.clone().unwrap_or_else(|| key.service.clone()),
    };
    if found != *key || *name != parameter_name(key) {
        return Err(Unresolved::Misplaced { name: name.clone(), found });
    }
    Ok(Wanted { origin: Origin::Parameter { name: name.clone(), version: *version }, spec })
}
