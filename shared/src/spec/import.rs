//! A spec for a service that is there already: of the images that its containers run.
//!
//! Nothing but the image is said in it: the task and the way of rolling out stay those of the live
//! service, as long as a spec does not say otherwise.

use std::fmt::Write as _;

use crate::id::{RepositoryName, ServiceKey};
use crate::image::reference::name_and_tag;
use crate::registry::{Home, Registry};

/// A container, and the image it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// `registry/repository:tag`, with `@sha256:…` beside the tag or in its place.
    pub image: String,
}

/// What a template engine fills in where a file is read that it was meant for.
pub const FILLED_IN: &str = "WINDLASS_FILLED_IN";

/// Why there is no spec.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotImported {
    /// No image is of a registry that Windlass follows.
    #[error("{of}: no container runs an image of ECR: {}; Windlass follows repositories of ECR", .images.join(", "))]
    NoRepository {
        /// Of which service.
        of: ServiceKey,
        /// The images.
        images: Vec<String>,
    },
    /// Images of several repositories.
    #[error("{of}: its containers run images of {}; name the container that is to be tracked: --container NAME", .repositories.join(", "))]
    Several {
        /// Of which service.
        of: ServiceKey,
        /// `container: repository`
        repositories: Vec<String>,
    },
    /// The container that was named is not there.
    #[error("{of}: no container is called {name}; there are {}", .there.join(", "))]
    NoSuchContainer {
        /// Of which service.
        of: ServiceKey,
        /// What was asked for.
        name: String,
        /// What there is.
        there: Vec<String>,
    },
}

/// The spec, as YAML that says why it is so. `home` is where the service is: an image of another account keeps
/// its registry. Where that is not known (a file), every image passes for the own registry's.
pub fn import(
    key: &ServiceKey,
    containers: &[Container],
    only: Option<&str>,
    home: Option<&Home>,
) -> Result<String, NotImported> {
    let tracked = tracked(key, containers, only, home)?;
    let image = &tracked[0];
    let (policy, why) = policy(image.tag);
    let mut yaml = format!("cluster: {}\nservice: {}\nimage:\n", key.cluster, key.service);
    let _ = writeln!(yaml, "  repository: {}", image.repository);
    let _ = writeln!(yaml, "  # {why}");
    let _ = writeln!(yaml, "  policy: {policy}");
    if only.is_some() {
        let _ = writeln!(yaml, "  containers: [{}]", image.container);
    }
    Ok(yaml)
}

struct Tracked<'a> {
    container: &'a str,
    repository: RepositoryName,
    tag: Option<&'a str>,
}

fn tracked<'a>(
    key: &ServiceKey,
    containers: &'a [Container],
    only: Option<&str>,
    home: Option<&Home>,
) -> Result<Vec<Tracked<'a>>, NotImported> {
    if let Some(name) = only
        && !containers.iter().any(|container| container.name == name)
    {
        let there = containers.iter().map(|container| container.name.clone()).collect();
        return Err(NotImported::NoSuchContainer { of: key.clone(), name: name.to_owned(), there });
    }
    let chosen = containers.iter().filter(|container| only.is_none_or(|name| container.name == name));
    let found: Vec<Tracked<'_>> = chosen.clone().filter_map(|it| of_ecr(it, home)).collect();
    let Some(first) = found.first() else {
        let images = chosen.map(|container| container.image.clone()).collect();
        return Err(NotImported::NoRepository { of: key.clone(), images });
    };
    if found.iter().any(|other| other.repository != first.repository) {
        let told = |it: &Tracked<'_>| format!("{}: {}", it.container, it.repository);
        return Err(NotImported::Several { of: key.clone(), repositories: found.iter().map(told).collect() });
    }
    Ok(found)
}

/// The container's image, where its registry is one that holds repositories of an account: ECR's, or
/// one whose name a template fills in. `public.ecr.aws` and Docker Hub tell nobody of a push.
fn of_ecr<'c>(container: &'c Container, home: Option<&Home>) -> Option<Tracked<'c>> {
    let (name, tag) = name_and_tag(&container.image);
    let (registry, repository) = name.split_once('/')?;
    let is_private = registry.contains(".dkr.ecr.")
        || registry.contains(".dkr-ecr.")
        || registry == FILLED_IN
        || registry.starts_with("localhost:");
    if !is_private {
        return None;
    }
    let repository = match (Registry::of_host(registry), home) {
        (Some(registry), Some(home)) => home.call(&registry.repository(repository)),
        _ => RepositoryName::new(repository),
    };
    Some(Tracked { container: &container.name, repository, tag })
}

/// The policy that goes on with what the tag shows, and why.
fn policy(tag: Option<&str>) -> (String, String) {
    let Some(tag) = tag else {
        return ("newest".into(), "It runs a digest: the newest push, whatever its tag.".into());
    };
    if tag.contains(FILLED_IN) {
        return ("newest".into(), "The tag is filled in at each release: the newest push.".into());
    }
    if let Ok(version) = semver::Version::parse(tag.strip_prefix('v').unwrap_or(tag)) {
        let range = format!("{{ semver: \"{}.x\" }}", version.major);
        return (range, format!("It runs {tag}: the highest version {}.x.", version.major));
    }
    if is_of_a_build(tag) {
        return ("newest".into(), format!("It runs {tag}, a build's own tag: the newest push."));
    }
    if let Some((prefix, _)) = tag.rsplit_once('-').filter(|(_, build)| is_of_a_build(build)) {
        let policy = format!("{{ prefix: \"{prefix}-\" }}");
        return (policy, format!("It runs {tag}: the newest push of a tag that begins so."));
    }
    (format!("{{ tag: \"{tag}\" }}"), format!("It runs {tag}: whatever is pushed under this very tag."))
}

/// A commit's hash, a date or a build's number: a tag that is there once.
fn is_of_a_build(tag: &str) -> bool {
    let is_commit = (7..=40).contains(&tag.len()) && tag.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_number = !tag.is_empty() && tag.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    is_commit || is_number
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::ServiceSpec;

    fn key() -> ServiceKey {
        ServiceKey::new("main", "shop")
    }

    const ECR: &str = "111122223333.dkr.ecr.eu-central-1.amazonaws.com";

    fn one(image: &str) -> Result<String, NotImported> {
        import(&key(), &[Container { name: "web".into(), image: image.into() }], None, None)
    }

    fn policy_of(tag: &str) -> String {
        let yaml = one(&format!("{ECR}/team/shop{tag}")).unwrap();
        let spec = ServiceSpec::parse(&yaml).unwrap_or_else(|error| panic!("{yaml}\n{error}"));
        assert_eq!(spec.image.repository.as_str(), "team/shop");
        spec.image.policy.to_string()
    }

    #[test]
    fn the_spec_says_the_image_and_why_and_no_more() {
        insta::assert_snapshot!(one(&format!("{ECR}/shop:v1.4.2")).unwrap(), @r#"
        cluster: main
        service: shop
        image:
          repository: shop
          # It runs v1.4.2: the highest version 1.x.
          policy: { semver: "1.x" }
        "#);
    }

    #[test]
    fn each_kind_of_tag_has_its_policy() {
        for (tag, policy) in [
            (":latest", "latest"),
            (":prod", "prod"),
            (":1.2.3", "semver=1.*"),
            (":v2.0.0-rc.1", "semver=2.*"),
            (":3f2a9c1", "newest=all"),
            (":20261123.4", "newest=all"),
            (":prod-3f2a9c1", "glob=prod-*"),
            (":main-412", "glob=main-*"),
            (":blue-green", "blue-green"),
            (":WINDLASS_FILLED_IN", "newest=all"),
            ("@sha256:0000000000000000000000000000000000000000000000000000000000000000", "newest=all"),
        ] {
            assert_eq!(policy_of(tag), policy, "{tag}");
        }
    }

    #[test]
    fn a_sidecar_of_another_registry_is_not_tracked() {
        let containers =
            [("web", format!("{ECR}/shop:1.0.0")), ("proxy", "envoyproxy/envoy:v1.30".to_owned())];
        let containers = containers.map(|(name, image)| Container { name: name.into(), image });
        assert!(import(&key(), &containers, None, None).unwrap().contains("repository: shop"));
    }

    #[test]
    fn two_repositories_want_a_word_and_get_one() {
        let containers = [("web", format!("{ECR}/shop:1")), ("worker", format!("{ECR}/jobs:1"))];
        let containers = containers.map(|(name, image)| Container { name: name.into(), image });
        let refused = import(&key(), &containers, None, None).unwrap_err().to_string();
        assert!(refused.contains("web: shop, worker: jobs; name the container"), "{refused}");
        let yaml = import(&key(), &containers, Some("worker"), None).unwrap();
        let spec = ServiceSpec::parse(&yaml).unwrap();
        assert_eq!(spec.image.repository.as_str(), "jobs");
        assert_eq!(spec.image.containers.len(), 1);
        let refused = import(&key(), &containers, Some("wokrer"), None).unwrap_err().to_string();
        assert!(refused.contains("no container is called wokrer; there are web, worker"), "{refused}");
    }

    #[test]
    fn another_accounts_image_keeps_its_registry() {
        let container = Container { name: "web".into(), image: format!("{ECR}/shop:1.0.0") };
        for (account, repository) in
            [("123456789012", format!("{ECR}/shop")), ("111122223333", "shop".to_owned())]
        {
            let home = Home { account: Some(account.into()), region: "eu-central-1".into() };
            let yaml = import(&key(), std::slice::from_ref(&container), None, Some(&home)).unwrap();
            let spec = ServiceSpec::parse(&yaml).unwrap_or_else(|error| panic!("{yaml}\n{error}"));
            assert_eq!(spec.image.repository.as_str(), repository, "in {account}");
        }
    }

    #[test]
    fn an_image_of_nobodys_account_is_refused() {
        for image in ["nginx:1.27", "public.ecr.aws/nginx/nginx:1", "ghcr.io/team/shop:1"] {
            let refused = one(image).unwrap_err().to_string();
            assert!(refused.contains("no container runs an image of ECR"), "{refused}");
        }
    }
}
