//! The image's scan: nothing worse than the spec allows.
//!
//! 1. What was found and is worse than allowed holds the image back, whatever else is open. It
//!    is no quarantine: a later scan that clears it lets it go.
//! 2. What was never scanned is scanned: an image by its own digest, an index by its images'.
//! 3. A scan that goes on is waited for, up to its time.
//! 4. Without a result, for whatever reason, the spec says what becomes of it.

use std::collections::BTreeMap;

use super::super::{Planner, Stop};
use crate::deploy::plan::Step;
use crate::deploy::report::{Note, ScanNote};
use crate::deploy::wanted::Wanted;
use crate::facts::{Fact, ScanFacts};
use crate::id::{Actor, ImageDigest, Timestamp};
use crate::ledger::{Approval, Order, Prepared, WaitsOn};
use crate::spec::{ScanGate, Severity, Unscanned};

/// What the scans of an image's parts come to.
#[derive(Debug, Default)]
struct Found {
    /// The worst part's count, severity by severity.
    findings: BTreeMap<Severity, u32>,
    never: Vec<ImageDigest>,
    going: Option<String>,
    failed: Option<String>,
}

impl Found {
    fn take(&mut self, image: &ImageDigest, scan: Option<&ScanFacts>) {
        let Some(scan) = scan else { return self.never.push(image.clone()) };
        for (severity, count) in &scan.findings {
            let worst = self.findings.entry(*severity).or_default();
            *worst = (*worst).max(*count);
        }
        match scan.status.as_str() {
            // `ACTIVE`: Inspector has scanned it, and goes on doing so.
            "COMPLETE" | "ACTIVE" => {}
            "IN_PROGRESS" | "PENDING" => self.going = Some(scan.status.clone()),
            other if scan.detail.is_empty() => self.failed = Some(other.to_owned()),
            other => self.failed = Some(format!("{other}: {}", scan.detail)),
        }
    }

    fn stands(&self) -> Option<String> {
        self.going.clone().or_else(|| (!self.never.is_empty()).then(|| "never scanned".to_owned()))
    }
}

impl Planner<'_> {
    pub(super) fn scanned(&mut self, wanted: &Wanted, digest: &ImageDigest) -> Result<(), Stop> {
        let Some(gate) = &wanted.spec.scan else { return Ok(()) };
        let found = self.scans_of(digest)?;
        if found.findings.keys().any(|severity| *severity > gate.max_severity) {
            self.waits(wanted, digest, WaitsOn::Scan, None);
            let (would, findings, allowed) = (digest.clone(), found.findings, gate.max_severity);
            return self.refuse(Note::Scan(ScanNote::Vulnerable { would, findings, allowed }));
        }
        if let Some(reason) = found.failed {
            return self.unscanned(wanted, gate, digest, reason);
        }
        let Some(stands) = found.stands() else { return Ok(()) };
        let since = self.prepared_since(wanted, digest);
        let timeout = jiff::SignedDuration::from_mins(i64::from(gate.timeout_minutes));
        let until = since.saturating_add(timeout).unwrap_or(Timestamp::MAX);
        if until <= self.now {
            let reason = format!("its scan ({stands}) did not end within {} min", gate.timeout_minutes);
            return self.unscanned(wanted, gate, digest, reason);
        }
        let repository = &wanted.spec.image.repository;
        let start = |digest| Step::StartScan { repository: repository.clone(), digest };
        self.steps.extend(found.never.into_iter().map(start));
        let would = digest.clone();
        self.refuse(Note::Scan(ScanNote::Waits { would, stands, since, until }))
    }

    fn scans_of(&mut self, digest: &ImageDigest) -> Result<Found, Stop> {
        let inspected = self.facts.inspected.get(digest).unwrap_or(&Fact::NotAsked);
        let Some(content) = self.need(inspected, "the image's content")? else {
            return self.refuse(Note::ImageGone { digest: digest.clone() });
        };
        let mut found = Found::default();
        for image in content.scannable() {
            let scan = self.facts.scans.get(image).unwrap_or(&Fact::NotAsked);
            found.take(image, self.need(scan, "the image's scan")?);
        }
        Ok(found)
    }

    /// There is no result: the spec says what becomes of it.
    fn unscanned(
        &mut self,
        wanted: &Wanted,
        gate: &ScanGate,
        digest: &ImageDigest,
        reason: String,
    ) -> Result<(), Stop> {
        match gate.if_unscanned {
            Unscanned::Refuse => {
                self.waits(wanted, digest, WaitsOn::Scan, None);
                let would = digest.clone();
                self.refuse(Note::Scan(ScanNote::Unscanned { would, reason }))
            }
            Unscanned::Warn => {
                let order = Order {
                    by: Actor::new("the spec"),
                    reason: "scan.if_unscanned: warn".to_owned(),
                    at: self.now,
                };
                let what = format!("it begins without a scan's result: {reason}");
                self.approvals.push(Approval { what, order });
                self.notes.push(Note::Scan(ScanNote::UnscannedIgnored { reason }));
                Ok(())
            }
        }
    }

    /// Since when this image is being made ready under this spec.
    fn prepared_since(&mut self, wanted: &Wanted, digest: &ImageDigest) -> Timestamp {
        let spec = wanted.spec.fingerprint();
        if let Some(prepared) = self.prepared_for(digest, &spec) {
            return prepared.since;
        }
        let since = self.now;
        self.marks.prepared = Some(Prepared { digest: digest.clone(), spec, since, approvals: Vec::new() });
        since
    }
}
