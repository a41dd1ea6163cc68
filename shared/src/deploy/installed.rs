//! The stacks of Windlass that a Region has, as each tells it in a parameter of its own:
//! `/windlass/stacks/<stack>` of `template.yaml`, a JSON object of what the stack's functions have
//! in their environment. `table` there is `WINDLASS_TABLE` here.
//!
//! It does not know which stack a person means.

use std::collections::BTreeMap;

use crate::facts::ParameterText;
use crate::id::{ClusterName, StackName};

/// The path under which each stack has its parameter.
pub const PATH: &str = "/windlass/stacks";
/// What a function's variables begin with.
const VARIABLE: &str = "WINDLASS_";

/// What a stack says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// Its name.
    pub name: StackName,
    settings: BTreeMap<String, String>,
}

/// A stack's parameter that says nothing.
#[derive(Debug, thiserror::Error)]
#[error("the parameter {name} does not read as a stack's settings: {why}")]
pub struct NotSettings {
    name: String,
    why: String,
}

/// The stack whose parameter has this name.
pub fn stack_of(parameter: &str) -> Option<StackName> {
    let name = parameter.strip_prefix(PATH)?.strip_prefix('/')?;
    (!name.is_empty() && !name.contains('/')).then(|| StackName::new(name))
}

impl Installed {
    /// Reads a parameter below [`PATH`]. Members that are no text are of a later version, and passed over.
    pub fn of_parameter(parameter: &ParameterText) -> Result<Self, NotSettings> {
        let refused = |why: String| NotSettings { name: parameter.name.clone(), why };
        let name = stack_of(&parameter.name).ok_or_else(|| refused(format!("it is not below {PATH}")))?;
        let members: BTreeMap<String, serde_json::Value> =
            serde_json::from_str(&parameter.text).map_err(|error| refused(error.to_string()))?;
        let settings: BTreeMap<String, String> = members
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.as_str()?.to_owned())))
            .collect();
        if settings.get("table").is_none_or(String::is_empty) {
            return Err(refused("it names no table".to_owned()));
        }
        Ok(Self { name, settings })
    }

    /// What the stack's functions have as the variable `name`.
    pub fn variable(&self, name: &str) -> Option<String> {
        self.settings.get(&name.strip_prefix(VARIABLE)?.to_lowercase()).cloned()
    }

    /// The clusters that it looks after.
    pub fn clusters(&self) -> impl Iterator<Item = ClusterName> + '_ {
        let listed = self.settings.get("clusters").map(String::as_str).unwrap_or_default();
        listed.split(',').map(str::trim).filter(|name| !name.is_empty()).map(ClusterName::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, text: &str) -> Result<Installed, NotSettings> {
        Installed::of_parameter(&ParameterText { name: name.into(), version: 1, text: text.into() })
    }

    #[test]
    fn a_stack_says_what_its_functions_have() {
        let text = r#"{"table": "t", "clusters": "main, staging", "listener_arn": "", "later": {"a": 1}}"#;
        let stack = read("/windlass/stacks/prod", text).unwrap();
        assert_eq!(stack.name.as_str(), "prod");
        assert_eq!(stack.variable("WINDLASS_TABLE").as_deref(), Some("t"));
        assert_eq!(stack.variable("WINDLASS_LISTENER_ARN").as_deref(), Some(""));
        assert_eq!(stack.variable("WINDLASS_LATER"), None);
        assert_eq!(stack.variable("AWS_REGION"), None);
        assert_eq!(stack.clusters().collect::<Vec<_>>(), ["main".into(), "staging".into()]);
    }

    #[test]
    fn what_is_no_stacks_is_refused_by_its_name() {
        let why = |name: &str, text: &str| read(name, text).unwrap_err().to_string();
        insta::assert_snapshot!(why("/windlass/stacks/prod", "{}"), @"the parameter /windlass/stacks/prod does not read as a stack's settings: it names no table");
        insta::assert_snapshot!(why("/windlass/stacks/prod", "hello"), @"the parameter /windlass/stacks/prod does not read as a stack's settings: expected value at line 1 column 1");
        insta::assert_snapshot!(why("/windlass/services/main/shop", r#"{"table": "t"}"#), @"the parameter /windlass/services/main/shop does not read as a stack's settings: it is not below /windlass/stacks");
    }
}
