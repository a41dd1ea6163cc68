//! The drain planner.

mod rings;
