//! Whether an image runs on the cluster's instances.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::facts::ImageContent;
use crate::id::Architecture;

/// The image has none of the cluster's architectures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub struct WrongArchitecture {
    /// What the image can run on.
    pub image_has: BTreeSet<Architecture>,
    /// What the cluster's instances are.
    pub cluster_has: BTreeSet<Architecture>,
}

impl fmt::Display for WrongArchitecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (image, cluster) = (words(&self.image_has), words(&self.cluster_has));
        write!(
            f,
            "the image is for {image}, the cluster's instances are {cluster}: build it for {cluster} \
             (`docker buildx build --platform {}`) and push again",
            platforms(&self.cluster_has)
        )
    }
}

fn words(architectures: &BTreeSet<Architecture>) -> String {
    if architectures.is_empty() {
        return "no Linux architecture".into();
    }
    let words: Vec<_> = architectures.iter().map(ToString::to_string).collect();
    words.join(" and ")
}

fn platforms(architectures: &BTreeSet<Architecture>) -> String {
    let words: Vec<_> = architectures.iter().map(|architecture| format!("linux/{architecture}")).collect();
    words.join(",")
}

/// Whether the image has at least one of the cluster's architectures.
///
/// One is enough: in a mixed cluster a task's `runtimePlatform` or placement constraint
/// keeps it to the instances that can run it, and ECS is the judge of that. A cluster
/// without instances now (empty set) cannot be judged against, and is let through.
pub fn fits(content: &ImageContent, cluster: &BTreeSet<Architecture>) -> Result<(), WrongArchitecture> {
    if cluster.is_empty() || !content.architectures.is_disjoint(cluster) {
        return Ok(());
    }
    Err(WrongArchitecture { image_has: content.architectures.clone(), cluster_has: cluster.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Architecture::{Amd64, Arm64};
    use std::collections::BTreeMap;

    fn image(architectures: &[Architecture]) -> ImageContent {
        ImageContent {
            digest: format!("sha256:{}", "a".repeat(64)).parse().unwrap(),
            repository: "shop".into(),
            architectures: architectures.iter().cloned().collect(),
            labels: BTreeMap::new(),
            children: BTreeSet::new(),
        }
    }

    #[test]
    fn an_image_fits_where_one_architecture_is_shared_or_no_instance_can_say() {
        for (image_has, cluster, expected) in [
            (vec![Amd64], vec![Amd64], true),
            (vec![Amd64, Arm64], vec![Arm64], true),
            (vec![Amd64], vec![Amd64, Arm64], true),
            (vec![Amd64], vec![], true),
            (vec![], vec![], true),
            (vec![Amd64], vec![Arm64], false),
            (vec![], vec![Arm64], false),
            (vec![Architecture::Other("riscv64".into())], vec![Amd64, Arm64], false),
        ] {
            let cluster = cluster.into_iter().collect();
            assert_eq!(fits(&image(&image_has), &cluster).is_ok(), expected, "{image_has:?} on {cluster:?}");
        }
    }

    #[test]
    fn the_refusal_says_what_to_build() {
        let refusal = fits(&image(&[Amd64]), &BTreeSet::from([Arm64])).unwrap_err();
        insta::assert_snapshot!(refusal, @"the image is for amd64, the cluster's instances are arm64: build it for arm64 (`docker buildx build --platform linux/arm64`) and push again");
    }
}
