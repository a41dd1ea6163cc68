//! The scale pass in worlds of a few lines.

mod bells;
mod instances;
mod picture;
mod record;
mod services;
mod shares;
mod world;
