//! Whose repository: the stack's own registry's, or another account's.
//!
//! A private registry of ECR is an account's within a Region. A repository of the stack's own one is
//! called by its name (`team/shop`); one of another account has its registry before it
//! (`111122223333.dkr.ecr.eu-central-1.amazonaws.com/team/shop`), so that two accounts that each
//! have a `shop` are two repositories wherever a [`RepositoryName`] is a key.
//!
//! It does not know who may read what: IAM and the repository's policy decide that.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::{AccountId, Region, RepositoryName};
use crate::image::reference::name_and_tag;

/// An account's private registry in a Region.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Registry {
    /// Whose.
    pub account: AccountId,
    /// Where.
    pub region: Region,
}

/// The hosts of a registry: the usual one, FIPS's, the one that answers over IPv6 as well.
const KINDS: [(&str, &str); 3] =
    [(".dkr.ecr.", ".amazonaws.com"), (".dkr.ecr-fips.", ".amazonaws.com"), (".dkr-ecr.", ".on.aws")];
/// China's domain.
const CHINA: &str = ".cn";

impl Registry {
    /// Reads a registry's host; `None` for every other host.
    pub fn of_host(host: &str) -> Option<Self> {
        let host = host.strip_suffix(CHINA).unwrap_or(host);
        KINDS.iter().find_map(|(middle, end)| {
            let (account, region) = host.strip_suffix(end)?.split_once(middle)?;
            let is_account = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
            let is_region = region.contains('-')
                && region.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
            (is_account && is_region).then(|| Self { account: account.into(), region: region.into() })
        })
    }

    /// Its usual host.
    pub fn host(&self) -> String {
        let Self { account, region } = self;
        let china = if region.as_str().starts_with("cn-") { CHINA } else { "" };
        format!("{account}.dkr.ecr.{region}.amazonaws.com{china}")
    }

    /// One of its repositories.
    pub fn repository(&self, name: &str) -> RepositoryName {
        RepositoryName::new(format!("{}/{name}", self.host()))
    }
}

impl fmt::Display for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "account {} in {}", self.account, self.region)
    }
}

impl RepositoryName {
    /// The registry that it says it is of; `None`: the stack's own.
    pub fn registry(&self) -> Option<Registry> {
        Registry::of_host(self.as_str().split_once('/')?.0)
    }

    /// Its name within its registry: what ECR's calls take.
    pub fn name(&self) -> &str {
        match self.as_str().split_once('/') {
            Some((host, name)) if Registry::of_host(host).is_some() => name,
            _ => self.as_str(),
        }
    }

    /// The account that ECR's calls must name; `None`: the caller's own.
    pub fn registry_id(&self) -> Option<String> {
        self.registry().map(|registry| registry.account.to_string())
    }
}

/// Where the stack is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    /// Its account; `None` where nobody said (a shell without `WINDLASS_ACCOUNT`): then every
    /// registry that an event or an image does not name otherwise passes for its own.
    pub account: Option<AccountId>,
    /// Its Region.
    pub region: Region,
}

impl Home {
    /// Whether this is the stack's own registry.
    pub fn owns(&self, registry: &Registry) -> bool {
        self.account.as_ref() == Some(&registry.account) && self.region == registry.region
    }

    /// The one way to call a repository: the own by its name, another's by its registry's usual host.
    pub fn call(&self, repository: &RepositoryName) -> RepositoryName {
        match repository.registry() {
            Some(registry) if self.owns(&registry) => RepositoryName::new(repository.name()),
            Some(registry) => registry.repository(repository.name()),
            None => repository.clone(),
        }
    }

    /// What stands before the repository's name in an image reference (`host/`, or nothing), if the
    /// reference is one of that repository. Another account's repository of the same name is not.
    pub fn before<'i>(&self, image: &'i str, repository: &RepositoryName) -> Option<&'i str> {
        let (name, _) = name_and_tag(image);
        let before = name.strip_suffix(repository.name())?;
        let host = match before.strip_suffix('/') {
            Some(host) if is_host(host) => host,
            None if before.is_empty() => "",
            _ => return None,
        };
        let is_of = match (Registry::of_host(host), repository.registry()) {
            (Some(found), Some(wanted)) => found == wanted,
            (Some(found), None) => self.account.is_none() || self.owns(&found),
            (None, Some(_)) => false,
            // No host, a local registry, a mirror: as good as the own.
            (None, None) => true,
        };
        is_of.then_some(before)
    }
}

/// A host with a dot, a port, or `localhost`: else `team` of `team/shop` would be taken for the
/// registry of `shop`.
fn is_host(host: &str) -> bool {
    !host.contains('/') && (host.contains(['.', ':']) || host == "localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home() -> Home {
        Home { account: Some("123456789012".into()), region: "eu-central-1".into() }
    }

    #[test]
    fn a_registrys_hosts_are_read_and_no_others() {
        for host in [
            "111122223333.dkr.ecr.eu-central-1.amazonaws.com",
            "111122223333.dkr.ecr-fips.us-east-1.amazonaws.com",
            "111122223333.dkr-ecr.eu-west-1.on.aws",
            "111122223333.dkr.ecr.cn-north-1.amazonaws.com.cn",
        ] {
            let registry = Registry::of_host(host).unwrap_or_else(|| panic!("{host}"));
            assert_eq!(registry.account.as_str(), "111122223333");
            assert_eq!(Registry::of_host(&registry.host()), Some(registry));
        }
        for host in [
            "team",
            "localhost:4566",
            "public.ecr.aws",
            "1111.dkr.ecr.eu-central-1.amazonaws.com",
            "111122223333.dkr.ecr..amazonaws.com",
            "111122223333.dkr.ecr.eu-central-1.example.com",
        ] {
            assert_eq!(Registry::of_host(host), None, "{host}");
        }
    }

    #[test]
    fn the_own_registry_is_left_out_however_it_is_written() {
        for (written, called) in [
            ("shop", "shop"),
            ("team/shop", "team/shop"),
            ("123456789012.dkr.ecr.eu-central-1.amazonaws.com/team/shop", "team/shop"),
            ("123456789012.dkr-ecr.eu-central-1.on.aws/shop", "shop"),
            // The own account elsewhere is another registry.
            (
                "123456789012.dkr.ecr.us-east-1.amazonaws.com/shop",
                "123456789012.dkr.ecr.us-east-1.amazonaws.com/shop",
            ),
            (
                "111122223333.dkr-ecr.eu-central-1.on.aws/shop",
                "111122223333.dkr.ecr.eu-central-1.amazonaws.com/shop",
            ),
        ] {
            assert_eq!(home().call(&written.into()).as_str(), called, "{written}");
        }
    }

    #[test]
    fn a_repository_of_another_account_has_its_name_and_its_account() {
        let other = RepositoryName::new("111122223333.dkr.ecr.eu-central-1.amazonaws.com/team/shop");
        assert_eq!((other.name(), other.registry_id().as_deref()), ("team/shop", Some("111122223333")));
        let own = RepositoryName::new("team/shop");
        assert_eq!((own.name(), own.registry_id()), ("team/shop", None));
    }

    #[test]
    fn an_image_belongs_to_its_whole_repository_name() {
        let ours = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/";
        for (image, repository, before) in [
            (format!("{ours}shop:v1"), "shop", Some(ours)),
            ("localhost:4566/shop@sha256:ab".into(), "shop", Some("localhost:4566/")),
            ("localhost:4566/shop:v1@sha256:ab".into(), "shop", Some("localhost:4566/")),
            ("localhost:4566/shop".into(), "shop", Some("localhost:4566/")),
            ("localhost:4566/team/shop:v1".into(), "team/shop", Some("localhost:4566/")),
            ("localhost:4566/team/shop:v1".into(), "shop", None),
            ("localhost:4566/workshop:v1".into(), "shop", None),
            ("workshop:v1".into(), "shop", None),
            ("team/shop".into(), "shop", None),
            ("shop:v1".into(), "shop", Some("")),
        ] {
            assert_eq!(home().before(&image, &repository.into()), before, "{image} of {repository}");
        }
    }

    #[test]
    fn the_same_name_in_two_accounts_is_two_repositories() {
        let theirs = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/";
        let (image, other) = (format!("{theirs}shop:v1"), RepositoryName::new(format!("{theirs}shop")));
        assert_eq!(home().before(&image, &"shop".into()), None);
        assert_eq!(home().before(&image, &other), Some(theirs));
        assert_eq!(home().before("123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop:v1", &other), None);
        assert_eq!(home().before("shop:v1", &other), None);
        // Elsewhere is another registry, too.
        assert_eq!(home().before("111122223333.dkr.ecr.us-east-1.amazonaws.com/shop:v1", &other), None);
        let nobody_said = Home { account: None, region: "eu-central-1".into() };
        assert_eq!(nobody_said.before(&image, &"shop".into()), Some(theirs));
    }
}
