//! While ECS rolls out in stages: where it is, and what it asks of people.

use super::super::Planner;
use crate::deploy::plan::{InFlightChange, Step};
use crate::deploy::report::{Note, StrategyNote};
use crate::event::LifecycleStage;
use crate::facts::{HookRun, UnderWay};
use crate::ledger::{Approval, InFlight, Order, Question};

impl Planner<'_> {
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
            Some(hook) => self.asked(under_way, hook, going),
            None => self.no_question_about(&going),
        }
    }

    /// ECS asks nothing of this rollout (any more).
    pub(in crate::deploy::planner) fn no_question_about(&mut self, going: &InFlight) {
        self.marks.question.take_if(|question| question.digest == going.digest);
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
