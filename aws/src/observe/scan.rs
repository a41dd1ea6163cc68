//! What ECR found in an image: basic scans and enhanced ones (Inspector's) by the same call.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecr::operation::describe_image_scan_findings::DescribeImageScanFindingsOutput;
use aws_sdk_ecr::types::{ImageIdentifier, ScanStatus};
use futures::future::join_all;
use windlass_shared::facts::{Fact, ScanFacts};
use windlass_shared::id::{ImageDigest, RepositoryName};
use windlass_shared::spec::Severity;

use super::convert::{count, fact, text};
use crate::error::Failure;

/// The scan of each image. One that was never scanned is absent.
pub(crate) async fn scans(
    ecr: &aws_sdk_ecr::Client,
    repository: &RepositoryName,
    digests: BTreeSet<ImageDigest>,
) -> BTreeMap<ImageDigest, Fact<ScanFacts>> {
    let all = digests.into_iter().map(|digest| async move {
        let found = describe(ecr, repository, &digest).await.map(Some);
        let scan = fact(found, || format!("reading the scan of {repository}@{}", digest.short()));
        (digest, scan)
    });
    join_all(all).await.into_iter().collect()
}

/// The counts come with the first page, however short that is.
async fn describe(
    ecr: &aws_sdk_ecr::Client,
    repository: &RepositoryName,
    digest: &ImageDigest,
) -> Result<ScanFacts, Failure> {
    let sent = ecr
        .describe_image_scan_findings()
        .repository_name(repository.name())
        .set_registry_id(repository.registry_id())
        .image_id(ImageIdentifier::builder().image_digest(digest.as_str()).build())
        .max_results(1)
        .send()
        .await;
    sent.map(|found| facts(&found)).map_err(|error| Failure::new("ecr:DescribeImageScanFindings", &error))
}

fn facts(found: &DescribeImageScanFindingsOutput) -> ScanFacts {
    let status = found.image_scan_status();
    let counts = found.image_scan_findings().and_then(|findings| findings.finding_severity_counts());
    let mut findings: BTreeMap<Severity, u32> = BTreeMap::new();
    for (severity, n) in counts.into_iter().flatten() {
        // Inspector's UNTRIAGED and ECR's UNDEFINED are one.
        *findings.entry(Severity::from_word(severity.as_str())).or_default() += count(*n);
    }
    findings.retain(|_, n| *n > 0);
    ScanFacts {
        status: status.and_then(|it| it.status()).map_or("", ScanStatus::as_str).to_owned(),
        detail: text(status.and_then(|it| it.description())),
        findings,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ecr::types::{FindingSeverity, ImageScanFindings, ImageScanStatus};

    #[test]
    fn an_enhanced_scan_is_read_with_its_untriaged_findings() {
        let findings = ImageScanFindings::builder()
            .finding_severity_counts(FindingSeverity::High, 2)
            .finding_severity_counts(FindingSeverity::from("UNTRIAGED"), 1)
            .finding_severity_counts(FindingSeverity::Undefined, 3)
            .finding_severity_counts(FindingSeverity::Low, 0)
            .build();
        let status = ImageScanStatus::builder()
            .status(ScanStatus::Active)
            .description("Continuous scan is selected for image.")
            .build();
        let found = DescribeImageScanFindingsOutput::builder()
            .image_scan_status(status)
            .image_scan_findings(findings)
            .build();
        let scan = facts(&found);
        assert_eq!(scan.status, "ACTIVE");
        assert_eq!(scan.findings, BTreeMap::from([(Severity::High, 2), (Severity::Undefined, 4)]));
    }
}
