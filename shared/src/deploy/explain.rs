//! The reason that a person needs when a rollout failed: ECS's own words, what stopped
//! the tasks, and the service's last events that say more.

use std::collections::BTreeMap;

use crate::facts::{Fact, LiveService, ServiceFacts, StoppedTask};
use crate::id::Timestamp;

/// How many of a service's events are quoted.
const EVENTS: usize = 3;
/// DynamoDB's item holds 400 KB, and a row keeps the reason of every digest in quarantine:
/// room for hundreds of them.
const LONGEST: usize = 800;

/// Composes the reason of a failed rollout that began at `since`.
pub fn failure(ecs_reason: &str, facts: &ServiceFacts, since: Timestamp) -> String {
    of_service(ecs_reason, &facts.stopped_tasks, facts.service.known(), since)
}

/// The same of any service and its stopped tasks.
pub fn of_service(
    ecs_reason: &str,
    stopped: &Fact<Vec<StoppedTask>>,
    service: Option<&LiveService>,
    since: Timestamp,
) -> String {
    let mut parts = Vec::new();
    if !ecs_reason.is_empty() {
        parts.push(ecs_reason.trim_end_matches('.').to_owned());
    }
    match stopped {
        Fact::Known(tasks) => parts.extend(stops(tasks)),
        Fact::Unreadable(what) => parts.push(format!("why its tasks stopped could not be read ({what})")),
        Fact::Absent | Fact::NotAsked => {}
    }
    if let Some(service) = service {
        parts.extend(telling_events(service, since));
    }
    if parts.is_empty() {
        parts.push("ECS ended the deployment and gave no reason; see the service's events".into());
    }
    cut(parts.join("; "))
}

/// Whether the rollout failed for nothing but a lack of room: no task of it ended by itself, or
/// in bad health, and ECS could not place one. In ECS's words.
pub fn no_room(facts: &ServiceFacts, since: Timestamp) -> Option<String> {
    no_room_of(facts.service.known()?, &facts.stopped_tasks, since)
}

/// The same of any service and its stopped tasks.
pub fn no_room_of(
    service: &LiveService,
    stopped: &Fact<Vec<StoppedTask>>,
    since: Timestamp,
) -> Option<String> {
    let Fact::Known(tasks) = stopped else { return None };
    let events = telling_events(service, since);
    let is_place = |event: &String| event.contains("unable to place a task");
    let is_other = |event: &String| event.contains("unhealthy") || event.contains("unable to consistently");
    if tasks.iter().any(failed) || events.iter().any(is_other) {
        return None;
    }
    let event = events.into_iter().find(is_place)?;
    Some(cut(event))
}

/// Whether ECS could not place a task of the rollout that began at `since`.
pub fn has_no_place(facts: &ServiceFacts, since: Timestamp) -> bool {
    let events = facts.service.known().map(|service| telling_events(service, since)).unwrap_or_default();
    events.iter().any(|event| event.contains("unable to place a task"))
}

/// Tasks that ECS stopped as it went back are no failures; in bad health, or by themselves, they are.
fn failed(task: &StoppedTask) -> bool {
    let by_ecs = task.stop_code.as_deref() == Some("ServiceSchedulerInitiated");
    !by_ecs || task.stopped_reason.as_deref().is_some_and(|reason| reason.contains("health"))
}

/// Stopped tasks, the same reasons counted: `3 × EssentialContainerExited: web exit 1`.
fn stops(tasks: &[StoppedTask]) -> Vec<String> {
    let mut counted: BTreeMap<String, usize> = BTreeMap::new();
    for task in tasks {
        *counted.entry(stop(task)).or_default() += 1;
    }
    let mut lines: Vec<_> = counted.into_iter().collect();
    lines.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    lines.into_iter().take(EVENTS).map(|(reason, times)| format!("{times} × {reason}")).collect()
}

fn stop(task: &StoppedTask) -> String {
    let mut text = task.stop_code.clone().unwrap_or_else(|| "stopped".into());
    if let Some(reason) = &task.stopped_reason {
        text = format!("{text}: {reason}");
    }
    for container in &task.containers {
        match (container.exit_code, &container.reason) {
            (Some(code), Some(reason)) => text = format!("{text} [{} exit {code}: {reason}]", container.name),
            (Some(code), None) => text = format!("{text} [{} exit {code}]", container.name),
            (None, Some(reason)) => text = format!("{text} [{}: {reason}]", container.name),
            (None, None) => {}
        }
    }
    text
}

/// Events since the rollout began that say what went wrong, newest first. The chatter of
/// every deployment (started, registered, steady) is left out.
fn telling_events(service: &LiveService, since: Timestamp) -> Vec<String> {
    const TELLING: [&str; 4] = ["unable", "unhealthy", "failed", "error"];
    let mut seen = Vec::new();
    for event in service.events.iter().filter(|event| event.at >= since) {
        let tells = TELLING.iter().any(|word| event.message.contains(word));
        if tells && !seen.contains(&event.message) {
            seen.push(event.message.clone());
        }
    }
    seen.truncate(EVENTS);
    seen
}

fn cut(text: String) -> String {
    if text.len() <= LONGEST {
        return text;
    }
    let end = (0..=LONGEST).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}…", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::StoppedContainer;

    fn crash(exit_code: i32) -> StoppedTask {
        StoppedTask {
            arn: "arn".into(),
            stop_code: Some("EssentialContainerExited".into()),
            stopped_reason: Some("Essential container in task exited".into()),
            containers: vec![StoppedContainer {
                name: "web".into(),
                exit_code: Some(exit_code),
                reason: None,
            }],
            stopped_at: None,
        }
    }

    #[test]
    fn the_same_stop_is_said_once_with_its_number_and_the_most_frequent_first() {
        assert_eq!(
            stops(&[crash(2), crash(1), crash(1)]),
            [
                "2 × EssentialContainerExited: Essential container in task exited [web exit 1]",
                "1 × EssentialContainerExited: Essential container in task exited [web exit 2]",
            ]
        );
    }

    #[test]
    fn a_long_reason_is_cut_at_a_character() {
        let text = cut("ä".repeat(LONGEST));
        assert!(text.len() <= LONGEST + '…'.len_utf8() && text.ends_with('…'));
    }
}
