//! What an ECS-optimised instance reads at its boot: the lines of `/etc/ecs/ecs.config` that its
//! user data writes. Nothing else of a script is carried out.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// The agent's settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AgentConfig {
    /// `ECS_CLUSTER`; without it the agent goes to the cluster `default`.
    pub(crate) cluster: Option<String>,
    /// `ECS_INSTANCE_ATTRIBUTES`, a JSON object.
    pub(crate) attributes: BTreeMap<String, String>,
    /// `ECS_ENABLE_SPOT_INSTANCE_DRAINING`: the agent itself sets DRAINING when its instance is
    /// to be interrupted.
    pub(crate) drains_on_spot: bool,
}

impl AgentConfig {
    /// Reads user data as a launch template has it: base64.
    pub(crate) fn read(user_data: &str) -> Self {
        let decoded = STANDARD.decode(user_data.trim()).unwrap_or_default();
        let script = String::from_utf8_lossy(&decoded);
        let attributes = setting(&script, "ECS_INSTANCE_ATTRIBUTES");
        Self {
            cluster: setting(&script, "ECS_CLUSTER"),
            attributes: attributes.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default(),
            drains_on_spot: setting(&script, "ECS_ENABLE_SPOT_INSTANCE_DRAINING").as_deref() == Some("true"),
        }
    }
}

/// The last `NAME=value` of a script: in a line of its own (a here-document), or in
/// `echo NAME=value >> /etc/ecs/ecs.config`.
fn setting(script: &str, name: &str) -> Option<String> {
    let of_line = |line: &str| {
        let (before, value) = line.split_once(&format!("{name}="))?;
        if before.ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            return None;
        }
        let value = value.split(">>").next().unwrap_or_default();
        Some(value.trim().trim_matches(['"', '\'']).to_owned())
    };
    script.lines().filter_map(of_line).next_back().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agents_settings_are_read_from_either_way_of_writing_them() {
        let read = |script: &str| AgentConfig::read(&STANDARD.encode(script));
        let config = read("#!/bin/bash\necho ECS_CLUSTER=main >> /etc/ecs/ecs.config\n");
        assert_eq!(config.cluster.as_deref(), Some("main"));
        let config = read(
            "cat >> /etc/ecs/ecs.config <<'CONFIG'\nECS_CLUSTER=shop\nECS_ENABLE_SPOT_INSTANCE_DRAINING=true\n\
             ECS_INSTANCE_ATTRIBUTES={\"tier\": \"web\"}\nCONFIG\n",
        );
        assert_eq!((config.cluster.as_deref(), config.drains_on_spot), (Some("shop"), true));
        assert_eq!(config.attributes["tier"], "web");
        assert_eq!(read("MY_ECS_CLUSTER=x").cluster, None);
    }
}
