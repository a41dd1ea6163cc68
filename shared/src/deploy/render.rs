//! A plan as people read it: what `windlass plan` prints, and what the history keeps.

mod update;

use std::fmt;

use serde_json::Value;

use super::plan::{Forward, InFlightChange, Made, Part, Plan, RuleAction, RuleChange, Step};
use crate::facts::{Rule, RuleConditions};
use crate::spec::{Rewrite, RewriteOf};
use crate::task_definition::TaskDefinition;

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.key)?;
        for note in &self.report {
            writeln!(f, "  {note}")?;
        }
        for ended in &self.ledger.ended {
            writeln!(f, "  ended: {} {}", ended.digest.short(), ended.outcome)?;
        }
        for digest in self.ledger.quarantine.keys() {
            writeln!(f, "  quarantine: {}", digest.short())?;
        }
        if let InFlightChange::Set(intent) = &self.ledger.in_flight
            && !self.steps.is_empty()
        {
            let tag = intent.tag.as_ref().map(|tag| format!("{tag} ")).unwrap_or_default();
            let from = intent.from_digest.as_ref().map_or("nothing", |from| from.short());
            writeln!(f, "  release: {tag}{} (from {from})", intent.digest.short())?;
        }
        for (number, step) in self.steps.iter().enumerate() {
            writeln!(f, "  {}. {step:#}", number + 1)?;
        }
        Ok(())
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RegisterTaskDefinition { family, content, replaces, .. } => {
                match replaces {
                    Some(replaces) => write!(f, "register {family}, from {}", replaces.short())?,
                    None => write!(f, "register {family}")?,
                }
                for (name, image) in content.images() {
                    write!(f, "; {name}: {}", image.unwrap_or("no image"))?;
                }
                Ok(())
            }
            Self::CreateTargetGroup(group) => {
                write!(
                    f,
                    "create target group {} ({} targets, port {}, health check {})",
                    group.name, group.target_type, group.port, group.health.path
                )
            }
            Self::CreateRule { priority, conditions, action, rewrites, parked: false, .. } => {
                write!(f, "create rule {priority}: {conditions} → {}", leads(action))?;
                rewrites.iter().try_for_each(|rewrite| write!(f, "; rewrites {}", rewrite_words(rewrite)))
            }
            Self::CreateRule { priority, .. } => {
                write!(f, "create rule {priority}, parked until a target is healthy")
            }
            Self::ModifyRule { expected, change } => modify_rule(f, expected, change),
            Self::SetPriorities { moves, .. } => {
                let moves: Vec<String> = moves
                    .iter()
                    .map(|moved| format!("{} {} → {}", moved.whose, moved.from, moved.to))
                    .collect();
                write!(f, "move rules: {}", moves.join(", "))
            }
            Self::DeleteRule { expected } => {
                write!(f, "delete rule {}: {}", expected.priority.unwrap_or_default(), expected.conditions)
            }
            Self::SetTargetGroup { name, health, deregistration_delay_secs, .. } => {
                write!(f, "set target group {name}:")?;
                if let Some(health) = health {
                    write!(
                        f,
                        " health check {} every {} s ({}), healthy after {}, unhealthy after {};",
                        health.path,
                        health.interval_secs,
                        health.matcher,
                        health.healthy_threshold,
                        health.unhealthy_threshold
                    )?;
                }
                deregistration_delay_secs
                    .map_or(Ok(()), |delay| write!(f, " deregistration delay {delay} s;"))
            }
            Self::RollOutAgain { task_definition, .. } => {
                write!(f, "roll out {} once more: its deployment failed", task_definition.short())
            }
            Self::DeleteTargetGroup { group } => write!(f, "delete target group {group}"),
            Self::Scale { part, expected, desired } => {
                write!(f, "scale {}: {expected} → {desired} task(s)", part_word(*part))
            }
            Self::DeleteService { part } => write!(f, "delete {}", part_word(*part)),
            Self::StopRollout { .. } => f.write_str("end the rollout: ECS rolls back"),
            Self::AnswerHook { approve: true, .. } => f.write_str("let the rollout go on: approved"),
            Self::AnswerHook { approve: false, .. } => f.write_str("roll the rollout back: rejected"),
            Self::RunTask(task) => {
                write!(f, "run `{}` of {}", task.command.join(" "), made(&task.task_definition))
            }
            Self::StartScan { repository, digest } => write!(f, "scan {repository}@{}", digest.short()),
            Self::AskVerdict(wanted) => write!(f, "ask for a verdict on {}", wanted.digest.short()),
            Self::Deregister { task_definition } => write!(f, "deregister {}", task_definition.short()),
            Self::Publish { parameter, .. } => write!(f, "publish what is live in {parameter}"),
            Self::CreateService(service) => {
                let (part, made) = (part_word(service.part), made(&service.task_definition));
                write!(f, "create {part} with {} task(s) of {made}", service.desired)?;
                detail(f, &update::chosen(&service.settings))
            }
            Self::UpdateService { part, expected, task_definition, settings, load_balancer, was } => {
                let (part, made) = (part_word(*part), made(task_definition));
                write!(f, "update {part}: {} → {made}", expected.short())?;
                detail(f, &update::lines(was.as_deref(), settings.as_ref(), load_balancer.as_deref()))
            }
        }
    }
}

/// A line each in a plan (`{:#}`), one after the other in a record.
fn detail(f: &mut fmt::Formatter<'_>, lines: &[String]) -> fmt::Result {
    let before = if f.alternate() { "\n       " } else { "; " };
    lines.iter().try_for_each(|line| write!(f, "{before}{line}"))
}

fn part_word(part: Part) -> &'static str {
    match part {
        Part::Main => "the service",
        Part::Canary => "its canary",
    }
}

fn modify_rule(f: &mut fmt::Formatter<'_>, rule: &Rule, change: &RuleChange) -> fmt::Result {
    write!(f, "modify rule {}:", rule.priority.unwrap_or_default())?;
    if let Some(conditions) = &change.conditions {
        write!(f, " {} → {conditions};", rule.conditions)?;
    }
    if let Some(action) = &change.action {
        let forwards = rule.forwards.iter();
        let now = RuleAction {
            forwards: forwards
                .map(|(group, weight)| Forward { group: Made::Already(group.clone()), weight: *weight })
                .collect(),
            stickiness_secs: rule.stickiness_secs,
        };
        write!(f, " forwards {} → {};", leads(&now), leads(action))?;
    }
    if let Some(rewrites) = &change.rewrites {
        let words = |rewrites: &[Rewrite]| match rewrites {
            [] => "none".to_owned(),
            some => some.iter().map(rewrite_words).collect::<Vec<_>>().join(", "),
        };
        write!(f, " rewrites {} → {};", words(&rule.rewrites), words(rewrites))?;
    }
    for (tag, value) in &change.tags {
        let now = rule.tags.get(tag).map_or("(nothing)", String::as_str);
        write!(f, " tag {tag} {now} → {value};")?;
    }
    Ok(())
}

/// `shop-1a2b3c4d 90, shop-canary-5e6f7a8b 10, sticky for 60 s`.
fn leads(action: &RuleAction) -> String {
    let group = |arn: &str| arn.rsplit('/').nth(1).unwrap_or(arn).to_owned();
    let forwards = action.forwards.iter().map(|forward| match &forward.group {
        Made::Already(arn) => format!("{} {}", group(arn.as_str()), forward.weight),
        Made::ByThisPlan(name) => format!("{name} {}", forward.weight),
    });
    let sticky = action.stickiness_secs.map(|secs| format!("sticky for {secs} s"));
    forwards.chain(sticky).collect::<Vec<_>>().join(", ")
}

fn rewrite_words(rewrite: &Rewrite) -> String {
    let of = match rewrite.of {
        RewriteOf::Url => "url",
        RewriteOf::Host => "host",
    };
    format!("{of} {} to {}", rewrite.regex, rewrite.replace)
}

fn made(arn: &Made<crate::id::TaskDefinitionArn>) -> &str {
    match arn {
        Made::Already(arn) => arn.short(),
        Made::ByThisPlan(_) => "the new revision",
    }
}

impl fmt::Display for RuleConditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        for (what, values) in
            [("host", &self.hosts), ("path", &self.paths), ("method", &self.methods), ("query", &self.query)]
        {
            if !values.is_empty() {
                parts.push(format!("{what} {}", values.join(" or ")));
            }
        }
        parts.extend(
            self.headers.iter().map(|(name, values)| format!("header {name} {}", values.join(" or "))),
        );
        parts.extend(self.other.iter().cloned());
        if parts.is_empty() { f.write_str("everything") } else { f.write_str(&parts.join(" and ")) }
    }
}

/// What changes from one revision to the next, a line each: `containerDefinitions[web].image: a → b`.
pub fn difference(from: &TaskDefinition, to: &TaskDefinition) -> Vec<String> {
    let mut lines = Vec::new();
    walk("", &Value::Object(from.content.clone()), &Value::Object(to.content.clone()), &mut lines);
    lines
}

fn walk(path: &str, from: &Value, to: &Value, lines: &mut Vec<String>) {
    match (from, to) {
        (Value::Object(a), Value::Object(b)) => {
            let names: std::collections::BTreeSet<_> = a.keys().chain(b.keys()).collect();
            for name in names {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                walk(&path, a.get(name).unwrap_or(&Value::Null), b.get(name).unwrap_or(&Value::Null), lines);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (at, (a, b)) in a.iter().zip(b).enumerate() {
                let name =
                    b.get("name").and_then(Value::as_str).map_or_else(|| at.to_string(), str::to_owned);
                walk(&format!("{path}[{name}]"), a, b, lines);
            }
        }
        (a, b) if a == b => {}
        (a, b) => lines.push(format!("{path}: {} → {}", brief(a), brief(b))),
    }
}

fn brief(value: &Value) -> String {
    match value {
        Value::Null => "(nothing)".into(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
