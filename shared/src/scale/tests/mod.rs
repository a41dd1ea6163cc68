//! The scale pass in worlds of a few lines.

mod instances;
mod services;
mod world;
