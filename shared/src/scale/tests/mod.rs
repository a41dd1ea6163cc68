//! The scale pass in worlds of a few lines.

mod instances;
mod picture;
mod shares;
mod services;
mod world;
