//! ELBv2: application load balancers with a data plane's decisions.
//!
//! | room | holds |
//! |---|---|
//! | `model` | what is kept |
//! | `load_balancers` `listeners` `rules` `target_groups` `targets` `tags` | the API |
//! | `attributes` | what load balancers and target groups have in common |
//! | `conditions` `actions` | a rule's two halves |
//! | `usage` | which groups are in use |
//! | `quotas` | how many there may be: `world.elb.quotas` |
//! | `health` | checks by timers |
//! | `route` `choice` | which target a request goes to |
//! | `flow` | the same for many requests at once |
//! | `transforms` | what it looks like there |
//! | `stickiness` | the load balancer's cookies |
//! | `front` | where a load balancer is met, and what it says by itself |
//! | `weights` | [`set_weights`]: ECS shifts traffic |
//! | `metrics` | what CloudWatch is told |
//! | `view` | what tests and the demo look at |
//!
//! It forwards nothing by itself: a door asks [`route`] and carries the bytes. It has no
//! network or gateway load balancers, no authentication, no cookies of the application's own
//! and no slow start (the attribute is kept and given back, and a new target gets its full
//! share at once). It goes round robin whatever `load_balancing.algorithm.type` says, and has
//! neither zones nor a DNS to fail over.

mod actions;
mod attributes;
mod choice;
mod conditions;
pub(crate) mod flow;
mod front;
mod health;
mod input;
mod limits;
mod listeners;
mod load_balancers;
mod metrics;
mod model;
mod quotas;
mod route;
mod rules;
mod stickiness;
mod tags;
mod target_groups;
mod targets;
#[cfg(test)]
mod tests;
mod transforms;
mod usage;
mod view;
mod weights;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use front::{Front, OwnAnswer, dns_name, front};
pub use metrics::{Ended, record};
pub(crate) use metrics::{Many, measure_hosts};
pub use quotas::Quotas;
pub use route::{RequestHead, RouteDecision, Served, listener_on, listener_ports, request, route};
pub use stickiness::Jar;
pub(crate) use tags::of as tags_of;
pub use transforms::Rewritten;
pub use view::{GroupView, RuleView, group_arn, rules, target_counts};
pub use weights::set_weights;
pub(crate) use weights::{forwards_to, knows_group};

use crate::call::{ApiError, Reply};
use crate::ecs;
use crate::time::Time;
use crate::world::World;

/// The one VPC that there is: target groups must name it.
pub const VPC_ID: &str = "vpc-0a1b2c3d4e5f60718";

/// ELBv2's state, by ARN.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Elb {
    /// How many there may be of what; AWS's numbers at first.
    #[serde(default)]
    pub quotas: Quotas,
    load_balancers: BTreeMap<String, model::LoadBalancer>,
    listeners: BTreeMap<String, model::Listener>,
    /// Default rules among them.
    rules: BTreeMap<String, model::Rule>,
    groups: BTreeMap<String, model::TargetGroup>,
    /// How many requests were decided on: what tells two of one instant apart.
    #[serde(default)]
    requests: u64,
    /// Every resource has an entry here, be it empty.
    tags: BTreeMap<String, BTreeMap<String, String>>,
}

/// What this service's timers are for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Due {
    /// A target's next health check.
    Check {
        /// The group.
        group: String,
        /// The target.
        id: String,
        /// Its port.
        port: u16,
        /// The life of the target that this check belongs to.
        life: u64,
    },
    /// A target has drained.
    Gone {
        /// The group.
        group: String,
        /// The target.
        id: String,
        /// Its port.
        port: u16,
        /// The life of the target that ends.
        life: u64,
    },
}

pub(crate) fn handle(world: &mut World, operation: &str, input: &Value) -> Reply {
    match operation {
        "DescribeAccountLimits" => Ok(limits::describe(&world.elb.quotas)),
        "CreateLoadBalancer" => load_balancers::create(world, input),
        "DescribeLoadBalancers" => load_balancers::describe(world, input),
        "DeleteLoadBalancer" => load_balancers::delete(world, input),
        "DescribeLoadBalancerAttributes" => load_balancers::describe_attributes(world, input),
        "ModifyLoadBalancerAttributes" => load_balancers::modify_attributes(world, input),
        "CreateListener" => listeners::create(world, input),
        "DescribeListeners" => listeners::describe(world, input),
        "ModifyListener" => listeners::modify(world, input),
        "DeleteListener" => listeners::delete(world, input),
        "CreateRule" => rules::create(world, input),
        "DescribeRules" => rules::describe(world, input),
        "ModifyRule" => rules::modify(world, input),
        "DeleteRule" => rules::delete(world, input),
        "SetRulePriorities" => rules::set_priorities(world, input),
        "CreateTargetGroup" => target_groups::create(world, input),
        "DescribeTargetGroups" => target_groups::describe(world, input),
        "ModifyTargetGroup" => target_groups::modify(world, input),
        "DeleteTargetGroup" => target_groups::delete(world, input),
        "DescribeTargetGroupAttributes" => target_groups::describe_attributes(world, input),
        "ModifyTargetGroupAttributes" => target_groups::modify_attributes(world, input),
        "RegisterTargets" => targets::register_call(world, input),
        "DeregisterTargets" => targets::deregister_call(world, input),
        "DescribeTargetHealth" => targets::describe_health(world, input),
        "DescribeTags" => tags::describe(world, input),
        "AddTags" => tags::add(world, input),
        "RemoveTags" => tags::remove(world, input),
        other => Err(ApiError::client(
            "InvalidAction",
            format!("the embedded ELBv2 does not have the operation {other}"),
        )),
    }
}

pub(crate) fn due(world: &mut World, due: Due) {
    match due {
        Due::Check { group, id, port, life } => health::check(world, group, id, port, life),
        Due::Gone { group, id, port, life } => targets::gone(world, &group, id, port, life),
    }
}

/// A target's state: `initial`, `healthy`, `unhealthy`, `unused`, `draining`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TargetState {
    /// Registered, first checks under way.
    Initial,
    /// In service.
    Healthy,
    /// Fails its checks.
    Unhealthy,
    /// The group is on no listener or rule.
    Unused,
    /// Leaving: open requests go on, no new ones.
    Draining,
}

/// ECS registers a target. Errors as `RegisterTargets`'.
pub(crate) fn register(world: &mut World, group_arn: &str, id: &str, port: u16) -> Result<(), ApiError> {
    targets::register(world, group_arn, id, port)
}

/// ECS deregisters a target: it drains for the group's deregistration delay, then is
/// gone. Returns when it will be gone.
pub(crate) fn deregister(world: &mut World, group_arn: &str, id: &str, port: u16) -> Time {
    targets::deregister(world, group_arn, id, port)
}

/// A target's state; `None` once it is gone.
pub(crate) fn target_state(world: &World, group_arn: &str, id: &str, port: u16) -> Option<TargetState> {
    let group = world.elb.groups.get(group_arn)?;
    group.targets.get(&(id.to_owned(), port)).map(|target| target.state)
}

/// Why `CreateService` or `UpdateService` would refuse this group, if it would: unknown, or
/// `The target group … does not have an associated load balancer.`
pub(crate) fn refuses_service(world: &World, group_arn: &str) -> Option<ApiError> {
    let refuse = |why: &str| {
        let message = format!("The target group with targetGroupArn {group_arn} {why}");
        Some(ApiError::client("InvalidParameterException", message))
    };
    match world.elb.groups.get(group_arn) {
        None => refuse("does not exist."),
        Some(group) if !group.in_use => refuse("does not have an associated load balancer."),
        Some(_) => None,
    }
}

/// How many requests were decided on so far.
pub(crate) fn requests(world: &World) -> u64 {
    world.elb.requests
}

/// What the container behind a target answers.
fn ask(world: &World, id: &str, port: u16, health: bool) -> Option<ecs::Answer> {
    #[cfg(test)]
    if let Some(answer) = tests::container(id, port) {
        return Some(answer);
    }
    ecs::answer(world, id, port, health)
}

/// Sixteen hex digits, as ARNs end in: mixed from the seed and a number, so that their order
/// is not the order of creation.
fn hex_id(world: &mut World) -> String {
    let number = world.next_id();
    let hash = crate::ecr::digest_of(format!("elb/{}/{number}", world.config.seed).as_bytes());
    hash.trim_start_matches("sha256:")[..16].to_owned()
}
