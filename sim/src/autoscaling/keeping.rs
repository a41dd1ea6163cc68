//! A group's look at itself: what is there against what is wanted.
//!
//! 1. Too few: launch, each into the emptiest zone ([`super::launching`]); where no zone has
//!    any, try again later and later.
//! 2. Too many: remove, by the termination policy ([`super::leaving`]).
//! 3. Enough in service: those that were to be replaced leave.
//! 4. Zones out of balance: launch into the emptiest, after which one of the fullest leaves.

use std::time::Duration;

use super::model::{Group, Lifecycle};
use super::{Due, launching, leaving};
use crate::time::Time;
use crate::world::{self, World};

/// From what happened to the group's look at it.
const REACTION: Duration = Duration::from_secs(3);
/// The longest wait after launches that failed.
const LONGEST_WAIT: u64 = 600;

/// Has a group look at itself soon.
pub(super) fn look_soon(world: &mut World, name: &str) {
    let at = world.now() + REACTION;
    look_at(world, name, at);
}

fn look_at(world: &mut World, name: &str, at: Time) {
    let Some(group) = world.autoscaling.groups.get_mut(name) else { return };
    if group.next_look.is_some_and(|next| next <= at) {
        return;
    }
    group.next_look = Some(at);
    world.at(at, world::Due::AutoScaling(Due::Look(name.to_owned())));
}

/// A look, unless a later one has been asked for instead.
pub(super) fn look(world: &mut World, name: &str) {
    let now = world.now();
    let Some(group) = world.autoscaling.groups.get_mut(name) else { return };
    if group.next_look != Some(now) {
        return;
    }
    group.next_look = None;
    launch_missing(world, name);
    remove_excess(world, name);
    let_go(world, name);
    balance(world, name);
}

fn group<'a>(world: &'a World, name: &str) -> Option<&'a Group> {
    world.autoscaling.groups.get(name).filter(|it| !it.deleting)
}

fn launch_missing(world: &mut World, name: &str) {
    let now = world.now();
    loop {
        let Some(group) = group(world, name).filter(|it| it.does("Launch")) else { return };
        if group.live() >= group.desired as usize {
            return;
        }
        if let Some(at) = group.not_before.filter(|at| *at > now) {
            look_at(world, name, at);
            return;
        }
        match launching::one(world, name, None) {
            Ok(_) => succeeded(world, name),
            Err(launching::Refused) => failed(world, name),
        }
    }
}

fn succeeded(world: &mut World, name: &str) {
    if let Some(group) = world.autoscaling.groups.get_mut(name) {
        group.failures = 0;
        group.not_before = None;
    }
}

/// No zone took an instance: the next try is in half a minute, then one, two, four, at most ten.
fn failed(world: &mut World, name: &str) {
    let now = world.now();
    let Some(group) = world.autoscaling.groups.get_mut(name) else { return };
    let wait = (30_u64 << group.failures.min(5)).min(LONGEST_WAIT);
    group.failures += 1;
    group.not_before = Some(now + Duration::from_secs(wait));
}

fn remove_excess(world: &mut World, name: &str) {
    loop {
        let Some(group) = group(world, name).filter(|it| it.does("Terminate")) else { return };
        if group.live() <= group.desired as usize {
            return;
        }
        // All that are left are protected, or not in service yet: a later look tries again.
        let Some(victim) = leaving::next(world, group) else { return };
        let cause = format!(
            "{} At {} an instance was taken out of service in response to a difference between desired and \
             actual capacity, shrinking the capacity from {} to {}. At {} instance {victim} was selected for \
             termination.",
            group.cause,
            world.now().iso_secs(),
            group.live(),
            group.live() - 1,
            world.now().iso_secs()
        );
        leaving::leave(world, &victim, &cause);
    }
}

/// Those that yield leave once as many others as are wanted are in service.
fn let_go(world: &mut World, name: &str) {
    let Some(group) = group(world, name) else { return };
    if group.in_service() < group.desired as usize {
        return;
    }
    let yielding = |it: &&super::model::Member| it.yields && it.state == Lifecycle::InService;
    let ids: Vec<String> = group.members.values().filter(yielding).map(|it| it.id.clone()).collect();
    for id in ids {
        let cause = format!(
            "At {} an instance was taken out of service in response to its replacement being in service.",
            world.now().iso_secs()
        );
        leaving::leave(world, &id, &cause);
    }
}

/// `AZRebalance`: once all is quiet, one at a time.
fn balance(world: &mut World, name: &str) {
    let now = world.now();
    let Some(group) = group(world, name).filter(|it| it.does("AZRebalance") && it.does("Launch")) else {
        return;
    };
    let quiet = group.members.values().all(|it| it.state == Lifecycle::InService && !it.yields);
    if !quiet || group.members.len() != group.desired as usize || group.not_before.is_some_and(|at| at > now)
    {
        return;
    }
    let counts = || group.zones.iter().map(|zone| (group.in_zone(&zone.az), zone.az.clone()));
    let (Some(least), Some(most)) = (counts().min(), counts().max()) else { return };
    if most.0 < least.0 + 2 {
        return;
    }
    let Some(victim) = leaving::next_in(world, group, &most.1) else { return };
    match launching::one(world, name, Some(&least.1)) {
        Ok(_) => {
            let group = world.autoscaling.groups.get_mut(name);
            if let Some(member) = group.and_then(|it| it.members.get_mut(&victim)) {
                member.yields = true;
            }
        }
        Err(launching::Refused) => failed(world, name),
    }
}
