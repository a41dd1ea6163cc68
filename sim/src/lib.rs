//! The embedded AWS: one state machine of AWS's semantics over a virtual clock.
//!
//! It knows how AWS behaves and misbehaves, and nothing of Windlass.
//!
//! | room | holds |
//! |---|---|
//! | [`time`] | the virtual clock's instants |
//! | [`call`] | a call, its reply, an API error |
//! | [`gate`] | the one place through which every call passes: faults, throttling, the log of calls |
//! | [`iam`] | what a role's policies allow, statement by statement |
//! | [`world`] | the state, the timers, `call` and `advance` |
//! | [`wire`] | awsJson, CBOR and Query/XML to and from [`call::Call`] |
//! | [`ecs`] [`ecr`] [`elb`] [`ec2`] [`autoscaling`] [`ssm`] [`bus`] [`lambda`] [`cloudwatch`] [`dynamo`] [`sts`] | the services |
//! | [`scalable`] | which services Application Auto Scaling owns |
//! | [`behaviour`] | what a container does, by its image's labels |
//! | [`load`] | requests by their number: what they make of cpu, memory, latency |
//! | [`template`] | a SAM template, made in a world |
//! | [`door`] | in process (for the SDK) and over TCP |

mod accounts;
pub mod autoscaling;
pub mod behaviour;
pub mod bus;
pub mod call;
pub mod cloudwatch;
pub mod door;
pub mod dynamo;
pub mod ec2;
pub mod ecr;
pub mod ecs;
pub mod elb;
pub mod gate;
pub mod iam;
pub mod lambda;
pub mod load;
pub mod scalable;
pub mod ssm;
pub mod sts;
pub mod template;
pub mod time;
mod wildcard;
pub mod wire;
pub mod world;

pub use call::{ApiError, Call, Reply, ServiceId};
pub use time::Time;
pub use world::{Config, World};
