//! An Auto Scaling group as a supply of instances that do not exist yet: what comes, where, how many more,
//! and at what price.

use serde::{Deserialize, Serialize};

use super::instance::{Attributes, UsdPerHour};
use super::resources::{HostPorts, Resources};
use super::share::Share;
use crate::id::{AutoScalingGroupName, AvailabilityZone, InstanceType};

/// An Auto Scaling group, as far as the packer buys from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupOffer {
    /// Which.
    pub name: AutoScalingGroupName,
    /// Never fewer.
    pub min: u32,
    /// Never more.
    pub max: u32,
    /// How many it is to have now; those that leave for good not counted, those that launch counted.
    pub desired: u32,
    /// Whether its capacity may be changed.
    pub supply: Supply,
    /// Where its instances come. Auto Scaling chooses: the zone with the fewest of them.
    pub zones: Vec<AvailabilityZone>,
    /// What may come: with a mixed instances policy any of several types. Tasks are planned for the least of
    /// each quantity, at the highest price.
    pub machines: Vec<Machine>,
    /// What all instances can do, beside their type and zone.
    pub attributes: Attributes,
    /// Host ports that a new instance has no longer: the agent's, and its daemons'.
    pub used_ports: HostPorts,
    /// What daemons take of each new instance.
    pub overhead: Resources,
    /// On their way and not registered yet; the zone where it is known.
    pub launching: Vec<Option<AvailabilityZone>>,
    /// Which part of it is on demand.
    pub on_demand: OnDemand,
    /// Its part among several groups; where no group has one, the cheapest comes first.
    pub share: Option<Share>,
}

/// One instance type of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Its name.
    pub instance_type: InstanceType,
    /// What it registers with.
    pub capacity: Resources,
    /// Its price on demand, where the table knows it.
    pub on_demand: Option<UsdPerHour>,
    /// Its price as a spot instance; where it is not known, the one on demand counts.
    pub spot: Option<UsdPerHour>,
}

/// Whether a group's capacity may be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Supply {
    /// Yes.
    Open,
    /// ECS's managed scaling sets it.
    ManagedScaling,
    /// It is not ours.
    NotOurs,
    /// It just failed to launch: no capacity, no quota.
    Failing,
}

/// A mixed instances policy's `OnDemandBaseCapacity` and `OnDemandPercentageAboveBaseCapacity`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnDemand {
    /// So many first.
    pub base: u32,
    /// And of the rest so many percent, 0 to 100, rounded up.
    pub percent_above_base: u32,
}

impl OnDemand {
    /// All on demand: a group without a mixed instances policy.
    pub const ALL: Self = Self { base: 0, percent_above_base: 100 };

    /// How many of `count` instances are on demand.
    pub fn of(self, count: u32) -> u32 {
        let base = self.base.min(count);
        let above = u64::from(count - base) * u64::from(self.percent_above_base.min(100));
        base + u32::try_from(above.div_ceil(100)).unwrap_or(u32::MAX)
    }
}

impl GroupOffer {
    /// What a new instance has for tasks, at least. Nothing where no machine is known.
    pub fn capacity(&self) -> Resources {
        let each = self.machines.iter().map(|it| it.capacity.minus(self.overhead));
        each.reduce(Resources::least).unwrap_or_default()
    }

    /// What so many instances cost, at most; `None` where a price is not known.
    pub fn price_of(&self, count: u32) -> Option<UsdPerHour> {
        let on_demand = self.on_demand.of(count);
        let spot = count - on_demand;
        let highest = |price: fn(&Machine) -> Option<UsdPerHour>| {
            let prices: Option<Vec<UsdPerHour>> = self.machines.iter().map(price).collect();
            prices.and_then(|it| it.into_iter().max())
        };
        let part = |count: u32, price: fn(&Machine) -> Option<UsdPerHour>| match count {
            0 => Some(UsdPerHour::default()),
            count => highest(price).map(|it| it.times(u64::from(count))),
        };
        let on_demand = part(on_demand, |it| it.on_demand)?;
        Some(on_demand.plus(part(spot, |it| it.spot.or(it.on_demand))?))
    }

    /// What `more` instances add to the price of `count`.
    pub fn price_of_more(&self, count: u32, more: u32) -> Option<UsdPerHour> {
        let (with, without) = (self.price_of(count.saturating_add(more))?, self.price_of(count)?);
        Some(UsdPerHour::micros(with.micros.saturating_sub(without.micros)))
    }

    /// What is certain of a new instance in a zone: one set of attributes for each type that may come.
    pub(super) fn possible_attributes(&self, zone: &AvailabilityZone) -> Vec<Attributes> {
        let of = |machine: &Machine| {
            let mut attributes = self.attributes.clone();
            let known = [
                ("ecs.availability-zone", zone.as_str()),
                ("ecs.instance-type", machine.instance_type.as_str()),
            ];
            attributes.extend(known.map(|(name, value)| (name.to_owned(), Some(value.to_owned()))));
            attributes
        };
        self.machines.iter().map(of).collect()
    }
}
