//! The JSON Schema of a spec, from its type: `windlass spec schema`.

use serde_json::Value;

use super::{ClusterSpec, ServiceSpec};

/// The JSON Schema (2020-12) of a spec file. It knows keys and types; the ranges that
/// depend on one another are [`ServiceSpec::check`]'s.
pub fn json_schema() -> Value {
    schemars::schema_for!(ServiceSpec).to_value()
}

/// The JSON Schema of a cluster's file.
pub fn cluster_json_schema() -> Value {
    schemars::schema_for!(ClusterSpec).to_value()
}
