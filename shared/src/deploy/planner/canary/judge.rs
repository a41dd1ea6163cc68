//! When a canary is given up, and what is asked of `functions/verify`.

use jiff::SignedDuration;

use super::super::{Planner, Stop, TRIED_AGAIN_AFTER};
use super::lane::Lane;
use super::state;
use super::step::Seen;
use crate::deploy::explain;
use crate::deploy::plan::{Step, VerdictWanted};
use crate::facts::{Fact, LiveService, RolloutState, StoppedTask};
use crate::id::Timestamp;
use crate::ledger::{CanaryState, InFlight, Judgement, Verdict};
use crate::spec::ServiceSpec;

/// As many tasks of a canary may fail before it is given up: ECS's breaker never trips
/// earlier, either.
const FAILED_TASKS: usize = 3;
/// An ask without an answer is made again after this long.
const UNANSWERED: SignedDuration = SignedDuration::from_mins(2);
/// What could not be said is asked again after this long.
const UNDECIDED: SignedDuration = SignedDuration::from_mins(1);

/// What verification came to.
pub(super) enum Verified {
    Passed,
    Failed(String),
    /// Not yet, in words.
    NotYet(String),
}

/// When a canary whose tasks do not come up is given up.
pub(super) fn gives_up_at(spec: &ServiceSpec, state: &CanaryState) -> Option<Timestamp> {
    let minutes = spec.rollout_or_default().timeout_minutes;
    state.entered?.checked_add(SignedDuration::from_mins(minutes.into())).ok()
}

impl<'a> Planner<'a> {
    /// Why the canary is given up now, if it is. Where the image is to blame, it is in quarantine
    /// from now on.
    pub(super) fn reason_to_give_up(
        &mut self,
        spec: &ServiceSpec,
        service: &LiveService,
        going: &InFlight,
    ) -> Option<String> {
        let state = state(going);
        if super::steps_of(spec).is_none() && state.promoting_since.is_none() {
            return Some("its spec no longer asks for a canary".to_owned());
        }
        if state.promoting_since.is_none()
            && going.from_task_definition.as_ref().is_some_and(|from| *from != service.task_definition)
        {
            let found = service.task_definition.short();
            return Some(format!("somebody deployed {found} to the service meanwhile"));
        }
        let (reason, until) = match state.promoting_since {
            None => match self.alarm(spec, going).or_else(|| self.failing_tasks(going)) {
                Some(reason) => (reason, None),
                None => self.overdue_canary(spec, service, &state)?,
            },
            Some(since) => self.blame(going, &overdue_promotion(spec, since, self.now)?),
        };
        self.failed(going, None, &reason, until);
        Some(reason)
    }

    fn alarm(&self, spec: &ServiceSpec, going: &InFlight) -> Option<String> {
        let rollout = spec.rollout.as_ref()?;
        let rang_before = state(going).rang_before;
        let new: Vec<&str> = self.ringing(rollout).filter(|name| !rang_before.contains(*name)).collect();
        (!new.is_empty()).then(|| format!("{} rings", new.join(", ")))
    }

    /// An alarm that rang when the canary began says something of it once it was quiet.
    pub(super) fn forget_quiet_alarms(&self, spec: &ServiceSpec, going: &mut InFlight) {
        let rollout = spec.rollout_or_default();
        let ringing: Vec<&str> = self.ringing(&rollout).collect();
        if let Some(state) = &mut going.canary {
            state.rang_before.retain(|name| ringing.contains(&name.as_str()));
        }
    }

    /// The canary's tasks fail, or ECS has given them up.
    fn failing_tasks(&self, going: &InFlight) -> Option<String> {
        let canary = self.facts.canary.known()?;
        let is_this = going.task_definition.as_ref() == Some(&canary.task_definition);
        if !is_this {
            return None;
        }
        let failed: Vec<StoppedTask> = self
            .facts
            .stopped_tasks
            .known()
            .into_iter()
            .flatten()
            .filter(|task| task.stopped_at.is_some_and(|at| at >= going.started_at) && has_failed(task))
            .cloned()
            .collect();
        let ended = canary.deployments.iter().find(|it| it.status == "PRIMARY")?;
        let words = match (ended.rollout, failed.len()) {
            (RolloutState::Failed, _) => ended.reason.clone(),
            (_, FAILED_TASKS..) => format!("{} of the canary's tasks failed", failed.len()),
            _ => return None,
        };
        Some(explain::of_service(&words, &Fact::Known(failed), Some(canary), going.started_at))
    }

    /// Its tasks did not come up in time. Where there was no room for them the image is not at
    /// fault, and is tried again later.
    fn overdue_canary(
        &mut self,
        spec: &ServiceSpec,
        service: &LiveService,
        state: &CanaryState,
    ) -> Option<(String, Option<Timestamp>)> {
        let until = gives_up_at(spec, state)
            .filter(|until| state.since.is_none() && state.promoting_since.is_none() && self.now >= *until)?;
        let lane: Result<Option<Lane<'a>>, Stop> = self.lane(spec, service);
        if self.is_up(lane.ok()?.as_ref()) {
            return None;
        }
        let words = format!("the canary's tasks were not healthy by {until:.0}");
        let (canary, stopped, since) = (self.facts.canary.known(), &self.facts.stopped_tasks, state.entered?);
        if let Some(no_room) = canary.and_then(|canary| explain::no_room_of(canary, stopped, since)) {
            return Some((format!("no capacity: {no_room}"), self.now.checked_add(TRIED_AGAIN_AFTER).ok()));
        }
        Some((explain::of_service(&words, stopped, canary, since), None))
    }

    /// Why the service itself was not updated, in full. Where there was no room for its tasks the
    /// image is not at fault, and is tried again later.
    pub(super) fn blame(&self, going: &InFlight, words: &str) -> (String, Option<Timestamp>) {
        let since = state(going).promoting_since.unwrap_or(going.started_at);
        match explain::no_room(self.facts, since) {
            Some(no_room) => {
                (format!("no capacity: {no_room}"), self.now.checked_add(TRIED_AGAIN_AFTER).ok())
            }
            None => (explain::failure(words, self.facts, since), None),
        }
    }

    /// The verdict on the step that has carried its share since `since`.
    pub(super) fn verify(&mut self, seen: &mut Seen<'_, '_>, since: Timestamp) -> Verified {
        let mut state = seen.state();
        let id = format!("canary/{}/{}/step {}", seen.going.digest, seen.going.started_at, state.step + 1);
        if seen.going.verdicts.iter().any(|known| known.stage == id) {
            return Verified::Passed;
        }
        let verdict = self.row.verdict.clone().filter(|verdict| verdict.stage == id && verdict.at >= since);
        if let Some(verdict) = &verdict
            && verdict.judgement != Judgement::Undecided
        {
            seen.going.verdicts.push(verdict.clone());
            return match verdict.judgement {
                Judgement::Failed => {
                    Verified::Failed(format!("its verification failed: {}", findings(verdict)))
                }
                Judgement::Passed | Judgement::Undecided => Verified::Passed,
            };
        }
        let patience = if verdict.is_some() { UNDECIDED } else { UNANSWERED };
        let last = verdict.as_ref().map(|verdict| verdict.at).max(state.asked);
        let is_due = last.is_none_or(|last| self.now.duration_since(last) >= patience);
        if is_due {
            let groups = seen.lane.as_ref().and_then(|lane| Some((lane.canary.clone()?, lane.main.clone())));
            self.steps.push(Step::AskVerdict(VerdictWanted {
                key: self.facts.key.clone(),
                stage: id,
                digest: seen.going.digest.clone(),
                since,
                target_groups: groups,
            }));
            state.asked = Some(self.now);
            seen.going.canary = Some(state);
        }
        Verified::NotYet(match verdict {
            Some(verdict) => format!("its verification is undecided: {}", findings(&verdict)),
            None => "its verification is asked for".to_owned(),
        })
    }
}

fn overdue_promotion(spec: &ServiceSpec, since: Timestamp, now: Timestamp) -> Option<String> {
    let minutes = i64::from(spec.rollout_or_default().timeout_minutes);
    (now.duration_since(since).as_mins() >= minutes)
        .then(|| format!("the service itself was not updated within {minutes} minutes"))
}

fn findings(verdict: &Verdict) -> String {
    if verdict.findings.is_empty() { "no finding was given".to_owned() } else { verdict.findings.join("; ") }
}

/// Whether a task ended by its own fault: neither scaled in, nor moved off its instance.
fn has_failed(task: &StoppedTask) -> bool {
    let reason = task.stopped_reason.as_deref().unwrap_or_default();
    matches!(task.stop_code.as_deref(), Some("EssentialContainerExited" | "TaskFailedToStart"))
        || reason.contains("health check")
}
