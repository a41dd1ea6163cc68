//! Which doorbell of the deploy function an event rings.
//!
//! A doorbell says where to look, never what to do: the pass looks at the world as it is
//! (design.md, law 1). When in doubt the answer is to ring, for a ring too many costs a few
//! reads; except where events come in floods that concern no rollout.

use serde::Serialize;

use super::ecr::{ActionResult, EventDigest, ImageActionKind, SyncStatus};
use super::ecs::{DeploymentEvent, HookEvent, TaskStatus};
use super::ssm::{PARAMETER_PREFIX, ParameterChange, ParameterOperation};
use super::{Event, Incoming};
use crate::id::{ClusterName, ImageDigest, ImageTag, RepositoryName, ServiceKey};
use crate::registry::{Home, Registry};

/// Where the deploy function is asked to look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rings {
    /// At every service that follows this repository.
    Repository {
        /// Which.
        repository: RepositoryName,
        /// What came, where the event has a digest that can be used. News, not an order:
        /// the policy chooses.
        digest: Option<ImageDigest>,
        /// Under which tag.
        tag: Option<ImageTag>,
    },
    /// At this service.
    Service(ServiceKey),
    /// At every service of this cluster that waits for something.
    Cluster(ClusterName),
    /// At all of them.
    Sweep,
    /// Nowhere.
    Nothing(Silence),
}

/// Why an event rings no bell of the deploy function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Silence {
    /// A platform's or an attestation's manifest, pushed by its digest.
    #[error("the manifest has no tag: a part of a multi-arch image, whose own event follows")]
    UntaggedChild,
    /// A signature, SBOM or attestation under its own kind of tag.
    #[error("`{0}` is the tag of a signature, an SBOM or an attestation, not of an image")]
    Attachment(ImageTag),
    /// A signature, SBOM or attestation that refers to its image.
    #[error("a referrer (signature, SBOM, attestation) is no image to run")]
    Referrer,
    /// A chart, a module: nothing that runs as a container.
    #[error("`{0}` is not a container image's media type")]
    NotAnImage(String),
    /// Deleted, archived.
    #[error("`{0}` brings no new image; what runs stays as it is")]
    NotAPush(ImageActionKind),
    /// What the event tells of did not succeed.
    #[error("it ended in `{0}`, so that nothing has changed")]
    Failed(String),
    /// Inspector also scans instances and functions.
    #[error("the scan was not one of an image")]
    NoRepository,
    /// A push of another Region that was forwarded here.
    #[error("{0} is in another Region, and this stack reads registries of its own alone")]
    OtherRegion(RepositoryName),
    /// No service in it.
    #[error("it names no service: the first of `resources` is not an ARN with cluster and name")]
    NoService,
    /// The task is not gone.
    #[error("a task on its way ({0}) changes nothing for a rollout until it has stopped")]
    TaskLives(TaskStatus),
    /// Started by `RunTask`.
    #[error("the task belongs to no service")]
    StandaloneTask,
    /// An event of the service that concerns no rollout.
    #[error("`{0}` concerns no rollout")]
    NoRollout(String),
    /// Another parameter.
    #[error("`{0}` is no spec of Windlass: those are at {PARAMETER_PREFIX}<cluster>/<service>")]
    NotOurs(String),
    /// The parameter's value is as it was.
    #[error("`{0}` leaves the parameter's value as it was")]
    ValueUnchanged(ParameterOperation),
    /// For another function of the stack.
    #[error("it is for the {} function", .0.name())]
    ForAnother(Function),
    /// A kind of event that Windlass does not use.
    #[error("Windlass does not use events of this kind")]
    UnknownKind,
}

/// The functions besides deploy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Function {
    /// Capacity.
    Scale,
    /// Instances that leave.
    Drain,
    /// Verdicts on new revisions.
    Verify,
}

impl Function {
    /// Its name in the stack.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scale => "scale",
            Self::Drain => "drain",
            Self::Verify => "verify",
        }
    }
}

/// Which doorbell of the deploy function the event rings.
pub fn doorbells(incoming: &Incoming) -> Rings {
    rings(incoming).unwrap_or_else(Rings::Nothing)
}

/// The same for a stack: another account's bus may have forwarded the event, and then the repository
/// is called with its registry, so that nobody who follows the own one of that name is rung.
pub fn doorbells_at(incoming: &Incoming, home: &Home) -> Rings {
    let rings = doorbells(incoming);
    let (Rings::Repository { repository, digest, tag }, Some(registry)) = (&rings, happened_in(incoming))
    else {
        return rings;
    };
    if home.account.is_none() || home.owns(&registry) {
        return rings;
    }
    let repository = registry.repository(repository.as_str());
    if registry.region != home.region {
        return Rings::Nothing(Silence::OtherRegion(repository));
    }
    Rings::Repository { repository, digest: digest.clone(), tag: tag.clone() }
}

/// The registry that an event of ECR or of Inspector tells of: its envelope stays what it was on the
/// way through other buses.
fn happened_in(incoming: &Incoming) -> Option<Registry> {
    let envelope = incoming.envelope.as_ref()?;
    Some(Registry { account: envelope.account.clone()?, region: envelope.region.clone()? })
}

fn rings(incoming: &Incoming) -> Result<Rings, Silence> {
    match &incoming.event {
        Event::EcrImageAction(push) => {
            let tag = push.rings()?.clone();
            Ok(repository(&push.repository, push.digest.as_ref(), Some(tag)))
        }
        Event::EcrReferrerAction(_) => Err(Silence::Referrer),
        Event::EcrReplication(copy) => match &copy.result {
            ActionResult::Success => Ok(repository(&copy.repository, copy.digest.as_ref(), copy.tag.clone())),
            other => Err(Silence::Failed(other.to_string())),
        },
        Event::EcrPullThroughCache(pull) => match &pull.status {
            SyncStatus::Success => Ok(repository(&pull.repository, pull.digest.as_ref(), pull.tag.clone())),
            other => Err(Silence::Failed(other.to_string())),
        },
        // A failed scan is news for whoever waits for it. None brings an image, so that nothing
        // of it is a hint, nor makes a service.
        Event::EcrScan(scan) => Ok(repository(&scan.repository, None, None)),
        Event::InspectorScan(scan) => {
            let name = scan.repository.as_ref().ok_or(Silence::NoRepository)?;
            Ok(repository(name, None, None))
        }
        Event::EcsDeployment(deployment) => match &deployment.name {
            DeploymentEvent::Other(word) => Err(Silence::NoRollout(word.clone())),
            _ => service(incoming, None),
        },
        Event::EcsServiceAction(action) if action.name.concerns_a_rollout() => {
            service(incoming, Some(&action.cluster))
        }
        Event::EcsServiceAction(action) => Err(Silence::NoRollout(action.name.to_string())),
        Event::EcsTask(task) => {
            if task.last_status != TaskStatus::Stopped {
                return Err(Silence::TaskLives(task.last_status.clone()));
            }
            let of = task.service().or_else(|| task.before_rollout_of());
            of.map(Rings::Service).ok_or(Silence::StandaloneTask)
        }
        Event::EcsHook(hook) => match &hook.name {
            HookEvent::InProgress | HookEvent::Other(_) => Err(Silence::NoRollout(hook.name.to_string())),
            HookEvent::AwaitingAction | HookEvent::Succeeded | HookEvent::Failed | HookEvent::TimedOut => {
                hook.service().map(Rings::Service).ok_or(Silence::NoService)
            }
        },
        Event::ParameterChange(change) => parameter(change),
        Event::Schedule => Ok(Rings::Sweep),
        Event::Doorbell(bell) => Ok(Rings::Service(bell.key())),
        Event::LifecycleHook(_) | Event::VerdictWanted(_) => Err(Silence::ForAnother(Function::Verify)),
        Event::Alarm(_) | Event::AlarmAction(_) | Event::ClusterDoorbell(_) => {
            Err(Silence::ForAnother(Function::Scale))
        }
        Event::EcsContainerInstance(_)
        | Event::AutoScalingLifecycle(_)
        | Event::AutoScalingActivity(_)
        | Event::SpotWarning(_)
        | Event::Rebalance(_) => Err(Silence::ForAnother(Function::Drain)),
        Event::Unknown { .. } => Err(Silence::UnknownKind),
    }
}

fn repository(name: &RepositoryName, digest: Option<&EventDigest>, tag: Option<ImageTag>) -> Rings {
    let digest = digest.and_then(EventDigest::usable).cloned();
    Rings::Repository { repository: name.clone(), digest, tag }
}

fn service(incoming: &Incoming, cluster: Option<&ClusterName>) -> Result<Rings, Silence> {
    let envelope = incoming.envelope.as_ref().ok_or(Silence::NoService)?;
    envelope.service(cluster).map(Rings::Service).ok_or(Silence::NoService)
}

/// A deleted spec rings as well: the pass then finds a tag, labels, or nothing wanted.
fn parameter(change: &ParameterChange) -> Result<Rings, Silence> {
    let rings = change.service().map(Rings::Service).or_else(|| change.cluster().map(Rings::Cluster));
    let rings = rings.ok_or_else(|| Silence::NotOurs(change.name.clone()))?;
    if let Some(exception) = &change.exception {
        return Err(Silence::Failed(exception.clone()));
    }
    match &change.operation {
        ParameterOperation::LabelParameterVersion => Err(Silence::ValueUnchanged(change.operation.clone())),
        // A word of tomorrow about our own parameter: looking costs little.
        ParameterOperation::Create
        | ParameterOperation::Update
        | ParameterOperation::Delete
        | ParameterOperation::Other(_) => Ok(rings),
    }
}
