//! The TCP door: the embedded AWS on loopback ports, for real clients and real binaries.
