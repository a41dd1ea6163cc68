//! The task before a rollout: once for each digest, and only one at a time.
//!
//! 1. It is marked before it is started, with its token: a pass that dies in between finds it
//!    by that, and asks for the same one again.
//! 2. Its end is read from ECS, by its container's exit code. Success is remembered: the digest
//!    needs none any more. Anything else quarantines the digest; once a person released it, it
//!    runs again, under a new token.
//! 3. What ECS no longer shows may have ended in any way: that is a failure, too.
//! 4. One that is late has failed. It is not stopped: half a migration is worse than a long one.
//!    No other begins before it has ended.

use jiff::SignedDuration;

use super::{Planner, Stop};
use crate::deploy::desired;
use crate::deploy::plan::{Made, RunTaskSpec, Step};
use crate::deploy::report::{Note, PreDeployNote};
use crate::deploy::wanted::Wanted;
use crate::facts::{Fact, StoppedTask};
use crate::id::{ContainerName, ImageDigest, TaskDefinitionArn, Timestamp};
use crate::ledger::{KEPT_TASKS, Manner, Outcome, PreDeployEnd, PreDeployed, Quarantine, Release};
use crate::names;
use crate::spec::PreDeploySpec;
use crate::task_definition::TaskDefinition;

/// ECS shows a stopped task for an hour, and knows its token as long.
const FORGOTTEN_AFTER: SignedDuration = SignedDuration::from_hours(1);
/// ECS's lists lag by seconds: what is not there after this was never started.
const LISTED_WITHIN: SignedDuration = SignedDuration::from_mins(2);

/// A task that is to run before the rollout.
pub(super) struct ToRun {
    spec: PreDeploySpec,
    container: ContainerName,
    /// Of a dead pass: the very same one is asked for again.
    marked: Option<PreDeployed>,
}

impl Planner<'_> {
    // ── what became of the one that was started ─────────────────────────────────────

    pub(super) fn follow_pre_deploy(&mut self) {
        let Some(at) = self.marks.pre_deployed.iter().position(|mark| mark.ended.is_none()) else { return };
        let mut mark = self.marks.pre_deployed[at].clone();
        let age = mark.started_at.duration_until(self.now);
        let ended = match &self.facts.pre_deploy {
            Fact::Known(task) => {
                mark.task = Some(task.arn.clone());
                task.stopped.as_ref().map(|stopped| judged(stopped, mark.container.as_ref()))
            }
            Fact::Absent if age >= FORGOTTEN_AFTER => Some(Err(format!(
                "ECS no longer shows it{}, so that how it ended cannot be told: look into its log",
                mark.task.as_ref().map(|arn| format!(" ({arn})")).unwrap_or_default()
            ))),
            Fact::Absent if mark.task.is_none() && age >= LISTED_WITHIN => {
                self.marks.pre_deployed.remove(at);
                return;
            }
            Fact::Absent | Fact::Unreadable(_) | Fact::NotAsked => None,
        };
        let is_late = mark.until.is_some_and(|until| until <= self.now);
        match ended {
            Some(Ok(())) => {
                mark.ended = Some(PreDeployEnd::Succeeded);
                self.notes.push(Note::PreDeploy(PreDeployNote::Succeeded { of: mark.digest.clone() }));
            }
            Some(Err(words)) => {
                if !mark.late {
                    self.pre_deploy_failed(&mark, &words);
                }
                mark.ended = Some(PreDeployEnd::Failed(words));
            }
            None if is_late && !mark.late => {
                mark.late = true;
                let task = mark.task.as_deref().unwrap_or("not shown by ECS yet");
                let words = format!(
                    "it has not ended in its time and goes on ({task}); nothing begins before it ends"
                );
                self.pre_deploy_failed(&mark, &words);
            }
            None => {}
        }
        self.marks.pre_deployed[at] = mark;
    }

    /// Quarantines the image; or, where it runs and is well, what its changed spec makes of it.
    fn pre_deploy_failed(&mut self, mark: &PreDeployed, words: &str) {
        let reason = format!("the task before its rollout failed: {words}");
        let settled = self.settled.as_ref();
        let ran_before = settled.is_some_and(|settled| settled.digest == mark.digest);
        let spec = ran_before.then(|| mark.spec.clone());
        let failed = Quarantine { reason: reason.clone(), at: self.now, deployment: None, spec, until: None };
        let from_digest = settled.map(|settled| settled.digest.clone());
        self.quarantine.insert(mark.digest.clone(), failed.clone());
        self.ledger.quarantine.insert(mark.digest.clone(), failed);
        self.ledger.ended.push(Release {
            digest: mark.digest.clone(),
            tag: None,
            from_digest,
            task_definition: None,
            deployment: None,
            outcome: Outcome::Failed,
            reason: Some(reason),
            pushed_at: None,
            started_at: mark.started_at,
            ended_at: self.now,
            manner: Manner::default(),
            approvals: Vec::new(),
            verdicts: Vec::new(),
        });
    }

    // ── the one that the rollout needs ──────────────────────────────────────────────

    /// What is still to run before this rollout; `None`: nothing, or it has run.
    pub(super) fn pre_deploy(
        &mut self,
        wanted: &Wanted,
        digest: &ImageDigest,
        definition: &TaskDefinition,
    ) -> Result<Option<ToRun>, Stop> {
        let Some(spec) = wanted.spec.pre_deploy.clone() else { return Ok(None) };
        let has_run =
            |mark: &PreDeployed| mark.digest == *digest && mark.ended == Some(PreDeployEnd::Succeeded);
        if self.marks.pre_deployed.iter().any(has_run) {
            return Ok(None);
        }
        let marked = self.marks.pre_deployed.iter().find(|mark| mark.ended.is_none()).cloned();
        if let Some(mark) = &marked {
            self.is_asked_for_again(mark, digest)?;
        }
        let container = self.pre_deploy_container(&spec, digest, definition)?;
        let is_awsvpc = definition.content.get("networkMode").is_some_and(|mode| mode == "awsvpc");
        if is_awsvpc && wanted.spec.network.is_none() {
            return self.refuse(Note::PreDeploy(PreDeployNote::NoNetwork));
        }
        Ok(Some(ToRun { spec, container, marked }))
    }

    /// One that is marked runs, unless ECS says that there is none: then a pass died before it
    /// was started, or just after, and the same token starts no second one.
    fn is_asked_for_again(&mut self, mark: &PreDeployed, digest: &ImageDigest) -> Result<(), Stop> {
        let found = self.need(&self.facts.pre_deploy, "the task before the rollout")?;
        if found.is_none() && mark.task.is_none() && mark.digest == *digest {
            return Ok(());
        }
        self.refuse(Note::PreDeploy(PreDeployNote::Runs {
            of: mark.digest.clone(),
            would: digest.clone(),
            task: mark.task.clone(),
            since: mark.started_at,
        }))
    }

    fn pre_deploy_container(
        &mut self,
        spec: &PreDeploySpec,
        digest: &ImageDigest,
        definition: &TaskDefinition,
    ) -> Result<ContainerName, Stop> {
        let images = definition.images();
        let carries = |image: Option<&str>| image.is_some_and(|image| image.ends_with(digest.as_str()));
        let tracked = images.iter().find(|(_, image)| carries(*image)).map(|(name, _)| name.clone());
        let Some(container) = spec.container.clone().or(tracked) else {
            let container = ContainerName::new("(tracked)");
            return self.refuse(Note::PreDeploy(PreDeployNote::NoContainer { container }));
        };
        match definition.is_essential(&container) {
            Some(true) => Ok(container),
            Some(false) => self.refuse(Note::PreDeploy(PreDeployNote::NotEssential { container })),
            None => self.refuse(Note::PreDeploy(PreDeployNote::NoContainer { container })),
        }
    }

    /// Starts it. The rollout begins in the pass that sees its end.
    pub(super) fn run_pre_deploy<T>(
        &mut self,
        wanted: &Wanted,
        digest: &ImageDigest,
        task: ToRun,
        task_definition: Made<TaskDefinitionArn>,
    ) -> Result<T, Stop> {
        let ToRun { spec, container, marked } = task;
        let token = match marked {
            Some(marked) => marked.token,
            None => self.mark_pre_deploy(wanted, digest, &spec, &container),
        };
        self.steps.push(Step::RunTask(Box::new(RunTaskSpec {
            task_definition,
            container,
            command: spec.command,
            env: spec.env,
            network: wanted.spec.network.clone(),
            token,
            tags: desired::tags(&self.facts.key),
        })));
        self.refuse(Note::PreDeploy(PreDeployNote::Starts { would: digest.clone() }))
    }

    /// Notes the try, in the place of any earlier one of this digest. Its token.
    fn mark_pre_deploy(
        &mut self,
        wanted: &Wanted,
        digest: &ImageDigest,
        spec: &PreDeploySpec,
        container: &ContainerName,
    ) -> String {
        let token = names::pre_deploy_token(&format!("{} {digest} {}", self.facts.key, self.now));
        let timeout = SignedDuration::from_mins(i64::from(spec.timeout_minutes));
        let marks = &mut self.marks.pre_deployed;
        marks.retain(|mark| mark.digest != *digest);
        let mark = PreDeployed {
            digest: digest.clone(),
            token: token.clone(),
            task: None,
            started_at: self.now,
            ended: None,
            container: Some(container.clone()),
            spec: wanted.spec.fingerprint(),
            until: Some(self.now.saturating_add(timeout).unwrap_or(Timestamp::MAX)),
            late: false,
        };
        marks.insert(0, mark);
        marks.truncate(KEPT_TASKS);
        token
    }
}

/// Whether it ended well: its container's exit code, for the others are stopped with it.
fn judged(task: &StoppedTask, container: Option<&ContainerName>) -> Result<(), String> {
    let own = task.containers.iter().find(|it| container.is_none_or(|name| it.name == name.as_str()));
    let code = own.and_then(|own| own.exit_code);
    if code == Some(0) {
        return Ok(());
    }
    let name = own.map_or("its container", |own| own.name.as_str());
    let mut parts = vec![match code {
        Some(code) => format!("{name} exited with {code}"),
        None => format!("{name} did not run to its end"),
    }];
    parts.extend(own.and_then(|own| own.reason.clone()));
    parts.extend(task.stop_code.clone());
    parts.extend(task.stopped_reason.clone());
    parts.push(task.arn.clone());
    Err(parts.join("; "))
}
