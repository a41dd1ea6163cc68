//! A rule's action: reading it and giving it back.

use serde::Deserialize;
use serde_json::{Value, json};

use super::input::{group_not_found, invalid, scalar};
use super::model::{Action, Redirect, WeightedGroup};
use super::quotas::keep;
use crate::call::ApiError;
use crate::world::World;

/// Seven days.
pub(super) const LONGEST_BOND: u32 = 604_800;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    r#type: String,
    target_group_arn: Option<String>,
    forward_config: Option<Forward>,
    fixed_response_config: Option<Fixed>,
    redirect_config: Option<RedirectInput>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Forward {
    #[serde(default)]
    target_groups: Vec<Group>,
    target_group_stickiness_config: Option<Sticky>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Group {
    target_group_arn: String,
    #[serde(default, deserialize_with = "scalar")]
    weight: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Sticky {
    #[serde(default, deserialize_with = "scalar")]
    enabled: Option<bool>,
    #[serde(default, deserialize_with = "scalar")]
    duration_seconds: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Fixed {
    #[serde(default, deserialize_with = "scalar")]
    status_code: Option<u16>,
    content_type: Option<String>,
    message_body: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RedirectInput {
    protocol: Option<String>,
    host: Option<String>,
    port: Option<String>,
    path: Option<String>,
    query: Option<String>,
    status_code: String,
}

/// Reads `Actions` or `DefaultActions`: exactly one here, since the embedded load balancer
/// does not authenticate.
pub(super) fn read(world: &World, mut inputs: Vec<Input>) -> Result<Action, ApiError> {
    let input = inputs.pop().ok_or_else(|| invalid("An action must be specified"))?;
    if !inputs.is_empty() {
        let message = "Only one forward, redirect or fixed-response action can be specified";
        return Err(ApiError::client("TooManyActions", message));
    }
    match input.r#type.as_str() {
        "forward" => forward(world, input),
        "fixed-response" => fixed(input),
        "redirect" => redirect(input),
        other => Err(ApiError::client(
            "InvalidLoadBalancerAction",
            format!("the embedded load balancer has no action of type '{other}'"),
        )),
    }
}

fn forward(world: &World, input: Input) -> Result<Action, ApiError> {
    let config = input
        .forward_config
        .unwrap_or(Forward { target_groups: Vec::new(), target_group_stickiness_config: None });
    let mut groups: Vec<_> = config
        .target_groups
        .into_iter()
        .map(|group| WeightedGroup { arn: group.target_group_arn, weight: group.weight.unwrap_or(1) })
        .collect();
    match input.target_group_arn {
        Some(arn) if groups.is_empty() => groups.push(WeightedGroup { arn, weight: 1 }),
        // Both places may be given only where they say the same.
        Some(arn) if groups.len() > 1 || groups[0].arn != arn => {
            let message = "You can specify both 'TargetGroupArn' and 'ForwardConfig' only if they name one and the same target group";
            return Err(ApiError::client("InvalidLoadBalancerAction", message));
        }
        _ => {}
    }
    check_groups(world, &groups)?;
    let sticky_secs = config.target_group_stickiness_config.map_or(Ok(None), Sticky::read)?;
    Ok(Action::Forward { groups, sticky_secs })
}

impl Sticky {
    /// For how long a client stays with a group; `None` where it does not.
    fn read(self) -> Result<Option<u32>, ApiError> {
        if self.enabled != Some(true) {
            return Ok(None);
        }
        let secs = self.duration_seconds.filter(|secs| (1..=LONGEST_BOND).contains(secs));
        let error = || invalid("Target group stickiness duration must be between '1' and '604800' seconds");
        secs.map(Some).ok_or_else(error)
    }
}

pub(super) fn check_groups(world: &World, groups: &[WeightedGroup]) -> Result<(), ApiError> {
    if groups.is_empty() {
        return Err(invalid("A target group ARN must be specified"));
    }
    let most = world.elb.quotas.target_groups_per_action;
    keep(groups.len(), most, "ValidationError", || {
        format!("A forward action can only have '{most}' target groups")
    })?;
    for (at, group) in groups.iter().enumerate() {
        if groups[..at].iter().any(|other| other.arn == group.arn) {
            return Err(invalid(format!("Target group '{}' was specified more than once", group.arn)));
        }
        if group.weight > 999 {
            return Err(invalid(format!(
                "Target group weight '{}' must be between '0' and '999'",
                group.weight
            )));
        }
        if !world.elb.groups.contains_key(&group.arn) {
            return Err(group_not_found(&group.arn));
        }
    }
    Ok(())
}

fn fixed(input: Input) -> Result<Action, ApiError> {
    let config =
        input.fixed_response_config.ok_or_else(|| invalid("A fixed response config must be specified"))?;
    let status = config.status_code.filter(|status| matches!(status / 100, 2 | 4 | 5) && *status < 600);
    let status =
        status.ok_or_else(|| invalid("Fixed response status code must match '2XX', '4XX' or '5XX'"))?;
    Ok(Action::Fixed { status, content_type: config.content_type, body: config.message_body })
}

fn redirect(input: Input) -> Result<Action, ApiError> {
    let config = input.redirect_config.ok_or_else(|| invalid("A redirect config must be specified"))?;
    let status = match config.status_code.as_str() {
        "HTTP_301" => 301,
        "HTTP_302" => 302,
        other => return Err(invalid(format!("Redirect status code '{other}' must be HTTP_301 or HTTP_302"))),
    };
    let redirect = Redirect {
        protocol: config.protocol.unwrap_or_else(|| "#{protocol}".into()),
        host: config.host.unwrap_or_else(|| "#{host}".into()),
        port: config.port.unwrap_or_else(|| "#{port}".into()),
        path: config.path.unwrap_or_else(|| "/#{path}".into()),
        query: config.query.unwrap_or_else(|| "#{query}".into()),
        status,
    };
    let is_same = redirect.protocol == "#{protocol}"
        && redirect.host == "#{host}"
        && redirect.port == "#{port}"
        && redirect.path == "/#{path}";
    if is_same {
        let message = "The redirect configuration is not valid because it creates a loop";
        return Err(ApiError::client("InvalidLoadBalancerAction", message));
    }
    Ok(Action::Redirect(redirect))
}

/// As a Describe gives it: one group's ARN also stands beside the `ForwardConfig`.
pub(super) fn json(action: &Action) -> Value {
    match action {
        Action::Forward { groups, sticky_secs } => {
            let list =
                groups.iter().map(|group| json!({ "TargetGroupArn": group.arn, "Weight": group.weight }));
            let mut sticky = json!({ "Enabled": sticky_secs.is_some() });
            if let Some(secs) = sticky_secs {
                sticky["DurationSeconds"] = json!(secs);
            }
            let config =
                json!({ "TargetGroups": list.collect::<Vec<_>>(), "TargetGroupStickinessConfig": sticky });
            let mut out = json!({ "Type": "forward", "Order": 1, "ForwardConfig": config });
            if let [only] = groups.as_slice() {
                out["TargetGroupArn"] = json!(only.arn);
            }
            out
        }
        Action::Fixed { status, content_type, body } => {
            let mut config = json!({ "StatusCode": status.to_string() });
            if let Some(kind) = content_type {
                config["ContentType"] = json!(kind);
            }
            if let Some(body) = body {
                config["MessageBody"] = json!(body);
            }
            json!({ "Type": "fixed-response", "Order": 1, "FixedResponseConfig": config })
        }
        Action::Redirect(to) => json!({ "Type": "redirect", "Order": 1, "RedirectConfig": {
            "Protocol": to.protocol, "Host": to.host, "Port": to.port, "Path": to.path, "Query": to.query,
            "StatusCode": format!("HTTP_{}", to.status),
        } }),
    }
}
