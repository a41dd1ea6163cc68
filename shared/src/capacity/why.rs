//! Why a task has no place: which resource is short, on which instances, and how much of a proof that is.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::resources::{HostPorts, Resource};

/// Why tasks of one shape have no place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// How many instances were looked at.
    pub instances: u32,
    /// How many of them each obstacle bars; each instance under its first.
    pub barred: BTreeMap<Obstacle, u32>,
    /// The instance that comes closest, of those that only lack room.
    pub closest: Option<Closest>,
    /// How far the refusal is proved.
    pub proof: Proof,
}

/// The instance that comes closest to having room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closest {
    /// Its name: `i-0123…`, or a group's next instance.
    pub instance: String,
    /// What it lacks; never empty.
    pub lacks: Vec<Lack>,
}

/// What an instance lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lack {
    /// So much of a quantity.
    Short {
        /// Which.
        resource: Resource,
        /// By how much.
        by: u32,
    },
    /// Host ports that are taken there.
    Ports(HostPorts),
}

/// What bars an instance, in the order in which it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Obstacle {
    /// It is DRAINING, or comes or goes.
    NotActive,
    /// Its agent is not connected.
    AgentDisconnected,
    /// A `memberOf` constraint excludes it.
    MemberOf,
    /// `distinctInstance`: a task of the group is there.
    Distinct,
    /// A host port is taken.
    Ports,
    /// Too little of a quantity is left.
    Short(Resource),
}

/// How far a refusal is proved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// No arrangement of the new tasks places all of this shape: before any of them came, the instances had
    /// room for so many of it, and the others only take room away.
    Alone {
        /// How many at most.
        at_most: u32,
    },
    /// No arrangement of the new tasks places them all: together they need more of a quantity than is
    /// left on all instances.
    Together {
        /// Of what.
        resource: Resource,
        /// How much is missing over all.
        by: u64,
    },
    /// After the others were placed, no instance takes one more: looked at one by one. Another arrangement
    /// of the others might leave room; the packer tried several orders.
    AfterOthers,
}

impl Obstacle {
    fn words(self) -> String {
        match self {
            Self::NotActive => "not active".to_owned(),
            Self::AgentDisconnected => "without its agent".to_owned(),
            Self::MemberOf => "excluded by memberOf".to_owned(),
            Self::Distinct => "excluded by distinctInstance".to_owned(),
            Self::Ports => "with a host port taken".to_owned(),
            Self::Short(resource) => format!("short of {resource}"),
        }
    }
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short { resource, by } => write!(f, "{} {resource} short", thousands(u64::from(*by))),
            Self::Ports(ports) => write!(f, "host port {ports} taken"),
        }
    }
}

/// `2,048 MiB short on the best of 3 instances (i-1); 1 excluded by memberOf`
impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { instances, barred, closest, proof } = self;
        let mut parts = Vec::new();
        let with_room_only = |it: &Obstacle| matches!(it, Obstacle::Ports | Obstacle::Short(_));
        if let Some(Closest { instance, lacks }) = closest {
            let lacks: Vec<String> = lacks.iter().map(Lack::to_string).collect();
            let of: u32 = barred.iter().filter(|(it, _)| with_room_only(it)).map(|(_, count)| count).sum();
            let of =
                if of == 1 { "the only instance".to_owned() } else { format!("the best of {of} instances") };
            parts.push(format!("{} on {of} ({instance})", lacks.join(" and ")));
        }
        let others = barred.iter().filter(|(it, _)| !with_room_only(it));
        parts.extend(others.map(|(obstacle, count)| format!("{count} {}", obstacle.words())));
        if *instances == 0 {
            parts.push("there is no instance".to_owned());
        }
        match proof {
            Proof::Alone { at_most: 0 } | Proof::AfterOthers => {}
            Proof::Alone { at_most } => parts.push(format!("there was room for {at_most} at most")),
            Proof::Together { resource, by } => {
                parts.push(format!("together {} {resource} short", thousands(*by)));
            }
        }
        f.write_str(&parts.join("; "))
    }
}

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
