//! The stack's settings as `template.yaml` writes them into its functions' environment, and
//! as people export them for the CLI: `WINDLASS_TABLE`, `WINDLASS_CLUSTERS`, ….

use std::collections::BTreeSet;
use std::time::Duration;

use super::settings::{Published, Revisions, Settings, VerifyHook};
use crate::id::{AccountId, Actor, ClusterName, ListenerArn, Region};
use crate::scale;
use crate::spec::GuardRails;

/// What a stack is set up with.
#[derive(Debug, Clone)]
pub struct Stack {
    /// The ledger's table.
    pub table: String,
    /// The clusters that the sweep looks at; no other one is touched.
    pub clusters: Vec<ClusterName>,
    /// What the deploy pass's decisions need.
    pub settings: Settings,
    /// What the scale pass's decisions need.
    pub scale: scale::Settings,
    /// The function's own timeout.
    pub timeout: Duration,
}

/// A variable that is missing or does not read.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    /// It is not set.
    #[error(
        "{0} is not set; template.yaml sets it for functions, and `windlass local` and the stack's outputs tell it for a shell"
    )]
    Missing(&'static str),
    /// It does not read.
    #[error("{name}={value} does not read as {wanted}")]
    Unreadable {
        /// The variable.
        name: &'static str,
        /// What it says.
        value: String,
        /// What was expected.
        wanted: &'static str,
    },
}

impl Stack {
    /// Reads the variables through `get`: `std::env::var` in the binaries, a map in tests.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, StackError> {
        let text = |name: &'static str| get(name).filter(|value: &String| !value.is_empty());
        let needed = |name: &'static str| text(name).ok_or(StackError::Missing(name));
        let list = |name: &'static str| -> Vec<String> {
            let value = text(name).unwrap_or_default();
            value.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
        };
        let number = |name: &'static str, otherwise: u32| match text(name) {
            None => Ok(otherwise),
            Some(value) => {
                value.parse().map_err(|_| StackError::Unreadable { name, value, wanted: "a number" })
            }
        };
        let label_clusters: BTreeSet<ClusterName> =
            list("WINDLASS_LABEL_CLUSTERS").into_iter().map(ClusterName::new).collect();
        let table = needed("WINDLASS_TABLE")?;
        let region = Region::new(needed("AWS_REGION")?);
        let actor = Actor::new(text("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_else(|| "deploy".into()));
        let prices = text("WINDLASS_INSTANCE_PRICES").unwrap_or_default();
        let prices = scale::settings::prices(&prices).map_err(|why| StackError::Unreadable {
            name: "WINDLASS_INSTANCE_PRICES",
            value: why.0,
            wanted: "prices: t4g.small=0.0168, or with the spot price t4g.small=0.0168/0.0067",
        })?;
        let yes = |name: &'static str, otherwise: bool| match text(name).as_deref() {
            None => Ok(otherwise),
            Some("yes") => Ok(true),
            Some("no") => Ok(false),
            Some(other) => Err(StackError::Unreadable { name, value: other.to_owned(), wanted: "yes or no" }),
        };
        let may_go = yes("WINDLASS_DEREGISTER_REVISIONS", true)?;
        let is_published = yes("WINDLASS_PUBLISH_DEPLOYED", false)?;
        Ok(Self {
            table,
            scale: scale::Settings { region: region.clone(), prices, actor: actor.clone() },
            clusters: list("WINDLASS_CLUSTERS").into_iter().map(ClusterName::new).collect(),
            timeout: Duration::from_secs(u64::from(number("WINDLASS_TIMEOUT_SECS", 60)?)),
            settings: Settings {
                region,
                account: text("WINDLASS_ACCOUNT").map(AccountId::new),
                listener: text("WINDLASS_LISTENER_ARN").map(ListenerArn::new),
                infrastructure_role: text("WINDLASS_INFRASTRUCTURE_ROLE_ARN"),
                verify: text("WINDLASS_VERIFY_FUNCTION_ARN")
                    .zip(text("WINDLASS_HOOK_ROLE_ARN"))
                    .map(|(function, role)| VerifyHook { function, role }),
                actor,
                revisions: if may_go { Revisions::MayGo } else { Revisions::Stay },
                published: if is_published { Published::Yes } else { Published::No },
                guard_rails: GuardRails {
                    enabled: !label_clusters.is_empty(),
                    clusters: label_clusters,
                    path_prefixes: list("WINDLASS_LABEL_PATH_PREFIXES"),
                    hosts: list("WINDLASS_LABEL_HOSTS"),
                    max_cpu: number("WINDLASS_LABEL_MAX_CPU", 1024)?,
                    max_memory: number("WINDLASS_LABEL_MAX_MEMORY", 2048)?,
                    max_desired: number("WINDLASS_LABEL_MAX_DESIRED", 4)?,
                },
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Stack, StackError> {
        let pairs: Vec<(String, String)> =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Stack::read(|name| pairs.iter().find(|(there, _)| there == name).map(|(_, value)| value.clone()))
    }

    #[test]
    fn empty_is_as_good_as_unset_and_labels_are_off_without_a_cluster() {
        let stack = read(&[
            ("WINDLASS_TABLE", "ledger"),
            ("AWS_REGION", "eu-central-1"),
            ("WINDLASS_CLUSTERS", "main, staging"),
            ("WINDLASS_LISTENER_ARN", ""),
            ("WINDLASS_LABEL_CLUSTERS", ""),
        ])
        .unwrap();
        assert_eq!(stack.clusters, ["main".into(), "staging".into()]);
        assert_eq!(stack.settings.listener, None);
        assert!(!stack.settings.guard_rails.enabled);
    }

    #[test]
    fn what_is_missing_or_does_not_read_is_named() {
        insta::assert_snapshot!(read(&[]).unwrap_err(), @"WINDLASS_TABLE is not set; template.yaml sets it for functions, and `windlass local` and the stack's outputs tell it for a shell");
        let bad = [("WINDLASS_TABLE", "t"), ("AWS_REGION", "r"), ("WINDLASS_LABEL_MAX_CPU", "lots")];
        insta::assert_snapshot!(read(&bad).unwrap_err(), @"WINDLASS_LABEL_MAX_CPU=lots does not read as a number");
        let bad = [("WINDLASS_TABLE", "t"), ("AWS_REGION", "r"), ("WINDLASS_DEREGISTER_REVISIONS", "maybe")];
        insta::assert_snapshot!(read(&bad).unwrap_err(), @"WINDLASS_DEREGISTER_REVISIONS=maybe does not read as yes or no");
    }
}
