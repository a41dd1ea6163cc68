//! The scale pass in worlds of a few lines.

mod instances;
mod picture;
mod services;
mod world;
