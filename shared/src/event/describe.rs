//! An event in one short sentence: the ledger's `cause`, and the first line of
//! `windlass event FILE`.

use std::fmt::Display;

use super::autoscaling::{ActivityKind, InstanceFate};
use super::cloudwatch::Alarm;
use super::ecr::{EventDigest, ImageAction, ImageActionKind};
use super::ecs::{Task, TaskStatus};
use super::ssm::ParameterOperation;
use super::{Event, Incoming};
use crate::id::{ClusterName, ImageTag, RepositoryName};

impl Incoming {
    /// What happened, in one short sentence without a full stop: `push of shop:v2
    /// (sha256:3c949327e325…)`.
    pub fn describe(&self) -> String {
        match &self.event {
            Event::EcrImageAction(it) => image_action(it, ""),
            Event::EcrReferrerAction(it) => image_action(it, "a referrer in "),
            Event::EcrScan(it) => format!(
                "scan of {} ended in {}",
                image(&it.repository, it.tags.first(), it.digest.as_ref()),
                it.status
            ),
            Event::EcrReplication(it) => format!(
                "replication of {}{} ended in {}",
                image(&it.repository, it.tag.as_ref(), it.digest.as_ref()),
                after(" from ", it.source_region.as_ref()),
                it.result
            ),
            Event::EcrPullThroughCache(it) => format!(
                "pull of {} through the cache{} ended in {}{}",
                image(&it.repository, it.tag.as_ref(), it.digest.as_ref()),
                after(" of ", it.upstream_registry_url.as_ref()),
                it.status,
                after(": ", it.failure_reason.as_ref().or(it.failure_code.as_ref()))
            ),
            Event::InspectorScan(it) => match &it.repository {
                Some(name) => format!(
                    "enhanced scan of {} ended in {}",
                    image(name, it.tags.first(), it.digest.as_ref()),
                    it.status
                ),
                None => {
                    format!("enhanced scan{} ended in {}", after(" of ", it.instance_id.as_ref()), it.status)
                }
            },
            Event::EcsDeployment(it) => format!(
                "deployment {} of {}: {}{}",
                it.deployment_id,
                self.service_words(None),
                it.name,
                after(", ", it.reason.as_ref())
            ),
            Event::EcsServiceAction(it) => format!(
                "service {}: {}{}",
                self.service_words(Some(&it.cluster)),
                it.name,
                after(", ", it.reason.as_ref())
            ),
            Event::EcsTask(it) => task(it),
            Event::EcsContainerInstance(it) => format!(
                "instance {} of cluster {} is {}, its agent {}",
                it.ec2_instance_id.as_ref().map_or(it.container_instance_arn.as_str(), AsRef::as_ref),
                it.cluster,
                it.status,
                if it.agent_connected { "connected" } else { "disconnected" }
            ),
            Event::EcsHook(it) => format!(
                "hook at {} of {}: {}{}",
                it.stage,
                it.service().map_or_else(|| it.service_arn.to_string(), |key| key.to_string()),
                it.name,
                after(", waits until ", it.expires_at.as_ref())
            ),
            Event::LifecycleHook(it) => format!(
                "ECS asks for a verdict at {} of {}{}",
                it.stage,
                it.service().map_or_else(|| it.details.service_arn.to_string(), |key| key.to_string()),
                if it.is_rollback() { ", on the way back" } else { "" }
            ),
            Event::Alarm(it) => alarm(it),
            Event::AlarmAction(it) => alarm(&it.alarm),
            Event::AutoScalingLifecycle(it) => {
                format!("instance {} of group {} {}", it.instance, it.group, fate(it.fate()))
            }
            Event::AutoScalingActivity(it) => format!(
                "group {}: {}{}{}",
                it.group,
                match &it.kind {
                    ActivityKind::Launched => "launched",
                    ActivityKind::LaunchFailed => "could not launch",
                    ActivityKind::Terminated => "terminated",
                    ActivityKind::TerminateFailed => "could not terminate",
                    ActivityKind::Other(kind) => kind,
                },
                after(" ", it.instance.as_ref()),
                after(": ", it.status_message.as_ref())
            ),
            Event::SpotWarning(it) => {
                format!("AWS will {} spot instance {} in two minutes", it.action, it.instance_id)
            }
            Event::Rebalance(it) => format!("spot instance {} is likely to be interrupted", it.instance_id),
            Event::ParameterChange(it) => format!(
                "parameter {} {}{}",
                it.name,
                match &it.operation {
                    ParameterOperation::Create => "created",
                    ParameterOperation::Update => "updated",
                    ParameterOperation::Delete => "deleted",
                    ParameterOperation::LabelParameterVersion => "labelled",
                    ParameterOperation::Other(word) => word,
                },
                after(", and refused: ", it.exception.as_ref())
            ),
            Event::Schedule => "the timer".to_owned(),
            Event::VerdictWanted(it) => format!("verdict on {} wanted: {}", it.key, it.stage),
            Event::Doorbell(it) => format!(
                "doorbell of {}{}{}",
                it.key(),
                after(" by ", it.by.as_ref()),
                after(": ", it.reason.as_ref())
            ),
            Event::ClusterDoorbell(it) => format!(
                "doorbell of the cluster {}{}{}",
                it.cluster,
                after(" by ", it.by.as_ref()),
                after(": ", it.reason.as_ref())
            ),
            Event::Unknown { source, detail_type } => format!("`{detail_type}` from {source}"),
        }
    }

    fn service_words(&self, cluster: Option<&ClusterName>) -> String {
        let Some(envelope) = &self.envelope else { return "an unnamed service".to_owned() };
        match envelope.service(cluster) {
            Some(key) => key.to_string(),
            None => envelope.resources.first().cloned().unwrap_or_else(|| "an unnamed service".to_owned()),
        }
    }
}

fn after(prefix: &str, value: Option<&impl Display>) -> String {
    value.map(|value| format!("{prefix}{value}")).unwrap_or_default()
}

fn image(name: &RepositoryName, tag: Option<&ImageTag>, digest: Option<&EventDigest>) -> String {
    let digest = digest.map(|digest| format!(" ({digest})")).unwrap_or_default();
    format!("{name}{}{digest}", after(":", tag))
}

fn image_action(it: &ImageAction, prefix: &str) -> String {
    let verb = match &it.action {
        ImageActionKind::Push => "push of",
        ImageActionKind::Delete => "deletion of",
        ImageActionKind::UpdateStorageClass => "change of the storage class of",
        ImageActionKind::Replicate => "replication of",
        ImageActionKind::Other(word) => word,
    };
    let what = image(&it.repository, it.tag.as_ref(), it.digest.as_ref());
    let untagged = if it.tag.is_none() && prefix.is_empty() { "an untagged manifest of " } else { prefix };
    let end = match it.result.as_str() {
        "SUCCESS" => String::new(),
        other => format!(" ended in {other}"),
    };
    format!("{verb} {untagged}{what}{end}")
}

fn task(it: &Task) -> String {
    let of = it.service().map_or_else(|| format!("cluster {}", it.cluster), |key| key.to_string());
    let id = it.task_arn.as_str().rsplit('/').next().unwrap_or_default();
    let why = match it.last_status {
        TaskStatus::Stopped => {
            format!("{}{}", after(", ", it.stop_code.as_ref()), after(": ", it.stopped_reason.as_ref()))
        }
        _ => String::new(),
    };
    format!("task {id} of {of} is {}{why}", it.last_status)
}

fn alarm(it: &Alarm) -> String {
    let contributor = it.contributor.as_ref().map(|one| {
        let words: Vec<String> =
            one.attributes.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!(" ({})", words.join(", "))
    });
    let before = it.previous_state.as_ref().map(|state| &state.value);
    let held = if it.muted.is_some() || it.state.actions_suppressed_by.is_some() {
        ", its actions held back"
    } else {
        ""
    };
    format!(
        "alarm {}{} is {}{}{held}",
        it.name,
        contributor.unwrap_or_default(),
        it.state.value,
        after(" after ", before)
    )
}

fn fate(fate: InstanceFate) -> &'static str {
    match fate {
        InstanceFate::EntersService => "waits to enter service",
        InstanceFate::EntersWarmPool => "waits to enter the warm pool",
        InstanceFate::Terminates => "waits to be terminated",
        InstanceFate::ReturnsToWarmPool => "waits to return to the warm pool",
        InstanceFate::ReplacesRootVolume => "waits for its root volume to be replaced",
        InstanceFate::Untold => "waits, for what is not known",
    }
}
