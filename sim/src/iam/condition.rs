//! A statement's `Condition`: every entry must hold, and of an entry's values one.

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use super::ask::Ask;
use super::pattern::{ArnPattern, Pattern};

/// One operator on one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Condition {
    /// In lower case: condition keys have none.
    key: String,
    of: Of,
    test: Test,
    /// `StringNotEquals` and its like.
    negated: bool,
    /// `…IfExists`: a key that is not there is as good as one that fits.
    if_exists: bool,
}

/// Which of a key's values must fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    /// The key has one value.
    One,
    All,
    Any,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    Equals(Vec<String>),
    EqualsIgnoringCase(Vec<String>),
    Like(Vec<Pattern>),
    Arn(Vec<ArnPattern>),
    Bool(bool),
    /// `true`: the key must not be there.
    Null(bool),
}

/// Reads a `Condition` block.
pub(super) fn read(block: &Value) -> Result<Vec<Condition>> {
    let mut conditions = Vec::new();
    for (operator, keys) in block.as_object().context("Condition is no object")? {
        for (key, values) in keys.as_object().with_context(|| format!("{operator} has no keys"))? {
            let read = one(operator, key, values);
            conditions.push(read.with_context(|| format!("the condition {operator} on {key}"))?);
        }
    }
    Ok(conditions)
}

fn one(operator: &str, key: &str, values: &Value) -> Result<Condition> {
    let values = texts(values)?;
    ensure!(!values.is_empty(), "it has no value, so that nothing ever fits it");
    let (of, rest) = match operator.split_once(':') {
        Some(("ForAllValues", rest)) => (Of::All, rest),
        Some(("ForAnyValue", rest)) => (Of::Any, rest),
        Some(_) => bail!("the embedded IAM does not know the operator {operator}"),
        None => (Of::One, operator),
    };
    let (base, if_exists) = rest.strip_suffix("IfExists").map_or((rest, false), |base| (base, true));
    let (test, negated) = test(base, &values)?;
    Ok(Condition { key: key.to_ascii_lowercase(), of, test, negated, if_exists })
}

/// The test, and whether it is turned around.
fn test(operator: &str, values: &[String]) -> Result<(Test, bool)> {
    let strings = || values.to_vec();
    Ok(match operator {
        "StringEquals" => (Test::Equals(strings()), false),
        "StringNotEquals" => (Test::Equals(strings()), true),
        "StringEqualsIgnoreCase" => (Test::EqualsIgnoringCase(strings()), false),
        "StringNotEqualsIgnoreCase" => (Test::EqualsIgnoringCase(strings()), true),
        "StringLike" => (Test::Like(patterns(values)), false),
        "StringNotLike" => (Test::Like(patterns(values)), true),
        // IAM: "ArnEquals and ArnLike behave identically."
        "ArnEquals" | "ArnLike" => (Test::Arn(arns(values)), false),
        "ArnNotEquals" | "ArnNotLike" => (Test::Arn(arns(values)), true),
        "Bool" => (Test::Bool(flag(values)?), false),
        "Null" => (Test::Null(flag(values)?), false),
        other => bail!("the embedded IAM does not carry out the operator {other}"),
    })
}

fn patterns(values: &[String]) -> Vec<Pattern> {
    values.iter().map(|value| Pattern::text(value)).collect()
}

fn arns(values: &[String]) -> Vec<ArnPattern> {
    values.iter().map(|value| ArnPattern::new(value)).collect()
}

fn flag(values: &[String]) -> Result<bool> {
    match values {
        [one] if one == "true" => Ok(true),
        [one] if one == "false" => Ok(false),
        other => bail!("true or false is wanted, not {other:?}"),
    }
}

/// A value or a list of them, as strings. A policy variable would have to be filled in.
pub(super) fn texts(values: &Value) -> Result<Vec<String>> {
    let values = values.as_array().map_or_else(|| std::slice::from_ref(values), Vec::as_slice);
    let text = |value: &Value| match value {
        Value::String(text) if text.contains("${") => {
            bail!("the embedded IAM does not fill in policy variables: {text}")
        }
        Value::String(text) => Ok(text.clone()),
        Value::Bool(flag) => Ok(flag.to_string()),
        other => bail!("a string is wanted, not {other}"),
    };
    values.iter().map(text).collect()
}

impl Condition {
    pub(super) fn holds(&self, ask: &Ask) -> bool {
        let values = ask.values(&self.key);
        if let Test::Null(absent) = self.test {
            return values.is_empty() == absent;
        }
        if values.is_empty() {
            return self.if_exists || matches!(self.of, Of::All) || (self.negated && self.of == Of::One);
        }
        let fits = |value: &String| self.test.fits(value) != self.negated;
        match self.of {
            Of::One | Of::All => values.iter().all(fits),
            Of::Any => values.iter().any(fits),
        }
    }
}

impl Test {
    fn fits(&self, value: &str) -> bool {
        match self {
            Self::Equals(wanted) => wanted.iter().any(|one| one == value),
            Self::EqualsIgnoringCase(wanted) => wanted.iter().any(|one| one.eq_ignore_ascii_case(value)),
            Self::Like(wanted) => wanted.iter().any(|one| one.matches(value)),
            Self::Arn(wanted) => wanted.iter().any(|one| one.matches(value)),
            Self::Bool(wanted) => value == if *wanted { "true" } else { "false" },
            Self::Null(_) => false,
        }
    }
}
