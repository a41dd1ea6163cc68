//! What is wanted of a whole cluster: `/windlass/clusters/<cluster>`, typed and checked as a
//! service's spec is.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::capacity::CapacitySpec;
use super::check::check_keep_revisions;
use super::freeze::FreezeWindow;
use super::parse::{canonical, options, read};
use super::problem::{Checks, Problem, SpecError, nearest};
use crate::id::ClusterName;

/// What is wanted of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClusterSpec {
    /// The cluster's short name. In a file for `windlass apply`; in a parameter its name says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterName>,
    /// When nothing is rolled out in it.
    #[serde(default)]
    pub freeze: Vec<FreezeWindow>,
    /// How its instances follow what its tasks need.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<CapacitySpec>,
    /// For each of its services whose own spec does not say: how many of the task definition's
    /// revisions that Windlass registered stay, beside those that run or that a rollback needs.
    /// 1 to 100; left out, all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_revisions: Option<u32>,
}

impl ClusterSpec {
    /// Reads YAML or JSON and checks it. The error holds everything that is wrong.
    pub fn parse(text: &str) -> Result<Self, SpecError> {
        read(text, super::schema::cluster_json_schema, Self::problems)
    }

    fn problems(&self) -> Vec<Problem> {
        let Self { cluster: _, freeze, capacity, keep_revisions } = self;
        let mut checks = Checks::default();
        checks.each("freeze", freeze, |checks, window| window.check_into(checks));
        checks.within("capacity", |checks| {
            if let Some(capacity) = capacity {
                capacity.check_into(checks);
            }
        });
        check_keep_revisions(*keep_revisions, &mut checks);
        checks.into_problems()
    }

    /// One text for each meaning.
    pub fn canonical(&self) -> String {
        canonical(self)
    }
}

/// What a cluster's spec has, beside its name.
const SECTIONS: [&str; 3] = ["freeze", "capacity", "keep_revisions"];

/// Whether a file is a cluster's spec and no service's: it has one of [`SECTIONS`] (or what
/// somebody meant by it), and neither an image nor a service.
pub fn is_of_cluster(text: &str) -> bool {
    let keys: Result<BTreeMap<String, serde_json::Value>, _> =
        serde_saphyr::from_str_with_options(text, options());
    keys.is_ok_and(|keys| {
        !["image", "service"].iter().any(|name| keys.contains_key(*name))
            && keys.keys().any(|key| SECTIONS.contains(&key.as_str()) || nearest(key, SECTIONS).is_some())
    })
}

/// Where Parameter Store keeps clusters' specs.
const PARAMETER_PREFIX: &str = "/windlass/clusters/";

/// The name of the SSM parameter that holds a cluster's spec.
pub fn cluster_parameter_name(cluster: &ClusterName) -> String {
    format!("{PARAMETER_PREFIX}{cluster}")
}

/// The cluster whose spec a parameter holds; `None` for any other parameter.
pub fn cluster_from_parameter_name(name: &str) -> Option<ClusterName> {
    let cluster = name.strip_prefix(PARAMETER_PREFIX)?;
    (!cluster.is_empty() && !cluster.contains('/')).then(|| ClusterName::new(cluster))
}
