//! EC2, as far as capacity for ECS needs it: instances that start, run an ECS agent and end, spot
//! interruptions, launch templates, instance types.
//!
//! | file | holds |
//! |---|---|
//! | [`types`] | the table of instance types |
//! | [`templates`] | launch templates and their versions |
//! | [`user_data`] | what the agent is told at boot |
//! | [`instance`] | the record |
//! | [`life`] | an instance's way from its launch to its end |
//! | [`spot`] | interruptions and rebalance recommendations |
//! | [`faults`] | launches that fail |
//! | [`describe`] | the calls that look |
//!
//! There is no `RunInstances`: instances come from Auto Scaling groups, or straight into a
//! cluster by `ecs::add_instance` (those EC2 does not know). There are no networks: a subnet is
//! a name, and its zone follows from it ([`zone_of_subnet`]).

mod describe;
mod faults;
mod instance;
mod life;
mod spot;
mod templates;
#[cfg(test)]
mod tests;
pub mod types;
mod user_data;
mod view;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use faults::{LaunchError, LaunchFault};
pub use instance::Market;
pub(crate) use instance::{Instance, Order, State};
pub use life::Pace;
pub(crate) use life::{launch, terminate};
pub use spot::{interrupt_spot, recommend_rebalance};
pub(crate) use templates::resolve;
pub use view::{MachineView, machines};

use crate::call::{ApiError, Reply};
use crate::world::World;

/// EC2's state.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Ec2 {
    /// How long launches, boots and ends take.
    pub pace: Pace,
    /// Launches that fail, until they are taken out.
    pub launch_faults: Vec<LaunchFault>,
    /// Public parameters' AMIs, `/aws/service/ecs/…`: what `resolve:ssm:` in a launch template
    /// finds. One that is not here has an id made from its name.
    pub images: BTreeMap<String, String>,
    pub(crate) instances: BTreeMap<String, Instance>,
    pub(crate) templates: BTreeMap<String, templates::Template>,
}

/// What this service's timers are for, each with the instance's id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Due {
    /// It runs.
    Running(String),
    /// Its ECS agent registers it.
    Joins(String),
    /// It is terminated.
    Gone(String),
    /// Its spot capacity is taken back.
    Interrupted(String),
    /// It is no longer described.
    Forget(String),
}

pub(crate) fn handle(world: &mut World, operation: &str, input: &Value) -> Reply {
    match operation {
        "DescribeInstances" => describe::instances(world, input),
        "DescribeInstanceTypes" => describe::instance_types(input),
        "TerminateInstances" => life::terminate_call(world, input),
        "CreateLaunchTemplate" => templates::create(world, input),
        "CreateLaunchTemplateVersion" => templates::create_version(world, input),
        "ModifyLaunchTemplate" => templates::modify(world, input),
        "DescribeLaunchTemplates" => templates::describe(world, input),
        "DescribeLaunchTemplateVersions" => templates::describe_versions(world, input),
        other => Err(ApiError::client(
            "InvalidAction",
            format!(
                "The action {other} is not valid for this web service: the embedded EC2 does not have it"
            ),
        )),
    }
}

pub(crate) fn due(world: &mut World, due: &Due) {
    match due {
        Due::Running(id) => life::running(world, id),
        Due::Joins(id) => life::joins(world, id),
        Due::Gone(id) => life::gone(world, id),
        Due::Interrupted(id) => spot::interrupted(world, id),
        Due::Forget(id) => drop(world.ec2.instances.remove(id)),
    }
}

/// The zone of a subnet: the letter that its name ends in (`subnet-a`), where that is one of
/// a to f; else by its place among the group's subnets.
pub(crate) fn zone_of_subnet(region: &str, subnet: &str, place: usize) -> String {
    let own = subnet.chars().next_back().filter(|letter| ('a'..='f').contains(letter));
    let letter = own.unwrap_or(['a', 'b', 'c'][place % 3]);
    format!("{region}{letter}")
}
