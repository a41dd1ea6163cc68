//! Query requests and their XML replies: ELBv2, Auto Scaling and STS. EC2's requests are read
//! here too; what is its own about them is in [`super::ec2`].
//!
//! The form is flat, `Conditions.member.1.Field=path-pattern`; the input is nested JSON
//! whose scalars are all strings, for the form does not tell their types.

use std::borrow::Cow;
use std::collections::BTreeMap;

use http::{HeaderMap, Uri};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::{Decoded, HttpReply, Stamp, ec2, scope, xml};
use crate::call::{ApiError, Reply, ServiceId};

pub(super) fn decode(uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Decoded {
    let form = String::from_utf8_lossy(body);
    let mut fields: BTreeMap<String, String> = BTreeMap::new();
    for pair in uri.query().unwrap_or_default().split('&').chain(form.split('&')) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        fields.insert(unescape(name), unescape(value));
    }
    let service = service(&fields, &scope(uri, headers).unwrap_or_default());
    let Some(action) = fields.remove("Action").filter(|action| !action.is_empty()) else {
        let message = "The request must contain the parameter Action or the header X-Amz-Target";
        return Err((service, ApiError::client("MissingAction", message)));
    };
    let mut root = Node::default();
    for (name, value) in &fields {
        // A presigned query's own fields are no input.
        if name != "Version" && !name.is_empty() && !name.starts_with("X-Amz-") {
            root.insert(name, value);
        }
    }
    let input = match service {
        ServiceId::Ec2 => ec2::input(root.into_structure()),
        _ => root.into_structure(),
    };
    Ok((service, action, input))
}

/// The form's version tells the service; the credential scope where it is silent.
fn service(fields: &BTreeMap<String, String>, scope: &str) -> ServiceId {
    let of_scope = scope.split('/').nth(3).unwrap_or_default();
    match fields.get("Version").map_or(of_scope, String::as_str) {
        "2011-06-15" | "sts" => ServiceId::Sts,
        "2011-01-01" | "autoscaling" => ServiceId::AutoScaling,
        "2016-11-15" | "ec2" => ServiceId::Ec2,
        _ => ServiceId::ElasticLoadBalancing,
    }
}

fn unescape(text: &str) -> String {
    let spaced: Cow<'_, str> = if text.contains('+') { text.replace('+', " ").into() } else { text.into() };
    percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

/// A form field's place in the tree that its dots spell.
#[derive(Default)]
struct Node {
    scalar: Option<String>,
    children: BTreeMap<String, Node>,
}

impl Node {
    fn insert(&mut self, path: &str, value: &str) {
        let mut node = self;
        for part in path.split('.') {
            node = node.children.entry(part.to_owned()).or_default();
        }
        node.scalar = Some(value.to_owned());
    }

    fn into_value(mut self) -> Value {
        if self.children.len() == 1 {
            if let Some(list) = self.children.remove("member") {
                return Value::Array(list.numbered().into_iter().map(Self::into_value).collect());
            }
            if let Some(map) = self.children.remove("entry") {
                return Value::Object(map.numbered().into_iter().filter_map(Self::into_entry).collect());
            }
        }
        match self.scalar {
            Some(scalar) if self.children.is_empty() => Value::String(scalar),
            _ => self.into_structure(),
        }
    }

    fn into_structure(self) -> Value {
        Value::Object(self.children.into_iter().map(|(name, node)| (name, node.into_value())).collect())
    }

    fn into_entry(mut self) -> Option<(String, Value)> {
        let key = self.children.remove("key")?.scalar?;
        let value = self.children.remove("value").map_or(Value::Null, Self::into_value);
        Some((key, value))
    }

    /// Children in the order of their numbers: `10` after `9`.
    fn numbered(self) -> Vec<Self> {
        let mut children: Vec<(u64, Self)> = self
            .children
            .into_iter()
            .filter_map(|(number, node)| Some((number.parse().ok()?, node)))
            .collect();
        children.sort_by_key(|(number, _)| *number);
        children.into_iter().map(|(_, node)| node).collect()
    }
}

pub(super) fn encode(service: ServiceId, operation: &str, reply: Reply, stamp: &Stamp) -> HttpReply {
    let namespace = match service {
        ServiceId::Sts => "https://sts.amazonaws.com/doc/2011-06-15/",
        ServiceId::AutoScaling => "http://autoscaling.amazonaws.com/doc/2011-01-01/",
        _ => "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/",
    };
    let (status, body) = match reply {
        Ok(output) => (200, success(namespace, operation, &output, stamp)),
        Err(error) => (error.status, failure(namespace, &error, stamp)),
    };
    HttpReply { status, headers: vec![("content-type", "text/xml".into())], body: body.into() }
}

fn success(namespace: &str, operation: &str, output: &Value, stamp: &Stamp) -> String {
    let mut members = String::new();
    xml::members(&mut members, output, "member");
    let id = xml::escaped(&stamp.request_id);
    format!(
        "<{operation}Response xmlns=\"{namespace}\"><{operation}Result>{members}</{operation}Result>\
         <ResponseMetadata><RequestId>{id}</RequestId></ResponseMetadata></{operation}Response>"
    )
}

fn failure(namespace: &str, error: &ApiError, stamp: &Stamp) -> String {
    let kind = if error.status < 500 { "Sender" } else { "Receiver" };
    let (code, message) = (xml::escaped(&error.code), xml::escaped(&error.message));
    let id = xml::escaped(&stamp.request_id);
    format!(
        "<ErrorResponse xmlns=\"{namespace}\"><Error><Type>{kind}</Type><Code>{code}</Code>\
         <Message>{message}</Message></Error><RequestId>{id}</RequestId></ErrorResponse>"
    )
}
