//! The two doors: in process and over TCP.

#[cfg(feature = "in-process")]
pub mod in_process;
mod said;
pub mod tcp;
