//! Which stop and which freeze window hold now: for a rollout that is to begin, and for a
//! canary of ours that is to go a step further.

use super::super::{Planner, Stop};
use crate::deploy::report::GateNote;
use crate::id::{ImageDigest, Timestamp};
use crate::ledger::WaitsOn;
use crate::spec::freeze::frozen;
use crate::spec::{ClusterSpec, FreezeWindow, ServiceSpec};

/// What people put before every rollout, and one may be let past.
pub(in super::super) struct InForce {
    /// In the words of the approval that lets a rollout pass by.
    pub(in super::super) what: String,
    /// What the row is to say it waits on.
    pub(in super::super) on: WaitsOn,
    /// When it ends by itself.
    pub(in super::super) until: Option<Timestamp>,
    /// In the report.
    pub(in super::super) note: GateNote,
}

impl Planner<'_> {
    pub(in super::super) fn stop_in_force(&mut self, digest: &ImageDigest) -> Result<Option<InForce>, Stop> {
        let Some(stops) = self.need(&self.facts.stops, "what people stopped")? else { return Ok(None) };
        Ok(stops.of(&self.facts.key.cluster).map(|(scope, why)| InForce {
            what: format!("the stop of {scope} ({})", why.reason),
            on: WaitsOn::Stop,
            until: None,
            note: GateNote::Stopped {
                scope: scope.to_string(),
                by: why.by.clone(),
                reason: why.reason.clone(),
                since: why.at,
                would: digest.clone(),
            },
        }))
    }

    pub(in super::super) fn freeze_in_force(
        &mut self,
        spec: &ServiceSpec,
        digest: &ImageDigest,
    ) -> Result<Option<InForce>, Stop> {
        let of_cluster = self.cluster_freeze()?;
        let own = frozen(&spec.freeze, self.now);
        let cluster = frozen(&of_cluster, self.now);
        let holds = own.into_iter().chain(cluster).max_by_key(|holds| holds.until);
        Ok(holds.map(|holds| InForce {
            what: format!("the freeze window {}", holds.window),
            on: WaitsOn::Freeze,
            until: Some(holds.until),
            note: GateNote::Frozen {
                window: holds.window.to_string(),
                of_cluster: own.is_none_or(|own| own != holds),
                reason: holds.window.reason.clone(),
                since: holds.since,
                until: holds.until,
                would: digest.clone(),
            },
        }))
    }

    /// The cluster's own windows.
    fn cluster_freeze(&mut self) -> Result<Vec<FreezeWindow>, Stop> {
        let parameter = self.need(&self.facts.cluster_parameter, "the cluster's parameter")?;
        let Some(parameter) = parameter else { return Ok(Vec::new()) };
        match ClusterSpec::parse(&parameter.text) {
            Ok(spec) => Ok(spec.freeze),
            Err(error) => self.gate(GateNote::ClusterSpecRefused {
                parameter: parameter.name.clone(),
                reason: error.to_string(),
            }),
        }
    }
}
