//! Deployments that shift traffic.

mod alarms;
mod bench;
mod chaos;
mod hooks;
mod rollback;
mod stages;
