//! `DescribeInstances` and `DescribeInstanceTypes`. A filter that is not known here is refused,
//! never passed over.

use serde_json::{Value, json};

use super::instance::{Instance, Market, State};
use super::types::{self, InstanceType};
use crate::call::{ApiError, Reply};
use crate::world::World;

/// The filters of `DescribeInstances` that are known here, beside `tag:<key>`.
const FILTERS: [&str; 7] = [
    "instance-state-name",
    "instance-type",
    "instance-id",
    "image-id",
    "availability-zone",
    "subnet-id",
    "instance-lifecycle",
];

/// A client's mistake in a value.
pub(super) fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::client("InvalidParameterValue", message)
}

/// A list of strings; absent is empty.
pub(super) fn texts(input: &Value, member: &str) -> Vec<String> {
    let items = input[member].as_array().into_iter().flatten();
    items.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The instances that a call names, each of them known.
pub(super) fn named(world: &World, input: &Value) -> Result<Vec<String>, ApiError> {
    let ids = texts(input, "InstanceIds");
    match ids.iter().find(|id| !world.ec2.instances.contains_key(*id)) {
        None => Ok(ids),
        Some(id) => {
            let message = format!("The instance ID '{id}' does not exist");
            Err(ApiError::client("InvalidInstanceID.NotFound", message))
        }
    }
}

pub(super) fn instances(world: &World, input: &Value) -> Reply {
    let ids = named(world, input)?;
    let filters = filters(input)?;
    let mut found: Vec<(String, Value)> = Vec::new();
    for instance in world.ec2.instances.values() {
        if !ids.is_empty() && !ids.contains(&instance.id) {
            continue;
        }
        let mut fits = true;
        for (name, values) in &filters {
            let actual = property(instance, name);
            fits &= actual.is_some_and(|actual| values.contains(&actual));
        }
        if fits {
            // Auto Scaling launches each in a reservation of its own.
            found.push((
                instance.id.clone(),
                json!({
                    "ReservationId": format!("r-{}", instance.id.trim_start_matches("i-")),
                    "OwnerId": world.config.account,
                    "Instances": [describe(instance)],
                }),
            ));
        }
    }
    page(input, "Reservations", found)
}

/// `(name, values)` of each filter.
fn filters(input: &Value) -> Result<Vec<(String, Vec<String>)>, ApiError> {
    let filters = input["Filters"].as_array().into_iter().flatten();
    filters
        .map(|filter| {
            let name = filter["Name"].as_str().unwrap_or("null");
            if !FILTERS.contains(&name) && !name.starts_with("tag:") {
                return Err(invalid(format!(
                    "The filter '{name}' is invalid, or one that the embedded EC2 lacks"
                )));
            }
            Ok((name.to_owned(), texts(filter, "Values")))
        })
        .collect()
}

fn property(instance: &Instance, name: &str) -> Option<String> {
    match name {
        "instance-state-name" => Some(instance.state.name().to_owned()),
        "instance-type" => Some(instance.kind.clone()),
        "instance-id" => Some(instance.id.clone()),
        "image-id" => Some(instance.image.clone()),
        "availability-zone" => Some(instance.az.clone()),
        "subnet-id" => Some(instance.subnet.clone()),
        "instance-lifecycle" => (instance.market == Market::Spot).then(|| "spot".to_owned()),
        other => instance.tags.get(other.strip_prefix("tag:")?).cloned(),
    }
}

fn describe(instance: &Instance) -> Value {
    let tags = instance.tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value }));
    let architecture = InstanceType::parse(&instance.kind).map(architecture);
    let reason = instance.reason.as_deref();
    let mut output = json!({
        "InstanceId": instance.id,
        "ImageId": instance.image,
        "InstanceType": instance.kind,
        "State": { "Code": instance.state.code(), "Name": instance.state.name() },
        "Placement": { "AvailabilityZone": instance.az, "Tenancy": "default" },
        "LaunchTime": instance.launched.iso(),
        "SubnetId": instance.subnet,
        "Architecture": architecture,
        "Tags": tags.collect::<Vec<_>>(),
        "StateReason": reason.map(|code| json!({ "Code": code, "Message": format!("{code}: the instance was ended") })),
    });
    if instance.state != State::Terminated {
        output["VpcId"] = json!(crate::elb::VPC_ID);
    }
    if instance.market == Market::Spot {
        output["InstanceLifecycle"] = json!("spot");
    }
    output
}

/// As EC2 spells an architecture.
fn architecture(kind: InstanceType) -> &'static str {
    if kind.architecture() == "amd64" { "x86_64" } else { "arm64" }
}

pub(super) fn instance_types(input: &Value) -> Reply {
    if !filters(input)?.is_empty() {
        return Err(invalid("The embedded EC2 filters no instance types"));
    }
    let asked = texts(input, "InstanceTypes");
    if let Some(unknown) = asked.iter().find(|name| InstanceType::parse(name).is_none()) {
        let message = format!("The following supplied instance types do not exist: [{unknown}]");
        return Err(ApiError::client("InvalidInstanceType", message));
    }
    let all = types::all().map(|kind| (kind.to_string(), kind));
    let kinds = all.filter(|(name, _)| asked.is_empty() || asked.contains(name));
    page(input, "InstanceTypes", kinds.map(|(name, kind)| (name.clone(), type_view(&name, kind))).collect())
}

fn type_view(name: &str, kind: InstanceType) -> Value {
    json!({
        "InstanceType": name,
        "CurrentGeneration": true,
        "SupportedUsageClasses": ["on-demand", "spot"],
        "ProcessorInfo": { "SupportedArchitectures": [architecture(kind)] },
        "VCpuInfo": { "DefaultVCpus": kind.vcpus() },
        "MemoryInfo": { "SizeInMiB": kind.mib() },
        "NetworkInfo": { "MaximumNetworkInterfaces": kind.enis() },
    })
}

/// One page; a token is the key of the last item before it.
pub(super) fn page(input: &Value, member: &str, items: Vec<(String, Value)>) -> Reply {
    let size = match number(&input["MaxResults"]) {
        None => 1000,
        Some(size @ 5..=1000) => size,
        Some(_) => return Err(invalid("MaxResults must be between 5 and 1000")),
    };
    let size = usize::try_from(size).unwrap_or(1000);
    let after = input["NextToken"].as_str().unwrap_or_default();
    let rest: Vec<_> = items.into_iter().filter(|(key, _)| key.as_str() > after).collect();
    let more = rest.len() > size;
    let page: Vec<_> = rest.into_iter().take(size).collect();
    let next = page.last().filter(|_| more).map(|(key, _)| key.clone());
    let values: Vec<Value> = page.into_iter().map(|(_, value)| value).collect();
    Ok(json!({ member: values, "NextToken": next }))
}

/// A number that may have come as a string.
pub(super) fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}
