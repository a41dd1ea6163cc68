//! Reasons: everything that a pass decided not to do, or wants a person to know. Each
//! is a variant with its facts; its `Display` is the sentence that people read, with
//! the next step where there is one.

mod after;
mod canary;
mod gate;
mod pre_deploy;
mod rollback;
mod room;
mod route;
mod scan;
mod strategy;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use self::after::{AfterNote, AfterWhy};
pub use self::canary::CanaryNote;
pub use self::gate::GateNote;
pub use self::pre_deploy::PreDeployNote;
pub use self::rollback::{NoWayBack, RevisionsStay, RollbackNote};
pub use self::room::{RoomNote, WhyItGoes};
pub use self::route::RouteNote;
pub use self::scan::ScanNote;
pub use self::strategy::StrategyNote;
use crate::facts::Unreadable;
use crate::id::{
    Actor, ClusterName, DeploymentId, ImageDigest, ImageTag, Region, RepositoryName, RuleArn, ServiceKey,
    TaskDefinitionArn, Timestamp,
};

/// One thing that a pass reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "note", content = "of")]
pub enum Note {
    /// Nobody asked Windlass to run this service.
    NotTracked {
        /// The service.
        key: ServiceKey,
    },
    /// The spec could not be read as one.
    SpecRefused {
        /// Where it stands, and each fault with its path.
        reason: String,
    },
    /// The image's labels were refused by the stack's guard rails.
    LabelsRefused {
        /// Why, and what to do.
        reason: String,
    },
    /// A fact that the decision needs could not be read.
    Unreadable {
        /// Which, and why.
        what: Unreadable,
    },
    /// The cluster is not there.
    ClusterMissing {
        /// Its name.
        cluster: ClusterName,
        /// What was found: `MISSING`, `INACTIVE`.
        found: String,
    },
    /// The service is going away.
    ServiceLeaving {
        /// `DRAINING`.
        status: String,
    },
    /// CodeDeploy or an external controller deploys this service.
    OtherController {
        /// `CODE_DEPLOY`, `EXTERNAL`.
        controller: String,
    },
    /// The service is not there, and the spec does not say how to make one.
    NotCreatable {
        /// What is missing.
        reason: String,
    },
    /// The repository is not there.
    RepositoryMissing {
        /// Its name.
        repository: RepositoryName,
    },
    /// The repository is in another Region than the stack.
    OtherRegion {
        /// The repository, with its registry.
        repository: RepositoryName,
        /// Where it is.
        found: Region,
        /// Where the stack is.
        stack: Region,
    },
    /// The repository has no image that the policy wants.
    NoImage {
        /// The repository.
        repository: RepositoryName,
        /// The policy.
        policy: String,
        /// What was passed over, and why; at most five.
        passed_over: Vec<String>,
    },
    /// A newer image is passed over because it failed before.
    Quarantined {
        /// The image.
        digest: ImageDigest,
        /// Its tag.
        tag: Option<ImageTag>,
        /// Why it failed.
        reason: String,
        /// When it is tried again by itself, where it is.
        #[serde(default)]
        until: Option<Timestamp>,
    },
    /// The image does not run on this cluster's instances.
    WrongArchitecture {
        /// The image.
        digest: ImageDigest,
        /// What it was built for.
        image: String,
        /// What the cluster has.
        cluster: String,
    },
    /// The image that the policy wants is gone from the repository.
    ImageGone {
        /// The image.
        digest: ImageDigest,
    },
    /// What the policy would choose is older than what runs, and the policy did not change.
    WouldDowngrade {
        /// What runs.
        live: ImageDigest,
        /// What the policy chooses now.
        chosen: ImageDigest,
        /// Its tag.
        tag: Option<ImageTag>,
    },
    /// No container of the live revision runs an image of the repository.
    NoTrackedContainer {
        /// The repository.
        repository: RepositoryName,
        /// The containers that there are.
        containers: Vec<String>,
    },
    /// A person holds the service.
    Held {
        /// Who.
        by: Actor,
        /// Why.
        reason: String,
        /// Since when.
        since: Timestamp,
        /// What would be rolled out.
        would: ImageDigest,
    },
    /// A rollout goes on.
    RollingOut {
        /// The image.
        digest: ImageDigest,
        /// ECS's deployment.
        deployment: Option<DeploymentId>,
        /// How far it is: `2 of 3 running, 1 failed`.
        progress: String,
    },
    /// A rollout takes longer than the spec's timeout.
    Overdue {
        /// The image.
        digest: ImageDigest,
        /// Minutes since its start.
        minutes: i64,
        /// The spec's timeout.
        timeout_minutes: i64,
        /// Whether ECS itself will end it.
        circuit_breaker: bool,
    },
    /// A deployment that Windlass did not begin is being rolled out by somebody.
    RollingBack {
        /// To which revision.
        to: TaskDefinitionArn,
    },
    /// Another rule answers the same requests.
    RouteTaken {
        /// The rule.
        rule: RuleArn,
        /// Its priority.
        priority: u32,
    },
    /// The route waits for a healthy target before it opens.
    RouteWaits {
        /// Healthy targets.
        healthy: u32,
        /// Registered targets.
        registered: u32,
    },
    /// The spec wants a route, and neither it nor the stack names a listener.
    NoListener,
    /// All rule priorities that fit are taken.
    NoPriority,
    /// A dead pass registered this revision; it is used, not registered again.
    LeftoverFound {
        /// The revision.
        task_definition: TaskDefinitionArn,
    },
    /// A rollout that a dead pass (or a person) began was found and taken over.
    TookOver {
        /// ECS's deployment.
        deployment: DeploymentId,
    },
    /// What stands before a rollout.
    Gate(GateNote),
    /// How a rollout by ECS's own strategies goes.
    Strategy(StrategyNote),
    /// How Windlass's own canary goes.
    Canary(CanaryNote),
    /// A rollback, or the end of a rollout that was given up.
    Rollback(RollbackNote),
    /// The listener's rules.
    Route(RouteNote),
    /// The image's scan.
    Scan(ScanNote),
    /// The task before the rollout.
    PreDeploy(PreDeployNote),
    /// Room for the rollout's tasks.
    Room(RoomNote),
    /// Nothing to do: the newest wanted image is live.
    Quiet {
        /// The image.
        digest: ImageDigest,
        /// Its tag.
        tag: Option<ImageTag>,
    },
    /// What is live is to be published, and AWS refused it.
    NotPublished {
        /// The parameter.
        parameter: String,
        /// What it said.
        reason: String,
    },
}

impl Note {
    /// Whether a person has to do something before this service goes on.
    pub fn needs_a_person(&self) -> bool {
        match self {
            Self::Gate(note) => note.needs_a_person(),
            Self::Strategy(note) => note.needs_a_person(),
            Self::Canary(note) => note.needs_a_person(),
            Self::Rollback(note) => note.needs_a_person(),
            Self::Route(note) => note.needs_a_person(),
            Self::Scan(note) => note.needs_a_person(),
            Self::PreDeploy(note) => note.needs_a_person(),
            Self::Room(note) => note.needs_a_person(),
            Self::SpecRefused { .. }
            | Self::LabelsRefused { .. }
            | Self::ClusterMissing { .. }
            | Self::OtherController { .. }
            | Self::NotCreatable { .. }
            | Self::RepositoryMissing { .. }
            | Self::OtherRegion { .. }
            | Self::WrongArchitecture { .. }
            | Self::ImageGone { .. }
            | Self::WouldDowngrade { .. }
            | Self::NoTrackedContainer { .. }
            | Self::Held { .. }
            | Self::Overdue { .. }
            | Self::RouteTaken { .. }
            | Self::NoListener
            | Self::NoPriority
            | Self::Quarantined { until: None, .. } => true,
            Self::Quarantined { until: Some(_), .. }
            | Self::NotTracked { .. }
            | Self::Unreadable { .. }
            | Self::ServiceLeaving { .. }
            | Self::NoImage { .. }
            | Self::RollingOut { .. }
            | Self::RollingBack { .. }
            | Self::RouteWaits { .. }
            | Self::LeftoverFound { .. }
            | Self::TookOver { .. }
            | Self::NotPublished { .. }
            | Self::Quiet { .. } => false,
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gate(note) => note.fmt(f),
            Self::Strategy(note) => note.fmt(f),
            Self::Canary(note) => note.fmt(f),
            Self::Rollback(note) => note.fmt(f),
            Self::Route(note) => note.fmt(f),
            Self::Scan(note) => note.fmt(f),
            Self::PreDeploy(note) => note.fmt(f),
            Self::Room(note) => note.fmt(f),
            Self::NotPublished { parameter, reason } => write!(
                f,
                "not published: {parameter} does not say what is live, for AWS refused it; the next release tries again. {reason}"
            ),
            Self::NotTracked { key } => write!(
                f,
                "not tracked: {key} has no parameter /windlass/services/{key}, no tag windlass:track, and no labelled image"
            ),
            Self::SpecRefused { reason } | Self::LabelsRefused { reason } => write!(f, "refused: {reason}"),
            Self::Unreadable { what } => write!(f, "waiting: {what}"),
            Self::ClusterMissing { cluster, found } => write!(
                f,
                "refused: cluster {cluster} is {found}; create it, or correct the cluster's name in the spec"
            ),
            Self::ServiceLeaving { status } => write!(f, "waiting: the service is {status}"),
            Self::OtherController { controller } => write!(
                f,
                "refused: {controller} deploys this service; set its deployment controller to ECS, or remove windlass:track"
            ),
            Self::NotCreatable { reason } => {
                write!(f, "refused: the service does not exist and cannot be created: {reason}")
            }
            Self::RepositoryMissing { repository } => {
                write!(f, "refused: repository {repository} does not exist; create it, or correct the spec")
            }
            Self::OtherRegion { repository, found, stack } => write!(
                f,
                "refused: repository {repository} is in {found}, and this stack reads registries of {stack} alone; let ECR \
                 replicate it into {stack} and name that one, or deploy a stack in {found}"
            ),
            Self::NoImage { repository, policy, passed_over } => {
                write!(f, "waiting: no image of {repository} matches {policy}")?;
                if passed_over.is_empty() { Ok(()) } else { write!(f, " (passed over: {})", passed_over.join(", ")) }
            }
            Self::Quarantined { digest, tag, reason, until: Some(until) } => {
                write!(f, "waiting: {} is tried again at {until:.0} ({reason})", image(digest, tag.as_ref()))
            }
            Self::Quarantined { digest, tag, reason, until: None } => write!(
                f,
                "quarantined: {} failed and is not redeployed by itself ({}); push a fixed image, or `windlass release SERVICE {}`",
                image(digest, tag.as_ref()),
                reason,
                digest
            ),
            Self::WrongArchitecture { digest, image, cluster } => write!(
                f,
                "refused: {} is built for {image}, the cluster's instances are {cluster}; build it with `docker buildx build --platform linux/{cluster}`",
                digest.short()
            ),
            Self::ImageGone { digest } => write!(
                f,
                "refused: {} is no longer in the repository; push it again, or another one",
                digest.short()
            ),
            Self::WouldDowngrade { live, chosen, tag } => write!(
                f,
                "refused: the policy now chooses {}, older than {} which runs; its image was probably deleted. To go back on purpose, change the spec's policy to that version",
                image(chosen, tag.as_ref()),
                live.short()
            ),
            Self::NoTrackedContainer { repository, containers } => write!(
                f,
                "refused: no container runs an image of {repository} (there are: {}); name one in image.containers or the tag windlass:containers",
                containers.join(", ")
            ),
            Self::Held { by, reason, since, would } => {
                write!(f, "held: by {by} since {since} ({reason}); would roll out {}; `windlass resume` ends the hold", would.short())
            }
            Self::RollingOut { digest, deployment, progress } => {
                write!(f, "rolling out: {}", digest.short())?;
                if let Some(deployment) = deployment {
                    write!(f, " as {deployment}")?;
                }
                write!(f, ", {progress}")
            }
            Self::Overdue { digest, minutes, timeout_minutes, circuit_breaker } => {
                write!(f, "overdue: {} has been rolling out for {minutes} min (timeout {timeout_minutes})", digest.short())?;
                if *circuit_breaker {
                    f.write_str("; ECS's circuit breaker is on and has not ended it")
                } else {
                    f.write_str("; no circuit breaker is on, so ECS will not end it: turn it on, or push another image")
                }
            }
            Self::RollingBack { to } => write!(f, "rolling back: ECS returns to {}", to.short()),
            Self::RouteTaken { rule, priority } => write!(
                f,
                "refused: rule {priority} of the listener already answers the same requests ({rule}); choose another path or host, or remove that rule"
            ),
            Self::RouteWaits { healthy, registered } => {
                write!(f, "waiting: the route opens with the first healthy target ({healthy} of {registered} healthy)")
            }
            Self::NoListener => f.write_str(
                "refused: the spec has a route, and no listener is known; set route.listener or the stack's ListenerArn",
            ),
            Self::NoPriority => f.write_str("refused: every rule priority of the listener is taken; remove unused rules"),
            Self::LeftoverFound { task_definition } => {
                write!(f, "found: {} was registered by an earlier pass and is used", task_definition.short())
            }
            Self::TookOver { deployment } => write!(f, "found: deployment {deployment} was begun without its record and is followed now"),
            Self::Quiet { digest, tag } => write!(f, "quiet: {} is live", image(digest, tag.as_ref())),
        }
    }
}

fn image(digest: &ImageDigest, tag: Option<&ImageTag>) -> String {
    match tag {
        Some(tag) => format!("{tag} ({})", digest.short()),
        None => digest.short().to_owned(),
    }
}
