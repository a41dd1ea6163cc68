//! Deployments that shift traffic.

mod alarms;
mod bench;
mod hooks;
mod rollback;
mod stages;
