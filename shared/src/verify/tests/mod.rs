//! Tests of the room: the calls of the samples, the judging, the bound.

mod calls;
mod judging;
mod statistics;
