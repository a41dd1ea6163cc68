use anyhow::Result;
use serde_json::{Value, json};

use super::*;

mod asked;
mod decided;

fn documents(statements: &Value) -> Vec<Document> {
    vec![Document { name: "p".into(), document: json!({"Version": "2012-10-17", "Statement": statements}) }]
}

fn read(statements: &Value) -> Result<Policy> {
    Policy::read(&documents(statements))
}

fn policy(statements: &Value) -> Policy {
    read(statements).unwrap_or_else(|error| panic!("{error:#}"))
}

/// A statement that allows `ecs:RunTask` everywhere under one condition.
fn under(condition: &Value) -> Policy {
    policy(&json!({"Effect": "Allow", "Action": "ecs:RunTask", "Resource": "*", "Condition": condition}))
}

fn allows(policy: &Policy, ask: &Ask) -> bool {
    matches!(policy.decide(ask), Decision::Allowed(_))
}
