//! The planner over small worlds: a world in three lines, the plan as people read it.

mod after;
mod breaking;
mod canary;
mod creating;
mod gates;
mod keeping;
mod native;
mod pre_deploying;
mod publishing;
mod pushing;
mod rolling;
mod routing;
mod scanning;
mod sweeping;
mod world;
