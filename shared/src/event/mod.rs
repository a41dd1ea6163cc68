//! The doorbells: AWS events, parsed once at the edge.
