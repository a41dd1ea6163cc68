//! Where the next instance goes, of which type, on demand or spot.
//!
//! The emptiest zone first, then the next; in each the types in order of preference. Every try
//! that EC2 refuses is an activity of its own.

use std::collections::BTreeMap;

use super::activities;
use super::model::{ActivityStatus, Group, Lifecycle, Member, Zone};
use crate::ec2::{self, Market, Order};
use crate::world::World;

/// No zone took it; the activities say why.
#[derive(Debug)]
pub(super) struct Refused;

/// Launches one instance, in `zone` only where one is given. Returns its id.
pub(super) fn one(world: &mut World, name: &str, zone: Option<&str>) -> Result<String, Refused> {
    let Some(group) = world.autoscaling.groups.get(name) else { return Err(Refused) };
    let market = market(world, group);
    let mut zones: Vec<Zone> = group.zones.clone();
    zones.retain(|it| zone.is_none_or(|only| it.az == only));
    zones.sort_by_key(|it| group.in_zone(&it.az));
    for zone in zones {
        for order in orders(world, name, &zone, market) {
            match ec2::launch(world, order) {
                Ok(id) => {
                    joined(world, name, &id, &zone);
                    return Ok(id);
                }
                Err(error) => {
                    let message = format!("{} Launching EC2 instance failed.", error.message);
                    activities::launch_failed(world, name, &zone, &message);
                }
            }
        }
    }
    Err(Refused)
}

/// On demand until the policy's share is there; spot after that.
fn market(world: &World, group: &Group) -> Market {
    let Some(mix) = &group.launches.mix else {
        let spot = ec2::resolve(world, &group.launches.template).is_ok_and(|it| it.spot);
        return if spot { Market::Spot } else { Market::OnDemand };
    };
    let live = group.members.values().filter(|it| it.state.counts() && !it.yields);
    let markets = live.filter_map(|it| world.ec2.instances.get(&it.id)).map(|it| it.market);
    let (mut all, mut on_demand) = (0, 0);
    for market in markets {
        all += 1;
        on_demand += u32::from(market == Market::OnDemand);
    }
    if on_demand < mix.on_demand_of(all + 1) { Market::OnDemand } else { Market::Spot }
}

/// What to try in a zone, the preferred type first. Without a template there is nothing to
/// launch: an activity says so.
fn orders(world: &mut World, name: &str, zone: &Zone, market: Market) -> Vec<Order> {
    let Some(group) = world.autoscaling.groups.get(name) else { return Vec::new() };
    let resolved = match ec2::resolve(world, &group.launches.template) {
        Ok(resolved) => resolved,
        Err(error) => {
            let message = format!("{} Launching EC2 instance failed.", error.message);
            activities::launch_failed(world, name, zone, &message);
            return Vec::new();
        }
    };
    let mut tags: BTreeMap<String, String> = resolved.tags.clone();
    let own = group.tags.iter().filter(|(_, tag)| tag.propagates);
    tags.extend(own.map(|(key, tag)| (key.clone(), tag.value.clone())));
    tags.insert("aws:autoscaling:groupName".into(), name.to_owned());
    tags.insert("aws:ec2launchtemplate:id".into(), resolved.template.id.clone());
    tags.insert("aws:ec2launchtemplate:version".into(), resolved.template.version.to_string());
    let types = match group.launches.types.as_slice() {
        [] => resolved.instance_type.iter().cloned().collect(),
        types => types.to_vec(),
    };
    let order = |instance_type: String| Order {
        instance_type,
        az: zone.az.clone(),
        subnet: zone.subnet.clone(),
        image: resolved.image.clone(),
        template: resolved.template.clone(),
        market,
        user_data: resolved.user_data.clone(),
        tags: tags.clone(),
    };
    types.into_iter().map(order).collect()
}

fn joined(world: &mut World, name: &str, id: &str, zone: &Zone) {
    let Some(group) = world.autoscaling.groups.get(name) else { return };
    let now = world.now().iso_secs();
    let cause = format!(
        "{} At {now} an instance was started in response to a difference between desired and actual capacity, \
         increasing the capacity from {} to {}.",
        group.cause,
        group.live(),
        group.live() + 1
    );
    let protected = group.protects_new;
    let description = format!("Launching a new EC2 instance: {id}");
    let activity = activities::begin(world, name, zone, &description, &cause, ActivityStatus::PreInService);
    let member = Member {
        id: id.to_owned(),
        az: zone.az.clone(),
        state: Lifecycle::Pending,
        healthy: true,
        protected,
        yields: false,
        activity,
        waits: Vec::new(),
    };
    if let Some(group) = world.autoscaling.groups.get_mut(name) {
        group.members.insert(id.to_owned(), member);
    }
}
