//! The service that another one follows: its row, its ECS service, and whether the specs lead
//! back in a circle.

use std::collections::BTreeMap;

use futures::join;
use windlass_shared::deploy::promotion::{self, LONGEST_CHAIN};
use windlass_shared::deploy::{Settings, wanted};
use windlass_shared::facts::{Fact, Upstream};
use windlass_shared::id::{ServiceKey, Timestamp};
use windlass_shared::ledger::{ServiceRow, WaitsOn};
use windlass_shared::spec::{After, ServiceSpec, parameter_name};

use super::{Observer, parameter, service};
use crate::sweep::Glimpse;

/// The upstream of `key`, whose spec says `after`.
pub(crate) async fn upstream(observer: &Observer, key: &ServiceKey, after: &After) -> Fact<Upstream> {
    let Some(of) = after.upstream() else { return Fact::Absent };
    let (row, service, circle) = join!(
        observer.ledger().row(&of),
        service::service(&observer.clients().ecs, &of),
        circle(observer, key, &of),
    );
    let row = match row {
        Ok(row) => row,
        Err(error) => return Fact::Unreadable(error.into_unreadable()),
    };
    match promotion::upstream(&row, &service, observer.now()) {
        Fact::Known(upstream) => Fact::Known(Upstream { circle, ..upstream }),
        other => other,
    }
}

/// Spec after spec, mostly one: who is followed rarely follows. What cannot be read ends the
/// search: it serves the words alone, nothing in a circle is ever let through.
async fn circle(observer: &Observer, key: &ServiceKey, of: &ServiceKey) -> Vec<ServiceKey> {
    let mut follows = BTreeMap::from([(key.clone(), of.clone())]);
    let mut next = of.clone();
    while follows.len() <= LONGEST_CHAIN && !follows.contains_key(&next) {
        let text = parameter::parameter(&observer.clients().ssm, &parameter_name(&next)).await;
        let spec = text.known().and_then(|text| ServiceSpec::parse(&text.text).ok());
        let Some(further) = spec.and_then(|spec| spec.after?.upstream()) else { break };
        follows.insert(next, further.clone());
        next = further;
    }
    promotion::circle(key, |key| follows.get(key).cloned())
}

/// Gives those who wait for another service what the sweep saw of it.
pub(crate) fn of_glimpses(glimpses: &mut [Glimpse], settings: &Settings, now: Timestamp) {
    let waits = |glimpse: &Glimpse| {
        let waiting = glimpse.row.as_ref()?.state.marks.waiting.as_ref()?;
        let spec = (waiting.on == WaitsOn::Upstream).then(|| wanted(&glimpse.facts, settings))?;
        spec.ok()?.spec.after?.upstream()
    };
    let all: Vec<Option<ServiceKey>> = glimpses.iter().map(waits).collect();
    let found: Vec<Option<Fact<Upstream>>> = all
        .into_iter()
        .map(|of| {
            let of = of?;
            // Whom the sweep did not find is not there, or of none of the stack's clusters.
            let seen = glimpses.iter().find(|glimpse| glimpse.facts.key == of);
            let service = seen.map_or(&Fact::Absent, |seen| &seen.facts.service);
            let row = seen.and_then(|seen| seen.row.clone()).unwrap_or_else(|| ServiceRow::new(of));
            Some(promotion::upstream(&row, service, now))
        })
        .collect();
    for (glimpse, found) in glimpses.iter_mut().zip(found) {
        if let Some(found) = found {
            glimpse.facts.upstream = found;
        }
    }
}
