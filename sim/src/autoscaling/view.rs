//! What tests and displays look at.

use serde::Serialize;

use super::model::Group;
use crate::world::World;

/// A group at a glance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GroupView {
    /// Its name.
    pub name: String,
    /// Its bounds.
    pub min: u32,
    /// Its bounds.
    pub max: u32,
    /// How many instances are wanted.
    pub desired: u32,
    /// Its instances.
    pub members: Vec<MemberView>,
}

/// An instance of a group at a glance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MemberView {
    /// The EC2 id.
    pub instance_id: String,
    /// Its zone.
    pub az: String,
    /// `InService`, `Terminating:Wait`, …
    pub state: String,
    /// Whether scale-in passes it by.
    pub protected: bool,
}

impl GroupView {
    /// How many instances are in service.
    pub fn in_service(&self) -> usize {
        self.members.iter().filter(|it| it.state == "InService").count()
    }
}

fn view(group: &Group) -> GroupView {
    let members = group.members.values().map(|it| MemberView {
        instance_id: it.id.clone(),
        az: it.az.clone(),
        state: it.state.name().to_owned(),
        protected: it.protected,
    });
    GroupView {
        name: group.name.clone(),
        min: group.min,
        max: group.max,
        desired: group.desired,
        members: members.collect(),
    }
}

/// One group.
pub fn group(world: &World, name: &str) -> Option<GroupView> {
    world.autoscaling.groups.get(name).map(view)
}

/// Every group, by name.
pub fn groups(world: &World) -> Vec<GroupView> {
    world.autoscaling.groups.values().map(view).collect()
}
