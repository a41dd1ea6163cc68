//! ECS's cluster query language, the expressions of `memberOf` constraints: read, and asked of an
//! instance.
//!
//! Subjects: `attribute:<name>`, `ec2InstanceId`, `agentConnected`, `agentVersion`, `runningTasksCount`,
//! `task:group`. Everything else, `registeredAt` included, is an error by name: a constraint that is not
//! understood must never count as fulfilled.
//!
//! What AWS's page leaves open is taken so: an attribute that an instance lacks is neither equal to
//! anything nor matched, so that `!=` and `!~` hold; a pattern must match the whole value, as Java's
//! `matches` does; of several tasks on an instance, one in the group is enough.
//!
//! (Source: docs.aws.amazon.com, `cluster-query-language`.)

mod parse;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::fmt;

use regex::Regex;

use super::instance::Attributes;
pub use parse::QueryError;

/// A parsed expression. Two are equal if their texts are.
#[derive(Debug, Clone)]
pub struct ClusterQuery {
    text: String,
    node: Node,
}

/// What is known of an instance. `None` is not known (an instance that does not exist yet has no id): a query
/// that depends on it is not fulfilled, nor is its opposite.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Its attributes, all of them.
    pub attributes: &'a Attributes,
    /// EC2's id.
    pub ec2_instance_id: Option<&'a str>,
    /// The agent's version.
    pub agent_version: Option<&'a str>,
    /// Whether the agent is connected.
    pub agent_connected: Option<bool>,
    /// The groups of the tasks on it; one entry a task.
    pub groups: &'a [&'a str],
}

impl ClusterQuery {
    /// Reads an expression of at most 2,000 characters.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        Ok(Self { text: text.to_owned(), node: parse::parse(text)? })
    }

    /// As it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether an instance fulfils it for certain.
    pub fn is_fulfilled_by(&self, candidate: Candidate<'_>) -> bool {
        self.node.holds(candidate) == Some(true)
    }

    /// Whether the answer changes with the tasks on an instance.
    pub fn looks_at_tasks(&self) -> bool {
        self.node.any_subject(&|it| matches!(it, Subject::TaskGroup | Subject::RunningTasks))
    }
}

#[derive(Debug, Clone)]
enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    Test(Subject, Test),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Subject {
    Attribute(String),
    Ec2InstanceId,
    AgentConnected,
    AgentVersion,
    RunningTasks,
    TaskGroup,
}

#[derive(Debug, Clone)]
enum Test {
    Exists,
    Among(Vec<String>),
    Matches(Regex),
    /// A number, or a version's numbers.
    Compared(Vec<Ordering>, Vec<u64>),
}

impl Node {
    /// Kleene's logic: `None` is not known.
    fn holds(&self, candidate: Candidate<'_>) -> Option<bool> {
        match self {
            Self::All(nodes) => decide(nodes, candidate, false),
            Self::Any(nodes) => decide(nodes, candidate, true),
            Self::Not(node) => node.holds(candidate).map(|it| !it),
            Self::Test(subject, test) => subject.passes(test, candidate),
        }
    }

    fn any_subject(&self, wanted: &impl Fn(&Subject) -> bool) -> bool {
        match self {
            Self::All(nodes) | Self::Any(nodes) => nodes.iter().any(|it| it.any_subject(wanted)),
            Self::Not(node) => node.any_subject(wanted),
            Self::Test(subject, _) => wanted(subject),
        }
    }
}

/// One `settling` settles it; else one unknown leaves it unknown.
fn decide(nodes: &[Node], candidate: Candidate<'_>, settling: bool) -> Option<bool> {
    let mut answer = Some(!settling);
    for node in nodes {
        match node.holds(candidate) {
            Some(it) if it == settling => return Some(settling),
            Some(_) => {}
            None => answer = None,
        }
    }
    answer
}

impl Subject {
    fn passes(&self, test: &Test, candidate: Candidate<'_>) -> Option<bool> {
        match self {
            Self::Attribute(name) => Some(match (candidate.attributes.get(name), test) {
                (None, _) => false,
                (Some(_), Test::Exists) => true,
                (Some(value), test) => value.as_ref().is_some_and(|it| test.passes(it)),
            }),
            Self::Ec2InstanceId => candidate.ec2_instance_id.map(|it| test.passes(it)),
            Self::AgentVersion => candidate.agent_version.map(|it| test.passes(it)),
            Self::AgentConnected => {
                candidate.agent_connected.map(|it| test.passes(if it { "true" } else { "false" }))
            }
            Self::RunningTasks => Some(test.passes(&candidate.groups.len().to_string())),
            Self::TaskGroup => Some(candidate.groups.iter().any(|it| test.passes(it))),
        }
    }
}

impl Test {
    fn passes(&self, value: &str) -> bool {
        match self {
            Self::Exists => true,
            Self::Among(values) => values.iter().any(|it| it == value),
            Self::Matches(pattern) => pattern.is_match(value),
            Self::Compared(orders, than) => {
                parse::numbers(value).is_some_and(|it| orders.contains(&compare(&it, than)))
            }
        }
    }
}

/// `1.2` is `1.2.0`.
fn compare(left: &[u64], right: &[u64]) -> Ordering {
    let at = |numbers: &[u64], index: usize| numbers.get(index).copied().unwrap_or(0);
    (0..left.len().max(right.len()))
        .map(|index| at(left, index).cmp(&at(right, index)))
        .find(|it| it.is_ne())
        .unwrap_or(Ordering::Equal)
}

impl PartialEq for ClusterQuery {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for ClusterQuery {}

impl PartialOrd for ClusterQuery {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ClusterQuery {
    fn cmp(&self, other: &Self) -> Ordering {
        self.text.cmp(&other.text)
    }
}

impl fmt::Display for ClusterQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
