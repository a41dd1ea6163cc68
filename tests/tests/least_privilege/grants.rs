//! The grants of the roles, as the template writes them: parameters stand as `<Name>`.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::OnceLock;

use serde_json::Value;
use windlass_sim::iam::Policy;
use windlass_sim::template::{StackConfig, install};
use windlass_sim::{Config, World};

const TEMPLATE: &str = include_str!("../../../template.yaml");

/// One action on one resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    pub(crate) role: String,
    /// `<policy>/<Sid>`
    pub(crate) statement: String,
    pub(crate) action: String,
    pub(crate) resource: String,
    /// Which of the statement's resources.
    pub(crate) nth: usize,
    pub(crate) condition: String,
    /// The condition's keys.
    pub(crate) keys: BTreeSet<String>,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { role, statement, action, resource, .. } = self;
        write!(f, "{role} {statement}: {action} on {resource}")
    }
}

impl Row {
    /// What of a row of the table the template says.
    pub(crate) fn cells(&self) -> String {
        let Self { role, statement, action, resource, condition, .. } = self;
        let condition = if condition.is_empty() { String::new() } else { format!("`{condition}`") };
        format!("| {role} | {statement} | `{action}` | `{resource}` | {condition} |")
    }
}

/// Why no test uses a grant, where that is so.
pub(crate) fn excuse(row: &Row) -> Option<&'static str> {
    super::UNUSED.iter().find(|(action, _)| row.action.starts_with(action)).map(|(_, why)| *why)
}

/// All of them, in the template's order within each role.
pub(crate) fn rows() -> &'static [Row] {
    static ROWS: OnceLock<Vec<Row>> = OnceLock::new();
    ROWS.get_or_init(read)
}

fn read() -> Vec<Row> {
    let config = Config { region: "<Region>".into(), account: "<Account>".into(), ..Config::default() };
    let listener = "arn:aws:elasticloadbalancing:<Region>:<Account>:listener/app/<Listener>";
    let stack = StackConfig::named("windlass")
        .with("ClusterNames", "<Cluster>")
        .with("ListenerArn", listener)
        .with("RepositoryNames", "<Repository>")
        .with("PassRoleArns", "arn:aws:iam::<Account>:role/<PassRole>")
        .with("PublishDeployed", "yes")
        .with("VerifySubnetIds", "<Subnet>");
    let stack =
        install(&mut World::new(config), TEMPLATE, &stack).unwrap_or_else(|error| panic!("{error:#}"));
    let mut rows = Vec::new();
    for (role, documents) in &stack.roles {
        let policy = Policy::read(documents).unwrap_or_else(|error| panic!("{role}: {error:#}"));
        for grant in policy.grants() {
            let condition = policy.conditions(&grant);
            rows.push(Row {
                role: role.clone(),
                statement: format!("{}/{}", grant.policy, grant.sid),
                condition: words(&condition),
                keys: keys(&condition),
                action: grant.action,
                resource: grant.resource,
                nth: grant.nth,
            });
        }
    }
    rows
}

fn entries(condition: &Value) -> impl Iterator<Item = (&String, &String, &Value)> {
    let operators = condition.as_object().into_iter().flatten();
    operators.flat_map(|(operator, keys)| {
        keys.as_object().into_iter().flatten().map(move |(key, values)| (operator, key, values))
    })
}

fn keys(condition: &Value) -> BTreeSet<String> {
    entries(condition).map(|(_, key, _)| key.clone()).collect()
}

/// `StringEquals aws:RequestedRegion <Region>; …`
fn words(condition: &Value) -> String {
    let entry = |(operator, key, values): (&String, &String, &Value)| {
        let values: Vec<&str> = match values {
            Value::Array(values) => values.iter().filter_map(Value::as_str).collect(),
            one => one.as_str().into_iter().collect(),
        };
        format!("{operator} {key} {}", values.join(" or "))
    };
    entries(condition).map(entry).collect::<Vec<_>>().join("; ")
}
