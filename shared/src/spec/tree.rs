//! A spec's text as a tree with lines, for messages alone.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_saphyr::Spanned;

use super::problem::{Problem, ProblemKind, nearest};

/// A node; scalars are of no interest here.
enum Node {
    Scalar,
    List(Vec<Spanned<Node>>),
    Map(Vec<(Spanned<String>, Spanned<Node>)>),
}

/// The whole text.
pub(super) struct Tree {
    root: Node,
    /// The path of each key and list item, with its line.
    lines: BTreeMap<String, u32>,
}

impl Tree {
    /// Fails where the text is neither YAML nor JSON.
    pub(super) fn read(text: &str) -> Result<Self, serde_saphyr::Error> {
        let root: Node = serde_saphyr::from_str_with_options(text, super::parse::options())?;
        let mut lines = BTreeMap::new();
        root.note_lines("", &mut lines);
        Ok(Self { root, lines })
    }

    /// The line of a path, or of the nearest part of it that the text has.
    pub(super) fn line_of(&self, path: &str) -> Option<u32> {
        let mut rest = path;
        loop {
            if let Some(line) = self.lines.get(rest) {
                return Some(*line);
            }
            rest = &rest[..rest.rfind(['.', '['])?];
        }
    }

    /// Keys that the schema does not have where they stand.
    pub(super) fn unknown_keys(&self, schema: &Value) -> Vec<Problem> {
        let mut walk = Walk { defs: schema.get("$defs"), lines: &self.lines, found: Vec::new() };
        walk.node(&self.root, "", vec![schema]);
        walk.found
    }
}

fn below<'a>(path: &str, key: &'a str) -> Cow<'a, str> {
    if path.is_empty() { Cow::Borrowed(key) } else { Cow::Owned(format!("{path}.{key}")) }
}

fn line(at: serde_saphyr::Location) -> u32 {
    u32::try_from(at.line()).unwrap_or(u32::MAX)
}

impl Node {
    fn note_lines(&self, path: &str, lines: &mut BTreeMap<String, u32>) {
        match self {
            Self::Scalar => {}
            Self::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    let path = format!("{path}[{index}]");
                    lines.insert(path.clone(), line(item.referenced));
                    item.value.note_lines(&path, lines);
                }
            }
            Self::Map(entries) => {
                for (key, value) in entries {
                    let path = below(path, &key.value);
                    lines.insert(path.to_string(), line(key.referenced));
                    value.value.note_lines(&path, lines);
                }
            }
        }
    }
}

struct Walk<'a> {
    defs: Option<&'a Value>,
    lines: &'a BTreeMap<String, u32>,
    found: Vec<Problem>,
}

impl<'a> Walk<'a> {
    /// `schemas`: any of them may be the one that is meant.
    fn node(&mut self, node: &Node, path: &str, schemas: Vec<&'a Value>) {
        let schemas = self.flat(schemas);
        match node {
            Node::Scalar => {}
            Node::List(items) => {
                let inner: Vec<_> = schemas.iter().filter_map(|schema| schema.get("items")).collect();
                for (index, item) in items.iter().enumerate() {
                    self.node(&item.value, &format!("{path}[{index}]"), inner.clone());
                }
            }
            Node::Map(entries) => {
                for (key, value) in entries {
                    self.entry(&key.value, &value.value, path, &schemas);
                }
            }
        }
    }

    fn entry(&mut self, key: &str, value: &Node, path: &str, schemas: &[&'a Value]) {
        let path = below(path, key);
        let named = schemas.iter().filter_map(|schema| schema.get("properties")?.get(key));
        let any =
            schemas.iter().filter_map(|schema| schema.get("additionalProperties")).filter(|s| s.is_object());
        let inner: Vec<_> = named.chain(any).collect();
        if !inner.is_empty() {
            return self.node(value, &path, inner);
        }
        let known: BTreeSet<&str> = schemas
            .iter()
            .filter_map(|schema| schema.get("properties")?.as_object())
            .flat_map(|properties| properties.keys().map(String::as_str))
            .collect();
        // Where a scalar is wanted the typed reading says so.
        if !known.is_empty() {
            let kind = ProblemKind::UnknownKey {
                nearest: nearest(key, known.iter().copied()).map(str::to_owned),
                known: known.into_iter().map(str::to_owned).collect(),
            };
            let line = self.lines.get(&*path).copied();
            self.found.push(Problem { path: path.into_owned(), line, kind });
        }
    }

    /// References followed and alternatives laid side by side.
    fn flat(&self, schemas: Vec<&'a Value>) -> Vec<&'a Value> {
        let mut flat = Vec::new();
        let mut open = schemas;
        while let Some(schema) = open.pop() {
            let reference = schema.get("$ref").and_then(Value::as_str);
            let name = reference.and_then(|reference| reference.strip_prefix("#/$defs/"));
            open.extend(name.and_then(|name| self.defs?.get(name)));
            for alternatives in ["anyOf", "oneOf", "allOf"] {
                open.extend(schema.get(alternatives).and_then(Value::as_array).into_iter().flatten());
            }
            flat.push(schema);
        }
        flat
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_str<E>(self, _: &str) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_bytes<E>(self, _: &[u8]) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Node::Map(map))
    }

    fn visit_enum<A: serde::de::EnumAccess<'de>>(self, data: A) -> Result<Node, A::Error> {
        data.variant::<IgnoredAny>().map(|_| Node::Scalar)
    }
}
