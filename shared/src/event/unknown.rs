//! What an event holds that this code does not know: tolerated, and counted, so that a
//! change on AWS's side is seen in the logs before it matters.

use serde::Serialize;

use super::word::Word;
use super::{Event, Incoming};

/// A part of an event that was tolerated without being understood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "unknown", rename_all = "snake_case")]
pub enum UnknownPart {
    /// A kind of event.
    Kind {
        /// Who sent it.
        source: String,
        /// What it says it is.
        detail_type: String,
    },
    /// A field.
    Field {
        /// Its path: `detail.newThing`.
        path: String,
    },
    /// A word in a field whose words are listed: an event name, a status.
    Word {
        /// The field's path.
        path: String,
        /// The word.
        word: String,
    },
}

impl Incoming {
    /// Everything in it that was tolerated without being understood. Empty for every
    /// event as AWS documents it today.
    pub fn unknown_parts(&self) -> Vec<UnknownPart> {
        let mut parts = Vec::new();
        if let Event::Unknown { source, detail_type } = &self.event {
            parts.push(UnknownPart::Kind { source: source.clone(), detail_type: detail_type.clone() });
        }
        parts.extend(self.unknown_fields.iter().map(|path| UnknownPart::Field { path: path.clone() }));
        let words = words_of(&self.event).into_iter();
        parts.extend(words.filter_map(|(path, word)| {
            Some(UnknownPart::Word { path: path.to_owned(), word: word.unknown()?.to_owned() })
        }));
        parts
    }
}

/// The fields of an event whose words are listed.
fn words_of(event: &Event) -> Vec<(&'static str, &dyn Word)> {
    match event {
        Event::EcrImageAction(it) | Event::EcrReferrerAction(it) => {
            vec![("detail.action-type", &it.action), ("detail.result", &it.result)]
        }
        Event::EcrReplication(it) => vec![("detail.action-type", &it.action), ("detail.result", &it.result)],
        Event::EcrPullThroughCache(it) => vec![("detail.sync-status", &it.status)],
        Event::EcrScan(it) => vec![("detail.scan-status", &it.status)],
        Event::InspectorScan(it) => vec![("detail.scan-status", &it.status)],
        Event::EcsDeployment(it) => vec![("detail.eventName", &it.name), ("detail.eventType", &it.severity)],
        Event::EcsServiceAction(it) => {
            vec![("detail.eventName", &it.name), ("detail.eventType", &it.severity)]
        }
        Event::EcsTask(it) => vec![
            ("detail.lastStatus", &it.last_status),
            ("detail.desiredStatus", &it.desired_status),
            ("detail.stopCode", &it.stop_code),
        ],
        Event::EcsContainerInstance(it) => vec![("detail.status", &it.status)],
        Event::EcsHook(it) => vec![
            ("detail.eventName", &it.name),
            ("detail.hookType", &it.hook_type),
            ("detail.lifecycleStage", &it.stage),
        ],
        Event::LifecycleHook(it) => vec![("lifecycleStage", &it.stage)],
        Event::Alarm(it) => vec![("detail.state.value", &it.state.value)],
        Event::AlarmAction(it) => vec![("alarmData.state.value", &it.alarm.state.value)],
        Event::AutoScalingLifecycle(it) => vec![
            ("detail.LifecycleTransition", &it.transition),
            ("detail.Origin", &it.origin),
            ("detail.Destination", &it.destination),
            ("detail.Action", &it.action),
        ],
        Event::AutoScalingActivity(it) => vec![
            ("detail-type", &it.kind),
            ("detail.StatusCode", &it.status),
            ("detail.Origin", &it.origin),
            ("detail.Destination", &it.destination),
        ],
        Event::SpotWarning(it) => vec![("detail.instance-action", &it.action)],
        Event::ParameterChange(it) => vec![("detail.operation", &it.operation)],
        Event::Rebalance(_)
        | Event::Schedule
        | Event::Doorbell(_)
        | Event::ClusterDoorbell(_)
        | Event::VerdictWanted(_)
        | Event::Unknown { .. } => Vec::new(),
    }
}

/// Fields that AWS documents and that no decision of Windlass needs: not typed, and not
/// unknown either. Paths without the positions in lists.
const DOCUMENTED: &[&str] = &[
    // EventBridge: an event replayed from an archive says so.
    "replay-name",
    // A timer's detail is `{}` from a rule and the *string* "{}" from EventBridge Scheduler.
    "detail",
    // ECR pull-through and Inspector.
    "detail.version",
    // ECS task: as DescribeTasks has them.
    "detail.attachments",
    "detail.attributes",
    "detail.connectivity",
    "detail.connectivityAt",
    "detail.cpu",
    "detail.memory",
    "detail.enableExecuteCommand",
    "detail.ephemeralStorage",
    "detail.eventID",
    "detail.executionStoppedAt",
    "detail.inferenceAccelerators",
    "detail.overrides",
    "detail.platformFamily",
    "detail.platformVersion",
    "detail.pullStartedAt",
    "detail.pullStoppedAt",
    "detail.stoppingAt",
    "detail.tags",
    "detail.containers.containerArn",
    "detail.containers.gpuIds",
    "detail.containers.healthStatus",
    "detail.containers.managedAgents",
    "detail.containers.memoryReservation",
    "detail.containers.networkInterfaces",
    "detail.containers.runtimeId",
    "detail.containers.taskArn",
    // ECS container instance.
    "detail.versionInfo",
    "detail.accountType",
    "detail.pendingTasksCount",
    "detail.runningTasksCount",
    "detail.registeredAt",
    // ECS service action.
    "detail.containerPort",
    "detail.serviceRegistryArns",
    "detail.targets",
    "detail.taskSetArns",
    // CloudWatch: tags of the alarm, where their propagation is on.
    "detail.alarmTags",
    "detail.alarmTagsStatus",
    "alarmData.alarmTags",
    "alarmData.alarmTagsStatus",
];

/// Is the field at this path one that AWS documents and Windlass leaves alone?
pub(super) fn is_documented(path: &str) -> bool {
    let without_positions: Vec<&str> =
        path.split('.').filter(|part| *part != "?" && !part.bytes().all(|b| b.is_ascii_digit())).collect();
    DOCUMENTED.contains(&without_positions.join(".").as_str())
}
