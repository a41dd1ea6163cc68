//! The two doors: in process and over TCP.
