//! IAM's evaluation of identity policies: whole statements, as a template writes them. Default deny,
//! an explicit deny over every allow.
//!
//! | file | holds |
//! |---|---|
//! | [`pattern`] | `*` and `?` in actions, resources and values |
//! | [`condition`] | the operators of `Condition` |
//! | [`policy`] | a role's policies, compiled once, and their decision |
//! | [`resource`] | a resource's own policy: which other accounts may what |
//! | [`ask`] | one question to IAM: an action on a resource, with condition keys |
//! | [`asks`] | which questions each operation of each service asks |
//! | [`usage`] | which grants were used, as the roles' statements list them |
//!
//! What a policy says and this room does not carry out (principals that are services, policy variables, operators on
//! numbers, dates and addresses) is an error where the policy is read: it would decide wrongly.
//!
//! Our own, since the crate that has all of it (`awsim-iam-policy` 0.8) turns on `serde_json`'s
//! `preserve_order` for the whole build, and everything here that is printed or hashed relies on
//! sorted maps.

pub(crate) mod ask;
pub(crate) mod asks;
mod condition;
mod pattern;
mod policy;
mod resource;
mod usage;

pub(crate) use ask::Ask;
pub(crate) use policy::{Decision, Found};
pub use policy::{Document, Grant, Policy};
pub(crate) use resource::{Caller, ResourcePolicy};
pub use usage::Usage;

#[cfg(test)]
mod tests;
