//! What tests and displays look at.

use serde::Serialize;

use super::instance::Market;
use crate::world::World;

/// An EC2 instance at a glance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MachineView {
    /// Its id.
    pub instance_id: String,
    /// `m5.large`
    pub instance_type: String,
    /// Its zone.
    pub az: String,
    /// `pending`, `running`, `shutting-down`, `terminated`.
    pub state: String,
    /// Whether EC2 may take it back.
    pub spot: bool,
    /// Its AMI.
    pub image: String,
    /// The version of the launch template that made it.
    pub template_version: u64,
    /// The Auto Scaling group that launched it.
    pub group: Option<String>,
    /// Milliseconds since the epoch: its launch, and its end.
    pub lived: (u64, Option<u64>),
}

/// Every instance that EC2 knows, those that ended in the last hour too; oldest first.
pub fn machines(world: &World) -> Vec<MachineView> {
    let mut all: Vec<_> = world.ec2.instances.values().collect();
    all.sort_by(|a, b| (a.launched, &a.id).cmp(&(b.launched, &b.id)));
    let view = |it: &super::Instance| MachineView {
        instance_id: it.id.clone(),
        instance_type: it.kind.clone(),
        az: it.az.clone(),
        state: it.state.name().to_owned(),
        spot: it.market == Market::Spot,
        image: it.image.clone(),
        template_version: it.template.version,
        group: it.group().map(str::to_owned),
        lived: (it.launched.0, it.ended.map(|at| at.0)),
    };
    all.into_iter().map(view).collect()
}
