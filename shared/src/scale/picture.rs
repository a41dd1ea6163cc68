//! A cluster's capacity as people see it: its instances, what is on them, and what waits for a place.

use std::collections::BTreeMap;

use serde::Serialize;

use super::facts::CapacityFacts;
use super::plan::CapacityPlan;
use super::settings::Settings;
use super::supply::{self, Shapes, There};
use super::{demand, planner};
use crate::capacity::{
    Agent, GroupOffer, Instance, InstanceState, Owner, Share, Standing, Supply, by_share, displaced,
};
use crate::id::{AutoScalingGroupName, Timestamp};
use crate::ledger::{ClusterRow, WhyItLeaves};

/// A cluster at a glance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Picture {
    /// The Auto Scaling groups.
    pub groups: Vec<GroupPicture>,
    /// The instances, those that leave among them, by group, zone and name.
    pub instances: Vec<InstancePicture>,
    /// What is wanted and has no place on an instance that stays.
    pub waiting: Vec<Waiting>,
    /// What the instances cost a month, in cents, as far as the price table knows them.
    pub cents_a_month: u64,
    /// How many of them have no known price.
    pub unpriced: u32,
}

/// An Auto Scaling group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GroupPicture {
    /// Which.
    pub name: AutoScalingGroupName,
    /// Never fewer.
    pub min: u32,
    /// Never more.
    pub max: u32,
    /// How many it is to have.
    pub desired: u32,
    /// On their way and not registered yet.
    pub launching: u32,
    /// Whether Windlass sets its capacity.
    pub supply: Supply,
    /// Its part among several groups, where the cluster's spec shares instances out.
    pub share: Option<SharePicture>,
}

/// A group's part of the instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SharePicture {
    /// By the spec.
    #[serde(flatten)]
    pub of_spec: Share,
    /// How many it has, those on their way counted and those that leave not.
    pub has: u32,
    /// How many it would have of those that all groups have together.
    pub fair: u32,
}

/// An instance and what is on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InstancePicture {
    /// EC2's name for it, else ECS's.
    pub name: String,
    /// Its type, where it says it.
    pub instance_type: Option<String>,
    /// Its zone.
    pub zone: String,
    /// Its group.
    pub group: Option<AutoScalingGroupName>,
    /// Whether it takes tasks.
    pub state: InstanceState,
    /// Whether its agent is connected.
    pub agent: Agent,
    /// Why it leaves, where Windlass marked it.
    pub leaves: Option<WhyItLeaves>,
    /// CPU units.
    pub cpu: Quantity,
    /// MiB.
    pub memory: Quantity,
    /// What is on it, by group of tasks.
    pub tasks: Vec<TasksOn>,
}

/// A quantity of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Quantity {
    /// Reserved by tasks.
    pub used: u32,
    /// All of it.
    pub total: u32,
}

/// Tasks of one group on one instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TasksOn {
    /// Whose: `shop` of a service, `family:batch` of no service.
    pub of: String,
    /// How many.
    pub tasks: u32,
    /// How many of them are being stopped.
    pub leaving: u32,
    /// CPU units of all of them.
    pub cpu: u32,
    /// MiB of all of them.
    pub memory: u32,
    /// Whether they come and go with their instance.
    pub is_daemon: bool,
}

/// Tasks that want another place, or their first one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// Whose.
    pub of: String,
    /// How many are wanted beside those that stay where they are.
    pub tasks: u32,
    /// How many of them run still, on instances that leave.
    pub moving: u32,
}

/// The cluster, as the plan saw it. `None` where instances, tasks or groups could not be read; the plan's
/// report says why.
pub fn picture(
    facts: &CapacityFacts,
    plan: &CapacityPlan,
    row: &ClusterRow,
    settings: &Settings,
    now: Timestamp,
) -> Option<Picture> {
    let mut shapes = Shapes::default();
    let there = supply::there(facts, &row.state, settings, &mut shapes, now)?;
    let desired = planner::desired(&plan.steps);
    let wanted = demand::wanted(facts, &there, &desired, None, &mut shapes);
    let mut waiting: BTreeMap<String, (u32, u32)> = BTreeMap::new();
    for demand in &wanted.tasks {
        waiting.entry(short(demand.shape.group.as_str())).or_default().0 += demand.count;
    }
    for moving in displaced(&there.instances) {
        if let Some((_, so_far)) = waiting.get_mut(&short(moving.shape.group.as_str())) {
            *so_far += moving.count;
        }
    }
    let mut instances: Vec<InstancePicture> = there
        .instances
        .iter()
        .map(|it| InstancePicture {
            leaves: there.leaving.get(&it.arn).map(|(why, _)| *why),
            ..of_instance(it)
        })
        .collect();
    instances.sort_by(|a, b| (&a.group, &a.zone, &a.name).cmp(&(&b.group, &b.zone, &b.name)));
    let prices = there.instances.iter().filter_map(|it| it.price);
    let sum = prices.fold(crate::capacity::UsdPerHour::default(), crate::capacity::UsdPerHour::plus);
    let unpriced = there.instances.iter().filter(|it| it.price.is_none()).count();
    Some(Picture {
        groups: groups(&there),
        instances,
        waiting: waiting
            .into_iter()
            .map(|(of, (tasks, moving))| Waiting { of, tasks, moving: moving.min(tasks) })
            .collect(),
        cents_a_month: sum.cents_a_month(),
        unpriced: u32::try_from(unpriced).unwrap_or(u32::MAX),
    })
}

fn groups(there: &There) -> Vec<GroupPicture> {
    let has = |offer: &GroupOffer| {
        let of_group = |it: &&Instance| it.group.as_ref() == Some(&offer.name);
        let stays = |it: &&Instance| it.state == InstanceState::Active;
        let there = there.instances.iter().filter(of_group).filter(stays).count();
        u32::try_from(there + offer.launching.len()).unwrap_or(u32::MAX)
    };
    let all = there.offers.iter().filter(|it| it.is_ours()).map(has).sum();
    let fair = by_share(&there.offers, all);
    let of_offer = |(it, fair): (&GroupOffer, u32)| GroupPicture {
        name: it.name.clone(),
        min: it.min,
        max: it.max,
        desired: it.desired,
        launching: u32::try_from(it.launching.len()).unwrap_or(u32::MAX),
        supply: it.supply,
        share: it.share.map(|of_spec| SharePicture { of_spec, has: has(it), fair }),
    };
    there.offers.iter().zip(fair).map(of_offer).collect()
}

fn of_instance(it: &Instance) -> InstancePicture {
    let quantity = |total: u32, left: u32| Quantity { used: total.saturating_sub(left), total };
    InstancePicture {
        name: it.name().to_owned(),
        instance_type: it.attributes.get(supply::TYPE).cloned().flatten(),
        zone: it.zone.to_string(),
        group: it.group.clone(),
        state: it.state,
        agent: it.agent,
        leaves: None,
        cpu: quantity(it.registered.cpu, it.remaining.cpu),
        memory: quantity(it.registered.memory_mib, it.remaining.memory_mib),
        tasks: tasks_on(it),
    }
}

fn tasks_on(it: &Instance) -> Vec<TasksOn> {
    let mut all: BTreeMap<&str, TasksOn> = BTreeMap::new();
    for task in &it.tasks {
        let group = task.shape.group.as_str();
        let on = all.entry(group).or_insert_with(|| TasksOn {
            of: short(group),
            tasks: 0,
            leaving: 0,
            cpu: 0,
            memory: 0,
            is_daemon: matches!(task.owner, Owner::Daemon(_)),
        });
        on.tasks += 1;
        on.leaving += u32::from(task.standing == Standing::Leaving);
        on.cpu = on.cpu.saturating_add(task.shape.needs.cpu);
        on.memory = on.memory.saturating_add(task.shape.needs.memory_mib);
    }
    all.into_values().collect()
}

/// `service:shop` as `shop`.
fn short(group: &str) -> String {
    supply::service_of(group).map_or_else(|| group.to_owned(), |name| name.to_string())
}
