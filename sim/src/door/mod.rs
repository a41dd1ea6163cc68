//! The two doors: in process and over TCP.

pub mod tcp;
