//! Which questions a call asks IAM: its actions, their resources and condition keys, as the service
//! authorization reference has them, and the dependent ones (`iam:PassRole`, the tagging of what is
//! made). Operations that no function of ours calls are not known here: [`of`] says so.

mod ecs;
mod elb;
mod others;

use serde_json::Value;

use super::Ask;
use crate::call::{Call, ServiceId};
use crate::world::World;

/// What `call` asks; `None`: the embedded AWS does not know what this operation asks for.
pub(crate) fn of(world: &World, call: &Call) -> Option<Vec<Ask>> {
    let (operation, input) = (call.operation.as_str(), &call.input);
    let asks = match call.service {
        ServiceId::Ecs => ecs::asks(world, operation, input),
        ServiceId::ElasticLoadBalancing => elb::asks(world, operation, input),
        ServiceId::AutoScaling => others::autoscaling(world, operation, input),
        ServiceId::CloudWatch => others::cloudwatch(world, operation, input),
        ServiceId::DynamoDb => others::dynamo(world, operation, input),
        ServiceId::Ecr => others::ecr(world, operation, input),
        ServiceId::Events => others::events(world, operation, input),
        ServiceId::Lambda => others::lambda(world, operation, input),
        ServiceId::Ssm => others::ssm(world, operation, input),
        ServiceId::ApplicationAutoScaling => {
            everywhere(operation, &["DescribeScalableTargets"], call.service)
        }
        ServiceId::Ec2 => {
            everywhere(operation, &["DescribeInstances", "DescribeInstanceTypes"], call.service)
        }
        // AWS lets everybody ask who they are.
        ServiceId::Sts => Some(Vec::new()),
    }?;
    // AWS asks IAM before it looks at the input: a call that names nothing asks for everything.
    let nothing = asks.is_empty() && call.service != ServiceId::Sts;
    let asks = if nothing { vec![Ask::new(action(call), "*")] } else { asks };
    let region = |ask: Ask| ask.key("aws:RequestedRegion", &world.config.region);
    Some(asks.into_iter().map(region).collect())
}

/// `ecs:UpdateService`: the action of the call's own name.
pub(crate) fn action(call: &Call) -> String {
    match (call.service, call.operation.as_str()) {
        (ServiceId::Lambda, "Invoke") => "lambda:InvokeFunction".into(),
        (service, operation) => format!("{}:{operation}", service.name()),
    }
}

/// Operations for which IAM knows no resource and no key of the service's own.
fn everywhere(operation: &str, known: &[&str], service: ServiceId) -> Option<Vec<Ask>> {
    known.contains(&operation).then(|| vec![Ask::new(format!("{}:{operation}", service.name()), "*")])
}

/// The right to hand a role to a service.
fn pass_role(role: &str, account: &str, to: &str) -> Ask {
    let arn = if role.starts_with("arn:") {
        role.to_owned()
    } else {
        format!("arn:aws:iam::{account}:role/{role}")
    };
    Ask::new("iam:PassRole", arn).key("iam:PassedToService", to)
}

/// An input's tags, whichever case their members have.
fn input_tags<'i>(input: &'i Value, list: &str) -> Vec<(&'i str, &'i str)> {
    let tag = |tag: &'i Value| {
        let member =
            |name: &str, small: &str| tag.get(name).or_else(|| tag.get(small)).and_then(Value::as_str);
        Some((member("Key", "key")?, member("Value", "value").unwrap_or_default()))
    };
    input[list].as_array().into_iter().flatten().filter_map(tag).collect()
}

/// The same as condition keys: `aws:RequestTag/…` and `aws:TagKeys`.
fn with_request_tags(ask: Ask, tags: &[(&str, &str)]) -> Ask {
    let ask = ask.tags("aws:RequestTag", tags.iter().copied());
    tags.iter().fold(ask, |ask, (key, _)| ask.key("aws:TagKeys", *key))
}

fn text<'i>(input: &'i Value, member: &str) -> Option<&'i str> {
    input[member].as_str().filter(|text| !text.is_empty())
}

/// A list's strings; one string where a list is meant.
fn texts<'i>(input: &'i Value, member: &str) -> Vec<&'i str> {
    match &input[member] {
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        Value::String(one) => vec![one],
        _ => Vec::new(),
    }
}
