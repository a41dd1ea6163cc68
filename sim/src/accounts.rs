//! Accounts beside the world's own: their registries and their default event buses, and nothing else.
//!
//! # Flow
//!
//! [`World::in_account`] puts another account's number, registry and bus into the place of the own ones for
//! as long as something is done there, so that every line of [`crate::ecr`] and [`crate::bus`] is the same
//! for all accounts. What is set to be done later is done there again.
//!
//! What crosses accounts asks the other side's policy: a repository's ([`crate::ecr`]), a bus's
//! ([`crate::bus`]).
//!
//! # Caveats
//!
//! All accounts are in the world's one Region. They are a test's scenery, and no state on disk has them.

use std::collections::BTreeMap;
use std::mem::replace;

use crate::bus::Bus;
use crate::ecr::Ecr;
use crate::world::World;

/// The accounts that nothing is done in at the moment.
#[derive(Debug)]
pub(crate) struct Accounts {
    /// The world's own.
    home: String,
    away: BTreeMap<String, Account>,
}

#[derive(Debug)]
struct Account {
    registry: String,
    ecr: Ecr,
    bus: Bus,
}

impl Accounts {
    pub(crate) fn new(home: &str) -> Self {
        Self { home: home.to_owned(), away: BTreeMap::new() }
    }

    /// An account that nothing is done in at the moment: its registry's state.
    pub(crate) fn ecr(&self, account: &str) -> Option<&Ecr> {
        self.away.get(account).map(|away| &away.ecr)
    }

    /// Whose registry has this host.
    pub(crate) fn of_host(&self, host: &str) -> Option<&str> {
        self.away.iter().find(|(_, away)| away.registry == host).map(|(account, _)| account.as_str())
    }
}

impl World {
    /// Another account: an empty registry, and a bus without rules.
    pub fn add_account(&mut self, account: &str) {
        let registry = format!("{account}.dkr.ecr.{}.amazonaws.com", self.config.region);
        let added = Account { registry, ecr: Ecr::default(), bus: Bus::default() };
        self.accounts.away.insert(account.to_owned(), added);
    }

    /// Does something in another account; `None` where there is no such account.
    pub fn in_account<T>(&mut self, account: &str, act: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.config.account == account {
            return Some(act(self));
        }
        let here = self.config.account.clone();
        self.go(account)?;
        let done = act(self);
        self.go(&here);
        Some(done)
    }

    /// The account that is visited, where it is not the world's own.
    pub(crate) fn visited(&self) -> Option<&str> {
        let here = self.config.account.as_str();
        (here != self.accounts.home).then_some(here)
    }

    fn go(&mut self, account: &str) -> Option<()> {
        let Account { registry, ecr, bus } = self.accounts.away.remove(account)?;
        let left = Account {
            registry: replace(&mut self.config.registry, registry),
            ecr: replace(&mut self.ecr, ecr),
            bus: replace(&mut self.bus, bus),
        };
        let here = replace(&mut self.config.account, account.to_owned());
        self.accounts.away.insert(here, left);
        Some(())
    }
}
