//! Which grants of which roles were used: what least privilege is measured by.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Found, Grant, Policy};

/// The used grants of every role.
#[derive(Debug, Clone, Default)]
pub struct Usage {
    roles: BTreeMap<String, Used>,
}

#[derive(Debug, Clone)]
struct Used {
    policy: Arc<Policy>,
    found: BTreeSet<Found>,
}

impl Usage {
    pub(crate) fn note(&mut self, role: &str, policy: &Arc<Policy>, found: Found) {
        match self.roles.get_mut(role) {
            // A role's policies may have been replaced by another installation of the stack.
            Some(used) if Arc::ptr_eq(&used.policy, policy) => {
                used.found.insert(found);
            }
            _ => {
                let used = Used { policy: Arc::clone(policy), found: BTreeSet::from([found]) };
                self.roles.insert(role.to_owned(), used);
            }
        }
    }

    /// The role's name and the grant of each one that was used.
    pub fn grants(&self) -> impl Iterator<Item = (&str, Grant)> {
        self.roles.iter().flat_map(|(role, used)| {
            used.found.iter().filter_map(|found| Some((role.as_str(), used.policy.grant(*found)?)))
        })
    }
}
