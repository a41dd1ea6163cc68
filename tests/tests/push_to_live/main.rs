//! Push to live: scenarios of the real deploy function over the embedded AWS.
//!
//! Each ends with [`windlass_tests::Stage::finish`]: the world is quiet, another sweep only
//! reads, the invariants of design.md held at every tick, no event is a dead letter.

mod accounts;
mod after;
mod again;
mod alarms;
mod canary;
mod canary_back;
mod canary_gates;
mod capacity;
mod create;
mod draining;
mod gates;
mod images;
mod keep_revisions;
mod kills;
mod matrix;
mod meanwhile;
mod peers;
mod peers_table;
mod placement;
mod pre_deploy;
mod privilege;
mod publish;
mod refusals;
mod releases_that_fail;
mod retire;
mod rollback;
mod room;
mod routes;
mod scaling;
mod scan;
mod shares;
mod simulation;
mod stage;
mod strategies;
mod sweeps;
mod update;
mod verify;
