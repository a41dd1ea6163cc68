//! Who asks, and what they are told.

use serde_json::{Value, json};
use windlass_aws::ledger::LedgerError;
use windlass_aws::{by_hand, start};
use windlass_shared::deploy::plan::VerdictWanted;
use windlass_shared::event::{Doorbell, Event, HookReply, LifecycleHook, Malformed};
use windlass_shared::id::{ServiceArn, ServiceKey};
use windlass_shared::ledger::{Judgement, Verdict};
use windlass_shared::verify::{HookCall, HookCheck, judge};

use crate::app::App;
use crate::look;

/// What an invocation ends in without an answer. ECS rolls back on it; EventBridge's is tried
/// again, and then kept as a dead letter.
#[derive(Debug, thiserror::Error)]
pub enum HandleError {
    /// The event is not what it says it is.
    #[error("malformed event: {0}")]
    Malformed(#[from] Malformed),
    /// It is for another function.
    #[error("{0}: this function answers lifecycle hooks and `Windlass Verdict Wanted`, nothing else")]
    NotForUs(String),
    /// The hook's call names no service.
    #[error("`{0}` does not name a cluster and a service: turn on the long ARN format for ECS services")]
    NoService(ServiceArn),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The answer is no JSON.
    #[error("writing the answer: {0}")]
    Answer(#[from] serde_json::Error),
}

/// Answers ECS, or a pass.
pub async fn handle(app: &App, payload: &[u8]) -> Result<Value, HandleError> {
    let incoming = start::read(&app.clients.meter, payload)?;
    match &incoming.event {
        Event::LifecycleHook(hook) => Ok(serde_json::to_value(hook_called(app, hook).await?)?),
        Event::VerdictWanted(wanted) => verdict_wanted(app, wanted).await,
        _ => Err(HandleError::NotForUs(incoming.describe())),
    }
}

async fn hook_called(app: &App, hook: &LifecycleHook) -> Result<HookReply, HandleError> {
    let why = match HookCall::read(hook) {
        HookCall::Check(check) => return Ok(check_hook(app, hook, &check).await),
        HookCall::NoService => return Err(HandleError::NoService(hook.details.service_arn.clone())),
        HookCall::WayBack => "traffic moves back",
        HookCall::NothingYet => "nothing to look at yet",
    };
    tracing::info!(service = %hook.details.service_arn, stage = %hook.stage, reason = why, "answered without a check");
    Ok(HookReply::succeeded())
}

async fn check_hook(app: &App, hook: &LifecycleHook, check: &HookCheck) -> HookReply {
    let details = || hook.hook_details.clone();
    let row = match app.ledger.row(&check.key).await {
        Ok(row) => row,
        Err(error) => {
            tracing::error!(service = %check.key, stage = %check.stage, error = %said(&error), "the row could not be read; asked again");
            return judge::reply(Judgement::Undecided, details());
        }
    };
    if let Some(given) = judge::given(row.verdict.as_ref(), &check.stage) {
        return judge::reply(given.judgement, details());
    }
    match look::at_rollout(app, check, &row).await {
        look::Seen::Nothing => HookReply::succeeded(),
        look::Seen::Unknown(why) => {
            tracing::warn!(service = %check.key, stage = %check.stage, reason = %why, "asked again");
            judge::reply(Judgement::Undecided, details())
        }
        look::Seen::Verdict(verdict) => {
            if let Err(error) = app.ledger.set_verdict(&check.key, &verdict).await {
                tracing::error!(service = %check.key, stage = %check.stage, error = %said(&error), "the verdict was not recorded");
            }
            tell(app, &check.key, &verdict).await;
            judge::reply(verdict.judgement, details())
        }
    }
}

async fn verdict_wanted(app: &App, wanted: &VerdictWanted) -> Result<Value, HandleError> {
    let row = app.ledger.row(&wanted.key).await?;
    let verdict = if let Some(given) = judge::given(row.verdict.as_ref(), &wanted.stage) {
        given.clone()
    } else {
        let verdict = look::at_canary(app, wanted, row.verdict.as_ref()).await;
        app.ledger.set_verdict(&wanted.key, &verdict).await?;
        verdict
    };
    tell(app, &wanted.key, &verdict).await;
    Ok(json!({"service": wanted.key.to_string(), "stage": verdict.stage, "verdict": verdict.judgement}))
}

/// Logs a verdict; a decided one rings. If that fails, the sweep finds it within a minute.
async fn tell(app: &App, key: &ServiceKey, verdict: &Verdict) {
    let Verdict { stage, digest, judgement, findings, at: _, since: _ } = verdict;
    tracing::info!(service = %key, %stage, %digest, verdict = %judgement, findings = %findings.join(" | "), "verdict");
    if *judgement == Judgement::Undecided {
        return;
    }
    let bell = Doorbell {
        cluster: key.cluster.clone(),
        service: key.service.clone(),
        reason: Some(format!("the verdict on {stage}: {judgement}")),
        by: Some(app.stack.settings.actor.clone()),
    };
    if let Err(error) = by_hand::ring(&app.clients.events, &bell).await {
        tracing::warn!(service = %key, %error, "did not ring; the sweep will find the verdict");
    }
}

/// An error with its causes.
fn said(error: &LedgerError) -> String {
    let cause = std::error::Error::source(error);
    cause.map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}
