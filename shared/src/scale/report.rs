//! What a scale pass decided, and what it did not do: each thing with its typed reason.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::{AlarmName, AutoScalingGroupName, ContainerInstanceArn, InstanceId, ServiceName, Timestamp};
use crate::ledger::WhyItLeaves;

/// One line of the report. Rooms add their own: [`ServiceNote`], [`InstanceNote`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Note {
    /// Of a service's desired count.
    Service(ServiceNote),
    /// Of the cluster's instances.
    Instances(InstanceNote),
    /// Something could not be read, so that what rests on it was not decided.
    Unreadable(String),
}

/// Of a service's desired count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "note")]
pub enum ServiceNote {
    /// An alarm that a rule names does not exist.
    NoSuchAlarm {
        /// Which service.
        service: ServiceName,
        /// Which alarm.
        alarm: AlarmName,
    },
    /// An alarm rings whose actions are off, or suppressed by another one.
    ActionsOff {
        /// Which service.
        service: ServiceName,
        /// Which alarm.
        alarm: AlarmName,
    },
    /// A mute rule holds the actions of an alarm back.
    Muted {
        /// Which service.
        service: ServiceName,
        /// Which alarm.
        alarm: AlarmName,
        /// The rule's name.
        by: String,
    },
    /// AWS's Application Auto Scaling owns the desired count.
    OwnedElsewhere {
        /// Which service.
        service: ServiceName,
    },
    /// A rule would act, and waits for its patience.
    Patience {
        /// Which service.
        service: ServiceName,
        /// The rule's alarm.
        alarm: AlarmName,
        /// How many tasks it wants.
        wants: u32,
        /// Until when.
        until: Timestamp,
    },
    /// An alarm could not be read.
    AlarmUnreadable {
        /// Which service.
        service: ServiceName,
        /// Which alarm.
        alarm: AlarmName,
        /// In AWS's words.
        detail: String,
    },
    /// What an alarm watches has no value that is fresh enough to decide by.
    NoValue {
        /// Which service.
        service: ServiceName,
        /// Which alarm.
        alarm: AlarmName,
    },
    /// Fewer would do, and a rollout goes on.
    RolloutGoesOn {
        /// Which service.
        service: ServiceName,
        /// How many would do.
        wants: u32,
    },
    /// A rule wants more (or fewer) than the limits allow.
    AtLimit {
        /// Which service.
        service: ServiceName,
        /// How many it wants.
        wants: u32,
        /// The limit.
        limit: u32,
    },
}

/// Of the cluster's instances.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "note")]
pub enum InstanceNote {
    /// ECS's managed scaling owns the group's capacity.
    ManagedScaling {
        /// Which group.
        group: AutoScalingGroupName,
        /// The capacity provider.
        provider: String,
    },
    /// The group has no tag `windlass:cluster`, so that it is nobody's to change.
    NotOurs {
        /// Which group.
        group: AutoScalingGroupName,
    },
    /// The cluster's `strategy` names a group that is not there.
    NoSuchGroup {
        /// Which group.
        group: AutoScalingGroupName,
    },
    /// Tasks have no place, and no group can give one.
    NoPlace {
        /// Whose tasks: `service:shop`.
        of: String,
        /// How many.
        tasks: u32,
        /// Which resource is short, on which instances.
        why: String,
    },
    /// Instances are on their way.
    Launching {
        /// Which group.
        group: AutoScalingGroupName,
        /// How many.
        instances: u32,
    },
    /// An instance drains, and it was not Windlass that asked.
    SomebodyDrains {
        /// Which.
        instance: ContainerInstanceArn,
    },
    /// An instance leaves.
    Leaves {
        /// Which.
        instance: InstanceId,
        /// Why.
        why: WhyItLeaves,
        /// Tasks that are still there and count.
        tasks: u32,
    },
    /// An instance could be emptied, and is kept.
    Kept {
        /// Which.
        instance: InstanceId,
        /// Why, in words.
        why: String,
    },
    /// What is spare of a group stays, since it has as few as it may have: told once a group, whatever is
    /// on its instances.
    AtFewest {
        /// Which group.
        group: AutoScalingGroupName,
        /// How few.
        min: u32,
    },
    /// A group's launches fail.
    LaunchFails {
        /// Which group.
        group: AutoScalingGroupName,
        /// Since when.
        since: Timestamp,
        /// In Auto Scaling's words.
        reason: String,
    },
    /// What consolidation saves, in cents a month, by the price table.
    Saves {
        /// How many instances.
        instances: u32,
        /// Cents of a US dollar a month.
        cents_a_month: u64,
        /// How many of them have no price in the table.
        #[serde(default)]
        unpriced: u32,
    },
}

impl Note {
    /// Whether it stands as long as nobody changes something: it is told once, and not each minute. Those
    /// with numbers of the moment are not of this kind.
    pub fn stands(&self) -> bool {
        match self {
            Self::Service(note) => {
                use ServiceNote::{ActionsOff, Muted, NoSuchAlarm, OwnedElsewhere};
                matches!(note, NoSuchAlarm { .. } | ActionsOff { .. } | Muted { .. } | OwnedElsewhere { .. })
            }
            Self::Instances(note) => matches!(
                note,
                InstanceNote::ManagedScaling { .. }
                    | InstanceNote::NotOurs { .. }
                    | InstanceNote::NoSuchGroup { .. }
                    | InstanceNote::SomebodyDrains { .. }
                    | InstanceNote::LaunchFails { .. }
            ),
            Self::Unreadable(_) => false,
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service(note) => note.fmt(f),
            Self::Instances(note) => note.fmt(f),
            Self::Unreadable(what) => write!(f, "unreadable: {what}"),
        }
    }
}

impl fmt::Display for ServiceNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchAlarm { service, alarm } => write!(
                f,
                "{service}: there is no alarm {alarm}; create it, or correct `scaling.rules` of its spec"
            ),
            Self::ActionsOff { service, alarm } => {
                write!(
                    f,
                    "{service}: {alarm} rings, and its actions are off or suppressed; nothing is done by it"
                )
            }
            Self::Muted { service, alarm, by } => write!(
                f,
                "{service}: the mute rule {by} holds {alarm} back; nothing is done by it until its window ends"
            ),
            Self::OwnedElsewhere { service } => write!(
                f,
                "{service}: left alone, AWS's Application Auto Scaling owns its desired count; \
                 deregister its scalable target to let Windlass scale it"
            ),
            Self::Patience { service, alarm, wants, until } => {
                write!(f, "{service}: {alarm} asks for {wants} tasks; not before {until:.0}")
            }
            Self::AlarmUnreadable { service, alarm, detail } => {
                write!(f, "{service}: {alarm} could not be read: {detail}")
            }
            Self::NoValue { service, alarm } => write!(
                f,
                "{service}: what {alarm} watches has had no value for 5 minutes; it keeps its tasks"
            ),
            Self::RolloutGoesOn { service, wants } => {
                write!(f, "{service}: {wants} tasks would do; not while a rollout goes on")
            }
            Self::AtLimit { service, wants, limit } => {
                write!(f, "{service}: its rules ask for {wants} tasks, its limit is {limit}")
            }
        }
    }
}

impl fmt::Display for InstanceNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ManagedScaling { group, provider } => write!(
                f,
                "{group}: left alone, the capacity provider {provider} has managed scaling; \
                 turn that off to let Windlass set its capacity"
            ),
            Self::NotOurs { group } => write!(
                f,
                "{group}: left alone, it has no tag `windlass:cluster`; tag it to let Windlass set its capacity"
            ),
            Self::NoSuchGroup { group } => write!(
                f,
                "{group}: `capacity.strategy` names it, and there is no such group with the tag `windlass:cluster`; \
                 tag it, or correct the cluster's spec"
            ),
            Self::NoPlace { of, tasks, why } => write!(f, "{tasks} of {of} without a place: {why}"),
            Self::Launching { group, instances } => write!(f, "{group}: {instances} on their way"),
            Self::SomebodyDrains { instance } => {
                write!(f, "{}: drains, and not for Windlass; left alone", instance.as_str())
            }
            Self::Leaves { instance, why, tasks } => {
                write!(f, "{instance}: leaves, {why}; {tasks} tasks to go")
            }
            Self::Kept { instance, why } => write!(f, "{instance}: kept, {why}"),
            Self::AtFewest { group, min } => {
                write!(f, "{group}: has its fewest, {min}; lower its minimum to let what is spare go")
            }
            Self::Saves { instances, cents_a_month, unpriced } => {
                let (dollars, cents) = (cents_a_month / 100, cents_a_month % 100);
                write!(f, "{instances} instances fewer save ${dollars}.{cents:02} a month")?;
                if *unpriced > 0 {
                    write!(f, " (of {unpriced} the price is not known: see the stack's InstancePrices)")?;
                }
                Ok(())
            }
            Self::LaunchFails { group, since, reason } => write!(
                f,
                "{group}: its launches fail since {since:.0} ({reason}); other groups are asked first"
            ),
        }
    }
}
