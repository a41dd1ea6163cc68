//! What of the world a verdict takes.

use crate::spec::{HttpCheck, RouteSpec, ServiceSpec, TestRoute};

/// What must be observed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// Requests, in the order of the spec's checks.
    pub http: Vec<HttpAsk>,
    /// Alarms, by name.
    pub alarms: Vec<String>,
    /// Whose numbers the new revision's are held against.
    pub compare: Option<Baseline>,
}

impl Wanted {
    /// Whether there is nothing to look at.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// A request through the load balancer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpAsk {
    /// The path, with its query.
    pub path: String,
    /// The `Host` header; `None`: the load balancer's own name.
    pub host: Option<String>,
    /// Further headers, the test route's among them.
    pub headers: Vec<(String, String)>,
    /// How often.
    pub tries: u32,
}

/// Whose numbers the new revision's are held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Baseline {
    /// The old revision's at the same time.
    Beside,
    /// The old revision's over as long a time before: it carries nothing any more.
    Before,
}

/// What the spec's checks take; `baseline` is what there is to compare with.
///
/// Without production requests that is nothing: the test route's are our own.
pub fn wanted(spec: &ServiceSpec, baseline: Option<Baseline>) -> Wanted {
    let Some(verify) = &spec.verify else { return Wanted::default() };
    let test = spec.rollout.as_ref().and_then(|rollout| rollout.test_route.as_ref());
    Wanted {
        http: verify.http.iter().map(|check| ask(check, spec.route.as_ref(), test)).collect(),
        alarms: verify.alarms.clone(),
        compare: baseline.filter(|_| verify.compare.is_some()),
    }
}

fn ask(check: &HttpCheck, route: Option<&RouteSpec>, test: Option<&TestRoute>) -> HttpAsk {
    let own = check.headers.iter().map(|(name, value)| (name.clone(), value.clone()));
    let header = test.and_then(|test| Some((test.header.clone(), literal(&test.values)?)));
    HttpAsk {
        path: check.path.clone(),
        host: check.host.clone().or_else(|| literal(&route?.hosts)),
        headers: own.chain(header).collect(),
        tries: check.tries,
    }
}

/// The first value that a request can carry: a pattern is none.
pub(crate) fn literal(values: &[String]) -> Option<String> {
    values.iter().find(|value| !value.contains(['*', '?'])).cloned()
}
