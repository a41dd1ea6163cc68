//! Bytes → [`Incoming`].
//!
//! Two passes over the bytes: which of the payloads is it, then that one, typed. Never the
//! other way round: untagged guessing takes one for another (an alarm's EventBridge event
//! for its direct call), and its errors name no field.

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

use super::autoscaling::ActivityDetail;
use super::edge::{Anything, Shape};
use super::envelope::Envelope;
use super::malformed::{Malformed, Problem};
use super::own::{ClusterDoorbell, Doorbell};
use super::{Event, Incoming, unknown};
use crate::deploy::plan::VerdictWanted;

/// Reads what a function was called with.
///
/// # Errors
///
/// [`Malformed`], when it is not JSON, not an event, or an event with a field that cannot
/// be what it says. Kinds of events, fields and words that are merely not known are no
/// errors: see [`Incoming::unknown_parts`].
pub fn read(bytes: &[u8]) -> Result<Incoming, Malformed> {
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        let error = Malformed::not_an_event("the event is not a JSON object");
        return Err(Malformed { problem: Problem::NotJson, ..error });
    }
    let probe: Probe = parse(bytes, &mut Vec::new())?;
    match probe {
        // An EventBridge event first: nothing else has a detail-type.
        Probe { detail_type: Some(detail_type), source, detail, .. } => {
            let source = source.ok_or_else(|| Malformed::missing("source").of(&detail_type))?;
            // serde reads a list as a struct, field by field; EventBridge never sends one.
            if matches!(detail, Some(Shape::List)) {
                return Err(Malformed::invalid("detail", "is a list, an object is needed").of(&detail_type));
            }
            from_event_bridge(bytes, &source, &detail_type).map_err(|error| error.of(&detail_type))
        }
        Probe { alarm_data: Some(_), .. } => bare(bytes, "an alarm's action", Event::AlarmAction),
        Probe { lifecycle_stage: Some(_), .. } | Probe { execution_details: Some(_), .. } => {
            bare(bytes, "an ECS lifecycle hook's call", Event::LifecycleHook)
        }
        Probe { detail: Some(_), .. } => Err(Malformed::missing("detail-type")),
        other => Err(Malformed::not_an_event(other.guess())),
    }
}

/// What tells the payloads apart.
#[derive(Deserialize)]
struct Probe {
    #[serde(rename = "detail-type", default)]
    detail_type: Option<String>,
    #[serde(default)]
    source: Option<String>,
    #[serde(default)]
    detail: Option<Shape>,
    #[serde(rename = "alarmData", default)]
    alarm_data: Option<IgnoredAny>,
    #[serde(rename = "lifecycleStage", default)]
    lifecycle_stage: Option<IgnoredAny>,
    #[serde(rename = "executionDetails", default)]
    execution_details: Option<IgnoredAny>,
    #[serde(rename = "hookStatus", default)]
    hook_status: Option<IgnoredAny>,
    #[serde(rename = "Records", default)]
    records: Option<IgnoredAny>,
    #[serde(rename = "requestPayload", default)]
    request_payload: Option<IgnoredAny>,
}

impl Probe {
    /// What people take for an event.
    fn guess(&self) -> &'static str {
        if self.hook_status.is_some() {
            "this is a lifecycle hook's reply, not its call"
        } else if self.records.is_some() {
            "this is a batch of SQS or SNS messages; the event is in each record's `body` or `Sns.Message`"
        } else if self.request_payload.is_some() {
            "this is Lambda's record of a failed call; the event is its `requestPayload`"
        } else {
            "it has no `detail-type`, no `alarmData` and no `lifecycleStage`"
        }
    }
}

fn from_event_bridge(bytes: &[u8], source: &str, detail_type: &str) -> Result<Incoming, Malformed> {
    match (source, detail_type) {
        ("aws.ecr", "ECR Image Action") => typed(bytes, Event::EcrImageAction),
        ("aws.ecr", "ECR Referrer Action") => typed(bytes, Event::EcrReferrerAction),
        ("aws.ecr", "ECR Image Scan") => typed(bytes, Event::EcrScan),
        ("aws.ecr", "ECR Replication Action") => typed(bytes, Event::EcrReplication),
        ("aws.ecr", "ECR Pull Through Cache Action") => typed(bytes, Event::EcrPullThroughCache),
        ("aws.inspector2", "Inspector2 Scan") => typed(bytes, Event::InspectorScan),
        ("aws.ecs", "ECS Deployment State Change") => typed(bytes, Event::EcsDeployment),
        ("aws.ecs", "ECS Service Action") => boxed(bytes, Event::EcsServiceAction),
        ("aws.ecs", "ECS Task State Change") => boxed(bytes, Event::EcsTask),
        ("aws.ecs", "ECS Container Instance State Change") => boxed(bytes, Event::EcsContainerInstance),
        ("aws.ecs", "ECS Hook State Change") => boxed(bytes, Event::EcsHook),
        ("aws.cloudwatch", "CloudWatch Alarm State Change") => boxed(bytes, Event::Alarm),
        ("aws.cloudwatch", "CloudWatch Alarm Contributor State Change") => contributor(bytes),
        (
            "aws.autoscaling",
            "EC2 Instance-launch Lifecycle Action" | "EC2 Instance-terminate Lifecycle Action",
        ) => boxed(bytes, Event::AutoScalingLifecycle),
        (
            "aws.autoscaling",
            "EC2 Instance Launch Successful"
            | "EC2 Instance Launch Unsuccessful"
            | "EC2 Instance Terminate Successful"
            | "EC2 Instance Terminate Unsuccessful",
        ) => typed(bytes, |detail: ActivityDetail| {
            Event::AutoScalingActivity(Box::new(detail.of(detail_type)))
        }),
        ("aws.ec2", "EC2 Spot Instance Interruption Warning") => typed(bytes, Event::SpotWarning),
        ("aws.ec2", "EC2 Instance Rebalance Recommendation") => typed(bytes, Event::Rebalance),
        ("aws.ssm", "Parameter Store Change") => typed(bytes, Event::ParameterChange),
        // From a rule's schedule, and from EventBridge Scheduler (whose detail is a text).
        ("aws.events" | "aws.scheduler", "Scheduled Event") => typed(bytes, |Anything| Event::Schedule),
        (Doorbell::SOURCE, Doorbell::DETAIL_TYPE) => typed(bytes, Event::Doorbell),
        (ClusterDoorbell::SOURCE, ClusterDoorbell::DETAIL_TYPE) => typed(bytes, Event::ClusterDoorbell),
        (VerdictWanted::SOURCE, VerdictWanted::DETAIL_TYPE) => boxed(bytes, Event::VerdictWanted),
        _ => typed(bytes, |Anything| Event::Unknown {
            source: source.to_owned(),
            detail_type: detail_type.to_owned(),
        }),
    }
}

/// An EventBridge event with this detail.
fn typed<T: Serialize + DeserializeOwned>(
    bytes: &[u8],
    event: impl FnOnce(T) -> Event,
) -> Result<Incoming, Malformed> {
    let mut unknown_fields = Vec::new();
    let (envelope, detail) = Envelope::open(parse::<EventBridgeEvent<T>>(bytes, &mut unknown_fields)?)?;
    Ok(Incoming { envelope: Some(envelope), event: event(detail), unknown_fields })
}

/// The same for the larger ones.
fn boxed<T: Serialize + DeserializeOwned>(
    bytes: &[u8],
    event: impl FnOnce(Box<T>) -> Event,
) -> Result<Incoming, Malformed> {
    typed(bytes, |detail: T| event(Box::new(detail)))
}

/// A contributor's event without its contributor would read as the whole alarm's.
fn contributor(bytes: &[u8]) -> Result<Incoming, Malformed> {
    let incoming = boxed(bytes, Event::Alarm)?;
    match &incoming.event {
        Event::Alarm(alarm) if alarm.contributor.is_none() => {
            Err(Malformed::missing("detail.alarmContributor"))
        }
        _ => Ok(incoming),
    }
}

/// A payload without an envelope.
fn bare<T: DeserializeOwned>(
    bytes: &[u8],
    name: &str,
    event: impl FnOnce(Box<T>) -> Event,
) -> Result<Incoming, Malformed> {
    let mut unknown_fields = Vec::new();
    let payload = parse::<T>(bytes, &mut unknown_fields).map_err(|error| error.of(name))?;
    Ok(Incoming { envelope: None, event: event(Box::new(payload)), unknown_fields })
}

/// JSON → a type, with the path of the field that is wrong, and of the fields that nobody
/// asked for.
fn parse<T: DeserializeOwned>(bytes: &[u8], unknown_fields: &mut Vec<String>) -> Result<T, Malformed> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(&mut json, &mut track);
    let mut note = |path: serde_ignored::Path<'_>| {
        let path = path.to_string();
        if !unknown::is_documented(&path) {
            unknown_fields.push(path);
        }
    };
    let value = serde_ignored::deserialize(tracked, &mut note)
        .map_err(|error| Malformed::from_serde(&track.path().to_string(), &error))?;
    json.end().map_err(|error| Malformed::from_serde("", &error))?;
    Ok(value)
}
