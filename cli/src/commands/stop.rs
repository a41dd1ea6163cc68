//! Stopping the line, starting it again, and passing by it once.

use anyhow::{Context as _, anyhow};
use serde_json::json;
use windlass_shared::facts::Stops;
use windlass_shared::ledger::{Hold, Order, StopScope};

use super::people::{bell, rung_after};
use crate::account::Account;
use crate::exit::Exit;
use crate::failure::{HintExt as _, Result};
use crate::output::{BAD, GOOD, Output, STRONG, WAITS, paint, talk};
use crate::words;

/// Stops everything, or a cluster. It does not ring: a stop is there to be found.
pub(super) async fn stop(
    account: &Account,
    everywhere: bool,
    reason: String,
    output: Output,
) -> Result<Exit> {
    let scope = scope(account, everywhere)?;
    let why = Hold { by: account.actor().clone(), reason, at: account.clock.now() };
    account.ledger.stop(&scope, &why).await.context("stopping")?;
    output.data(&json!({ "scope": scope, "stop": why }), || {
        format!("{}: {} ({})", paint(STRONG, &scope), paint(BAD, "stopped"), why.reason)
    })?;
    talk("rollouts under way go on; `windlass start` ends the stop");
    Ok(Exit::Ok)
}

/// Ends a stop. Five hundred doorbells at once would be a burst; the sweep looks within a minute.
pub(super) async fn start(account: &Account, everywhere: bool, output: Output) -> Result<Exit> {
    let scope = scope(account, everywhere)?;
    let was_stopped = account.ledger.start(&scope).await.context("starting")?;
    output.data(&json!({ "scope": scope, "was_stopped": was_stopped }), || {
        let words = if was_stopped { paint(GOOD, "started") } else { "was not stopped".to_owned() };
        format!("{}: {words}", paint(STRONG, &scope))
    })?;
    if was_stopped {
        talk("what waited begins within a minute");
    }
    Ok(Exit::Ok)
}

/// Rings, and lets the next rollout pass by stops, freeze windows and ringing alarms.
pub(super) async fn force(account: &Account, service: &str, reason: String, output: Output) -> Result<Exit> {
    let key = account.key(service)?;
    let order = Order { by: account.actor().clone(), reason, at: account.clock.now() };
    account.ledger.order_bypass(&key, &order).await.context("ordering the bypass")?;
    rung_after(bell(account, &key, Some(order.reason.clone())).await, "the bypass is ordered")?;
    output.data(&json!({ "service": key.to_string(), "bypass": order, "rung": true }), || {
        let words = "rung, and the next rollout within an hour passes by stops, freezes and ringing alarms";
        format!("{}: {}", paint(STRONG, &key), paint(WAITS, words))
    })?;
    Ok(Exit::Ok)
}

/// A line for each stop, for `status`.
pub(super) fn told(stops: &Stops) -> String {
    let line = |scope: &StopScope, why: &Hold| {
        let (by, since) = (&why.by, words::at(why.at));
        format!(
            "{}: {} is, by {by} since {since}: {}\n",
            paint(BAD, "stopped"),
            paint(STRONG, scope),
            why.reason
        )
    };
    let everywhere = stops.everywhere.iter().map(|why| line(&StopScope::Everywhere, why));
    let clusters = stops.clusters.iter().map(|(name, why)| line(&StopScope::Cluster(name.clone()), why));
    everywhere.chain(clusters).collect()
}

fn scope(account: &Account, everywhere: bool) -> Result<StopScope> {
    match (everywhere, account.named_cluster()) {
        (true, None) => Ok(StopScope::Everywhere),
        (false, Some(cluster)) => Ok(StopScope::Cluster(cluster.clone())),
        (true, Some(_)) => Err(anyhow!("both --everywhere and --cluster")).hint("give one of them"),
        (false, None) => Err(anyhow!("neither --everywhere nor --cluster")).hint("give one of them"),
    }
}
