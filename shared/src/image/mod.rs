//! Which image a policy wants.
