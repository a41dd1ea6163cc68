//! Event patterns: EventBridge's matching, compiled once and asked for every event.
//!
//! Source: "Comparison operators for use in event patterns" of the EventBridge guide, and
//! `aws/event-ruler` where the guide is silent (arrays, absent fields).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::wildcard;

/// A compiled pattern.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pattern(Node);

/// What an object must have: every field, and one branch of each `$or`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Node {
    fields: BTreeMap<String, Field>,
    or: Vec<Node>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Field {
    Nested(Node),
    /// One of these.
    AnyOf(Vec<Matcher>),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Matcher {
    Exact(Value),
    Text(Text),
    AnythingBut(Vec<Value>),
    AnythingButText(Vec<Text>),
    Exists(bool),
    /// All of these.
    Numeric(Vec<(Comparison, f64)>),
    Cidr(String),
}

/// A comparison of strings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Text {
    kind: TextKind,
    operand: String,
    ignore_case: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum TextKind {
    Equals,
    Prefix,
    Suffix,
    Wildcard,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Comparison {
    Less,
    LessOrEqual,
    Equal,
    GreaterOrEqual,
    Greater,
}

impl Pattern {
    /// Compiles a pattern. The error is the reason, without AWS's words around it.
    pub fn new(pattern: &Value) -> Result<Self, String> {
        let object = pattern.as_object().ok_or("Filter is not an object")?;
        if object.is_empty() {
            return Err("Empty objects are not allowed".into());
        }
        Node::new(object).map(Self)
    }

    /// Compiles a pattern's JSON text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let value: Value =
            serde_json::from_str(text).map_err(|error| format!("Filter is not JSON: {error}"))?;
        Self::new(&value)
    }

    /// Whether `event` matches.
    pub fn matches(&self, event: &Value) -> bool {
        self.0.matches(Some(event))
    }
}

impl Node {
    fn new(object: &Map<String, Value>) -> Result<Self, String> {
        let mut node = Self { fields: BTreeMap::new(), or: Vec::new() };
        for (name, value) in object {
            if name == "$or" {
                node.or = branches(value)?;
            } else {
                node.fields.insert(name.clone(), Field::new(name, value)?);
            }
        }
        Ok(node)
    }

    /// An object inside an array matches if one element matches the whole node: fields
    /// are never taken from different elements.
    fn matches(&self, value: Option<&Value>) -> bool {
        if let Some(Value::Array(items)) = value {
            return items.iter().any(|item| self.matches(Some(item)));
        }
        let object = value.and_then(Value::as_object);
        let get = |name: &String| object.and_then(|object| object.get(name));
        self.fields.iter().all(|(name, field)| field.matches(get(name)))
            && (self.or.is_empty() || self.or.iter().any(|branch| branch.matches(value)))
    }
}

fn branches(value: &Value) -> Result<Vec<Node>, String> {
    let items = value.as_array().filter(|items| items.len() > 1);
    let items = items.ok_or("$or must be an array of two objects or more")?;
    let object = |item: &Value| match item.as_object() {
        Some(object) if !object.is_empty() => Node::new(object),
        _ => Err("$or must be an array of objects with a field or more".to_owned()),
    };
    items.iter().map(object).collect()
}

impl Field {
    fn new(name: &str, value: &Value) -> Result<Self, String> {
        match value {
            Value::Object(object) if object.is_empty() => Err("Empty objects are not allowed".into()),
            Value::Object(object) => Node::new(object).map(Self::Nested),
            Value::Array(items) if items.is_empty() => Err("Empty arrays are not allowed".into()),
            Value::Array(items) => items.iter().map(Matcher::new).collect::<Result<_, _>>().map(Self::AnyOf),
            _ => Err(format!("\"{name}\" must be an object or an array")),
        }
    }

    fn matches(&self, value: Option<&Value>) -> bool {
        match self {
            Self::Nested(node) => node.matches(value),
            Self::AnyOf(matchers) => {
                let leaves = leaves(value);
                matchers.iter().any(|matcher| matcher.matches(&leaves))
            }
        }
    }
}

/// A field's values: itself, or its array's elements. An object is no value, and an empty
/// array has none, so `exists: false` matches both.
fn leaves(value: Option<&Value>) -> Vec<&Value> {
    match value {
        None | Some(Value::Object(_)) => Vec::new(),
        Some(Value::Array(items)) => items.iter().flat_map(|item| leaves(Some(item))).collect(),
        Some(leaf) => vec![leaf],
    }
}

impl Matcher {
    fn new(value: &Value) -> Result<Self, String> {
        let Some(object) = value.as_object() else {
            return match value {
                Value::Array(_) => Err("Arrays are not allowed within arrays".into()),
                scalar => Ok(Self::Exact(scalar.clone())),
            };
        };
        let mut entries = object.iter();
        let (Some((kind, operand)), None) = (entries.next(), entries.next()) else {
            return Err("Only one key is allowed in a match expression".into());
        };
        match kind.as_str() {
            "exists" => operand.as_bool().map(Self::Exists).ok_or_else(|| bad(kind)),
            "numeric" => numeric(operand).map(Self::Numeric),
            "cidr" => operand.as_str().map(|text| Self::Cidr(text.to_owned())).ok_or_else(|| bad(kind)),
            "anything-but" => anything_but(operand),
            text => Text::new(text, operand).map(Self::Text),
        }
    }

    fn matches(&self, leaves: &[&Value]) -> bool {
        match self {
            Self::Exists(wanted) => *wanted != leaves.is_empty(),
            one => leaves.iter().any(|leaf| one.matches_leaf(leaf)),
        }
    }

    fn matches_leaf(&self, leaf: &Value) -> bool {
        match self {
            Self::Exact(value) => same(value, leaf),
            Self::Text(text) => leaf.as_str().is_some_and(|leaf| text.matches(leaf)),
            Self::AnythingBut(values) => !values.iter().any(|value| same(value, leaf)),
            Self::AnythingButText(texts) => {
                leaf.as_str().is_some_and(|leaf| !texts.iter().any(|text| text.matches(leaf)))
            }
            Self::Numeric(all) => {
                leaf.as_f64().is_some_and(|leaf| all.iter().all(|(how, than)| how.holds(leaf, *than)))
            }
            Self::Cidr(block) => leaf.as_str().is_some_and(|leaf| in_block(block, leaf)),
            Self::Exists(wanted) => *wanted,
        }
    }
}

/// EventBridge compares numbers by how they are written: 300 is not 300.0.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.to_string() == other.to_string(),
        (one, other) => one == other,
    }
}

fn bad(kind: &str) -> String {
    format!("Invalid value for the match type {kind}")
}

/// `anything-but` takes a scalar, a list of scalars, or one comparison of strings whose
/// operand may be a list.
fn anything_but(operand: &Value) -> Result<Matcher, String> {
    let bad = || bad("anything-but");
    match operand {
        Value::Array(items) if !items.is_empty() && items.iter().all(is_scalar) => {
            Ok(Matcher::AnythingBut(items.clone()))
        }
        Value::Object(object) if object.len() == 1 => {
            let (kind, operand) = object.iter().next().ok_or_else(bad)?;
            let operands = operand.as_array().map_or_else(|| vec![operand.clone()], Clone::clone);
            let texts =
                operands.iter().map(|operand| Text::new(kind, operand)).collect::<Result<Vec<_>, _>>()?;
            if texts.is_empty() { Err(bad()) } else { Ok(Matcher::AnythingButText(texts)) }
        }
        scalar if is_scalar(scalar) => Ok(Matcher::AnythingBut(vec![scalar.clone()])),
        _ => Err(bad()),
    }
}

fn is_scalar(value: &Value) -> bool {
    value.is_string() || value.is_number()
}

/// `["=", 5]`, `[">", 0, "<=", 5]`
fn numeric(operand: &Value) -> Result<Vec<(Comparison, f64)>, String> {
    let items = operand.as_array().filter(|items| matches!(items.len(), 2 | 4));
    let items = items.ok_or_else(|| bad("numeric"))?;
    items
        .chunks_exact(2)
        .map(|pair| {
            let how = match pair[0].as_str() {
                Some("<") => Comparison::Less,
                Some("<=") => Comparison::LessOrEqual,
                Some("=") => Comparison::Equal,
                Some(">=") => Comparison::GreaterOrEqual,
                Some(">") => Comparison::Greater,
                _ => return Err(bad("numeric")),
            };
            let than = pair[1].as_f64().filter(|than| than.abs() <= 5e9).ok_or_else(|| bad("numeric"))?;
            Ok((how, than))
        })
        .collect()
}

impl Comparison {
    #[expect(clippy::float_cmp, reason = "the guide's = is exact")]
    fn holds(self, value: f64, than: f64) -> bool {
        match self {
            Self::Less => value < than,
            Self::LessOrEqual => value <= than,
            Self::Equal => value == than,
            Self::GreaterOrEqual => value >= than,
            Self::Greater => value > than,
        }
    }
}

impl Text {
    /// The operand is a string; for prefix and suffix also `{"equals-ignore-case": …}`.
    fn new(kind: &str, operand: &Value) -> Result<Self, String> {
        let (kind, mut ignore_case) = match kind {
            "prefix" => (TextKind::Prefix, false),
            "suffix" => (TextKind::Suffix, false),
            "wildcard" => (TextKind::Wildcard, false),
            "equals-ignore-case" => (TextKind::Equals, true),
            other => return Err(format!("Unrecognized match type {other}")),
        };
        let text = match operand {
            Value::String(text) => Some(text.as_str()),
            Value::Object(object)
                if matches!(kind, TextKind::Prefix | TextKind::Suffix) && object.len() == 1 =>
            {
                ignore_case = true;
                object.get("equals-ignore-case").and_then(Value::as_str)
            }
            _ => None,
        };
        let text = text.ok_or("The operand of a string comparison must be a string")?;
        if kind == TextKind::Wildcard && text.contains("**") {
            return Err("Consecutive wildcard characters are not allowed".into());
        }
        let text = if ignore_case { text.to_lowercase() } else { text.to_owned() };
        Ok(Self { kind, operand: text, ignore_case })
    }

    fn matches(&self, leaf: &str) -> bool {
        let lower;
        let leaf = if self.ignore_case {
            lower = leaf.to_lowercase();
            lower.as_str()
        } else {
            leaf
        };
        match self.kind {
            TextKind::Equals => leaf == self.operand,
            TextKind::Prefix => leaf.starts_with(&self.operand),
            TextKind::Suffix => leaf.ends_with(&self.operand),
            TextKind::Wildcard => wildcard::matches(&self.operand, leaf),
        }
    }
}

/// Whether an IP address lies in a block, `10.0.0.0/24`.
fn in_block(block: &str, address: &str) -> bool {
    let bits = |text: &str| match text.parse::<std::net::IpAddr>().ok()? {
        std::net::IpAddr::V4(v4) => Some((u128::from(u32::from(v4)) << 96, 32)),
        std::net::IpAddr::V6(v6) => Some((u128::from(v6), 128)),
    };
    let Some((network, length)) = block.split_once('/') else { return false };
    let (Some((network, family)), Some((address, other)), Ok(length)) =
        (bits(network), bits(address), length.parse::<u32>())
    else {
        return false;
    };
    let mask = if length == 0 { 0 } else { u128::MAX << (128 - length.min(128)) };
    family == other && length <= family && network & mask == address & mask
}

#[cfg(test)]
#[path = "pattern_tests.rs"]
mod tests;
