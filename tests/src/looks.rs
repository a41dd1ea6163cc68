//! What came of it: the ledger as people read it, revisions, and what really runs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fmt::Write as _;

use serde_json::{Value, json};
use windlass_shared::id::{ClusterName, ImageDigest, ServiceKey};
use windlass_shared::ledger::{ClusterRecord, PassRecord, Release, ServiceRow, Tidy};
use windlass_sim::ServiceId;
use windlass_sim::ecs::view;
use windlass_sim::gate::CallRecord;
use windlass_sim::lambda::{Ended, access_key};

use crate::CLUSTER;
use crate::account::text;
use crate::stage::Stage;

/// A call of the deploy function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionCall {
    /// Of which service.
    pub service: ServiceId,
    /// The operation.
    pub operation: String,
    /// The error's code.
    pub error: Option<String>,
}

impl FunctionCall {
    /// Whether it could change anything.
    pub fn is_write(&self) -> bool {
        const READS: [&str; 5] = ["Describe", "List", "Get", "BatchGet", "Query"];
        !READS.iter().any(|read| self.operation.starts_with(read))
    }
}

impl fmt::Display for FunctionCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.service.name(), self.operation)
    }
}

impl From<&CallRecord> for FunctionCall {
    fn from(record: &CallRecord) -> Self {
        Self { service: record.service, operation: record.operation.clone(), error: record.error.clone() }
    }
}

impl Stage {
    /// The function's calls, oldest first, since the log was cleared.
    pub fn calls(&self) -> Vec<FunctionCall> {
        let caller = access_key(&self.function);
        self.door.with(|world| {
            let records = world.gate.log.records();
            records.filter(|record| record.caller.access_key == caller).map(FunctionCall::from).collect()
        })
    }

    /// How often the function made this call with success: `ecs:UpdateService`.
    pub fn count(&self, call: &str) -> usize {
        let is_it = |made: &&FunctionCall| made.error.is_none() && made.to_string() == call;
        self.calls().iter().filter(is_it).count()
    }

    /// The ledger, for rows that are no service's.
    pub fn ledger(&self) -> &windlass_aws::Ledger {
        &self.ledger
    }

    /// The row of a service.
    pub async fn row(&self, key: &ServiceKey) -> ServiceRow {
        self.ledger.row(key).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Why the last pass did not do what it would have liked to, in its words.
    pub async fn report(&self, key: &ServiceKey) -> String {
        self.row(key).await.state.last_report.join("\n")
    }

    /// The passes that did something, oldest first.
    pub async fn history(&self, key: &ServiceKey) -> Vec<PassRecord> {
        let mut passes = self.ledger.history(key, 1000).await.unwrap_or_else(|error| panic!("{error}"));
        passes.reverse();
        passes
    }

    /// What scale passes did to the cluster and told of it, oldest first.
    pub async fn cluster_history(&self, cluster: &ClusterName) -> Vec<ClusterRecord> {
        let passes = self.ledger.cluster_history(cluster, 1000).await;
        let mut passes = passes.unwrap_or_else(|error| panic!("{error}"));
        passes.reverse();
        passes
    }

    /// The releases that ended, oldest first, each once: a pass that was killed may have
    /// written one twice.
    pub async fn releases(&self, key: &ServiceKey) -> Vec<Release> {
        let mut seen = BTreeSet::new();
        let all = self.history(key).await.into_iter().flat_map(|pass| pass.ended);
        all.filter(|release| seen.insert((release.started_at, release.digest.clone()))).collect()
    }

    /// `live 1 ← 0, rolled back 2 ← 1`: the releases in the words of the test's own names
    /// for digests.
    pub async fn story(&self, key: &ServiceKey, names: &[(&str, &ImageDigest)]) -> String {
        let name = |digest: &ImageDigest| {
            let found = names.iter().find(|(_, known)| *known == digest);
            found.map_or_else(|| digest.short().to_owned(), |(name, _)| (*name).to_owned())
        };
        let releases = self.releases(key).await;
        let lines = releases.iter().map(|release| {
            let from = release.from_digest.as_ref().map_or_else(|| "nothing".to_owned(), &name);
            format!("{}: {} (from {from})", name(&release.digest), release.outcome)
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Rows that a sweep would come back to, each with why.
    pub async fn open_rows(&self) -> Vec<String> {
        let mut keys = self.ledger.services().await.unwrap_or_else(|error| panic!("{error}"));
        keys.extend(
            self.door.with(|world| view::services(world)).iter().map(|service| crate::key(&service.name)),
        );
        let rows = self.ledger.rows(&keys).await.unwrap_or_else(|error| panic!("{error}"));
        let why = |row: &ServiceRow| {
            let state = &row.state;
            match () {
                () if row.rung > row.answered => Some("rings are not answered"),
                () if state.in_flight.is_some() => Some("a rollout is in flight"),
                () if state.unfinished => Some("something is open"),
                () if state.marks.tidy == Some(Tidy::Due) => Some("revisions are to go"),
                () => None,
            }
        };
        rows.values().filter_map(|row| Some(format!("{}: {}", row.key, why(row)?))).collect()
    }

    /// The revisions of a family, oldest first: number and images.
    pub fn revisions(&self, family: &str) -> Vec<Value> {
        let list = json!({"familyPrefix": family, "status": "ACTIVE"});
        let mut revisions = Vec::new();
        let mut token = None;
        loop {
            let mut input = list.clone();
            if let Some(token) = &token {
                input["nextToken"] = json!(token);
            }
            let page = self.by_hand(ServiceId::Ecs, "ListTaskDefinitions", &input);
            revisions.extend(
                page["taskDefinitionArns"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(|arn| self.revision(&text(arn))),
            );
            token = page["nextToken"].as_str().map(str::to_owned);
            if token.is_none() {
                return revisions;
            }
        }
    }

    /// A revision, whole, with its tags beside it.
    pub fn revision(&self, arn: &str) -> Value {
        let input = json!({"taskDefinition": arn, "include": ["TAGS"]});
        let described = self.by_hand(ServiceId::Ecs, "DescribeTaskDefinition", &input);
        let mut revision = described["taskDefinition"].clone();
        revision["tags"] = described["tags"].clone();
        revision
    }

    /// How many revisions of the family carry each digest.
    pub fn registrations(&self, family: &str) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for revision in self.revisions(family) {
            let image = text(&revision["containerDefinitions"][0]["image"]);
            if let Some((_, digest)) = image.split_once('@') {
                *counts.entry(digest.to_owned()).or_default() += 1;
            }
        }
        counts
    }

    /// Asserts that the family has one pinned revision for each of these images, and no more.
    pub fn assert_registered(&self, family: &str, digests: &[&ImageDigest]) {
        let expected: BTreeMap<String, usize> =
            digests.iter().map(|digest| (digest.to_string(), 1)).collect();
        assert_eq!(self.registrations(family), expected, "one revision of {family} for each release");
    }

    /// The service as DescribeServices gives it.
    pub fn described(&self, service: &str) -> Value {
        let input = json!({"cluster": CLUSTER, "services": [service], "include": ["TAGS"]});
        self.by_hand(ServiceId::Ecs, "DescribeServices", &input)["services"][0].clone()
    }

    /// The digests that the service's tasks run, of those that are to go on.
    pub fn running(&self, service: &str) -> BTreeSet<String> {
        let view = self.door.with(|world| view::service(world, CLUSTER, service));
        let tasks = view.into_iter().flat_map(|view| view.tasks).filter(|task| task.wanted);
        tasks.flat_map(|task| task.images.into_iter().take(1)).filter_map(|(_, digest)| digest).collect()
    }

    /// Asserts that every task of the service runs this image, and that its definition names
    /// it by its digest.
    pub fn assert_live(&self, service: &str, digest: &ImageDigest) {
        let only: BTreeSet<String> = [digest.as_str().to_owned()].into();
        assert_eq!(self.running(service), only, "{service} runs {digest} alone\n{}", self.invocations());
        let revision = self.revision(&text(&self.described(service)["taskDefinition"]));
        let image = text(&revision["containerDefinitions"][0]["image"]);
        assert!(image.ends_with(&format!("@{digest}")), "{image} is pinned to {digest}");
    }

    /// Why each dead letter is one.
    pub fn dead_letters(&self) -> Vec<String> {
        self.door.with(|world| {
            let letters = world.lambda.dead_letters.iter();
            letters
                .map(|letter| format!("{} {:?}", letter.body["responsePayload"], letter.attributes))
                .collect()
        })
    }

    /// The errors that invocations ended with, oldest first.
    pub fn errors(&self) -> Vec<String> {
        self.door.with(|world| {
            let ends = world.lambda.log.iter().filter_map(|record| match &record.ended {
                Ended::Error(error) => Some(error.clone()),
                Ended::Ok(_) => None,
            });
            ends.collect()
        })
    }

    /// What a person would want to see when a test fails.
    pub async fn picture(&self) -> String {
        let mut picture = String::new();
        for service in self.door.with(|world| view::services(world)) {
            let _ = writeln!(
                picture,
                "service {}: {} of {} healthy, {} ({}), {}",
                service.name,
                service.healthy,
                service.desired,
                service.rollout,
                service.reason,
                service.task_definition.rsplit('/').next().unwrap_or_default()
            );
            for event in service.events.iter().take(5) {
                let _ = writeln!(picture, "    {event}");
            }
        }
        let mut keys = self.ledger.services().await.unwrap_or_default();
        keys.extend(
            self.door.with(|world| view::services(world)).iter().map(|service| crate::key(&service.name)),
        );
        for (key, row) in self.ledger.rows(&keys).await.unwrap_or_default() {
            let _ = writeln!(
                picture,
                "row {key}: rung {} answered {} generation {} in flight {:?} unfinished {} quarantine {}",
                row.rung,
                row.answered,
                row.state.generation,
                row.state.in_flight.map(|it| it.digest),
                row.state.unfinished,
                row.quarantine.len()
            );
            for line in &row.state.last_report {
                let _ = writeln!(picture, "    {line}");
            }
        }
        picture + &self.invocations()
    }

    /// The last invocations, each with its event and its end.
    fn invocations(&self) -> String {
        self.door.with(|world| {
            let log = &world.lambda.log;
            let last = log.iter().skip(log.len().saturating_sub(12));
            let lines = last.map(|record| {
                let what = record.invocation.payload["detail-type"].as_str().unwrap_or("?");
                format!("{} {what} try {}: {:?}", record.at, record.invocation.attempt, record.ended)
            });
            lines.collect::<Vec<_>>().join("\n")
        })
    }
}
