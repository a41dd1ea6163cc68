//! Whether specs that are about to be applied would follow one another in a circle: nothing in it
//! would ever be rolled out again.

use std::collections::BTreeMap;

use anyhow::Context as _;
use windlass_aws::observe;
use windlass_shared::deploy::promotion;
use windlass_shared::id::ServiceKey;
use windlass_shared::spec::ServiceSpec;

use crate::account::Account;
use crate::failure::Result;

/// The service whose spec is refused, with the reason; `None`: there is no circle. `applied` are
/// the services of these files, each with the one that it follows.
pub(super) async fn circle(
    account: &Account,
    applied: &[(ServiceKey, Option<ServiceKey>)],
) -> Result<Option<(ServiceKey, String)>> {
    if applied.iter().all(|(_, follows)| follows.is_none()) {
        return Ok(None);
    }
    let there =
        observe::parameters(&account.clients.ssm).await.context("reading the specs that are there")?;
    let there = there.into_iter().filter_map(|(key, parameter)| {
        let spec = ServiceSpec::parse(&parameter.text).ok()?;
        Some((key, spec.after.and_then(|after| after.upstream())))
    });
    // These files' word counts.
    let follows: BTreeMap<ServiceKey, Option<ServiceKey>> = there.chain(applied.iter().cloned()).collect();
    let found = applied.iter().find_map(|(key, _)| {
        let path = promotion::circle(key, |key| follows.get(key).cloned().flatten());
        (!path.is_empty()).then(|| (key.clone(), refusal(&path)))
    });
    Ok(found)
}

fn refusal(path: &[ServiceKey]) -> String {
    let path: Vec<String> = path.iter().map(ToString::to_string).collect();
    format!("the specs follow one another in a circle: {}; take `after` out of one of them", path.join(" → "))
}
