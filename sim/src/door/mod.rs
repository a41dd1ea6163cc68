//! The two doors: in process and over TCP.

#[cfg(feature = "in-process")]
pub mod in_process;
pub mod tcp;
