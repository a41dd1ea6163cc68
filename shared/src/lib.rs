//! Typed models and every decision of Windlass.
//!
//! Pure: no SDK, no runtime, no clock, no environment. Whoever calls in brings
//! the facts and `now`; what comes out is a value: an event read, a spec
//! checked, a plan with its report.
//!
//! | room | holds |
//! |---|---|
//! | [`id`] | a newtype for every name and ARN |
//! | [`registry`] | whose repository: the stack's own, or another account's |
//! | [`event`] | the doorbells: AWS's events, parsed once at the edge |
//! | [`spec`] | what is wanted: `ServiceSpec`, from a parameter, a tag or image labels |
//! | [`image`] | which image a policy wants |
//! | [`facts`] | what was observed: `Known`, `Absent` or `Unreadable` |
//! | [`ledger`] | what is remembered: the row of a service, the items of its history |
//! | [`deploy`] | the deploy pass: facts + spec + row + now → plan, checked |
//! | [`drain`] | the drain pass: an instance that leaves is seen out |
//! | [`scale`] | the scale pass: a cluster's facts + specs + row + now → tasks and instances |
//! | [`capacity`] | the bin packer: which tasks fit where, how many instances are missing, which are spare |
//! | [`verify`] | the verdict on a new revision: who asks, what is looked at, what it comes to |
//! | [`metrics`] | what the functions count, as CloudWatch reads it |

pub mod capacity;
pub mod deploy;
pub mod drain;
pub mod event;
pub mod facts;
pub mod id;
pub mod image;
pub mod ledger;
pub mod metrics;
pub mod names;
pub mod registry;
pub mod rollout_settings;
pub mod scale;
pub mod spec;
pub mod task_definition;
pub mod verify;
