//! `windlass images --in-use`: which images a registry must keep, and why.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use windlass_shared::id::{ImageDigest, ImageTag, RepositoryName};
use windlass_shared::ledger::ServiceRow;

use crate::account::Account;
use crate::exit::Exit;
use crate::failure::Result;
use crate::output::{Output, STRONG, paint, talk};
use crate::table::table;

/// Why an image is kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
enum Use {
    Live,
    RollingOut,
    RolledBackTo,
    RollbackTarget,
}

impl std::fmt::Display for Use {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Live => "live",
            Self::RollingOut => "rolling out",
            Self::RolledBackTo => "rolled back to",
            Self::RollbackTarget => "rollback target",
        })
    }
}

/// One image, with who needs it for what.
#[derive(Debug, Default, serde::Serialize)]
struct Kept {
    tags: BTreeSet<ImageTag>,
    uses: BTreeSet<(Use, String)>,
}

type Repositories = BTreeMap<RepositoryName, BTreeMap<ImageDigest, Kept>>;

/// Prints each repository's images that are needed.
pub(super) async fn images(account: &Account, services: &[String], output: Output) -> Result<Exit> {
    let mut kept = Repositories::new();
    for key in account.keys(services).await? {
        let row = account.ledger.row(&key).await.with_context(|| format!("reading {key}"))?;
        for (repository, digest, tag, why) in uses(&row) {
            let image = kept.entry(repository).or_default().entry(digest).or_default();
            image.tags.extend(tag);
            image.uses.insert((why, key.to_string()));
        }
    }
    output.data(&json(&kept), || text(&kept))?;
    if kept.is_empty() {
        talk("no service has settled on an image yet");
    }
    Ok(Exit::Ok)
}

type Needed = (RepositoryName, ImageDigest, Option<ImageTag>, Use);

fn uses(row: &ServiceRow) -> Vec<Needed> {
    let state = &row.state;
    let of = |repository: &Option<RepositoryName>| repository.clone().or_else(|| state.repository.clone());
    let begun = state.in_flight.iter().map(|it| (&it.repository, &it.digest, &it.tag, Use::RollingOut));
    let recorded = |why: Use| {
        move |it: &'_ windlass_shared::ledger::Settled| {
            (it.repository.clone(), it.digest.clone(), it.tag.clone(), why.clone())
        }
    };
    let settled = state.settled.iter().map(recorded(Use::Live));
    let pinned = state.marks.pin.iter().map(|pin| &pin.to).map(recorded(Use::RolledBackTo));
    let before = state.marks.before.iter().map(recorded(Use::RollbackTarget));
    begun
        .map(|(repository, digest, tag, why)| (repository.clone(), digest.clone(), tag.clone(), why))
        .chain(settled)
        .chain(pinned)
        .chain(before)
        .filter_map(|(repository, digest, tag, why)| Some((of(&repository)?, digest, tag, why)))
        .collect()
}

fn json(kept: &Repositories) -> serde_json::Value {
    let repositories = kept.iter().map(|(repository, images)| {
        let images = images.iter().map(|(digest, kept)| {
            let uses = kept.uses.iter();
            let uses: Vec<_> =
                uses.map(|(why, service)| serde_json::json!({"why": why, "service": service})).collect();
            serde_json::json!({"digest": digest, "tags": kept.tags, "uses": uses})
        });
        (repository.to_string(), images.collect())
    });
    serde_json::json!({ "repositories": repositories.collect::<BTreeMap<String, Vec<_>>>() })
}

fn text(kept: &Repositories) -> String {
    let rows = kept.iter().flat_map(|(repository, images)| {
        images.iter().map(move |(digest, kept)| {
            let tags: Vec<String> = kept.tags.iter().map(ToString::to_string).collect();
            let uses: Vec<String> =
                kept.uses.iter().map(|(why, service)| format!("{why} ({service})")).collect();
            let tags = if tags.is_empty() { "-".to_owned() } else { tags.join(", ") };
            vec![paint(STRONG, repository), digest.short().to_owned(), tags, uses.join(", ")]
        })
    });
    table(&["REPOSITORY", "DIGEST", "TAGS", "WHY"], &rows.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_shared::id::ServiceKey;
    use windlass_shared::ledger::Settled;

    #[test]
    fn what_is_live_and_what_can_be_gone_back_to_are_kept() {
        let digest = |digit: &str| -> ImageDigest { format!("sha256:{}", digit.repeat(64)).parse().unwrap() };
        let settled = |digit: &str| Settled {
            digest: digest(digit),
            tag: Some("latest".into()),
            pushed_at: None,
            task_definition: "shop:1".into(),
            spec: String::new(),
            policy: "latest".into(),
            repository: None,
            rules: Vec::new(),
            at: windlass_shared::id::Timestamp::UNIX_EPOCH,
        };
        let mut row = ServiceRow::new(ServiceKey::new("main", "shop"));
        row.state.repository = Some("shop".into());
        row.state.settled = Some(settled("a"));
        row.state.marks.before = vec![settled("b")];
        let told: Vec<_> = uses(&row).into_iter().map(|(_, digest, _, why)| (digest, why)).collect();
        assert_eq!(told, [(digest("a"), Use::Live), (digest("b"), Use::RollbackTarget)]);
    }
}
