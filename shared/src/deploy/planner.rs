//! The planner: a pure function of the facts, the row and `now`.
//!
//! 1. What became of the rollout in flight ([`super::rollout`]): ended well, failed (its
//!    digest is quarantined), superseded, or it goes on.
//! 2. What is wanted: parameter, tag or labels ([`super::wanted`]).
//! 3. Which image: the policy's newest that is not quarantined, and that the service it follows
//!    lets through; never silently older than what runs.
//! 4. What that takes: nothing, a revision and an update, or the whole making of a service.
//! 5. The route: opened with the first healthy target, kept as the spec says.
//!
//! Whatever keeps a step from being planned becomes a [`Note`].

mod again;
mod canary;
mod create;
mod first;
mod gates;
mod keep;
mod labels;
mod native;
mod pre_deploy;
mod publish;
mod rollback;
pub mod room;
mod route;
mod update;

use std::collections::BTreeMap;

use self::canary::Strays;
use super::explain;
use super::plan::{InFlightChange, LedgerChange, Plan, Step};
use super::report::{Note, RouteNote};
use super::retire::is_left_over;
use super::rollout::{self, Standing};
use super::settings::Settings;
use super::wanted::{self, Wanted};
use crate::facts::{Fact, LiveService, ServiceFacts};
use crate::id::{ImageDigest, RepositoryName, ServiceKey, Timestamp};
use crate::image::{Candidate, PassedOverReason, fits, select};
use crate::ledger::{Approval, InFlight, Manner, Marks, Outcome, Quarantine, ServiceRow, Settled, in_force};
use crate::spec::{After, ServiceSpec};

/// When an image for whose tasks there was no room is tried again: capacity that is bought by
/// hand or by an Auto Scaling group is there by then.
const TRIED_AGAIN_AFTER: jiff::SignedDuration = jiff::SignedDuration::from_mins(15);

/// Decides what one pass over one service does.
pub fn plan(facts: &ServiceFacts, row: &ServiceRow, settings: &Settings, now: Timestamp) -> Plan {
    let mut planner = Planner::new(facts, row, settings, now);
    // A "no" ends the pass early; its reason is in the report already.
    let _: Result<(), Stop> = planner.run();
    planner.finish()
}

/// No further in this pass; the reason is in the report.
struct Stop;

/// The work in progress.
struct Planner<'a> {
    facts: &'a ServiceFacts,
    row: &'a ServiceRow,
    settings: &'a Settings,
    now: Timestamp,
    repository: Option<RepositoryName>,
    follows: Option<ServiceKey>,
    steps: Vec<Step>,
    notes: Vec<Note>,
    ledger: LedgerChange,
    /// The rollout that still goes on, as it stands after step 1.
    going: Option<InFlight>,
    /// The row's quarantine and what this pass adds.
    quarantine: BTreeMap<ImageDigest, Quarantine>,
    /// The row's `settled`, or the rollout that was just seen to end well.
    settled: Option<Settled>,
    /// The row's marks, and what this pass changes in them.
    marks: Marks,
    /// Who let the rollout that is to begin through which gate.
    approvals: Vec<Approval>,
    /// What was settled when the marks were last brought up to date.
    remembered: Option<Settled>,
    /// What a person went back to, while that is wanted.
    back: Option<Settled>,
    /// Whether there is room is to be looked at before this plan is final.
    asks_for_room: bool,
}

impl<'a> Planner<'a> {
    fn new(facts: &'a ServiceFacts, row: &'a ServiceRow, settings: &'a Settings, now: Timestamp) -> Self {
        Self {
            facts,
            row,
            settings,
            now,
            repository: None,
            follows: None,
            steps: Vec::new(),
            notes: Vec::new(),
            ledger: LedgerChange::default(),
            going: None,
            quarantine: row.quarantine.clone(),
            settled: row.state.settled.clone(),
            // Whatever stood in the way is looked at anew.
            marks: Marks { waiting: None, room: None, ..row.state.marks.clone() },
            approvals: Vec::new(),
            remembered: row.state.settled.clone(),
            back: None,
            asks_for_room: false,
        }
    }

    fn run(&mut self) -> Result<(), Stop> {
        self.follow_pre_deploy();
        self.follow_rollout()?;
        self.remember_settled();
        let wanted = self.wanted()?;
        let service = self.live_service()?;
        self.take_up_order(&wanted, service)?;
        self.must_come_up(&wanted.spec);
        self.out_of_time(&wanted.spec);
        let Some(service) = service else {
            let chosen = self.choose(&wanted.spec)?;
            return self.create(&wanted, &chosen);
        };
        let updated = self.bring(&wanted, service);
        self.nothing_serves(service);
        let strays = self.no_stray_canary(&wanted.spec, service);
        if matches!(strays, Ok(Strays::TidiedUp)) || self.canary_has_the_rules() {
            // One change of a rule in a pass: the next one keeps the rest of it.
            return updated;
        }
        // What runs is to be reached, whatever stands against another image.
        let ended = updated.and(self.keep_route(&wanted.spec, service));
        self.tidy_revisions(&wanted, service);
        ended
    }

    /// What is wanted of a service that is there: the end of what is given up; what a person
    /// went back to; else what the policy chooses.
    fn bring(&mut self, wanted: &Wanted, service: &'a LiveService) -> Result<(), Stop> {
        if self.ends_given_up() {
            return Ok(());
        }
        if let Some(going) = self.canary_in_flight() {
            let is_pinned = self.pin_in_force(wanted).is_some();
            if is_pinned && going.given_up.is_none() {
                return self.canary_is_unwanted(wanted, service, going);
            }
            let chosen = self.choose(&wanted.spec);
            return self.follow_canary(wanted, service, going, chosen.ok().as_ref());
        }
        if let Some(pin) = self.pin_in_force(wanted) {
            return self.go_back(wanted, service, &pin);
        }
        let chosen = self.choose(&wanted.spec)?;
        self.update(wanted, service, &chosen)
    }

    fn finish(mut self) -> Plan {
        // What is only made ready for a rollout keeps nothing else from being done.
        let runs_task =
            self.steps.iter().any(|step| matches!(step, Step::RunTask(_))) || self.marks.room.is_some();
        let prepares = |step: &Step| match step {
            Step::StartScan { .. } | Step::RunTask(_) => true,
            Step::RegisterTaskDefinition { .. } => runs_task,
            _ => false,
        };
        let (last, first): (Vec<Step>, Vec<Step>) = self.steps.drain(..).partition(prepares);
        self.steps = first.into_iter().chain(last).collect();
        self.remember_settled();
        self.publish();
        if self.settled != self.row.state.settled {
            self.ledger.settled = self.settled;
        }
        if self.marks != self.row.state.marks {
            self.ledger.marks = Some(Box::new(self.marks));
        }
        Plan {
            key: self.facts.key.clone(),
            repository: self.repository,
            follows: self.follows,
            steps: self.steps,
            report: self.notes,
            ledger: self.ledger,
            asks_for_room: self.asks_for_room,
        }
    }

    fn refuse<T>(&mut self, note: Note) -> Result<T, Stop> {
        self.notes.push(note);
        Err(Stop)
    }

    /// The value of a fact without which there is no decision; `None` for absent.
    fn need<T>(&mut self, fact: &'a Fact<T>, what: &str) -> Result<Option<&'a T>, Stop> {
        match fact {
            Fact::Known(value) => Ok(Some(value)),
            Fact::Absent => Ok(None),
            Fact::Unreadable(reason) => self.refuse(Note::Unreadable { what: reason.clone() }),
            Fact::NotAsked => self.refuse(Note::NotCreatable {
                reason: format!("{what} was not read; this is a fault of Windlass"),
            }),
        }
    }

    // ── 1. the rollout in flight ────────────────────────────────────────────────────

    fn follow_rollout(&mut self) -> Result<(), Stop> {
        let Some(in_flight) = self.row.state.in_flight.clone() else { return Ok(()) };
        if in_flight.manner == Manner::Canary {
            // Its standing is not ECS's to tell: it is followed once it is known what is wanted.
            self.going = Some(in_flight);
            return Ok(());
        }
        let in_flight = self.heard(in_flight);
        match rollout::standing(&in_flight, self.facts) {
            Standing::NeverBegan => self.ledger.in_flight = InFlightChange::Clear,
            Standing::Open { reason } => {
                // Beginning anything now could redeploy what just failed: look again first.
                self.notes.push(Note::RollingOut {
                    digest: in_flight.digest.clone(),
                    deployment: in_flight.deployment.clone(),
                    progress: format!("its standing cannot be told now: {reason}"),
                });
                return Err(Stop);
            }
            Standing::Going { deployment, task_definition, progress } => {
                self.goes_on(&in_flight, deployment, task_definition, progress);
            }
            Standing::Live { deployment, task_definition } => {
                self.settled = Some(in_flight.settled(task_definition.clone(), self.now));
                let known = InFlight { deployment, task_definition: Some(task_definition), ..in_flight };
                self.end(&known, Outcome::Live, None);
            }
            Standing::Failed { deployment, task_definition, rolled_back, reason } => {
                let reason = in_flight.given_up.as_ref().unwrap_or(&reason);
                let no_room = explain::no_room(self.facts, in_flight.started_at)
                    .filter(|_| rollout::may_lack_room(in_flight.given_up.as_ref(), reason));
                let reason = match &no_room {
                    Some(words) => format!("no capacity: {words}"),
                    None => explain::failure(reason, self.facts, in_flight.started_at),
                };
                let until = no_room.and_then(|_| self.now.checked_add(TRIED_AGAIN_AFTER).ok());
                self.failed(&in_flight, deployment.clone(), &reason, until);
                let known = InFlight {
                    deployment: deployment.or(in_flight.deployment.clone()),
                    task_definition: task_definition.or(in_flight.task_definition.clone()),
                    ..in_flight
                };
                let outcome = if rolled_back { Outcome::RolledBack } else { Outcome::Failed };
                self.end(&known, outcome, Some(reason));
            }
            Standing::Superseded { reason } => {
                self.end(&in_flight, Outcome::Superseded, Some(reason.to_owned()));
            }
        }
        Ok(())
    }

    /// Quarantines what failed: the image; or, where that very image was settled, what a
    /// changed spec makes of it. An image that ran well must not be given up for an older one.
    fn failed(
        &mut self,
        in_flight: &InFlight,
        deployment: Option<crate::id::DeploymentId>,
        reason: &str,
        until: Option<Timestamp>,
    ) {
        let ran_before = self.settled.as_ref().is_some_and(|settled| settled.digest == in_flight.digest);
        let (spec, reason) = if ran_before && until.is_none() {
            let words = "it ran before, and fails as the changed spec wants it: correct the spec";
            (Some(in_flight.spec.clone()), format!("{words}; {reason}"))
        } else {
            (None, reason.to_owned())
        };
        let failed = Quarantine { reason, at: self.now, deployment, spec, until };
        self.quarantine.insert(in_flight.digest.clone(), failed.clone());
        self.ledger.quarantine.insert(in_flight.digest.clone(), failed);
    }

    fn goes_on(
        &mut self,
        in_flight: &InFlight,
        deployment: crate::id::DeploymentId,
        task_definition: crate::id::TaskDefinitionArn,
        progress: String,
    ) {
        let known = InFlight {
            deployment: Some(deployment.clone()),
            task_definition: Some(task_definition),
            ..in_flight.clone()
        };
        if known != *in_flight {
            self.notes.push(Note::TookOver { deployment: deployment.clone() });
            self.ledger.in_flight = InFlightChange::Set(Box::new(known.clone()));
        }
        self.notes.push(Note::RollingOut {
            digest: known.digest.clone(),
            deployment: Some(deployment),
            progress,
        });
        self.going = Some(known);
        self.attend();
    }

    fn end(&mut self, in_flight: &InFlight, outcome: Outcome, reason: Option<String>) {
        self.ledger.in_flight = InFlightChange::Clear;
        self.going = None;
        self.no_question_about(in_flight);
        self.ledger.ended.push(in_flight.ended(outcome, reason, self.now));
    }

    // ── 2. what is wanted ───────────────────────────────────────────────────────────

    fn wanted(&mut self) -> Result<Wanted, Stop> {
        match wanted::wanted(self.facts, self.settings) {
            Ok(wanted) => {
                self.labels_may(&wanted)?;
                self.repository = Some(wanted.spec.image.repository.clone());
                self.follows = wanted.spec.after.as_ref().and_then(After::upstream);
                Ok(wanted)
            }
            Err(note) => {
                self.unwanted(&note);
                self.refuse(*note)
            }
        }
    }

    /// Nobody wants it, and what Windlass made for it runs: that is told, and left to people.
    fn unwanted(&mut self, why: &Note) {
        let Some(service) = self.facts.service.known() else { return };
        if matches!(why, Note::NotTracked { .. }) && is_left_over(service, &self.facts.key) {
            let note = RouteNote::Unwanted { service: self.facts.key.clone(), running: service.running };
            self.notes.push(Note::Route(note));
        }
    }

    /// The service, if it is there to be updated; `None` if it is to be made.
    fn live_service(&mut self) -> Result<Option<&'a LiveService>, Stop> {
        let service = self.need(&self.facts.service, "the service")?;
        match service {
            Some(service) if service.status == "INACTIVE" => Ok(None),
            Some(service) if service.status != "ACTIVE" => {
                self.refuse(Note::ServiceLeaving { status: service.status.clone() })
            }
            Some(service) if service.controller != "ECS" => {
                self.refuse(Note::OtherController { controller: service.controller.clone() })
            }
            other => Ok(other),
        }
    }

    // ── 3. which image ──────────────────────────────────────────────────────────────

    fn choose(&mut self, spec: &ServiceSpec) -> Result<Candidate, Stop> {
        let repository = &spec.image.repository;
        let Some(images) = self.need(&self.facts.images, "the repository's images")? else {
            return self.refuse(Note::RepositoryMissing { repository: repository.clone() });
        };
        let selection =
            select(&spec.image.policy, images, &in_force(&self.quarantine, &spec.fingerprint(), self.now));
        for passed in selection.held_back().take(5) {
            if let PassedOverReason::Quarantined { reason } = &passed.reason {
                let until = self.quarantine.get(&passed.digest).and_then(|why| why.until);
                self.notes.push(Note::Quarantined {
                    digest: passed.digest.clone(),
                    tag: passed.tag.clone(),
                    reason: reason.clone(),
                    until,
                });
            }
        }
        // What failed is held back, and nothing else is wanted: that was said, and what runs may stay.
        if selection.only_held_back() {
            return Err(Stop);
        }
        let Some(chosen) = selection.chosen else {
            let passed_over = selection
                .passed_over
                .iter()
                .take(5)
                .map(|p| format!("{}: {}", p.digest.short(), p.reason))
                .collect();
            return self.refuse(Note::NoImage {
                repository: repository.clone(),
                policy: spec.image.policy.canonical_text(),
                passed_over,
            });
        };
        let chosen = self.let_through(spec, chosen);
        self.not_older(spec, chosen)
    }

    /// Law 3's other half: what the policy chooses now may be older than what runs because
    /// the newer image was deleted. That is no wish to go back.
    fn not_older(&mut self, spec: &ServiceSpec, chosen: Candidate) -> Result<Candidate, Stop> {
        let policy = &spec.image.policy;
        let settled = self.settled.as_ref().filter(|settled| {
            let is_bad =
                self.quarantine.get(&settled.digest).is_some_and(|why| why.is_of_the_image(self.now));
            let is_of = |name: &RepositoryName| *name == spec.image.repository;
            settled.policy == policy.canonical_text()
                && settled.repository.as_ref().is_none_or(is_of)
                && !is_bad
        });
        match settled {
            Some(live) if live.digest != chosen.digest && policy.older(live, &chosen) => {
                let note = Note::WouldDowngrade {
                    live: live.digest.clone(),
                    chosen: chosen.digest,
                    tag: Some(chosen.tag),
                };
                self.refuse(note)
            }
            _ => Ok(chosen),
        }
    }

    /// Everything that must hold before a rollout of `digest` begins.
    fn may_begin(&mut self, wanted: &Wanted, digest: &ImageDigest) -> Result<(), Stop> {
        self.cluster_is_there()?;
        self.runs_here(digest)?;
        self.gates(wanted, digest)
    }

    fn cluster_is_there(&mut self) -> Result<(), Stop> {
        let cluster = self.facts.key.cluster.clone();
        match self.need(&self.facts.cluster, "the cluster")? {
            Some(found) if found.status == "ACTIVE" => Ok(()),
            Some(found) => self.refuse(Note::ClusterMissing { cluster, found: found.status.clone() }),
            None => self.refuse(Note::ClusterMissing { cluster, found: "missing".into() }),
        }
    }

    fn runs_here(&mut self, digest: &ImageDigest) -> Result<(), Stop> {
        let inspected = self.facts.inspected.get(digest).unwrap_or(&Fact::NotAsked);
        let Some(content) = self.need(inspected, "the image's content")? else {
            return self.refuse(Note::ImageGone { digest: digest.clone() });
        };
        let cluster =
            self.facts.cluster.known().map(|cluster| cluster.architectures.clone()).unwrap_or_default();
        match fits(content, &cluster) {
            Ok(()) => Ok(()),
            Err(wrong) => {
                let words = |set: &std::collections::BTreeSet<crate::id::Architecture>| {
                    set.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
                };
                let note = Note::WrongArchitecture {
                    digest: digest.clone(),
                    image: words(&wrong.image_has),
                    cluster: words(&wrong.cluster_has),
                };
                self.refuse(note)
            }
        }
    }

    /// The intent, written before `UpdateService` or `CreateService`.
    fn begin(&mut self, wanted: &Wanted, chosen: &Candidate, from: Option<&LiveService>, manner: Manner) {
        if let Some(going) = self.going.take() {
            let reason = format!("{} took its place before it was live", chosen.digest.short());
            self.end(&going, Outcome::Superseded, Some(reason));
        }
        let intent = InFlight {
            from_task_definition: from.map(|service| service.task_definition.clone()),
            manner,
            approvals: self.all_approvals(),
            ..self.in_flight_of(wanted, chosen, self.now)
        };
        self.ledger.in_flight = InFlightChange::Set(Box::new(intent));
        self.used_up();
    }

    /// A rollout of the chosen image under the wanted spec, as far as both say.
    fn in_flight_of(&self, wanted: &Wanted, chosen: &Candidate, started_at: Timestamp) -> InFlight {
        let (tag, pushed_at) = match &self.back {
            Some(back) if back.digest == chosen.digest => (back.tag.clone(), back.pushed_at),
            _ => (Some(chosen.tag.clone()), Some(chosen.pushed_at)),
        };
        InFlight {
            digest: chosen.digest.clone(),
            tag,
            pushed_at,
            task_definition: None,
            deployment: None,
            from_digest: self.settled.as_ref().map(|settled| settled.digest.clone()),
            from_task_definition: None,
            started_at,
            spec: wanted.spec.fingerprint(),
            policy: wanted.spec.image.policy.canonical_text(),
            repository: Some(wanted.spec.image.repository.clone()),
            manner: Manner::Rolling,
            canary: None,
            given_up: None,
            approvals: Vec::new(),
            verdicts: Vec::new(),
        }
    }
}
