//! A resource's own policy: what it lets other accounts do. ECR's repositories and EventBridge's buses
//! have one. It counts beside the caller's own policies, and both must allow what crosses accounts.
//!
//! Principals are accounts (a number, or `arn:aws:iam::<account>:root`), roles by their ARN, and `*`.

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::ask::Ask;
use super::condition::texts;
use super::policy::{Decision, Document, Policy};

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The caller's account.
    pub(crate) account: String,
    /// The ARN of its role, where that is known.
    pub(crate) role: Option<String>,
}

/// A resource's policy, compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ResourcePolicy(Vec<(Vec<String>, Policy)>);

impl ResourcePolicy {
    /// Compiles `{"Version": …, "Statement": …}`. A statement without a resource is of all that the policy
    /// hangs on: a repository's policy names none.
    pub(crate) fn read(document: &Value) -> Result<Self> {
        let inside = document.get("Statement").context("the policy has no statements")?;
        let inside = inside.as_array().map_or_else(|| std::slice::from_ref(inside), Vec::as_slice);
        let statements = inside.iter().enumerate().map(|(nth, statement)| {
            Self::statement(statement).with_context(|| format!("statement {}", nth + 1))
        });
        statements.collect::<Result<_>>().map(Self)
    }

    fn statement(statement: &Value) -> Result<(Vec<String>, Policy)> {
        let mut rest = statement.as_object().context("it is no object")?.clone();
        let principals = principals(&rest.remove("Principal").context("it names no Principal")?)?;
        if !rest.contains_key("Resource") && !rest.contains_key("NotResource") {
            rest.insert("Resource".into(), json!("*"));
        }
        let document = json!({ "Statement": [rest] });
        let policy = Policy::read(&[Document { name: "resource".into(), document }])?;
        Ok((principals, policy))
    }

    /// Whether it lets `caller` do what is asked: one statement allows it, and none denies it.
    pub(crate) fn allows(&self, caller: &Caller, ask: &Ask) -> bool {
        let of_caller = self.0.iter().filter(|(principals, _)| principals.iter().any(|it| is(it, caller)));
        let decisions: Vec<Decision> = of_caller.map(|(_, policy)| policy.decide(ask)).collect();
        decisions.iter().any(|it| matches!(it, Decision::Allowed(_)))
            && !decisions.contains(&Decision::ExplicitDeny)
    }
}

fn principals(principal: &Value) -> Result<Vec<String>> {
    match principal {
        Value::String(all) if all == "*" => Ok(vec![all.clone()]),
        Value::Object(kinds) if kinds.len() == 1 && kinds.contains_key("AWS") => texts(&kinds["AWS"]),
        other => bail!("the embedded IAM does not carry out the principal {other}"),
    }
}

fn is(principal: &str, caller: &Caller) -> bool {
    let account = principal.strip_prefix("arn:aws:iam::").and_then(|rest| rest.strip_suffix(":root"));
    principal == "*"
        || account.unwrap_or(principal) == caller.account
        || caller.role.as_deref() == Some(principal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(statements: &Value) -> ResourcePolicy {
        ResourcePolicy::read(&json!({ "Version": "2012-10-17", "Statement": statements })).unwrap()
    }

    fn caller(account: &str) -> Caller {
        Caller { account: account.into(), role: Some(format!("arn:aws:iam::{account}:role/deploy")) }
    }

    #[test]
    fn it_lets_those_in_that_it_names() {
        let ask = Ask::new("ecr:BatchGetImage", "arn:aws:ecr:eu-central-1:111122223333:repository/shop");
        for (principal, is_let_in) in [
            (json!("*"), true),
            (json!({ "AWS": "123456789012" }), true),
            (json!({ "AWS": ["999999999999", "arn:aws:iam::123456789012:root"] }), true),
            (json!({ "AWS": "arn:aws:iam::123456789012:role/deploy" }), true),
            (json!({ "AWS": "arn:aws:iam::123456789012:role/other" }), false),
            (json!({ "AWS": "999999999999" }), false),
        ] {
            let allow = json!({ "Effect": "Allow", "Principal": principal, "Action": "ecr:BatchGet*" });
            let policy = policy(&json!([allow]));
            assert_eq!(policy.allows(&caller("123456789012"), &ask), is_let_in, "{principal}");
            assert!(!policy.allows(&caller("123456789012"), &Ask::new("ecr:PutImage", "*")));
        }
    }

    #[test]
    fn a_denial_counts_more_and_what_is_not_known_is_refused() {
        let both = policy(&json!([
            { "Effect": "Allow", "Principal": "*", "Action": "ecr:*" },
            { "Effect": "Deny", "Principal": { "AWS": "123456789012" }, "Action": "ecr:BatchGetImage" },
        ]));
        assert!(!both.allows(&caller("123456789012"), &Ask::new("ecr:BatchGetImage", "*")));
        assert!(both.allows(&caller("999999999999"), &Ask::new("ecr:BatchGetImage", "*")));
        for bad in [
            json!({ "Effect": "Allow", "Action": "ecr:*" }),
            json!({ "Effect": "Allow", "Principal": { "Service": "ecs.amazonaws.com" }, "Action": "ecr:*" }),
            json!({ "Effect": "Allow", "NotPrincipal": "*", "Principal": "*", "Action": "ecr:*" }),
        ] {
            assert!(ResourcePolicy::read(&json!({ "Statement": [bad] })).is_err(), "{bad}");
        }
    }
}
