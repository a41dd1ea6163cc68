//! One push on its way: event → pass → plan → rollout → live.
//!
//! Looked at ten times a second: what came onto the bus, what the ledger has recorded,
//! how far ECS is, and what the load balancer answers.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Serialize;
use windlass_shared::id::{ImageDigest, ServiceKey, Timestamp};
use windlass_shared::ledger::{self, Outcome, PassRecord};
use windlass_shared::names;
use windlass_sim::Time;
use windlass_sim::ecs::view::{self, ServiceView};

use super::Stage;
use super::share::Share;
use crate::failure::Result;

/// How often it looks, in real time.
const LOOK: Duration = Duration::from_millis(100);
/// In simulated time, and never less than a real minute: whatever has not ended by then
/// will not.
const PATIENCE: Duration = Duration::from_mins(15);
const PATIENCE_AT_LEAST: Duration = Duration::from_mins(1);
/// Passes looked at: more than one push makes.
const PASSES: u32 = 12;

/// A push that is followed.
pub(super) struct Push {
    pub(super) key: ServiceKey,
    pub(super) tag: String,
    pub(super) digest: ImageDigest,
    /// Where the load balancer answers with it, once it is live.
    pub(super) path: &'static str,
    pub(super) expected: Outcome,
    pub(super) pushed_at: Time,
    pub(super) began: Instant,
}

/// How it ended.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Release {
    /// `cluster/service`
    pub(crate) service: String,
    pub(crate) tag: String,
    pub(crate) digest: ImageDigest,
    /// How it has to end.
    pub(crate) expected: Outcome,
    /// How it ended; null: it did not, in time.
    pub(crate) outcome: Option<Outcome>,
    /// Simulated seconds from the push until it was live and answered; null: it never was.
    pub(crate) push_to_live_secs: Option<f64>,
    /// Simulated seconds from the push to its end, whichever.
    pub(crate) push_to_end_secs: Option<f64>,
    /// Real seconds from the push to its end.
    pub(crate) real_secs: f64,
    /// Why it failed.
    pub(crate) reason: Option<String>,
    /// What its canary did, where it had one.
    pub(crate) share: Option<Share>,
    /// A person went back to it.
    pub(crate) by_hand: bool,
}

/// Follows a push to its end.
pub(super) async fn follow(stage: &Stage, push: Push) -> Result<Release> {
    let mut seen = Seen::default();
    loop {
        seen.event(stage, &push);
        seen.passes(stage, &push).await?;
        let now = seen.rollout(stage, &push);
        seen.answer(stage, &push).await;
        if let Some(release) = seen.end(&push, now.as_ref()) {
            tell(stage, &push, &release);
            return Ok(release);
        }
        if push.began.elapsed() > patience(stage) {
            let release = given_up(stage, &push).await?;
            tell(stage, &push, &release);
            return Ok(release);
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn patience(stage: &Stage) -> Duration {
    PATIENCE.div_f64(stage.ready.local.clock().speed()).max(PATIENCE_AT_LEAST)
}

/// What was seen of it so far.
#[derive(Default)]
struct Seen {
    event: bool,
    passes: BTreeSet<String>,
    /// The cause that was told last: one pass may leave two records.
    cause: String,
    deployment: Option<String>,
    ended: Option<ledger::Release>,
    answered: Option<Time>,
}

impl Seen {
    /// 1. The event on the bus.
    fn event(&mut self, stage: &Stage, push: &Push) {
        if self.event {
            return;
        }
        let found = stage.ready.local.with(|world| {
            let logged = world.bus.log.iter().rev();
            let mut ours = logged.filter(|logged| {
                let detail = logged.event.detail();
                logged.at >= push.pushed_at
                    && logged.event.source() == "aws.ecr"
                    && detail["image-digest"] == push.digest.as_str()
                    && detail["image-tag"] == push.tag.as_str()
            });
            ours.next().map(|logged| (logged.at, logged.event.detail_type().to_owned()))
        });
        if let Some((at, kind)) = found {
            self.event = true;
            let words =
                format!("{kind}: {} pushed as {}:{}", push.digest.short(), push.key.service, push.tag);
            stage.show.line("event", &words, Some(secs(push, at)));
        }
    }

    /// 2. What passes recorded: what rang, what was planned and done, what ended.
    async fn passes(&mut self, stage: &Stage, push: &Push) -> Result<()> {
        let records = stage.account.ledger.history(&push.key, PASSES).await?;
        for record in records.into_iter().rev().filter(|record| time(record.at) >= push.pushed_at) {
            if self.passes.insert(format!("{} {:?} {}", record.at, record.ended, record.steps.len())) {
                show_pass(stage, push, &record, self.cause != record.cause);
                self.cause.clone_from(&record.cause);
                let ours = record.ended.into_iter().find(|release| release.digest == push.digest);
                self.ended = ours.or(self.ended.take());
            }
        }
        Ok(())
    }

    /// 3. How far ECS is.
    fn rollout(&mut self, stage: &Stage, push: &Push) -> Option<ServiceView> {
        let (cluster, service) = (push.key.cluster.as_str(), push.key.service.as_str());
        let view = stage.ready.local.with(|world| view::service(world, cluster, service));
        let at = stage.ready.local.clock().now();
        let canary = names::canary(&push.key);
        let canary = stage.ready.local.with(|world| {
            let view = view::service(world, canary.cluster.as_str(), canary.service.as_str());
            view.filter(|view| view.tasks.iter().any(|task| carries(task, &push.digest)))
        });
        let words = match (&view, &canary) {
            (None, _) => "waiting for the first pass".to_owned(),
            (Some(view), Some(canary)) => {
                format!("canary {} healthy; {}", canary.healthy, progress(view, push))
            }
            (Some(view), None) => progress(view, push),
        };
        stage.show.progress(&format!("{}:{}", push.key.service, push.tag), &words, secs(push, at));
        if let Some(view) = &view
            && self.deployment.as_ref() != Some(&view.deployment)
            && view.tasks.iter().any(|task| carries(task, &push.digest))
        {
            self.deployment = Some(view.deployment.clone());
            let words = format!("{} starts tasks of {}", view.deployment, short(&view.task_definition));
            stage.show.line("rollout", &words, Some(secs(push, at)));
        }
        view
    }

    /// 4. What the load balancer answers.
    async fn answer(&mut self, stage: &Stage, push: &Push) {
        if self.answered.is_none() && self.deployment.is_some() {
            let url = format!("{}{}", stage.ready.local.alb_url(), push.path);
            if answering(&url).await.as_deref() == Some(push.digest.as_str()) {
                self.answered = Some(stage.ready.local.clock().now());
            }
        }
    }

    /// Whether that is the end: live and answering; or rolled back, and ECS at rest again.
    fn end(&self, push: &Push, view: Option<&ServiceView>) -> Option<Release> {
        let ended = self.ended.as_ref()?;
        let at_rest =
            view.is_some_and(|view| view.rollout == "COMPLETED" && view.running == view.desired as usize);
        let end = match ended.outcome {
            Outcome::Live => self.answered?.max(time(ended.ended_at)),
            Outcome::RolledBack | Outcome::Failed if at_rest => time(ended.ended_at),
            Outcome::RolledBack | Outcome::Failed => return None,
            Outcome::Superseded => time(ended.ended_at),
        };
        let took = secs(push, end);
        Some(Release {
            outcome: Some(ended.outcome),
            push_to_live_secs: (ended.outcome == Outcome::Live).then_some(took),
            push_to_end_secs: Some(took),
            reason: ended.reason.clone(),
            ..blank(push)
        })
    }
}

fn blank(push: &Push) -> Release {
    Release {
        service: push.key.to_string(),
        tag: push.tag.clone(),
        digest: push.digest.clone(),
        expected: push.expected,
        outcome: None,
        push_to_live_secs: None,
        push_to_end_secs: None,
        real_secs: round(push.began.elapsed().as_secs_f64()),
        reason: None,
        share: None,
        by_hand: false,
    }
}

/// It did not end in time: what the last pass said may tell why.
async fn given_up(stage: &Stage, push: &Push) -> Result<Release> {
    let row = stage.account.ledger.row(&push.key).await?;
    let said = row.state.last_report.join("; ");
    let log = stage.ready.local.function_log(&stage.ready.function);
    let last = log.last().cloned().unwrap_or_else(|| "the function wrote nothing".to_owned());
    let why = if said.is_empty() { last } else { said };
    Ok(Release {
        reason: Some(format!("no end within {} s: {why}", patience(stage).as_secs())),
        ..blank(push)
    })
}

fn show_pass(stage: &Stage, push: &Push, record: &PassRecord, is_new: bool) {
    if is_new {
        stage.show.line("pass", &record.cause, Some(secs(push, time(record.at))));
    }
    for step in &record.steps {
        stage.show.line("plan", &format!("{}: {}", step.step, step.outcome), None);
    }
    let telling =
        record.report.iter().filter(|note| !note.starts_with("quiet") && !note.starts_with("quarantined"));
    for note in telling {
        stage.show.line("plan", note, None);
    }
}

fn tell(stage: &Stage, push: &Push, release: &Release) {
    let took = release.push_to_end_secs;
    let reason = release.reason.as_deref().unwrap_or_default();
    match release.outcome {
        Some(Outcome::Live) => {
            let url = format!("{}{}", stage.ready.local.alb_url(), push.path);
            stage.show.good("live", &format!("{url} answers with {}", push.tag), took);
        }
        Some(Outcome::RolledBack) => stage.show.bad("rolled back", reason, took),
        Some(Outcome::Failed) => stage.show.bad("failed", reason, took),
        Some(Outcome::Superseded) => stage.show.bad("superseded", reason, took),
        None => stage.show.bad("no end", reason, None),
    }
}

fn progress(view: &ServiceView, push: &Push) -> String {
    let tasks = |new: bool| {
        view.tasks
            .iter()
            .filter(|task| carries(task, &push.digest) == new && task.status == "RUNNING")
            .count()
    };
    let failed =
        if view.failed_tasks > 0 { format!(", {} failed", view.failed_tasks) } else { String::new() };
    format!(
        "{} of {} new tasks run, {} old{failed}, {} healthy",
        tasks(true),
        view.desired,
        tasks(false),
        view.healthy
    )
}

fn carries(task: &view::TaskView, digest: &ImageDigest) -> bool {
    task.images.iter().any(|(_, image)| image.as_deref() == Some(digest.as_str()))
}

/// The digest of the task that answers, by the header that every task sets.
async fn answering(url: &str) -> Option<String> {
    let client: Client<HttpConnector, Empty<bytes::Bytes>> =
        Client::builder(TokioExecutor::new()).build(HttpConnector::new());
    let response = client.get(url.parse().ok()?).await.ok()?;
    let digest = response.headers().get("x-digest")?.to_str().ok()?.to_owned();
    response.into_body().collect().await.ok()?;
    Some(digest)
}

fn short(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

fn time(at: Timestamp) -> Time {
    Time(u64::try_from(at.as_millisecond()).unwrap_or(0))
}

/// Simulated seconds since the push.
fn secs(push: &Push, at: Time) -> f64 {
    round(at.since(push.pushed_at).as_secs_f64())
}

fn round(secs: f64) -> f64 {
    (secs * 10.0).round() / 10.0
}
