//! Which clusters an event asks the scale function to look at.

use serde::Serialize;

use super::facts::CapacityFacts;
use crate::event::{AlarmValue, ContainerInstanceStatus, Event, Function, Incoming};
use crate::facts::Fact;
use crate::id::{AlarmName, ClusterName};
use crate::spec::ServiceSpec;

/// Where the scale function is asked to look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rings {
    /// At this cluster.
    Cluster(ClusterName),
    /// At this cluster, if a rollout there waits for room: its row says so.
    Awaited(ClusterName),
    /// At every cluster of the stack: an alarm does not say whose it is, its services' specs do.
    Every,
    /// Nowhere.
    Nothing(Silence),
}

/// Why an event rings no cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Silence {
    /// The alarm has no data.
    #[error("{0} has not enough data; nothing is decided by it")]
    NoData(AlarmName),
    /// Its actions are muted, or suppressed by another alarm.
    #[error("{0} is held back: {1}")]
    HeldBack(AlarmName, String),
    /// No spec names the alarm. It was asked of each cluster; its event comes once, and the timer says
    /// nothing of it.
    #[error(
        "no service's `scaling.rules` names the alarm {0}: the clusters were looked at, and no number of tasks follows it"
    )]
    NamedByNone(AlarmName),
    /// An instance came or changed, and nobody waits for it: ECS emits as much on each of its tasks.
    #[error("no rollout of {0} waits for room")]
    NobodyWaits(ClusterName),
    /// An event that changes nothing for the capacity.
    #[error("it changes nothing for a cluster's capacity")]
    NoCapacity,
    /// For another function of the stack.
    #[error("it is for the {} function", .0.name())]
    ForAnother(Function),
}

/// Which clusters the event rings.
pub fn doorbells(incoming: &Incoming) -> Rings {
    match &incoming.event {
        Event::Alarm(alarm) => of_alarm(&alarm.name, alarm),
        Event::AlarmAction(call) => of_alarm(&call.alarm.name, &call.alarm),
        Event::EcsServiceAction(action) => Rings::Cluster(action.cluster.clone()),
        Event::ClusterDoorbell(bell) => Rings::Cluster(bell.cluster.clone()),
        Event::EcsContainerInstance(it)
            if it.status == ContainerInstanceStatus::Active && it.agent_connected =>
        {
            Rings::Awaited(it.cluster.clone())
        }
        Event::AutoScalingActivity(_) | Event::Schedule => Rings::Every,
        Event::ParameterChange(change) => of_parameter(change.name.as_str()),
        Event::SpotWarning(_) | Event::Rebalance(_) | Event::AutoScalingLifecycle(_) => {
            Rings::Nothing(Silence::ForAnother(Function::Drain))
        }
        Event::LifecycleHook(_) | Event::VerdictWanted(_) => {
            Rings::Nothing(Silence::ForAnother(Function::Verify))
        }
        _ => Rings::Nothing(Silence::NoCapacity),
    }
}

/// The alarm whose event it is.
pub fn alarm(incoming: &Incoming) -> Option<&AlarmName> {
    match &incoming.event {
        Event::Alarm(alarm) => Some(&alarm.name),
        Event::AlarmAction(call) => Some(&call.alarm.name),
        _ => None,
    }
}

/// Whether a cluster scales by an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// A spec names it.
    Named,
    /// No spec does.
    Nobody,
    /// Specs could not be read.
    Untold,
}

/// Whether a spec of the cluster names the alarm.
pub fn naming(facts: &CapacityFacts, alarm: &AlarmName) -> Naming {
    let Fact::Known(services) = &facts.services else { return Naming::Untold };
    let mut found = Naming::Nobody;
    for service in services.values() {
        let spec = match &service.parameter {
            Fact::Known(parameter) => ServiceSpec::parse(&parameter.text).ok(),
            Fact::Absent => continue,
            Fact::Unreadable(_) | Fact::NotAsked => None,
        };
        let Some(spec) = spec else {
            found = Naming::Untold;
            continue;
        };
        let mut rules = spec.scaling.iter().flat_map(|scaling| &scaling.rules);
        if rules.any(|rule| rule.alarm() == alarm.as_str()) {
            return Naming::Named;
        }
    }
    found
}

fn of_alarm(name: &AlarmName, alarm: &crate::event::Alarm) -> Rings {
    let held = alarm.muted.as_ref().map(|_| "muted".to_owned());
    let suppressed = alarm.state.actions_suppressed_by.as_ref().map(|by| format!("suppressed by {by}"));
    match (held.or(suppressed), &alarm.state.value) {
        (Some(why), _) => Rings::Nothing(Silence::HeldBack(name.clone(), why)),
        (None, AlarmValue::InsufficientData) => Rings::Nothing(Silence::NoData(name.clone())),
        (None, _) => Rings::Every,
    }
}

fn of_parameter(name: &str) -> Rings {
    let cluster = crate::spec::cluster_from_parameter_name(name)
        .or_else(|| crate::spec::key_from_parameter_name(name).map(|key| key.cluster));
    cluster.map_or(Rings::Nothing(Silence::NoCapacity), Rings::Cluster)
}
