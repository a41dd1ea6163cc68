//! A role's policies, compiled once, and what they decide.

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ask::Ask;
use super::condition::{self, Condition, texts};
use super::pattern::Pattern;

/// A policy as it is written, with its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// Its name within the role.
    pub name: String,
    /// `{"Version": …, "Statement": …}`
    pub document: Value,
}

/// A role's policies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    statements: Vec<Statement>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Statement {
    policy: String,
    sid: String,
    allows: bool,
    actions: Words,
    resources: Words,
    conditions: Vec<Condition>,
    /// The conditions as they are written.
    written: Value,
}

/// `Action` or `NotAction`, `Resource` or `NotResource`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Words {
    all: Vec<(String, Pattern)>,
    but: bool,
}

/// One action on one resource, as an allowing statement lists them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// The policy's name within the role.
    pub policy: String,
    /// The statement's id, or its number.
    pub sid: String,
    /// The action's pattern.
    pub action: String,
    /// The resource's pattern.
    pub resource: String,
    /// Which of the statement's resources that is.
    pub nth: usize,
}

/// Where a grant stands: statement, action, resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Found {
    statement: usize,
    action: usize,
    resource: usize,
}

/// What the policies say to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    Allowed(Found),
    ExplicitDeny,
    NothingAllows,
}

impl Policy {
    /// Compiles a role's policies. An error names the policy, the statement and what the embedded
    /// IAM does not carry out.
    pub fn read(documents: &[Document]) -> Result<Self> {
        let mut statements = Vec::new();
        for Document { name, document } in documents {
            let inside = document.get("Statement").with_context(|| {
                format!(
                    "the policy {name} has no statements: write policies out, the embedded AWS has no managed ones"
                )
            })?;
            let version = document.get("Version").and_then(Value::as_str);
            ensure!(
                version.is_none_or(|version| version == "2012-10-17" || version == "2008-10-17"),
                "the policy {name} has the unknown version {version:?}"
            );
            let inside = inside.as_array().map_or_else(|| std::slice::from_ref(inside), Vec::as_slice);
            for (nth, statement) in inside.iter().enumerate() {
                let read = Statement::read(name, nth, statement);
                statements.push(read.with_context(|| format!("the policy {name}, statement {}", nth + 1))?);
            }
        }
        Ok(Self { statements })
    }

    pub(crate) fn decide(&self, ask: &Ask) -> Decision {
        let action = ask.action.to_ascii_lowercase();
        let mut allowed = None;
        for (nth, statement) in self.statements.iter().enumerate() {
            if allowed.is_some() && statement.allows {
                continue;
            }
            let Some((action, resource)) = statement.applies(&action, ask) else { continue };
            if !statement.allows {
                return Decision::ExplicitDeny;
            }
            allowed = Some(Found { statement: nth, action, resource });
        }
        allowed.map_or(Decision::NothingAllows, Decision::Allowed)
    }

    /// Whether any statement that allows names this action, whatever its resources and conditions.
    pub(crate) fn names(&self, action: &str) -> bool {
        let action = action.to_ascii_lowercase();
        self.statements.iter().any(|it| it.allows && it.actions.find(&action).is_some())
    }

    /// Every action on every resource that the statements allow, in their order.
    pub fn grants(&self) -> Vec<Grant> {
        let founds = self.statements.iter().enumerate().filter(|(_, it)| it.allows).flat_map(|(nth, it)| {
            let resources = it.resources.all.len();
            (0..it.actions.all.len()).flat_map(move |action| {
                (0..resources).map(move |resource| Found { statement: nth, action, resource })
            })
        });
        founds.filter_map(|found| self.grant(found)).collect()
    }

    /// The conditions of the statement that a grant is of, as they are written; null without any.
    pub fn conditions(&self, grant: &Grant) -> Value {
        let of = |it: &&Statement| it.policy == grant.policy && it.sid == grant.sid;
        self.statements.iter().find(of).map(|it| it.written.clone()).unwrap_or_default()
    }

    pub(crate) fn grant(&self, found: Found) -> Option<Grant> {
        let statement = self.statements.get(found.statement)?;
        Some(Grant {
            policy: statement.policy.clone(),
            sid: statement.sid.clone(),
            action: statement.actions.all.get(found.action)?.0.clone(),
            resource: statement.resources.all.get(found.resource)?.0.clone(),
            nth: found.resource,
        })
    }
}

impl Statement {
    fn read(policy: &str, nth: usize, statement: &Value) -> Result<Self> {
        const MEMBERS: [&str; 7] =
            ["Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"];
        for member in statement.as_object().context("it is no object")?.keys() {
            ensure!(MEMBERS.contains(&member.as_str()), "the embedded IAM does not carry out {member}");
        }
        let allows = match statement["Effect"].as_str() {
            Some("Allow") => true,
            Some("Deny") => false,
            other => bail!("Effect is Allow or Deny, not {other:?}"),
        };
        let conditions = statement.get("Condition").map(condition::read).transpose()?.unwrap_or_default();
        let sid = statement["Sid"].as_str().map_or_else(|| (nth + 1).to_string(), str::to_owned);
        Ok(Self {
            policy: policy.to_owned(),
            sid,
            allows,
            actions: Words::read(statement, "Action", Pattern::action)?,
            resources: Words::read(statement, "Resource", Pattern::resource)?,
            conditions,
            written: statement.get("Condition").cloned().unwrap_or_default(),
        })
    }

    /// Which of its actions and resources fit, if all of the statement does.
    fn applies(&self, action: &str, ask: &Ask) -> Option<(usize, usize)> {
        let action = self.actions.find(action)?;
        let resource = self.resources.find(&ask.resource)?;
        self.conditions.iter().all(|condition| condition.holds(ask)).then_some((action, resource))
    }
}

impl Words {
    fn read(statement: &Value, member: &str, compile: fn(&str) -> Pattern) -> Result<Self> {
        let not = format!("Not{member}");
        let (words, but) = match (statement.get(member), statement.get(&not)) {
            (Some(words), None) => (words, false),
            (None, Some(words)) => (words, true),
            _ => bail!("it wants either {member} or {not}"),
        };
        let words = texts(words)?;
        ensure!(!words.is_empty(), "{member} is empty");
        let all = words.into_iter().map(|word| (word.clone(), compile(&word))).collect();
        Ok(Self { all, but })
    }

    /// The first word that fits; of what is excluded, the first word stands for all.
    fn find(&self, text: &str) -> Option<usize> {
        let found = self.all.iter().position(|(_, pattern)| pattern.matches(text));
        if self.but { found.is_none().then_some(0) } else { found }
    }
}
