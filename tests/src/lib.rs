//! The stage for scenarios: the real deploy function over the embedded AWS, in process, on
//! a virtual clock.
//!
//! ```ignore
//! let mut stage = Stage::new(1).await;
//! stage.service_by_hand("shop", "shop:latest").await;
//! stage.push("shop", "latest", &version("2"));
//! stage.until_quiet().await;
//! ```
//!
//! Nothing here stands in for anything: `template.yaml` is installed into the world, its
//! rules ring the function, its role says what the function may call, and the function is
//! `windlass_deploy::handle` over the real SDK clients.
//!
//! | module | holds |
//! |---|---|
//! | [`stage`] | the world, and how its time goes on |
//! | [`account`] | what is there before Windlass: cluster, instances, load balancer, services by hand |
//! | [`canary`] | Windlass's own canary: weights, shares, questions |
//! | [`function`] | the deploy function: sandboxes over the in-process door |
//! | [`people`] | what people do: push, apply a spec, hold, release |
//! | [`gates`] | what stands before rollouts: alarms, stops |
//! | [`grants`] | which grants of the roles a test used |
//! | [`registry`] | a second account that holds images |
//! | [`looks`] | what came of it: rows, history, revisions, what is live |
//! | [`traffic`] | requests through the load balancer, counted |
//! | [`verify`] | a service that ECS rolls out in stages, with the verify function as its hook |
//! | [`watch`] | design.md's invariants, asked at every tick |
//!
//! It panics where a world cannot be set up: that is a failed test.

#![expect(clippy::missing_panics_doc, reason = "a harness of tests: to panic is to say that the test failed")]

pub mod account;
pub mod canary;
pub mod function;
pub mod gates;
pub mod grants;
pub mod looks;
pub mod people;
pub mod registry;
pub mod routes;
pub mod stage;
pub mod traffic;
pub mod verify;
pub mod watch;

pub use people::{broken, labelled, version};
pub use stage::Stage;
pub use windlass_shared::id::{ImageDigest, ServiceKey};
pub use windlass_sim::ecr::PushSpec;

/// The one cluster of the stage.
pub const CLUSTER: &str = "main";

/// `main/<service>`.
pub fn key(service: &str) -> ServiceKey {
    ServiceKey::new(CLUSTER, service)
}
