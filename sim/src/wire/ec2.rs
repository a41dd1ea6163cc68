//! EC2's own dialect of Query/XML: lists without `member`, elements in lower camel case, another
//! frame around errors.
//!
//! On the way in, `InstanceId.1=…` becomes `InstanceIds: […]`, as the model names it; on the way
//! out `Reservations` becomes `reservationSet`.

use serde_json::{Map, Value};

use super::{HttpReply, Stamp, xml};
use crate::call::Reply;

const NAMESPACE: &str = "http://ec2.amazonaws.com/doc/2016-11-15/";

/// The model's names of the lists that the wire names in the singular.
const LISTS: [(&str, &str); 11] = [
    ("InstanceId", "InstanceIds"),
    ("InstanceType", "InstanceTypes"),
    ("Filter", "Filters"),
    ("Value", "Values"),
    ("LaunchTemplateId", "LaunchTemplateIds"),
    ("LaunchTemplateName", "LaunchTemplateNames"),
    ("LaunchTemplateVersion", "Versions"),
    ("TagSpecification", "TagSpecifications"),
    ("Tag", "Tags"),
    ("SecurityGroupId", "SecurityGroupIds"),
    ("BlockDeviceMapping", "BlockDeviceMappings"),
];

/// The elements that are not the member's name in lower camel case.
const ELEMENTS: [(&str, &str); 13] = [
    ("Reservations", "reservationSet"),
    ("Instances", "instancesSet"),
    ("TerminatingInstances", "instancesSet"),
    ("State", "instanceState"),
    ("PublicDnsName", "dnsName"),
    ("SecurityGroups", "groupSet"),
    ("Tags", "tagSet"),
    ("TagSpecifications", "tagSpecificationSet"),
    ("InstanceTypes", "instanceTypeSet"),
    ("LaunchTemplateVersions", "launchTemplateVersionSet"),
    ("SecurityGroupIds", "securityGroupIdSet"),
    ("BlockDeviceMappings", "blockDeviceMappingSet"),
    ("VCpuInfo", "vCpuInfo"),
];

/// The form's tree as the model's input.
pub(super) fn input(tree: Value) -> Value {
    match tree {
        Value::Object(members) if is_list(&members) => {
            let mut items: Vec<(u64, Value)> = members
                .into_iter()
                .filter_map(|(number, item)| Some((number.parse().ok()?, input(item))))
                .collect();
            items.sort_by_key(|(number, _)| *number);
            items.into_iter().map(|(_, item)| item).collect()
        }
        Value::Object(members) => {
            members.into_iter().map(|(name, value)| member(&name, input(value))).collect()
        }
        scalar => scalar,
    }
}

fn is_list(members: &Map<String, Value>) -> bool {
    !members.is_empty() && members.keys().all(|name| name.parse::<u64>().is_ok())
}

fn member(name: &str, value: Value) -> (String, Value) {
    let plural = LISTS.iter().find(|(wire, _)| *wire == name && value.is_array());
    (plural.map_or(name, |(_, model)| model).to_owned(), value)
}

/// Output members by their elements' names.
fn elements(output: Value) -> Value {
    match output {
        Value::Array(items) => items.into_iter().map(elements).collect(),
        Value::Object(members) => {
            members.into_iter().map(|(name, value)| (element(&name), elements(value))).collect()
        }
        scalar => scalar,
    }
}

fn element(member: &str) -> String {
    if let Some((_, element)) = ELEMENTS.iter().find(|(name, _)| *name == member) {
        return (*element).to_owned();
    }
    let mut letters = member.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

pub(super) fn encode(operation: &str, reply: Reply, stamp: &Stamp) -> HttpReply {
    let id = xml::escaped(&stamp.request_id);
    let (status, body) = match reply {
        Ok(output) => {
            let mut members = String::new();
            xml::members(&mut members, &elements(output), "item");
            let body = format!(
                "<{operation}Response xmlns=\"{NAMESPACE}\"><requestId>{id}</requestId>{members}\
                 </{operation}Response>"
            );
            (200, body)
        }
        Err(error) => {
            let (code, message) = (xml::escaped(&error.code), xml::escaped(&error.message));
            let body = format!(
                "<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>\
                 <RequestID>{id}</RequestID></Response>"
            );
            (error.status, body)
        }
    };
    HttpReply { status, headers: vec![("content-type", "text/xml;charset=UTF-8".into())], body: body.into() }
}
