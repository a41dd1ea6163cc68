//! A template's text as JSON. CloudFormation's short tags become their long form,
//! `!Ref A` `{"Ref": "A"}` and `!Sub a` `{"Fn::Sub": "a"}`, so that the rest knows one.

use std::fmt;

use anyhow::Result;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value, json};
use serde_saphyr::Tagged;

pub(super) fn read(text: &str) -> Result<Value> {
    let mut options = serde_saphyr::Options::default();
    options.with_snippet = false;
    let root: Tagged<Node> = serde_saphyr::from_str_with_options(text, options)?;
    Ok(long(root))
}

/// A node whose children still carry their tags.
enum Node {
    Scalar(Value),
    List(Vec<Tagged<Node>>),
    Map(Vec<(String, Tagged<Node>)>),
}

fn long(Tagged(node, tag): Tagged<Node>) -> Value {
    let value = match node {
        Node::Scalar(value) => value,
        Node::List(items) => Value::Array(items.into_iter().map(long).collect()),
        Node::Map(entries) => {
            Value::Object(entries.into_iter().map(|(key, node)| (key, long(node))).collect::<Map<_, _>>())
        }
    };
    match tag.as_deref().and_then(|tag| tag.strip_prefix('!')) {
        None | Some("") => value,
        Some(name @ ("Ref" | "Condition")) => json!({ name: value }),
        Some(name) => json!({ format!("Fn::{name}"): value }),
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Nodes)
    }
}

struct Nodes;

impl<'de> Visitor<'de> for Nodes {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a node of a template")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_tags_are_written_out() {
        let text = "\
a: !Ref B
b: !Sub 'x-${A}'
c: !GetAtt Role.Arn
d: !If [Live, !Ref A, !Ref 'AWS::NoValue']
e: !Not [!Equals [!Ref A, '']]
f: !Sub
  - ${X}/*
  - X: !Join ['/*,', !Ref List]
g: {h: 1, i: true, j: '1', k: null}
l: !Split
  - ','
  - !Ref A
";
        assert_eq!(
            read(text).unwrap(),
            json!({
                "a": {"Ref": "B"},
                "b": {"Fn::Sub": "x-${A}"},
                "c": {"Fn::GetAtt": "Role.Arn"},
                "d": {"Fn::If": ["Live", {"Ref": "A"}, {"Ref": "AWS::NoValue"}]},
                "e": {"Fn::Not": [{"Fn::Equals": [{"Ref": "A"}, ""]}]},
                "f": {"Fn::Sub": ["${X}/*", {"X": {"Fn::Join": ["/*,", {"Ref": "List"}]}}]},
                "g": {"h": 1, "i": true, "j": "1", "k": null},
                "l": {"Fn::Split": [",", {"Ref": "A"}]},
            })
        );
    }

    #[test]
    fn a_key_that_comes_twice_is_an_error() {
        assert!(read("a: 1\na: 2\n").is_err());
    }
}
