//! The services of which functions call a few operations only.

use serde_json::Value;

use super::{everywhere, text, texts};
use crate::autoscaling;
use crate::call::ServiceId;
use crate::iam::Ask;
use crate::iam::ask::Hides;
use crate::world::World;

pub(super) fn autoscaling(world: &World, operation: &str, input: &Value) -> Option<Vec<Ask>> {
    const READS: [&str; 4] = [
        "DescribeAutoScalingGroups",
        "DescribeAutoScalingInstances",
        "DescribeLifecycleHooks",
        "DescribeScalingActivities",
    ];
    match operation {
        "SetDesiredCapacity"
        | "TerminateInstanceInAutoScalingGroup"
        | "CompleteLifecycleAction"
        | "RecordLifecycleActionHeartbeat" => {
            let group = match text(input, "AutoScalingGroupName") {
                Some(name) => Some(name.to_owned()),
                None => text(input, "InstanceId").and_then(|id| autoscaling::group_name_of(world, id)),
            };
            let name = group.as_deref().unwrap_or("*");
            let known = group.as_deref().and_then(|name| autoscaling::arn_and_tags(world, name));
            let arn = known.as_ref().map_or_else(
                || world.arn("autoscaling", &format!("autoScalingGroup:*:autoScalingGroupName/{name}")),
                |(arn, _)| (*arn).to_owned(),
            );
            let tags = known.map(|(_, tags)| tags).unwrap_or_default();
            let ask = Ask::new(format!("autoscaling:{operation}"), arn);
            let ask = ask.tags("aws:ResourceTag", tags.iter().copied());
            Some(vec![ask.tags("autoscaling:ResourceTag", tags.iter().copied())])
        }
        read => everywhere(read, &READS, ServiceId::AutoScaling),
    }
}

pub(super) fn cloudwatch(world: &World, operation: &str, input: &Value) -> Option<Vec<Ask>> {
    if operation == "ListAlarmMuteRules" {
        return Some(vec![Ask::new(
            "cloudwatch:ListAlarmMuteRules",
            world.arn("cloudwatch", "alarm-mute-rule:*"),
        )]);
    }
    if operation != "DescribeAlarms" {
        return everywhere(
            operation,
            &["GetMetricData", "GetMetricStatistics", "ListMetrics"],
            ServiceId::CloudWatch,
        );
    }
    let names = texts(input, "AlarmNames");
    let names = if names.is_empty() { vec!["*"] } else { names };
    let alarm = |name: &str| world.arn("cloudwatch", &format!("alarm:{name}"));
    let mut asks: Vec<Ask> =
        names.into_iter().map(|name| Ask::new("cloudwatch:DescribeAlarms", alarm(name))).collect();
    if texts(input, "AlarmTypes").contains(&"CompositeAlarm") {
        asks.push(Ask::new("cloudwatch:DescribeAlarms", "*").hiding(Hides::CompositeAlarms));
    }
    Some(asks)
}

pub(super) fn dynamo(world: &World, operation: &str, input: &Value) -> Option<Vec<Ask>> {
    let table = |action: &str, name: &str| {
        let arn = if name.starts_with("arn:") {
            name.to_owned()
        } else {
            world.arn("dynamodb", &format!("table/{name}"))
        };
        Ask::new(format!("dynamodb:{action}"), arn)
    };
    match operation {
        "GetItem" | "PutItem" | "UpdateItem" | "DeleteItem" | "Query" | "Scan" => {
            let name = text(input, "TableName").unwrap_or("*");
            let asked = table(operation, name);
            Some(match text(input, "IndexName") {
                Some(index) => vec![Ask::new(asked.action, format!("{}/index/{index}", asked.resource))],
                None => vec![asked],
            })
        }
        "BatchGetItem" | "BatchWriteItem" => {
            let tables = input["RequestItems"].as_object().into_iter().flatten();
            Some(tables.map(|(name, _)| table(operation, name)).collect())
        }
        "TransactGetItems" | "TransactWriteItems" => Some(transaction(operation, input, table)),
        _ => None,
    }
}

/// A transaction needs what its members need: `{"Put": …}` needs `dynamodb:PutItem`.
fn transaction(operation: &str, input: &Value, table: impl Fn(&str, &str) -> Ask) -> Vec<Ask> {
    let items =
        input["TransactItems"].as_array().into_iter().flatten().filter_map(Value::as_object).flatten();
    let asks = items.map(|(kind, item)| {
        table(&format!("{kind}Item"), text(item, "TableName").unwrap_or("*"))
            .key("dynamodb:EnclosingOperation", operation)
    });
    asks.collect()
}

pub(super) fn ecr(world: &World, operation: &str, input: &Value) -> Option<Vec<Ask>> {
    let known = [
        "BatchGetImage",
        "DescribeImageScanFindings",
        "DescribeImages",
        "DescribeRepositories",
        "GetDownloadUrlForLayer",
        "StartImageScan",
    ];
    let account = text(input, "registryId").unwrap_or(&world.config.account);
    let arn = |name: &str| format!("arn:aws:ecr:{}:{account}:repository/{name}", world.config.region);
    let names = match (operation, text(input, "repositoryName")) {
        (_, Some(name)) => vec![name],
        ("DescribeRepositories", None) => texts(input, "repositoryNames"),
        _ => Vec::new(),
    };
    let names = if names.is_empty() { vec!["*"] } else { names };
    let ask = |name: &str| Ask::new(format!("ecr:{operation}"), arn(name));
    known.contains(&operation).then(|| names.into_iter().map(ask).collect())
}

/// Each entry asks for itself: its bus, its source, its type.
pub(super) fn events(world: &World, operation: &str, input: &Value) -> Option<Vec<Ask>> {
    let entry = |entry: &Value| {
        let bus = text(entry, "EventBusName").unwrap_or("default");
        let arn = if bus.starts_with("arn:") {
            bus.to_owned()
        } else {
            world.arn("events", &format!("event-bus/{bus}"))
        };
        let ask = Ask::new("events:PutEvents", arn);
        let ask = ask.key("events:source", text(entry, "Source").unwrap_or_default());
        ask.key("events:detail-type", text(entry, "DetailType").unwrap_or_default())
    };
    (operation == "PutEvents").then(|| input["Entries"].as_array().into_iter().flatten().map(entry).collect())
}

pub(super) fn lambda(world: &World, operation: &str, input: &Value) -> Option<Vec<Ask>> {
    let name = text(input, "FunctionName").unwrap_or("*");
    let arn = if name.starts_with("arn:") {
        name.to_owned()
    } else {
        world.arn("lambda", &format!("function:{name}"))
    };
    (operation == "Invoke").then(|| vec![Ask::new("lambda:InvokeFunction", arn)])
}

pub(super) fn ssm(world: &World, operation: &str, input: &Value) -> Option<Vec<Ask>> {
    // A parameter's ARN has its name behind `parameter`, with one slash between.
    let parameter = |name: &str| {
        let arn = world.arn("ssm", &format!("parameter/{}", name.trim_start_matches('/')));
        Ask::new(format!("ssm:{operation}"), arn)
    };
    match operation {
        "GetParameters" => Some(texts(input, "Names").into_iter().map(parameter).collect()),
        "GetParameter" | "PutParameter" | "DeleteParameter" => {
            Some(vec![parameter(text(input, "Name").unwrap_or("*"))])
        }
        "GetParametersByPath" => {
            let recursive = input["Recursive"].as_bool().unwrap_or_default();
            let ask = parameter(text(input, "Path").unwrap_or("*"));
            Some(vec![ask.key("ssm:Recursive", recursive.to_string())])
        }
        _ => None,
    }
}
