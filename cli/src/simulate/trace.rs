//! A load trace: which services want how many tasks, and when, on which group of instances.
//!
//! ```yaml
//! about: Load climbs by steps and goes back.
//! hours: 3
//! group: {type: m5.large, usd_per_hour: 0.115, max: 40}
//! services:
//!   shop:
//!     cpu: 512
//!     memory: 1024
//!     tasks: [[0, 2], [30, 10], [90, 2]]   # [minute, tasks from then on]
//!     deploys: [60]                         # minutes at which a new revision is rolled out
//!   api:
//!     cpu: 256
//!     memory: 512
//!     requests: {per_task: 100, least: 1, every: 15, counts: [40, 380, 990]}   # one count every 15 minutes
//! ```
//!
//! Tasks wanted are given, so that both policies are asked for the same; what is compared is how the
//! instances follow.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A trace as it is written.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Trace {
    /// What it is.
    pub(crate) about: String,
    /// Where its numbers are from, if they are somebody's.
    #[serde(default)]
    pub(crate) source: Option<String>,
    /// How long it is.
    pub(crate) hours: u32,
    pub(crate) group: Group,
    pub(crate) services: BTreeMap<String, Service>,
}

/// The Auto Scaling group that both policies are given.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Group {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) usd_per_hour: f64,
    pub(crate) max: u32,
    /// Seconds, from and to, from an instance's start to its agent's registration.
    #[serde(default = "usual_boot")]
    pub(crate) boot_secs: (u32, u32),
}

/// Boot, Docker, the agent: what people report for the ECS-optimised AMI is about a minute.
fn usual_boot() -> (u32, u32) {
    (45, 75)
}

/// A service and what it wants.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Service {
    pub(crate) cpu: u32,
    pub(crate) memory: u32,
    #[serde(default)]
    pub(crate) placement: Placement,
    /// `[minute, tasks from then on]`
    #[serde(default)]
    pub(crate) tasks: Vec<(u32, u32)>,
    #[serde(default)]
    pub(crate) requests: Option<Requests>,
    /// Minutes at which a new revision is rolled out, with 100 and 200 percent.
    #[serde(default)]
    pub(crate) deploys: Vec<u32>,
}

/// ECS's placement strategy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Placement {
    /// `binpack` by CPU: what AWS advises for cluster auto scaling, since it leaves instances empty.
    #[default]
    Pack,
    /// ECS's default: over zones, then over instances.
    Spread,
}

/// Load in requests: as many tasks as they take, at least so many.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Requests {
    pub(crate) per_task: u32,
    pub(crate) least: u32,
    /// Minutes between two counts.
    pub(crate) every: u32,
    pub(crate) counts: Vec<u32>,
}

/// Something that happens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Event {
    pub(crate) minute: u32,
    pub(crate) service: String,
    pub(crate) what: What,
}

/// What happens to a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum What {
    /// It wants so many tasks from now on.
    Tasks(u32),
    /// A new revision is rolled out.
    Deploy,
}

impl Trace {
    /// Reads a trace, and refuses one that says nothing or too much.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        let trace: Self = serde_saphyr::from_str(text)?;
        match trace.problem() {
            None => Ok(trace),
            Some(problem) => Err(anyhow::anyhow!(problem)),
        }
    }

    fn problem(&self) -> Option<String> {
        if !(1..=168).contains(&self.hours) {
            return Some("`hours` must be 1 to 168".to_owned());
        }
        if windlass_sim::ec2::types::InstanceType::parse(&self.group.kind).is_none() {
            return Some(format!("the simulator does not have the instance type {}", self.group.kind));
        }
        if self.group.usd_per_hour.is_nan() || self.group.usd_per_hour < 0.0 {
            return Some("`usd_per_hour` must be a price".to_owned());
        }
        if self.services.is_empty() {
            return Some("`services` must name at least one".to_owned());
        }
        self.services.iter().find_map(|(name, service)| service.problem().map(|why| format!("{name}: {why}")))
    }

    /// What happens after the beginning, in order. What changes nothing is left out.
    pub(crate) fn events(&self) -> Vec<Event> {
        let mut events = Vec::new();
        for (name, service) in &self.services {
            let mut last = service.tasks_at_first();
            let changes = service.changes().into_iter().filter(|(minute, _)| *minute > 0);
            for (minute, tasks) in changes {
                if tasks != last {
                    events.push(Event { minute, service: name.clone(), what: What::Tasks(tasks) });
                }
                last = tasks;
            }
            let deploy = |minute: &u32| Event { minute: *minute, service: name.clone(), what: What::Deploy };
            events.extend(service.deploys.iter().map(deploy));
        }
        events.retain(|event| event.minute < self.hours * 60);
        events.sort();
        events
    }
}

impl Service {
    fn problem(&self) -> Option<String> {
        let at = |times: Vec<u32>| times.is_sorted_by(|a, b| a < b);
        match &self.requests {
            Some(_) if !self.tasks.is_empty() => Some("give `tasks` or `requests`, not both".to_owned()),
            None if self.tasks.is_empty() => Some("give `tasks` or `requests`".to_owned()),
            Some(it) if it.per_task == 0 || it.every == 0 || it.counts.is_empty() => {
                Some("`requests` needs `per_task`, `every` and `counts`, none of them 0".to_owned())
            }
            _ if self.cpu == 0 || self.memory < 6 => {
                Some("`cpu` and `memory` (at least 6) are needed".to_owned())
            }
            _ if !at(self.tasks.iter().map(|(minute, _)| *minute).collect()) || !at(self.deploys.clone()) => {
                Some("minutes must grow".to_owned())
            }
            _ => None,
        }
    }

    /// `(minute, tasks from then on)`
    fn changes(&self) -> Vec<(u32, u32)> {
        match &self.requests {
            None => self.tasks.clone(),
            Some(it) => {
                let minutes = (0..).step_by(it.every as usize);
                let tasks = it.counts.iter().map(|count| count.div_ceil(it.per_task).max(it.least));
                minutes.zip(tasks).collect()
            }
        }
    }

    /// How many tasks it begins with.
    pub(crate) fn tasks_at_first(&self) -> u32 {
        self.changes().first().filter(|(minute, _)| *minute == 0).map_or(0, |(_, tasks)| *tasks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "about: x\nhours: 1\ngroup: {type: m5.large, usd_per_hour: 0.1, max: 4}\nservices:\n";

    fn parse(services: &str) -> Result<Trace, String> {
        Trace::parse(&format!("{HEAD}{services}")).map_err(|error| error.to_string())
    }

    #[test]
    fn tasks_requests_and_deploys_become_events_in_order() {
        let trace = parse(
            "  a: {cpu: 512, memory: 512, tasks: [[0, 2], [20, 4], [30, 4], [90, 9]], deploys: [20]}
  b: {cpu: 512, memory: 512, requests: {per_task: 10, least: 2, every: 15, counts: [5, 21, 30, 9]}}
",
        )
        .unwrap();
        assert_eq!(trace.services.values().map(Service::tasks_at_first).collect::<Vec<_>>(), [2, 2]);
        let told: Vec<String> =
            trace.events().iter().map(|it| format!("{} {} {:?}", it.minute, it.service, it.what)).collect();
        // 3 tasks for 21 and for 30 requests; what is past the end is left out.
        assert_eq!(told, ["15 b Tasks(3)", "20 a Tasks(4)", "20 a Deploy", "45 b Tasks(2)"]);
    }

    #[test]
    fn what_cannot_be_replayed_is_refused_with_the_reason() {
        let service = |rest: &str| parse(&format!("  a: {{cpu: 512, memory: 512, {rest}}}\n")).unwrap_err();
        assert_eq!(service("deploys: [3]"), "a: give `tasks` or `requests`");
        assert_eq!(service("tasks: [[5, 1], [5, 2]]"), "a: minutes must grow");
        assert!(service("task: [[0, 1]]").contains("task"));
        assert!(
            Trace::parse(&HEAD.replace("m5.large", "m5.tiny").replace("services:\n", "services: {}"))
                .unwrap_err()
                .to_string()
                .contains("m5.tiny")
        );
    }
}
