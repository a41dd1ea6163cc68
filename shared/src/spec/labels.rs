//! The label form: a new application comes up from its first push alone, where the stack's
//! guard rails allow it.
//!
//! Whoever may push to a repository writes these labels, so that they are never trusted:
//! they name no role, no secret and no priority, and each is held against [`GuardRails`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::problem::{SpecError, nearest};
use super::{HealthSpec, ImageSpec, NetworkMode, Priority, RolloutSpec, RouteSpec, ServiceSpec, TaskSpec};
use crate::id::{ClusterName, RepositoryName, ServiceKey};
use crate::image::Policy;

const PREFIX: &str = "windlass.";
/// What a task gets where no label says: a quarter of a vCPU and half a GiB, ECS Express's own.
const DEFAULT_CPU: u32 = 256;
const DEFAULT_MEMORY: u32 = 512;

/// The labels that mean something, without their prefix.
const KNOWN: [&str; 16] = [
    "cluster",
    "cpu",
    "deregistration_delay",
    "desired",
    "grace",
    "health",
    "health_interval",
    "health_matcher",
    "health_timeout",
    "host",
    "memory",
    "path",
    "policy",
    "port",
    "service",
    "stop_timeout",
];

/// What labels may ask for: parameters of the stack, set by whoever runs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct GuardRails {
    /// Labels make services at all.
    pub enabled: bool,
    /// In these clusters alone.
    pub clusters: BTreeSet<ClusterName>,
    /// Below these paths alone: `/team-a`; `/` allows every path. None: no path at all.
    pub path_prefixes: Vec<String>,
    /// On these hosts alone: `shop.example.com`, `*.example.com`; `*` allows every host.
    pub hosts: Vec<String>,
    /// CPU units a task at most.
    pub max_cpu: u32,
    /// MiB a task at most.
    pub max_memory: u32,
    /// Tasks at most.
    pub max_desired: u32,
}

/// Labels that make no service, with everything that is against it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub struct LabelRefusal {
    /// The repository whose image has the labels.
    pub repository: RepositoryName,
    /// At least one.
    pub reasons: Vec<LabelProblem>,
}

impl fmt::Display for LabelRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no service is made from the labels of {}", self.repository)?;
        for reason in &self.reasons {
            write!(f, "\n{reason}")?;
        }
        Ok(())
    }
}

/// One thing that is against making a service from labels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum LabelProblem {
    /// The stack does not make services from labels.
    #[error(
        "the stack makes no services from labels: allow it with its label parameters, or write a spec and \
         `windlass apply` it"
    )]
    Disabled,
    /// Another account's image: whoever pushes there was given no say here.
    #[error(
        "another account's images make no services by their labels: write a spec with `image.repository: {0}` and \
         `windlass apply` it"
    )]
    OtherRegistry(RepositoryName),
    /// A label that means nothing.
    #[error("unknown label `{label}`: {}", did_you_mean(.nearest.as_deref()))]
    Unknown {
        /// Its whole name.
        label: String,
        /// The known one that it is nearest to.
        nearest: Option<String>,
    },
    /// A label whose value cannot be read.
    #[error("label `{label}={value}`: {reason}; correct it in the Dockerfile and push again")]
    Bad {
        /// Its whole name.
        label: String,
        /// Its value.
        value: String,
        /// What is wanted.
        reason: String,
    },
    /// A label beyond the guard rails.
    #[error(
        "label `{label}={value}` is not allowed: {allowed}; change the label, or the stack's guard rails, or \
         write a spec and `windlass apply` it"
    )]
    NotAllowed {
        /// Its whole name.
        label: String,
        /// Its value.
        value: String,
        /// What is.
        allowed: String,
    },
    /// The labels can be read, and what they say together cannot be used.
    #[error("the labels together: {0}; correct them in the Dockerfile and push again")]
    Spec(String),
}

fn did_you_mean(nearest: Option<&str>) -> String {
    match nearest {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => format!("known are {PREFIX}{}", KNOWN.join(&format!(", {PREFIX}"))),
    }
}

/// Reads an image's labels. `Ok(None)`: none of them is ours, and nothing is wanted.
pub fn from_labels(
    repository: &RepositoryName,
    labels: &BTreeMap<String, String>,
    rails: &GuardRails,
    default_cluster: &ClusterName,
) -> Result<Option<(ServiceKey, ServiceSpec)>, LabelRefusal> {
    let ours: BTreeMap<&str, &str> = labels
        .iter()
        .filter_map(|(label, value)| Some((label.strip_prefix(PREFIX)?, value.trim())))
        .collect();
    if ours.is_empty() {
        return Ok(None);
    }
    if !rails.enabled {
        return Err(LabelRefusal { repository: repository.clone(), reasons: vec![LabelProblem::Disabled] });
    }
    if repository.registry().is_some() {
        let reasons = vec![LabelProblem::OtherRegistry(repository.clone())];
        return Err(LabelRefusal { repository: repository.clone(), reasons });
    }
    let mut reader = Reader { ours, reasons: Vec::new() };
    reader.unknown();
    let key = reader.key(repository, default_cluster);
    let spec = reader.spec(repository);
    reader.guard(&key, &spec, rails);
    if reader.reasons.is_empty() {
        let named = ServiceSpec {
            cluster: Some(key.cluster.clone()),
            service: Some(key.service.clone()),
            ..spec.clone()
        };
        match named.check() {
            Ok(()) => return Ok(Some((key, spec))),
            Err(SpecError { problems }) => {
                reader.reasons =
                    problems.iter().map(|problem| LabelProblem::Spec(problem.to_string())).collect();
            }
        }
    }
    Err(LabelRefusal { repository: repository.clone(), reasons: reader.reasons })
}

/// Reads label by label and keeps what is wrong, so that one push tells all of it.
struct Reader<'a> {
    ours: BTreeMap<&'a str, &'a str>,
    reasons: Vec<LabelProblem>,
}

impl Reader<'_> {
    fn unknown(&mut self) {
        for label in self.ours.keys().filter(|label| !KNOWN.contains(label)) {
            self.reasons.push(LabelProblem::Unknown {
                label: format!("{PREFIX}{label}"),
                nearest: nearest(label, KNOWN).map(|near| format!("{PREFIX}{near}")),
            });
        }
    }

    fn text(&self, label: &str) -> Option<String> {
        self.ours.get(label).map(|value| (*value).to_owned())
    }

    /// Values between commas.
    fn list(&self, label: &str) -> Vec<String> {
        let values = self.ours.get(label).map_or("", |values| values);
        values.split(',').map(str::trim).filter(|value| !value.is_empty()).map(str::to_owned).collect()
    }

    fn number<T: std::str::FromStr>(&mut self, label: &str) -> Option<T> {
        let value = self.ours.get(label)?;
        let number = value.parse().ok();
        if number.is_none() {
            self.bad(label, "wants a whole number");
        }
        number
    }

    fn bad(&mut self, label: &str, reason: impl Into<String>) {
        let value = self.text(label).unwrap_or_default();
        self.reasons.push(LabelProblem::Bad {
            label: format!("{PREFIX}{label}"),
            value,
            reason: reason.into(),
        });
    }

    fn key(&self, repository: &RepositoryName, default_cluster: &ClusterName) -> ServiceKey {
        let last = repository.as_str().rsplit('/').next().unwrap_or_default();
        let cluster = self.text("cluster").map_or_else(|| default_cluster.clone(), ClusterName::new);
        ServiceKey::new(cluster, self.text("service").unwrap_or_else(|| last.to_owned()))
    }

    fn spec(&mut self, repository: &RepositoryName) -> ServiceSpec {
        let policy = match self.text("policy").map(|text| text.parse::<Policy>()) {
            None => Policy::Newest,
            Some(Ok(policy)) => policy,
            Some(Err(error)) => {
                self.bad("policy", error.to_string());
                Policy::Newest
            }
        };
        let image = ImageSpec { repository: repository.clone(), policy, containers: Vec::new() };
        let mut spec = ServiceSpec::of_image(image);
        spec.task = Some(self.task());
        spec.route = self.route();
        spec.desired = self.number("desired").unwrap_or(spec.desired);
        spec.rollout =
            self.number("grace").map(|grace_secs| RolloutSpec { grace_secs, ..RolloutSpec::default() });
        spec
    }

    fn task(&mut self) -> TaskSpec {
        TaskSpec {
            container: None,
            cpu: self.number("cpu").unwrap_or(DEFAULT_CPU),
            memory: self.number("memory").unwrap_or(DEFAULT_MEMORY),
            port: self.number("port"),
            env: BTreeMap::new(),
            secrets: BTreeMap::new(),
            command: Vec::new(),
            task_role: None,
            execution_role: None,
            network_mode: NetworkMode::Bridge,
            stop_timeout_secs: self.number("stop_timeout"),
            log: None,
            architecture: None,
        }
    }

    /// A route where a path or a host is given; without either the service is a worker.
    fn route(&mut self) -> Option<RouteSpec> {
        let (paths, hosts) = (self.list("path"), self.list("host"));
        let asked = self.ours.contains_key("path") || self.ours.contains_key("host");
        let health = self.health();
        let route = RouteSpec { health, ..RouteSpec::new(paths, hosts) };
        let delay = self.number("deregistration_delay").unwrap_or(route.deregistration_delay_secs);
        asked.then_some(RouteSpec { deregistration_delay_secs: delay, priority: Priority::Auto, ..route })
    }

    fn health(&mut self) -> HealthSpec {
        let default = HealthSpec::default();
        HealthSpec {
            path: self.text("health").unwrap_or(default.path),
            matcher: self.text("health_matcher").unwrap_or(default.matcher),
            interval_secs: self.number("health_interval").unwrap_or(default.interval_secs),
            timeout_secs: self.number("health_timeout").unwrap_or(default.timeout_secs),
            ..default
        }
    }

    /// What was asked for, defaults too, against what is allowed.
    fn guard(&mut self, key: &ServiceKey, spec: &ServiceSpec, rails: &GuardRails) {
        let cluster_allowed = rails.clusters.contains(&key.cluster);
        self.allow(cluster_allowed, "cluster", key.cluster.as_str(), || {
            list_of("the clusters", &rails.clusters)
        });
        for path in spec.route.iter().flat_map(|route| &route.paths) {
            let allowed = rails.path_prefixes.iter().any(|prefix| is_below(path, prefix));
            self.allow(allowed, "path", path, || list_of("the paths below", &rails.path_prefixes));
        }
        for host in spec.route.iter().flat_map(|route| &route.hosts) {
            let allowed = rails.hosts.iter().any(|rail| is_host_of(host, rail));
            self.allow(allowed, "host", host, || list_of("the hosts", &rails.hosts));
        }
        let task = spec.task.as_ref();
        for (label, asked, most) in [
            ("cpu", task.map_or(0, |task| task.cpu), rails.max_cpu),
            ("memory", task.map_or(0, |task| task.memory), rails.max_memory),
            ("desired", spec.desired, rails.max_desired),
        ] {
            self.allow(asked <= most, label, &asked.to_string(), || format!("at most {most} is"));
        }
    }

    fn allow(&mut self, allowed: bool, label: &str, value: &str, which: impl FnOnce() -> String) {
        if !allowed {
            self.reasons.push(LabelProblem::NotAllowed {
                label: format!("{PREFIX}{label}"),
                value: if self.ours.contains_key(label) {
                    value.to_owned()
                } else {
                    format!("{value} (the default)")
                },
                allowed: which(),
            });
        }
    }
}

fn list_of<T: fmt::Display>(what: &str, allowed: impl IntoIterator<Item = T>) -> String {
    let words: Vec<_> = allowed.into_iter().map(|word| word.to_string()).collect();
    if words.is_empty() { "none is".into() } else { format!("{what} {} are", words.join(", ")) }
}

/// Whether every path that the pattern matches lies at or below the prefix: `/team-a`
/// allows `/team-a` and `/team-a/*`, not `/team-a*`, which takes `/team-abc` too.
fn is_below(pattern: &str, prefix: &str) -> bool {
    let prefix = prefix.trim_end_matches('*').trim_end_matches('/');
    match pattern.strip_prefix(prefix) {
        Some(rest) => {
            rest.is_empty() || rest.starts_with('/') || (prefix.is_empty() && rest.starts_with('*'))
        }
        None => false,
    }
}

/// Whether every host that the pattern matches is one that the rail allows.
fn is_host_of(pattern: &str, rail: &str) -> bool {
    let (pattern, rail) = (pattern.to_ascii_lowercase(), rail.to_ascii_lowercase());
    match rail.strip_prefix('*') {
        Some("") => true,
        Some(suffix) if suffix.starts_with('.') => pattern.len() > suffix.len() && pattern.ends_with(suffix),
        _ => pattern == rail,
    }
}
