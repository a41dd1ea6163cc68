//! The drain planner.

mod hook;
mod others;
mod policy;
mod properties;
mod rings;
mod world;
