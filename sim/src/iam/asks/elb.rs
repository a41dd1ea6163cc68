//! Elastic Load Balancing v2. What is made has no id yet: `targetgroup/<name>/*`, `listener-rule/…/*`.

use serde_json::Value;

use super::{input_tags, text, texts, with_request_tags};
use crate::elb;
use crate::iam::Ask;
use crate::world::World;

pub(super) fn asks(world: &World, operation: &str, input: &Value) -> Option<Vec<Ask>> {
    let action = format!("elasticloadbalancing:{operation}");
    let of = |member: &str| {
        texts(input, member).into_iter().map(|arn| tagged(world, &action, arn)).collect::<Vec<_>>()
    };
    Some(match operation {
        "DescribeAccountLimits"
        | "DescribeListeners"
        | "DescribeLoadBalancers"
        | "DescribeRules"
        | "DescribeTags"
        | "DescribeTargetGroupAttributes"
        | "DescribeTargetGroups"
        | "DescribeTargetHealth" => vec![Ask::new(action, "*")],
        "ModifyRule" => of("RuleArn"),
        "ModifyTargetGroup" | "ModifyTargetGroupAttributes" => of("TargetGroupArn"),
        "AddTags" => {
            let tags = input_tags(input, "Tags");
            of("ResourceArns").into_iter().map(|ask| with_request_tags(ask, &tags)).collect()
        }
        // The reference has no condition keys for it.
        "SetRulePriorities" => {
            let rules = input["RulePriorities"].as_array().into_iter().flatten();
            rules.filter_map(|it| text(it, "RuleArn")).map(|arn| Ask::new(action.clone(), arn)).collect()
        }
        "CreateTargetGroup" => {
            let name = text(input, "Name").unwrap_or_default();
            let made = world.arn("elasticloadbalancing", &format!("targetgroup/{name}/*"));
            making(Ask::new(action, &made), &made, operation, input)
        }
        "CreateRule" => {
            let listener = text(input, "ListenerArn").unwrap_or("*");
            let made = format!("{}/*", listener.replacen(":listener/", ":listener-rule/", 1));
            making(tagged(world, &action, listener), &made, operation, input)
        }
        _ => return None,
    })
}

fn tagged(world: &World, action: &str, arn: &str) -> Ask {
    let tags = elb::tags_of(world, arn);
    let pairs = || tags.into_iter().flatten().map(|(key, value)| (key.as_str(), value.as_str()));
    let ask = Ask::new(action, arn).tags("aws:ResourceTag", pairs());
    ask.tags("elasticloadbalancing:ResourceTag", pairs())
}

/// The making itself and, with tags, the right to tag what is made.
fn making(own: Ask, made: &str, operation: &str, input: &Value) -> Vec<Ask> {
    let tags = input_tags(input, "Tags");
    if tags.is_empty() {
        return vec![own];
    }
    let tagging = Ask::new("elasticloadbalancing:AddTags", made);
    let tagging = tagging.key("elasticloadbalancing:CreateAction", operation);
    vec![with_request_tags(own, &tags), with_request_tags(tagging, &tags)]
}
