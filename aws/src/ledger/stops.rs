//! What people stopped: one item for all of it, read by every pass beside its other reads.

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use windlass_shared::facts::{Fact, Stops};
use windlass_shared::id::ClusterName;
use windlass_shared::ledger::{Hold, StopScope};

use super::item::{Item, from_json, json, keys, string};
use super::people::if_so;
use super::{Ledger, LedgerError};
use crate::error::Failure;

/// Both keys of the item.
const STOPS: &str = "stops";
const EVERYWHERE: &str = "everywhere";
/// A cluster's attribute begins with this.
const CLUSTER: &str = "cluster#";

impl Ledger {
    /// Stops the scope: no rollout begins until [`Ledger::start`]. A stop that is there
    /// already is replaced.
    pub async fn stop(&self, scope: &StopScope, why: &Hold) -> Result<(), LedgerError> {
        let update = self
            .update_stops(scope)
            .update_expression("SET #scope = :why")
            .expression_attribute_values(":why", json(EVERYWHERE, why)?);
        if_so(update, || format!("stopping {scope}")).await.map(drop)
    }

    /// Ends a stop. `false`: there was none.
    pub async fn start(&self, scope: &StopScope) -> Result<bool, LedgerError> {
        let update = self
            .update_stops(scope)
            .update_expression("REMOVE #scope")
            .condition_expression("attribute_exists(#scope)");
        if_so(update, || format!("starting {scope}")).await
    }

    /// Everything that is stopped.
    pub async fn stops(&self) -> Result<Stops, LedgerError> {
        let got = self
            .dynamo
            .get_item()
            .table_name(&self.table)
            .set_key(Some(keys(string(STOPS), string(STOPS))))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| {
                LedgerError::call("reading what is stopped", Failure::new("dynamodb:GetItem", &error))
            })?;
        got.item.as_ref().map_or_else(|| Ok(Stops::default()), stops_of)
    }

    /// The same as a fact.
    pub async fn stops_fact(&self) -> Fact<Stops> {
        match self.stops().await {
            Ok(stops) => Fact::Known(stops),
            Err(error) => Fact::Unreadable(error.into_unreadable()),
        }
    }

    fn update_stops(&self, scope: &StopScope) -> UpdateItemFluentBuilder {
        self.dynamo
            .update_item()
            .table_name(&self.table)
            .set_key(Some(keys(string(STOPS), string(STOPS))))
            .expression_attribute_names("#scope", attribute(scope))
    }
}

fn attribute(scope: &StopScope) -> String {
    match scope {
        StopScope::Everywhere => EVERYWHERE.to_owned(),
        StopScope::Cluster(cluster) => format!("{CLUSTER}{cluster}"),
    }
}

fn stops_of(item: &Item) -> Result<Stops, LedgerError> {
    let mut stops = Stops { everywhere: from_json(item, EVERYWHERE)?, ..Stops::default() };
    for name in item.keys() {
        let Some(cluster) = name.strip_prefix(CLUSTER) else { continue };
        if let Some(why) = from_json(item, name)? {
            stops.clusters.insert(ClusterName::new(cluster), why);
        }
    }
    Ok(stops)
}
