//! From one account's default bus to another's: the rule's role must allow it, and the other bus's policy.
//!
//! An event stays what it was: its account and its Region are where it happened. One that came from another
//! account is not sent on to a third, as in AWS.

use anyhow::Result;
use serde_json::{Value, json};

use super::rules::{self, Target};
use super::{UnderWay, publish, undeliverable};
use crate::iam::{Ask, Caller, ResourcePolicy};
use crate::world::World;

/// Lets others put events onto this bus: one statement of its policy.
pub(crate) fn permit(world: &mut World, id: &str, statement: &Value) -> Result<()> {
    ResourcePolicy::read(&json!({ "Statement": [statement] }))?;
    world.bus.policy.insert(id.to_owned(), statement.clone());
    Ok(())
}

pub(super) fn forward(world: &mut World, under_way: &UnderWay, target: &Target) {
    let here = world.config.account.clone();
    if under_way.event.0["account"] != here.as_str() {
        return;
    }
    if let Err(why) = put(world, under_way, target) {
        undeliverable(world, under_way, target, why);
    }
}

fn put(world: &mut World, under_way: &UnderWay, target: &Target) -> Result<(), (&'static str, String)> {
    let denied =
        |who: &str| ("NO_PERMISSIONS", format!("{who} does not allow events:PutEvents on {}.", target.arn));
    let event = &under_way.event;
    let ask = Ask::new("events:PutEvents", &target.arn)
        .key("events:source", event.source())
        .key("events:detail-type", event.detail_type())
        .key("aws:SourceArn", rules::arn(world, &under_way.rule))
        .key("aws:SourceAccount", &world.config.account)
        .key("aws:RequestedRegion", &world.config.region);
    let role = target.role_arn.clone().unwrap_or_default();
    world.gate.permissions.decide(&role, &ask).map_err(|_| denied("The role of the target"))?;
    let caller = Caller { account: world.config.account.clone(), role: Some(role) };
    let there = target.arn.split(':').nth(4).unwrap_or_default();
    let event = event.clone();
    let taken = world.in_account(there, |world| {
        let statements: Vec<&Value> = world.bus.policy.values().collect();
        let is_own = caller.account == world.config.account;
        // What does not read was refused by `permit`.
        let policy = ResourcePolicy::read(&json!({ "Statement": statements }));
        let is_let_in = is_own || policy.is_ok_and(|policy| policy.allows(&caller, &ask));
        if is_let_in {
            publish(world, event);
        }
        is_let_in
    });
    match taken {
        Some(true) => Ok(()),
        Some(false) => Err(denied("The policy of the bus")),
        None => Err(("RESOURCE_NOT_FOUND", format!("The target {} does not exist.", target.arn))),
    }
}
