//! `windlass retire`: takes away a service that nobody wants any more. Without `--yes` it
//! only shows what would go.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use serde_json::json;
use windlass_aws::observe;
use windlass_aws::retire::{self, By, Round};
use windlass_shared::deploy::plan::StepOutcome;
use windlass_shared::deploy::{Published, publish};
use windlass_shared::facts::Fact;
use windlass_shared::id::{ListenerArn, ServiceKey};
use windlass_shared::spec::{Origin, ServiceSpec};

use super::look::Look;
use crate::account::Account;
use crate::exit::Exit;
use crate::failure::{HintExt as _, Result};
use crate::output::{GOOD, Output, STRONG, WAITS, paint, talk};

/// Longer than a round takes: dozens of calls.
const LEASE: Duration = Duration::from_mins(1);
/// Tasks leave within their deregistration delay (an hour at most) and stop timeout; who
/// waits longer looks at what keeps them.
const ROUNDS: u32 = 900;
const PAUSE: Duration = Duration::from_secs(4);

/// Shows, and with `yes` does, what is to go.
pub(super) async fn retire(account: &Account, service: &str, yes: bool, output: Output) -> Result<Exit> {
    let key = account.key(service)?;
    let look = Look::at(account, &key).await?;
    let has_parameter = spec_goes(account, &look, &key)?;
    let listeners = listeners(account, &look);
    let found = retire::leftovers(&account.clients, &key, &listeners).await.context("looking")?;
    let plan = windlass_shared::deploy::retire::retire(&key, &found);
    let mut parameters = Vec::new();
    let mut steps: Vec<String> = Vec::new();
    if has_parameter {
        let spec = windlass_shared::spec::parameter_name(&key);
        steps.push(format!("delete the spec {spec}"));
        parameters.push(spec);
    }
    steps.extend(plan.steps.iter().map(ToString::to_string));
    if let Some(published) = published(account, &key).await? {
        steps.push(format!("delete {published}, which says what is live"));
        parameters.push(published);
    }
    if yes {
        go(account, &key, &parameters, &listeners).await?;
    }
    let value =
        json!({ "service": key.to_string(), "retired": yes, "steps": steps, "stays": found.not_ours });
    output.data(&value, || {
        let head = match (steps.is_empty(), yes) {
            (true, _) => paint(GOOD, "nothing is left"),
            (false, true) => paint(GOOD, "retired"),
            (false, false) => paint(WAITS, "would be retired"),
        };
        let numbered = steps.iter().enumerate().map(|(at, step)| format!("  {}. {step}", at + 1));
        let stays = found.not_ours.iter().map(|what| format!("  stays, Windlass did not make it: {what}"));
        let head = format!("{}: {head}", paint(STRONG, &key));
        std::iter::once(head).chain(numbered).chain(stays).collect::<Vec<_>>().join("\n")
    })?;
    if !yes && !steps.is_empty() {
        talk(format!("nothing was done; `windlass retire {key} --yes` does it"));
        return Ok(Exit::Pending);
    }
    Ok(Exit::Ok)
}

/// Whether a parameter has to go. What else wants the service would make it again.
fn spec_goes(account: &Account, look: &Look, key: &ServiceKey) -> Result<bool> {
    if let Fact::Unreadable(what) = &look.facts.parameter {
        return Err(anyhow!("{what}")).hint("whether a spec wants it is open until it can be read");
    }
    let has_parameter = look.facts.parameter.known().is_some();
    let wanted = windlass_shared::deploy::wanted(&look.facts, &account.stack.settings);
    match wanted {
        Ok(wanted) if wanted.origin == Origin::Labels => {
            Err(anyhow!("{key} is wanted by the labels of {}", wanted.spec.image.repository)).hint(
                "it would come back with the next sweep: push an image without `windlass.` labels, or \
                 delete the labelled ones, then retire it",
            )
        }
        Ok(_) | Err(_) => Ok(has_parameter),
    }
}

/// The parameter that says what is live, where the stack publishes that.
async fn published(account: &Account, key: &ServiceKey) -> Result<Option<String>> {
    if account.stack.settings.published == Published::No {
        return Ok(None);
    }
    let name = publish::parameter_name(key);
    match observe::parameter(&account.clients.ssm, &name).await {
        Fact::Known(_) => Ok(Some(name)),
        Fact::Absent | Fact::NotAsked => Ok(None),
        Fact::Unreadable(why) => Err(anyhow!("{why}")).hint("nothing was taken away"),
    }
}

/// Every listener that may have a rule of it: the spec's, the one it was last seen on, the stack's.
fn listeners(account: &Account, look: &Look) -> Vec<ListenerArn> {
    let spec = look.facts.parameter.known().and_then(|parameter| ServiceSpec::parse(&parameter.text).ok());
    let of_spec = spec.and_then(|spec| spec.route).and_then(|route| route.listener);
    let seen = look.row.state.route.as_ref().map(|route| route.listener.clone());
    let mut all: Vec<ListenerArn> =
        of_spec.into_iter().chain(seen).chain(account.stack.settings.listener.clone()).collect();
    all.sort();
    all.dedup();
    all
}

/// First the parameters, of which the spec would bring it back; then round by round.
async fn go(
    account: &Account,
    key: &ServiceKey,
    parameters: &[String],
    listeners: &[ListenerArn],
) -> Result<()> {
    for name in parameters {
        let deleted = observe::delete_parameter(&account.clients.ssm, name).await;
        deleted.with_context(|| format!("deleting {name}"))?;
        talk(format!("{key}: {name} is deleted"));
    }
    let mut told = String::new();
    for _ in 0..ROUNDS {
        let now = account.clock.now();
        let until = now.checked_add(LEASE).context("the clock's end")?;
        let by = By { actor: account.actor().clone(), now, until };
        let says = match retire::round(&account.clients, &account.ledger, key, listeners, &by).await? {
            Round::Gone => return Ok(()),
            Round::Busy => "a pass is at work on it; waiting".to_owned(),
            Round::Tried(plan, made) => {
                let last = plan.steps.iter().zip(&made.outcomes).next_back();
                match last {
                    Some((step, StepOutcome::Failed { reason, .. })) => {
                        return Err(anyhow!("{step}: {reason}"))
                            .hint("what went before is done; run it again once this is put right");
                    }
                    Some((step, outcome)) => format!("{step}: {outcome}"),
                    None => "nothing went through; trying again".to_owned(),
                }
            }
        };
        if says != told {
            talk(format!("{key}: {says}"));
            told = says;
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(anyhow!("{key} is not gone yet: {told}")).hint("run it again: it goes on where it stands")
}
