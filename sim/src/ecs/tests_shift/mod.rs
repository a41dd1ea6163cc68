//! Deployments that shift traffic.

mod bench;
mod hooks;
mod rollback;
mod stages;
