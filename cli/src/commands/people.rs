//! What people do by hand: ring, hold, resume, release. Each writes one thing and rings,
//! so that the function acts on it.

use anyhow::{Context as _, anyhow};
use serde_json::json;
use windlass_aws::by_hand;
use windlass_shared::event::Doorbell;
use windlass_shared::id::{ImageDigest, ServiceKey};
use windlass_shared::ledger::{Hold, ServiceRow};

use crate::account::Account;
use crate::exit::Exit;
use crate::failure::{HintExt as _, Result};
use crate::output::{GOOD, Output, STRONG, WAITS, paint, talk};

/// Rings the doorbell.
pub(super) async fn ring(
    account: &Account,
    service: &str,
    reason: Option<String>,
    output: Output,
) -> Result<Exit> {
    let key = account.key(service)?;
    bell(account, &key, reason).await?;
    output.data(&json!({ "service": key.to_string(), "rung": true }), || {
        format!("{}: {}", paint(STRONG, &key), paint(GOOD, "rung"))
    })?;
    talk(format!("`windlass history {key}` tells what the pass does"));
    Ok(Exit::Ok)
}

/// Holds the service. It does not ring: a hold is there to be found.
pub(super) async fn hold(account: &Account, service: &str, reason: String, output: Output) -> Result<Exit> {
    let key = account.key(service)?;
    let hold = Hold { by: account.actor().clone(), reason, at: account.clock.now() };
    account.ledger.hold(&key, &hold).await.context("holding")?;
    output.data(&json!({ "service": key.to_string(), "hold": hold }), || {
        format!("{}: {} ({})", paint(STRONG, &key), paint(WAITS, "held"), hold.reason)
    })?;
    talk(format!("a rollout under way goes on; `windlass resume {key}` ends the hold"));
    Ok(Exit::Ok)
}

/// Ends a hold, and rings.
pub(super) async fn resume(
    account: &Account,
    service: &str,
    reason: Option<String>,
    output: Output,
) -> Result<Exit> {
    let key = account.key(service)?;
    let was_held = account.ledger.resume(&key).await.context("resuming")?;
    if was_held {
        let why = reason.unwrap_or_else(|| "resumed".to_owned());
        rung_after(bell(account, &key, Some(why)).await, "the hold is ended")?;
    }
    output.data(&json!({ "service": key.to_string(), "was_held": was_held }), || {
        let words = if was_held { paint(GOOD, "resumed, and rung") } else { "was not held".to_owned() };
        format!("{}: {words}", paint(STRONG, &key))
    })?;
    Ok(Exit::Ok)
}

/// Ends a digest's quarantine, and rings.
pub(super) async fn release(account: &Account, service: &str, typed: &str, output: Output) -> Result<Exit> {
    let key = account.key(service)?;
    let row = account.ledger.row(&key).await.context("reading the quarantine")?;
    let digest = quarantined(&row, typed)?;
    account.ledger.release_digest(&key, &digest).await.context("ending the quarantine")?;
    let why = format!("{} released from quarantine", digest.short());
    rung_after(bell(account, &key, Some(why)).await, "the quarantine is ended")?;
    output.data(&json!({ "service": key.to_string(), "released": digest }), || {
        format!("{}: {} {}, and rung", paint(STRONG, &key), digest.short(), paint(GOOD, "released"))
    })?;
    Ok(Exit::Ok)
}

/// The one quarantined digest that begins as typed.
fn quarantined(row: &ServiceRow, typed: &str) -> Result<ImageDigest> {
    let start = typed.strip_prefix("sha256:").unwrap_or(typed);
    let fits = |digest: &&ImageDigest| digest.as_str().trim_start_matches("sha256:").starts_with(start);
    let mut found = row.quarantine.keys().filter(fits);
    match (found.next(), found.next()) {
        (Some(digest), None) => Ok(digest.clone()),
        (Some(_), Some(_)) => Err(anyhow!("{typed} is the beginning of several digests in quarantine"))
            .hint("give more of its digits"),
        (None, _) => {
            let there: Vec<_> = row.quarantine.keys().map(ImageDigest::short).collect();
            let hint = if there.is_empty() {
                "nothing of this service is in quarantine".to_owned()
            } else {
                format!("in quarantine are: {}", there.join(", "))
            };
            Err(anyhow!("{typed} is not in quarantine for {}", row.key)).hint(hint)
        }
    }
}

pub(super) async fn bell(account: &Account, key: &ServiceKey, reason: Option<String>) -> Result<()> {
    let bell = Doorbell {
        cluster: key.cluster.clone(),
        service: key.service.clone(),
        reason,
        by: Some(account.actor().clone()),
    };
    let rung = by_hand::ring(&account.clients.events, &bell).await;
    Ok(rung.with_context(|| format!("ringing {key}"))?)
}

/// The write went through, the ring did not: both are told.
pub(super) fn rung_after(rung: Result<()>, done: &str) -> Result<()> {
    rung.map_err(|failure| failure.within(format!("{done}, but the doorbell did not ring")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_shared::ledger::Quarantine;

    fn row(digests: &[&str]) -> ServiceRow {
        let mut row = ServiceRow::new(ServiceKey::new("main", "shop"));
        for digest in digests {
            let why = Quarantine {
                reason: "crashed".into(),
                at: "2026-01-01T00:00:00Z".parse().unwrap(),
                deployment: None,
                spec: None,
                until: None,
            };
            row.quarantine.insert(format!("sha256:{digest:0<64}").parse().unwrap(), why);
        }
        row
    }

    #[test]
    fn a_digest_is_known_by_enough_of_its_beginning() {
        let row = row(&["ab1", "ab2", "c"]);
        assert_eq!(quarantined(&row, "ab1").unwrap().short(), "ab1000000000");
        assert_eq!(quarantined(&row, "sha256:c").unwrap().short(), "c00000000000");
        assert_eq!(quarantined(&row, "ab").unwrap_err().hint().unwrap(), "give more of its digits");
        let hint = quarantined(&row, "d").unwrap_err().hint().unwrap();
        assert_eq!(hint, "in quarantine are: ab1000000000, ab2000000000, c00000000000");
    }
}
