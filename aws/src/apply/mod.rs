//! Applying a plan: its steps in order, without a choice of its own.
//!
//! # Flow
//!
//! 1. Side by side: the plan's first step (unless that is the rollout itself), the writing
//!    of the intent into the ledger, and the look at whether the service still is as the
//!    plan saw it. None of them depends on another, and a push waits for all.
//! 2. The other steps in order, up to the first that does not go through. `CreateService`
//!    and `UpdateService` come only after the intent was written.
//!
//! # Each step
//!
//! precheck → act → verify, safe to repeat. Where the facts that the plan was made of *are*
//! the precheck (they were read under the same lease), it is not made twice. After a write
//! without an answer the step looks again: what is there as wanted is done; what is not may
//! still come, so the step ends as `Waiting`, and the next pass finds it or does it anew.

mod again;
mod ask;
mod configuration;
mod delete;
mod deregister;
mod hooks;
pub(crate) mod outcome;
mod priorities;
mod publish;
mod register;
mod rule;
mod run_task;
pub(crate) mod scale;
mod scan;
mod service;
mod stop_rollout;
mod target_group;

use std::collections::BTreeMap;
use std::future::Future;

use futures::join;
use windlass_shared::deploy::plan::{Made as From, Part, Plan, RuleAction, Step, StepOutcome};
use windlass_shared::deploy::record::{Made, Ran};
use windlass_shared::facts::{FailureKind, LiveService};
use windlass_shared::id::{DeploymentId, RuleArn, ServiceKey, TargetGroupArn, TaskDefinitionArn};

use crate::Clients;
use crate::error::Failure;
use crate::ledger::LedgerError;
use crate::observe::service::describe;

/// Applies the plan: its steps' ends, and what they made. `generation` is the one that the
/// intent writes; `intent` writes it and is always driven to its end.
///
/// # Errors
///
/// The intent's. No rollout was begun then; what the first step made the next pass finds.
pub async fn apply(
    clients: &Clients,
    plan: &Plan,
    generation: u64,
    intent: impl Future<Output = Result<(), LedgerError>>,
) -> Result<Made, LedgerError> {
    let mut run = Run {
        clients,
        key: &plan.key,
        generation,
        seen: None,
        made: Made::default(),
        groups: BTreeMap::new(),
        rules: BTreeMap::new(),
    };
    let early = plan.steps.first().filter(|step| !after_intent(step));
    let is_update = plan
        .steps
        .iter()
        .any(|step| matches!(step, Step::UpdateService { part: Part::Main, .. } | Step::RollOutAgain { .. }));
    let look = async { if is_update { Some(describe(&clients.ecs, &plan.key).await) } else { None } };
    let (first, intent, seen) = join!(run.early(early), intent, look);
    run.seen = seen;
    if let Some(first) = first {
        run.take(first);
    }
    intent?;
    run.rest(&plan.steps[usize::from(early.is_some())..]).await;
    Ok(run.made)
}

/// Whether a step comes only after the intent was written: what begins a rollout, and what ends
/// one. Killed before the latter, the next pass must know that it was meant. What is published is what the
/// ledger says.
fn after_intent(step: &Step) -> bool {
    matches!(
        step,
        Step::CreateService(_)
            | Step::UpdateService { .. }
            | Step::RollOutAgain { .. }
            | Step::StopRollout { .. }
            | Step::RunTask(_)
            | Step::Publish { .. }
    )
}

/// What a step came to, and what it made.
struct Did {
    outcome: StepOutcome,
    product: Product,
}

/// What a step made, for the steps after it and for the record.
enum Product {
    Nothing,
    TaskDefinition(TaskDefinitionArn),
    TargetGroup(String, TargetGroupArn),
    Rule(String, RuleArn),
    Task(Ran),
    Rollout { task_definition: TaskDefinitionArn, deployment: Option<DeploymentId> },
}

impl Did {
    fn made(outcome: StepOutcome, product: Product) -> Self {
        Self { outcome, product }
    }
}

impl std::convert::From<StepOutcome> for Did {
    fn from(outcome: StepOutcome) -> Self {
        Self { outcome, product: Product::Nothing }
    }
}

/// A plan that is being applied.
struct Run<'a> {
    clients: &'a Clients,
    key: &'a ServiceKey,
    generation: u64,
    /// The service as it was just before its update.
    seen: Option<Result<Option<LiveService>, Failure>>,
    made: Made,
    /// The target groups that its steps made, by name.
    groups: BTreeMap<String, TargetGroupArn>,
    rules: BTreeMap<String, RuleArn>,
}

impl Run<'_> {
    async fn early(&self, step: Option<&Step>) -> Option<Did> {
        Some(self.step(step?).await)
    }

    async fn rest(&mut self, steps: &[Step]) {
        for step in steps {
            if !self.made.outcomes.last().is_none_or(StepOutcome::goes_on) {
                return;
            }
            let did = self.step(step).await;
            self.take(did);
        }
    }

    async fn step(&self, step: &Step) -> Did {
        match step {
            Step::RegisterTaskDefinition { family, content, digest: _, replaces: _ } => {
                register::register(self.clients, family, content).await
            }
            Step::CreateTargetGroup(spec) => target_group::create(self.clients, self.key, spec).await,
            Step::CreateRule { name, listener, priority, conditions, action, rewrites, tags, .. } => {
                match self.action(action) {
                    Ok(action) => {
                        let wanted = rule::Wanted { conditions, action: &action, rewrites };
                        let made = rule::create(self.clients, listener, *priority, wanted, tags).await;
                        match made {
                            (outcome, Some(rule)) => Did::made(outcome, Product::Rule(name.clone(), rule)),
                            (outcome, None) => outcome.into(),
                        }
                    }
                    Err(did) => did,
                }
            }
            Step::ModifyRule { expected, change } => {
                match change.action.as_ref().map(|action| self.action(action)).transpose() {
                    Ok(action) => rule::modify(self.clients, expected, change, action.as_ref()).await.into(),
                    Err(did) => did,
                }
            }
            Step::CreateService(spec) => self.create_service(spec).await,
            Step::UpdateService { part, expected, task_definition, settings, load_balancer, was: _ } => {
                match self.revision(task_definition) {
                    Ok(revision) => {
                        let balancer = load_balancer.as_deref();
                        self.update_service(*part, expected, revision, settings.as_ref(), balancer).await
                    }
                    Err(did) => did,
                }
            }
            Step::RollOutAgain { task_definition, failed } => {
                self.roll_out_again(task_definition, failed).await
            }
            Step::AnswerHook { deployment, hook, approve } => {
                hooks::answer(self.clients, deployment, hook, *approve).await.into()
            }
            Step::AskVerdict(wanted) => ask::ask(&self.clients.events, wanted).await.into(),
            Step::StopRollout { deployment } => stop_rollout::stop(self.clients, deployment).await.into(),
            Step::Scale { part, expected, desired } => self.scale(*part, *expected, *desired).await.into(),
            Step::SetPriorities { listener, moves } => {
                priorities::set(self.clients, listener, moves).await.into()
            }
            Step::SetTargetGroup { group, name, health, deregistration_delay_secs } => {
                target_group::set(self.clients, group, name, health.as_ref(), *deregistration_delay_secs)
                    .await
                    .into()
            }
            Step::DeleteRule { expected } => delete::rule(self.clients, self.key, expected).await.into(),
            Step::DeleteTargetGroup { group } => {
                delete::target_group(self.clients, self.key, group).await.into()
            }
            Step::DeleteService { part } => delete::service(self.clients, self.key, *part).await.into(),
            Step::StartScan { repository, digest } => {
                scan::start(self.clients, repository, digest).await.into()
            }
            Step::RunTask(spec) => self.run_task(spec).await,
            Step::Deregister { task_definition } => {
                deregister::deregister(self.clients, task_definition).await.into()
            }
            Step::Publish { parameter, text } => publish::publish(self.clients, parameter, text).await.into(),
        }
    }

    fn take(&mut self, did: Did) {
        match did.product {
            Product::Nothing => {}
            Product::TaskDefinition(arn) => self.made.task_definition = Some(arn),
            Product::TargetGroup(name, arn) => {
                self.groups.insert(name, arn);
            }
            Product::Rule(name, arn) => {
                self.rules.insert(name, arn);
            }
            Product::Task(ran) => self.made.task = Some(ran),
            Product::Rollout { task_definition, deployment } => {
                self.made.task_definition = Some(task_definition);
                self.made.deployment = deployment;
            }
        }
        self.made.outcomes.push(did.outcome);
    }

    /// The revision that a step is to use.
    fn revision<'s>(&'s self, from: &'s From<TaskDefinitionArn>) -> Result<&'s TaskDefinitionArn, Did> {
        resolve(from, |_| self.made.task_definition.as_ref(), "a revision")
    }

    /// The target group that a step is to use.
    fn group<'s>(&'s self, from: &'s From<TargetGroupArn>) -> Result<&'s TargetGroupArn, Did> {
        resolve(from, |name| self.groups.get(name), "a target group")
    }

    /// The rule that a step is to use.
    fn rule<'s>(&'s self, from: &'s From<RuleArn>) -> Result<&'s RuleArn, Did> {
        resolve(from, |name| self.rules.get(name), "a rule")
    }

    /// The action that a rule is to have, with the groups that were made.
    fn action(&self, action: &RuleAction) -> Result<rule::Action, Did> {
        let forwards = action.forwards.iter();
        let forwards = forwards.map(|to| Ok((self.group(&to.group)?.clone(), to.weight)));
        Ok(rule::Action {
            forwards: forwards.collect::<Result<_, Did>>()?,
            stickiness_secs: action.stickiness_secs,
        })
    }
}

/// A plan whose step refers to something that no earlier step makes is refused, not guessed at.
fn resolve<'s, T>(
    from: &'s From<T>,
    made: impl FnOnce(&str) -> Option<&'s T>,
    what: &str,
) -> Result<&'s T, Did> {
    match from {
        From::Already(arn) => Ok(arn),
        From::ByThisPlan(name) => made(name).ok_or_else(|| {
            let reason = format!(
                "the plan names {what} ({name}) that none of its steps makes; this is a fault of Windlass"
            );
            StepOutcome::Failed { kind: FailureKind::Invalid, reason }.into()
        }),
    }
}
