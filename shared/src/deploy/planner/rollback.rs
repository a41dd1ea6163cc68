//! Going back: orders of people, rollouts that are given up, and what holds afterwards.
//!
//! 1. An order becomes a pin ("this is wanted until something newer than what it left is
//!    pushed"), its `left` goes into quarantine, and a rollout that goes on is given up. Or
//!    it is refused with what else can be gone back to. Either way it is marked as done.
//! 2. A rollout that is given up is ended: by ECS ([`Step::StopRollout`]), or step by step
//!    where it is Windlass's own canary. Nothing else begins until its end was seen.
//! 3. While a pin holds, its image is wanted in place of the policy's. The recorded revision
//!    is used as it is while ECS takes it; else it is made again.

use super::{Planner, Stop, native};
use crate::deploy::plan::{Forward, InFlightChange, Made, Part, RuleAction, RuleChange, Step};
use crate::deploy::report::{NoWayBack, Note, RollbackNote};
use crate::deploy::rollback::{self, Target};
use crate::deploy::rollout;
use crate::deploy::wanted::Wanted;
use crate::facts::{LiveService, RouteFacts, Rule};
use crate::id::{ImageDigest, ImageTag, TargetGroupArn, TaskDefinitionArn, Timestamp};
use crate::image::{Candidate, Rank};
use crate::ledger::{InFlight, Manner, Pin, Quarantine, RecordedRule, RollbackOrder, Settled};
use crate::spec::ServiceSpec;

impl<'a> Planner<'a> {
    // ── what was settled before ─────────────────────────────────────────────────────

    /// Notes what was settled until now, and where its rules led.
    pub(super) fn remember_settled(&mut self) {
        let Some(new) = &mut self.settled else { return };
        let old = self.remembered.as_ref();
        let is_same = |old: &&Settled| old.task_definition == new.task_definition && old.digest == new.digest;
        new.rules = old.filter(is_same).map(|old| old.rules.clone()).unwrap_or_default();
        if new.rules.is_empty() {
            new.rules = own_rules(self.facts.route.known(), &self.facts.key.to_string());
        }
        if let Some(old) = old.filter(|old| old.task_definition != new.task_definition) {
            rollback::remember(&mut self.marks.before, old, new, self.marks.pin.as_ref());
        }
        if let Some(pin) = self.marks.pin.as_mut().filter(|pin| pin.to.digest == new.digest) {
            pin.to = new.clone();
        }
        self.remembered = self.settled.clone();
    }

    // ── 1. an order ─────────────────────────────────────────────────────────────────

    /// Takes up a person's order: a pin, or a refusal.
    pub(super) fn take_up_order(
        &mut self,
        wanted: &Wanted,
        service: Option<&LiveService>,
    ) -> Result<(), Stop> {
        let Some(order) = self.row.pending_rollback().cloned() else { return Ok(()) };
        if self.going.is_none()
            && let Some(hold) = &self.row.hold
        {
            return self.refuse(Note::Rollback(RollbackNote::Held {
                by: hold.by.clone(),
                reason: hold.reason.clone(),
                since: hold.at,
            }));
        }
        let target = match (self.left(), service) {
            (Some(left), Some(service)) => {
                self.settled_target(wanted, service, &order)?.map(|to| self.pin(&order, left, to))
            }
            (None, Some(_)) => Err(NoWayBack::NothingBefore),
            (_, None) => Err(NoWayBack::NoService),
        };
        self.marks.done.rollback = Some(order.order.at);
        if let Err(why) = target {
            let note = RollbackNote::Refused { why, instead: self.instead() };
            self.notes.push(Note::Rollback(note));
        }
        Ok(())
    }

    /// What else can be gone back to, as far as the repository was asked.
    fn instead(&self) -> Vec<(ImageDigest, Option<ImageTag>)> {
        let there = self.facts.rollback.known().and_then(|facts| facts.there.known());
        let is_there = |it: &Settled| there.is_none_or(|there| there.contains(&it.digest));
        self.candidates().into_iter().filter(is_there).map(|it| (it.digest, it.tag)).collect()
    }

    fn candidates(&self) -> Vec<Settled> {
        let (settled, before) = (self.settled.as_ref(), &self.marks.before);
        rollback::candidates(settled, before, &self.quarantine, self.going.is_some(), self.now)
    }

    /// What a rollback leaves: what is on its way, else what runs.
    fn left(&self) -> Option<Left> {
        if let Some(InFlight { digest, tag, pushed_at, .. }) = &self.going {
            return Some(Left { digest: digest.clone(), tag: tag.clone(), pushed_at: *pushed_at });
        }
        let Settled { digest, tag, pushed_at, .. } = self.settled.as_ref()?;
        Some(Left { digest: digest.clone(), tag: tag.clone(), pushed_at: *pushed_at })
    }

    /// What is to be gone back to, looked at; or why there is no way back.
    fn settled_target(
        &mut self,
        wanted: &Wanted,
        service: &LiveService,
        order: &RollbackOrder,
    ) -> Result<Result<Settled, NoWayBack>, Stop> {
        let target = rollback::target(&order.to, &self.candidates());
        if target == Target::Nothing {
            return Ok(Err(NoWayBack::NothingBefore));
        }
        let Some(facts) = self.need(&self.facts.rollback, "what can be gone back to")? else {
            return Ok(Err(NoWayBack::NothingBefore));
        };
        let mut to = match target {
            Target::Recorded(settled) => *settled,
            Target::Image(digest) => self.never_settled(wanted, digest, service.task_definition.clone()),
            Target::Revision(arn) => {
                let Some(revision) = self.need(&facts.revision, "the revision")? else {
                    return Ok(Err(NoWayBack::RevisionGone(arn)));
                };
                let (repository, home) = (&wanted.spec.image.repository, self.settings.home());
                match rollback::pinned_digest(&revision.definition, repository, &home) {
                    Some(digest) => self.never_settled(wanted, digest, arn),
                    None => return Ok(Err(NoWayBack::NotPinned(arn))),
                }
            }
            Target::Nothing => return Ok(Err(NoWayBack::NothingBefore)),
        };
        to.spec = wanted.spec.fingerprint();
        // A revision of the image that runs may be meant: another spec's.
        let runs = self.settled.as_ref().is_some_and(|settled| settled.digest == to.digest)
            && to.task_definition == service.task_definition;
        if runs && self.going.is_none() {
            return Ok(Err(NoWayBack::Runs(to.digest)));
        }
        if let Some(why) = self.quarantine.get(&to.digest).filter(|why| why.is_of_the_image(self.now)) {
            return Ok(Err(NoWayBack::InQuarantine(to.digest.clone(), why.reason.clone())));
        }
        let there = self.need(&facts.there, "the images")?;
        if there.is_none_or(|there| !there.contains(&to.digest)) {
            return Ok(Err(NoWayBack::ImageGone(to.digest)));
        }
        Ok(Ok(to))
    }

    /// An image that was never settled here: what the repository says of it.
    fn never_settled(&self, wanted: &Wanted, digest: ImageDigest, revision: TaskDefinitionArn) -> Settled {
        let listed = self.facts.images.known().into_iter().flatten().find(|image| image.digest == digest);
        Settled {
            tag: listed.and_then(|image| image.tags.first().cloned()),
            pushed_at: listed.map(|image| image.pushed_at),
            digest,
            task_definition: revision,
            spec: wanted.spec.fingerprint(),
            policy: wanted.spec.image.policy.canonical_text(),
            repository: Some(wanted.spec.image.repository.clone()),
            rules: Vec::new(),
            at: self.now,
        }
    }

    fn pin(&mut self, order: &RollbackOrder, left: Left, to: Settled) {
        let Left { digest: left, tag, pushed_at } = left;
        let words = format!("rolled back by {}: {}", order.order.by, order.order.reason);
        if left != to.digest {
            let reason = words.clone();
            let deployment = self.going.as_ref().and_then(|going| going.deployment.clone());
            let why = Quarantine { reason, at: self.now, deployment, spec: None, until: None };
            self.quarantine.insert(left.clone(), why.clone());
            self.ledger.quarantine.insert(left.clone(), why);
        }
        self.marks.pin =
            Some(Pin { to, left, left_pushed_at: pushed_at, left_tag: tag, order: order.order.clone() });
        self.give_up(words);
    }

    // ── 2. a rollout that is given up ───────────────────────────────────────────────

    pub(super) fn give_up(&mut self, reason: String) {
        let Some(going) = &mut self.going else { return };
        if going.given_up.is_none() {
            going.given_up = Some(reason);
            self.ledger.in_flight = InFlightChange::Set(Box::new(going.clone()));
        }
    }

    /// A rollout that takes longer than `rollout.timeout_minutes` is given up, where there is
    /// something to go back to. Windlass's own steps and ECS's staged ones have their own times.
    pub(super) fn out_of_time(&mut self, spec: &ServiceSpec) {
        // A canary of ours is given up step by step.
        let Some(going) = self.going.as_ref().filter(|going| going.manner != Manner::Canary) else { return };
        let minutes = self.now.duration_since(going.started_at).as_mins();
        let timeout_minutes = i64::from(spec.rollout_or_default().timeout_minutes);
        if !rollout::is_late(going, spec, self.now) || going.given_up.is_some() {
            return;
        }
        let ran_before = self.settled.is_some() && going.from_task_definition.is_some();
        if going.manner == Manner::Rolling && ran_before {
            self.give_up(rollout::out_of_time(timeout_minutes));
            return;
        }
        let (digest, is_first) = (going.digest.clone(), going.manner == Manner::Rolling);
        if is_first && self.first_is_out_of_time(timeout_minutes) {
            return;
        }
        let breaker = self.facts.service.known().is_some_and(|service| service.circuit_breaker.enable);
        self.notes.push(Note::Overdue { digest, minutes, timeout_minutes, circuit_breaker: breaker });
    }

    /// Ends what was given up, where ECS does it. `true`: nothing else begins in this pass.
    pub(super) fn ends_given_up(&mut self) -> bool {
        let Some(going) = self.going.clone() else { return false };
        let Some(reason) = going.given_up.clone() else { return false };
        if going.manner == Manner::Canary {
            return false;
        }
        let is_answered = |step: &Step| matches!(step, Step::AnswerHook { approve: false, .. });
        let under_way = self.facts.under_way.known().filter(|it| it.status == "IN_PROGRESS");
        let waits = match rollout::own_deployment(&going, self.facts) {
            // A no to what ECS asks rolls it back by itself.
            _ if self.steps.iter().any(is_answered) => "ECS rolls it back".to_owned(),
            Err(_) if let Some(under_way) = under_way => {
                self.steps.push(Step::StopRollout { deployment: under_way.arn.to_string() });
                "ECS rolls it back".to_owned()
            }
            Ok(Some(own)) if own.is_under_way() => {
                self.steps.push(Step::StopRollout { deployment: own.arn.clone() });
                "ECS rolls it back".to_owned()
            }
            Ok(Some(own)) => format!("ECS says {}", own.status),
            Ok(None) => "ECS's history does not show it yet".to_owned(),
            Err(reason) => reason,
        };
        self.notes.push(Note::Rollback(RollbackNote::GivingUp { digest: going.digest, reason, waits }));
        true
    }

    // ── 3. while it holds ───────────────────────────────────────────────────────────

    /// The pin, while it holds.
    pub(super) fn pin_in_force(&mut self, wanted: &Wanted) -> Option<Pin> {
        let pin = self.marks.pin.clone()?;
        let images = self.facts.images.known().map(Vec::as_slice);
        match rollback::pin_ended(&pin, wanted, images, &self.quarantine, self.now) {
            None => Some(pin),
            Some(why) => {
                self.marks.pin = None;
                self.notes.push(Note::Rollback(RollbackNote::PinEnded { to: pin.to.digest, why }));
                None
            }
        }
    }

    /// What a pin wants: nothing, or the rollout of its revision.
    pub(super) fn go_back(
        &mut self,
        wanted: &Wanted,
        service: &'a LiveService,
        pin: &Pin,
    ) -> Result<(), Stop> {
        self.back = Some(pin.to.clone());
        let chosen = candidate(&pin.to);
        self.notes.push(Note::Rollback(RollbackNote::Pinned {
            to: pin.to.digest.clone(),
            left: pin.left.clone(),
            by: pin.order.by.clone(),
            reason: pin.order.reason.clone(),
        }));
        let Some(live) = self.need(&self.facts.live_task_definition, "the live task definition")? else {
            return self.refuse(Note::NotCreatable {
                reason: format!("its task definition {} is gone", service.task_definition.short()),
            });
        };
        let is_as_recorded = pin.to.spec == wanted.spec.fingerprint();
        if is_as_recorded && service.task_definition == pin.to.task_definition && live.carries(&pin.to.digest)
        {
            self.restore_rules(wanted, service, pin, self.going.is_some());
            self.nothing_to_roll_out(wanted, service, &chosen);
            return Ok(());
        }
        let recorded = self.recorded_revision(pin).filter(|_| is_as_recorded);
        let (desired, revision) = match recorded {
            Some(revision) => (None, Some(revision)),
            None => (Some(self.desired(wanted, live, &pin.to.digest)?), None),
        };
        if desired.as_ref().is_some_and(|desired| desired.same_content(live)) {
            self.nothing_to_roll_out(wanted, service, &chosen);
            return Ok(());
        }
        self.may_go_back(pin, &wanted.spec)?;
        let task_definition = match (revision, desired) {
            (Some(revision), _) => Made::Already(revision),
            (None, Some(desired)) => self.revision(desired, live, &chosen)?,
            (None, None) => return Ok(()),
        };
        self.begin(wanted, &chosen, Some(service), native::manner(service.settings.shift));
        self.steps.push(Step::UpdateService {
            part: Part::Main,
            expected: service.task_definition.clone(),
            task_definition,
            settings: None,
            load_balancer: None,
            was: None,
        });
        self.restore_rules(wanted, service, pin, true);
        Ok(())
    }

    /// The recorded revision, if ECS still takes it and it carries the image.
    fn recorded_revision(&self, pin: &Pin) -> Option<TaskDefinitionArn> {
        let revision = self.facts.rollback.known()?.revision.known()?;
        let arn = revision.definition.arn.as_ref().filter(|arn| **arn == pin.to.task_definition)?;
        (revision.is_active && revision.definition.carries(&pin.to.digest)).then(|| arn.clone())
    }

    /// A rollback passes every gate but a hold; what it goes back to must be there, and run here.
    fn may_go_back(&mut self, pin: &Pin, spec: &ServiceSpec) -> Result<(), Stop> {
        let digest = &pin.to.digest;
        if let Some(hold) = &self.row.hold {
            return self.refuse(Note::Held {
                by: hold.by.clone(),
                reason: hold.reason.clone(),
                since: hold.at,
                would: digest.clone(),
            });
        }
        let failed =
            self.quarantine.get(digest).filter(|why| why.holds_under(&spec.fingerprint(), self.now)).cloned();
        if let Some(why) = failed {
            return self.refuse(Note::Rollback(RollbackNote::TargetFailed {
                to: digest.clone(),
                reason: why.reason,
            }));
        }
        self.cluster_is_there()?;
        self.runs_here(digest)
    }

    /// Rules lead where they led when the target was live, once those groups can answer. Rules
    /// that ECS shifts, and those that a spec gives weights, are left to them.
    fn restore_rules(&mut self, wanted: &Wanted, service: &LiveService, pin: &Pin, is_on_its_way: bool) {
        let is_experiment = wanted.spec.route.as_ref().is_some_and(|route| !route.weights.is_empty());
        if !is_on_its_way || is_experiment || service.settings.shift.has_two_sets() {
            return;
        }
        let Some(route) = self.facts.route.known() else { return };
        let key = self.facts.key.to_string();
        for recorded in &pin.to.rules {
            let now = route.rules.iter().find(|rule| rule.arn == recorded.rule && is_ours(rule, &key));
            if let Some(rule) = now
                && !crate::deploy::route::is_parked(rule)
                && differs(rule, recorded)
                && can_answer(route, recorded)
            {
                self.steps.push(restored(rule, recorded));
            }
        }
    }
}

/// What a rollback leaves.
struct Left {
    digest: ImageDigest,
    tag: Option<ImageTag>,
    pushed_at: Option<Timestamp>,
}

fn is_ours(rule: &Rule, key: &str) -> bool {
    rule.tags.get("windlass:service").is_some_and(|tag| tag == key)
}

fn own_rules(route: Option<&RouteFacts>, key: &str) -> Vec<RecordedRule> {
    let rules = route.into_iter().flat_map(|route| &route.rules).filter(|rule| is_ours(rule, key));
    rules.map(|rule| RecordedRule { rule: rule.arn.clone(), forwards: rule.forwards.clone() }).collect()
}

fn differs(rule: &Rule, recorded: &RecordedRule) -> bool {
    let shares = |forwards: &[(TargetGroupArn, u32)]| {
        let total: u32 = forwards.iter().map(|(_, weight)| weight).sum();
        let mut shares: Vec<_> = forwards
            .iter()
            .filter(|(_, weight)| *weight > 0)
            .map(|(group, weight)| (group.clone(), weight * 1000 / total.max(1)))
            .collect();
        shares.sort();
        shares
    };
    shares(&rule.forwards) != shares(&recorded.forwards)
}

/// Whether every group that would get requests has a healthy target.
fn can_answer(route: &RouteFacts, recorded: &RecordedRule) -> bool {
    let healthy = [(&route.target_group, &route.health), (&route.second_group, &route.second_health)];
    let is_healthy = |group: &TargetGroupArn| {
        healthy.iter().any(|(known, health)| {
            known.known().is_some_and(|known| known.arn == *group)
                && health.known().is_some_and(|health| health.healthy > 0)
        })
    };
    let mut led = recorded.forwards.iter().filter(|(_, weight)| *weight > 0).peekable();
    led.peek().is_some() && led.all(|(group, _)| is_healthy(group))
}

fn restored(rule: &Rule, recorded: &RecordedRule) -> Step {
    let forwards = recorded
        .forwards
        .iter()
        .map(|(group, weight)| Forward { group: Made::Already(group.clone()), weight: *weight });
    let action = RuleAction { forwards: forwards.collect(), stickiness_secs: rule.stickiness_secs };
    Step::ModifyRule {
        expected: Box::new(rule.clone()),
        change: RuleChange { action: Some(action), ..RuleChange::default() },
    }
}

/// What was settled, in the place of what the policy chooses.
fn candidate(to: &Settled) -> Candidate {
    Candidate {
        digest: to.digest.clone(),
        tag: to.tag.clone().unwrap_or_else(|| ImageTag::new(to.digest.short())),
        pushed_at: to.pushed_at.unwrap_or(to.at),
        rank: Rank::Pointed,
    }
}
