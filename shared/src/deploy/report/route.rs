//! The listener's rules.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::{ServiceKey, ServiceName};

/// The listener's rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "note")]
pub enum RouteNote {
    /// Another service's rule matches the same requests.
    Conflict {
        /// The service of this plan.
        service: ServiceKey,
        /// The other service.
        with: ServiceKey,
        /// The conditions that both have.
        conditions: String,
    },
    /// The load balancer cannot hold what is to be made.
    Full {
        /// `rules`, `target groups`.
        what: String,
        /// How many there are.
        there: usize,
        /// How many more are needed.
        more: usize,
        /// The quota.
        quota: usize,
        /// Whether AWS raises it.
        adjustable: bool,
    },
    /// Rules that the spec no longer has match nothing, and are still there.
    Parked {
        /// How many.
        rules: usize,
    },
    /// An experiment goes on.
    Shared {
        /// Who has which share: `shop 100, shop-next 25`.
        weights: String,
    },
    /// A service of an experiment gets no requests.
    NoShare {
        /// Which.
        service: ServiceName,
        /// Why not.
        reason: String,
    },
    /// The service registers in none of Windlass's target groups: whose rule leads to it is a
    /// person's to say.
    OthersGroup,
    /// Nobody wants the service any more, and what Windlass made for it is there.
    Unwanted {
        /// The service.
        service: ServiceKey,
        /// Its tasks.
        running: u32,
    },
}

impl RouteNote {
    /// Whether a person has to do something before this service goes on.
    pub fn needs_a_person(&self) -> bool {
        match self {
            Self::Conflict { .. } | Self::Full { .. } | Self::Unwanted { .. } => true,
            Self::Parked { .. } | Self::Shared { .. } | Self::NoShare { .. } | Self::OthersGroup => false,
        }
    }

    /// Whether the sweep should look again although nothing rings.
    pub fn leaves_open(&self) -> bool {
        match self {
            // Nothing rings when a neighbour loses its last healthy target.
            Self::Conflict { .. } | Self::Full { .. } | Self::Shared { .. } | Self::NoShare { .. } => true,
            Self::Parked { .. } | Self::Unwanted { .. } | Self::OthersGroup => false,
        }
    }
}

impl fmt::Display for RouteNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict { service, with, conditions } => write!(
                f,
                "refused: {service} and {with} both want the requests of {conditions}; change the route of one of them"
            ),
            Self::Full { what, there, more, quota, adjustable } => {
                write!(
                    f,
                    "refused: the load balancer has {there} of {quota} {what}, and {more} more are needed; "
                )?;
                if *adjustable {
                    f.write_str("ask AWS to raise the quota (Service Quotas), retire services, or give the spec another load balancer's route.listener")
                } else {
                    f.write_str("AWS does not raise this quota: retire services, or give the spec another load balancer's route.listener")
                }
            }
            Self::Parked { rules } => write!(
                f,
                "noted: {rules} rule(s) that the spec no longer has are parked: they match nothing, count for the quota, and are used again for the next rule of the spec"
            ),
            Self::Shared { weights } => write!(f, "noted: an experiment shares the requests: {weights}"),
            Self::NoShare { service, reason } => {
                write!(f, "waiting: {service} gets no share of the requests: {reason}")
            }
            Self::OthersGroup => f.write_str(
                "noted: its route is left as it is: the service was made without Windlass's target group; make it anew under another name, or take `route` out of the spec",
            ),
            Self::Unwanted { service, running } => write!(
                f,
                "no longer wanted: {service} has no spec any more, and still runs ({running} task(s)); `windlass retire {service}` takes it away, or give it a spec again"
            ),
        }
    }
}
