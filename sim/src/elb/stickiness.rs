//! The load balancer's cookies: `AWSALBTG` keeps a client with a target group, `AWSALB` with
//! a target. ([AWS][page])
//!
//! What they hold is opaque to clients there and here; here it is not encrypted. Each has a
//! twin for cross-origin requests (`…CORS`), which counts as much. Their duration begins anew
//! with every answer. Cookies of the application's own (`app_cookie`) are refused.
//!
//! [page]: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/sticky-sessions.html

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::model::TargetGroup;
use super::route::{RequestHead, RouteDecision};
use crate::time::Time;

/// How long a browser keeps either cookie; what is in it may count for less.
const KEPT: Duration = Duration::from_hours(7 * 24);

const GROUP: &str = "AWSALBTG";
const TARGET: &str = "AWSALB";

/// What a cookie holds.
#[derive(Serialize, Deserialize)]
struct Bond {
    group: String,
    target: Option<(String, u16)>,
    until: Time,
}

/// The group that a client is bound to.
pub(super) fn group(head: &RequestHead, now: Time) -> Option<String> {
    bond(head, GROUP, now).map(|bond| bond.group)
}

/// The target of this group that a client is bound to.
pub(super) fn target(head: &RequestHead, group: &str, now: Time) -> Option<(String, u16)> {
    bond(head, TARGET, now).filter(|bond| bond.group == group)?.target
}

/// The `Set-Cookie` headers that bind a client to a group.
pub(super) fn bind_group(group: &str, secs: u32, now: Time) -> [String; 2] {
    cookies(GROUP, &Bond { group: group.to_owned(), target: None, until: now + seconds(secs) }, now)
}

/// The `Set-Cookie` headers that bind a client to a target.
pub(super) fn bind_target(group: &str, target: (String, u16), secs: u32, now: Time) -> [String; 2] {
    cookies(TARGET, &Bond { group: group.to_owned(), target: Some(target), until: now + seconds(secs) }, now)
}

fn seconds(secs: u32) -> Duration {
    Duration::from_secs(secs.into())
}

/// What cannot be read, or is over, binds nobody.
fn bond(head: &RequestHead, name: &str, now: Time) -> Option<Bond> {
    let twin = format!("{name}CORS");
    let value = head.cookie(name).or_else(|| head.cookie(&twin))?;
    let bond: Bond = serde_json::from_slice(&STANDARD.decode(value).ok()?).ok()?;
    (bond.until > now).then_some(bond)
}

fn cookies(name: &str, bond: &Bond, now: Time) -> [String; 2] {
    let value = STANDARD.encode(serde_json::to_vec(bond).unwrap_or_default());
    let rest = format!("={value}; Expires={}; Path=/", (now + KEPT).http_date());
    [format!("{name}{rest}"), format!("{name}CORS{rest}; SameSite=None; Secure")]
}

impl TargetGroup {
    /// For how long its clients are bound to a target, if they are. What is stored was checked
    /// on its way in.
    pub(super) fn sticky_secs(&self) -> Option<u32> {
        if !self.is_sticky() {
            return None;
        }
        self.attributes.get("stickiness.lb_cookie.duration_seconds")?.parse().ok()
    }

    /// Whether `stickiness.enabled` is on.
    pub(super) fn is_sticky(&self) -> bool {
        self.attributes.get("stickiness.enabled").is_some_and(|on| on == "true")
    }
}

impl RequestHead {
    fn cookie(&self, name: &str) -> Option<&str> {
        let headers = self.headers.iter().filter(|(header, _)| header.eq_ignore_ascii_case("cookie"));
        let mut pairs = headers.flat_map(|(_, value)| value.split(';'));
        pairs.find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
    }
}

/// One client's cookies: give each its own, and its requests stick as a browser's do.
#[derive(Debug, Clone, Default)]
pub struct Jar(BTreeMap<String, String>);

impl Jar {
    /// The request with this client's cookies.
    #[must_use]
    pub fn onto(&self, mut head: RequestHead) -> RequestHead {
        let pairs: Vec<_> = self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !pairs.is_empty() {
            head.headers.push(("cookie".into(), pairs.join("; ")));
        }
        head
    }

    /// Keeps what an answer sets.
    pub fn keep(&mut self, decision: &RouteDecision) {
        let RouteDecision::Forward { cookies, .. } = decision else { return };
        for cookie in cookies {
            let pair = cookie.split(';').next().unwrap_or_default();
            if let Some((name, value)) = pair.split_once('=') {
                self.0.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}
