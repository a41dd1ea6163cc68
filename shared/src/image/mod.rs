//! Which image a policy wants.
//!
//! | module | holds |
//! |---|---|
//! | [`policy`] | the policy, its three written forms and its order |
//! | [`select`] | the choice among a repository's images, with a reason for each that was passed over |
//! | [`reference`] | what a container calls it: registry, repository, tag |
//! | [`fits`] | whether an image runs on the cluster's architectures |
//!
//! The order is the policy's own (a version's precedence, the time of the push, where a
//! tag points now), never that of the events: an older push that is heard of late changes
//! nothing.

pub mod fits;
pub mod media;
pub mod policy;
pub mod reference;
pub mod select;

#[cfg(test)]
mod tests;

pub use fits::{WrongArchitecture, fits};
pub use policy::{Policy, PolicyError, TagGlob, TagRegex, VersionRange};
pub use select::{Candidate, PassedOver, PassedOverReason, Rank, Selection, select};
