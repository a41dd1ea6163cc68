//! The stack in an AWS account: by the usual variables and profiles, real or embedded.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, anyhow};
use windlass_aws::ledger::Ledger;
use windlass_aws::{Clients, Clock, Observer};
use windlass_shared::deploy::installed::Installed;
use windlass_shared::deploy::stack::Stack;
use windlass_shared::deploy::{Triage, triage};
use windlass_shared::id::{Actor, ClusterName, ServiceKey};

use crate::args::Global;
use crate::failure::{HintExt as _, Result};
use crate::stack::{self, Found};

/// Everything that a command needs to look and to write.
pub(crate) struct Account {
    pub(crate) clients: Clients,
    pub(crate) ledger: Ledger,
    pub(crate) observer: Observer,
    pub(crate) clock: Clock,
    /// The settings that the function has.
    pub(crate) stack: Stack,
    cluster: Option<ClusterName>,
    /// All stacks of the Region, where they are known.
    all: Option<Vec<Installed>>,
}

impl Account {
    /// By flags, environment and profiles.
    pub(crate) async fn open(global: &Global) -> Result<Self> {
        let clients = Clients::from_profile(global.profile.as_deref(), global.region.as_deref())
            .await
            .context("connecting to AWS")?;
        let clock = Clock::from_env()?;
        let Found { mut stack, all } = stack::find(&clients, global).await?;
        stack.settings.actor = person();
        stack.scale.actor = stack.settings.actor.clone();
        let cluster = global.cluster.clone().map(ClusterName::new);
        Ok(Self { all, ..Self::new(clients, clock, stack, cluster) })
    }

    /// Of an embedded AWS in this process, by the variables that it tells.
    pub(crate) fn of_variables(variables: &BTreeMap<String, String>) -> Result<Self> {
        let get = |name: &str| variables.get(name).cloned();
        let clients = Clients::from_variables(get)?;
        let clock = Clock::from_text(&get("WINDLASS_CLOCK").unwrap_or_default())?;
        Ok(Self::new(clients, clock, Stack::read(get)?, None))
    }

    /// With these clients and settings.
    fn new(clients: Clients, clock: Clock, stack: Stack, cluster: Option<ClusterName>) -> Self {
        let ledger = Ledger::new(clients.dynamo.clone(), stack.table.clone());
        Self {
            observer: Observer::new(clients.clone(), clock.clone(), ledger.clone()),
            ledger,
            clients,
            clock,
            stack,
            cluster,
            all: None,
        }
    }

    /// Who asks: named in holds, doorbells, history.
    pub(crate) fn actor(&self) -> &Actor {
        &self.stack.settings.actor
    }

    /// `cluster/service`, or `service` in the default cluster.
    pub(crate) fn key(&self, typed: &str) -> Result<ServiceKey> {
        if typed.contains('/') {
            return typed.parse::<ServiceKey>().hint("write it as `cluster/service`, both short names");
        }
        match self.default_cluster() {
            Some(cluster) => Ok(ServiceKey::new(cluster.clone(), typed)),
            None => Err(anyhow!("`{typed}` names no cluster"))
                .hint(format!("write `cluster/{typed}`, give --cluster, or export WINDLASS_CLUSTERS")),
        }
    }

    /// Where services are that are named without a cluster.
    pub(crate) fn default_cluster(&self) -> Option<&ClusterName> {
        self.cluster.as_ref().or_else(|| self.stack.clusters.first())
    }

    /// The cluster that is named, else the default one.
    pub(crate) fn cluster_or_default(&self, typed: Option<String>) -> Result<ClusterName> {
        match typed.map(ClusterName::new).or_else(|| self.default_cluster().cloned()) {
            Some(cluster) => Ok(cluster),
            None => Err(anyhow!("no cluster is named")).hint("give --cluster, or export WINDLASS_CLUSTERS"),
        }
    }

    /// The clusters that are named; where none is, that of `--cluster`, else all of the stack.
    pub(crate) fn clusters(&self, typed: &[String]) -> Result<Vec<ClusterName>> {
        match (typed, &self.cluster, self.stack.clusters.as_slice()) {
            ([], Some(cluster), _) => Ok(vec![cluster.clone()]),
            ([], None, []) => {
                Err(anyhow!("no cluster is named")).hint("name one, or export WINDLASS_CLUSTERS")
            }
            ([], None, all) => Ok(all.to_vec()),
            (typed, ..) => Ok(typed.iter().map(ClusterName::new).collect()),
        }
    }

    /// Why no stack deploys to this cluster, as far as that is known.
    pub(crate) fn unknown_cluster(&self, cluster: &ClusterName) -> Option<String> {
        stack::unknown_cluster(self.all.as_ref()?, cluster)
    }

    /// The cluster of the flag `--cluster`.
    pub(crate) fn named_cluster(&self) -> Option<&ClusterName> {
        self.cluster.as_ref()
    }

    /// The services that are named; where none is, all that are tracked.
    pub(crate) async fn keys(&self, typed: &[String]) -> Result<Vec<ServiceKey>> {
        if !typed.is_empty() {
            return typed.iter().map(|one| self.key(one)).collect();
        }
        let clusters = match self.stack.clusters.as_slice() {
            [] => self.cluster.iter().cloned().collect(),
            clusters => clusters.to_vec(),
        };
        let (settings, now) = (&self.stack.settings, self.clock.now());
        let swept = self.observer.sweep(&clusters, &self.ledger, settings).await?;
        let ours = swept.into_iter().filter(|glimpse| {
            !matches!(triage(&glimpse.facts, glimpse.row.as_ref(), settings, now), Triage::NotOurs)
        });
        let all: BTreeSet<ServiceKey> = ours.map(|glimpse| glimpse.facts.key).collect();
        Ok(all.into_iter().collect())
    }
}

/// The person at the keyboard, as far as the machine knows.
fn person() -> Actor {
    let name = ["WINDLASS_ACTOR", "USER", "LOGNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    Actor::new(name.unwrap_or_else(|| "somebody at the command".to_owned()))
}
