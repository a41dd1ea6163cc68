//! What came of a look: every part of it readable or not.

use std::collections::BTreeMap;

use crate::facts::{AlarmState, Fact};
use crate::id::{ContainerName, ImageDigest, TargetGroupArn, TaskDefinitionArn, Timestamp};
use crate::spec::ImageSpec;

/// What was observed for a verdict.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Observed {
    /// Each check's answers, one a try, in the order of the spec's checks.
    pub http: Vec<Vec<Answer>>,
    /// The alarms.
    pub alarms: BTreeMap<String, Fact<AlarmState>>,
    /// The two sides' requests; `None` where nothing is compared.
    pub sides: Option<Fact<Sides>>,
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// An answer came.
    Answered {
        /// Its status.
        status: u16,
        /// Its body, or the beginning of a long one.
        body: String,
        /// Until its end.
        latency_ms: u64,
    },
    /// The load balancer took it, and no answer came for so long.
    Silence {
        /// How long.
        after_ms: u64,
    },
    /// It could not be asked: that says nothing of the revision.
    NotAsked {
        /// Why, with the next step.
        reason: String,
    },
}

/// The requests of the two revisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sides {
    /// The new one's.
    pub new: Counts,
    /// The old one's.
    pub old: Counts,
}

/// One revision's requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// How many.
    pub requests: u32,
    /// How many of them its targets answered with 5xx.
    pub errors: u32,
    /// Their mean latency in microseconds; `None` where CloudWatch has none.
    pub latency_us: Option<u64>,
}

impl Counts {
    /// The share of errors. CloudWatch counts in minutes: at a window's edge an error may
    /// have come without its request.
    pub fn rate(&self) -> f64 {
        if self.requests == 0 {
            0.0
        } else {
            f64::from(self.errors.min(self.requests)) / f64::from(self.requests)
        }
    }
}

/// ECS's record of a rollout, as far as a verdict takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollout {
    /// When it began.
    pub started_at: Timestamp,
    /// The new revision's task definition.
    pub task_definition: TaskDefinitionArn,
    /// Its containers with their images' references and digests.
    pub images: Vec<RolloutImage>,
    /// No old revision serves beside it: there is nothing to compare with.
    pub is_first: bool,
    /// The new revision's target group and the old one's, where both are there and differ.
    pub groups: Option<(TargetGroupArn, TargetGroupArn)>,
}

/// A container of the new revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolloutImage {
    /// Its name.
    pub container: ContainerName,
    /// Its image, as the task definition has it.
    pub image: String,
    /// What ECS pulled.
    pub digest: Option<ImageDigest>,
}

impl Rollout {
    /// The digest that the rollout brings: of the first tracked container.
    pub fn digest(&self, spec: &ImageSpec) -> Option<&ImageDigest> {
        let tracked = |it: &&RolloutImage| {
            let path = it.image.split_once('/').map_or(it.image.as_str(), |(_, path)| path);
            let name = path.split(['@', ':']).next().unwrap_or_default();
            spec.containers.contains(&it.container)
                || (spec.containers.is_empty() && name == spec.repository.as_str())
        };
        let one = self
            .images
            .iter()
            .find(tracked)
            .or_else(|| self.images.first().filter(|_| self.images.len() == 1));
        one?.digest.as_ref()
    }
}
