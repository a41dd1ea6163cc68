//! While ECS rolls out in stages: where it is, and what it asks of people.

use super::super::Planner;
use crate::deploy::plan::{InFlightChange, Step};
use crate::deploy::report::{Note, StrategyNote};
use crate::deploy::rollout;
use crate::event::LifecycleStage;
use crate::facts::{HookRun, UnderWay};
use crate::ledger::{Approval, InFlight, Judgement, Order, Question, Verdict};
use crate::spec::{BreakerThreshold, ServiceSpec};

impl Planner<'_> {
    /// With the verdict that ECS was given of it last, where it is a new one: the row keeps the newest
    /// alone, and the release is told with all of them.
    pub(in crate::deploy::planner) fn heard(&mut self, mut going: InFlight) -> InFlight {
        let is_of_it = |verdict: &&Verdict| {
            verdict.digest == going.digest
                && verdict.at >= going.started_at
                && verdict.judgement != Judgement::Undecided
                && going.verdicts.iter().all(|known| known.stage != verdict.stage)
        };
        if let Some(verdict) = self.row.verdict.as_ref().filter(is_of_it).cloned() {
            going.verdicts.push(verdict);
            self.ledger.in_flight = InFlightChange::Set(Box::new(going.clone()));
        }
        going
    }

    /// Says where ECS is, and sees to its questions.
    pub(in crate::deploy::planner) fn attend(&mut self) {
        let (Some(under_way), Some(going)) = (self.facts.under_way.known(), self.going.clone()) else {
            return;
        };
        if let Some(stage) = &under_way.stage {
            let (stage, share) = (stage.clone(), under_way.share);
            self.notes.push(Note::Strategy(StrategyNote::Shifting { stage, share }));
        }
        match under_way.hooks.iter().find(|hook| hook.awaits_action()) {
            Some(hook) if going.given_up.is_none() => self.asked(under_way, hook, going),
            Some(_) | None => self.no_question_about(&going),
        }
    }

    /// ECS asks nothing of this rollout (any more).
    pub(in crate::deploy::planner) fn no_question_about(&mut self, going: &InFlight) {
        self.marks.question.take_if(|question| question.digest == going.digest);
    }

    /// ECS's breaker does not watch rollouts with a second set of tasks, and each of their
    /// stages may take a day. So one whose tasks fail again and again, or are not up in time, is
    /// given up while nobody has met them yet.
    pub(in crate::deploy::planner) fn must_come_up(&mut self, spec: &ServiceSpec) {
        let (Some(under_way), Some(going)) = (self.facts.under_way.known(), &self.going) else { return };
        if !under_way.stage.as_ref().is_some_and(comes_up) || going.given_up.is_some() {
            return;
        }
        let wanted = spec.rollout_or_default();
        let live = self.facts.service.known();
        let own =
            live.and_then(|it| it.deployments.iter().find(|it| Some(&it.id) == going.deployment.as_ref()));
        let failed = own.map_or(0, |own| own.failed_tasks);
        let threshold = own.map_or(u32::MAX, |own| threshold(wanted.breaker_threshold, own.desired));
        let minutes = self.now.duration_since(going.started_at).as_mins();
        if wanted.circuit_breaker && failed >= threshold {
            self.give_up(rollout::tasks_failed(failed, threshold));
        } else if minutes >= i64::from(wanted.timeout_minutes) {
            self.give_up(rollout::not_up_in_time(wanted.timeout_minutes));
        }
    }

    fn asked(&mut self, under_way: &UnderWay, hook: &HookRun, going: InFlight) {
        let what = asks(under_way, &going);
        // ECS asks before each step of requests; a person is asked before the first.
        if going.approvals.iter().any(|given| given.what == what) {
            self.no_question_about(&going);
            return self.answer(under_way, hook, true);
        }
        if let Some(answer) = self.row.answer_to(hook.id.as_str()).cloned() {
            self.no_question_about(&going);
            self.answer(under_way, hook, answer.approve);
            return self.record(going, what, answer.approve, answer.order);
        }
        let open = self.marks.question.clone().filter(|question| question.id == hook.id.as_str());
        let question = open.unwrap_or_else(|| Question {
            id: hook.id.to_string(),
            what: what.clone(),
            digest: going.digest.clone(),
            since: self.now,
            expires: hook.expires_at,
        });
        self.notes.push(Note::Strategy(StrategyNote::Asks { what, expires: hook.expires_at }));
        self.marks.question = Some(question);
    }

    fn answer(&mut self, under_way: &UnderWay, hook: &HookRun, approve: bool) {
        self.steps.push(Step::AnswerHook {
            deployment: under_way.arn.to_string(),
            hook: hook.id.to_string(),
            approve,
        });
    }

    /// A yes goes into the release's record; a no is why it is given up.
    fn record(&mut self, mut going: InFlight, what: String, approve: bool, order: Order) {
        if approve {
            going.approvals.push(Approval { what, order });
        } else {
            going.given_up = Some(format!("{} said no ({what}): {}", order.by, order.reason));
        }
        self.ledger.in_flight = InFlightChange::Set(Box::new(going.clone()));
        self.going = Some(going);
    }
}

/// Whether the new tasks are still to come up.
fn comes_up(stage: &LifecycleStage) -> bool {
    matches!(stage, LifecycleStage::ReconcileService | LifecycleStage::PreScaleUp | LifecycleStage::ScaleUp)
}

/// As ECS's own breaker counts for rolling updates: `BOUNDED_PERCENT` keeps within 3 and 200.
fn threshold(wanted: Option<BreakerThreshold>, desired: u32) -> u32 {
    match wanted.unwrap_or(BreakerThreshold::Percent(50)) {
        BreakerThreshold::Tasks(tasks) => tasks,
        BreakerThreshold::Percent(percent) => (desired * percent).div_ceil(100).clamp(3, 200),
    }
}

/// What a yes lets happen, in words.
fn asks(under_way: &UnderWay, going: &InFlight) -> String {
    let image = going.tag.as_ref().map_or_else(|| going.digest.short().to_owned(), ToString::to_string);
    match &under_way.stage {
        Some(LifecycleStage::PreProductionTrafficShift) => format!("let production requests reach {image}"),
        Some(LifecycleStage::PostProductionTrafficShift) => format!("let go of what ran before {image}"),
        Some(stage) => format!("let the rollout of {image} go on after {stage}"),
        None => format!("let the rollout of {image} go on"),
    }
}
