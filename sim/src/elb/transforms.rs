//! A rule's transforms: the request is rewritten after a rule has matched and before it goes
//! to a target, so they change no decision. ([AWS][page])
//!
//! Not stated by AWS and taken to be so: every match in the text is replaced, not the first
//! alone; and a transform takes one rewrite (the API's list is refused with more).
//!
//! [page]: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-transforms.html

use regex::{Captures, Regex};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::input::invalid;
use super::model::{Rewrite, Transform};
use super::route::RequestHead;
use crate::call::ApiError;

/// The longest regular expression, and the longest replacement.
const LONGEST: usize = 1024;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    r#type: String,
    host_header_rewrite_config: Option<Config>,
    url_rewrite_config: Option<Config>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    #[serde(default)]
    rewrites: Vec<RewriteInput>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RewriteInput {
    regex: String,
    replace: String,
}

/// Reads `Transforms`: at most one of each type.
pub(super) fn read(inputs: Vec<Input>) -> Result<Vec<Transform>, ApiError> {
    let transforms = inputs.into_iter().map(Input::read).collect::<Result<Vec<_>, _>>()?;
    for (at, transform) in transforms.iter().enumerate() {
        if transforms[..at].iter().any(|other| other.kind() == transform.kind()) {
            let message = format!("A rule can only have one '{}' transform", transform.kind());
            return Err(invalid(message));
        }
    }
    Ok(transforms)
}

impl Input {
    fn read(self) -> Result<Transform, ApiError> {
        let (host, url) = (self.host_header_rewrite_config, self.url_rewrite_config);
        match (self.r#type.as_str(), host, url) {
            ("host-header-rewrite", Some(config), None) => Ok(Transform::Host(one(config)?)),
            ("url-rewrite", None, Some(config)) => Ok(Transform::Url(one(config)?)),
            ("host-header-rewrite" | "url-rewrite", ..) => Err(invalid(format!(
                "A transform of type '{}' must have that type's configuration and no other",
                self.r#type
            ))),
            (other, ..) => Err(invalid(format!(
                "Transform type '{other}' must be one of '[host-header-rewrite, url-rewrite]'"
            ))),
        }
    }
}

fn one(config: Config) -> Result<Rewrite, ApiError> {
    let [RewriteInput { regex, replace }] = <[_; 1]>::try_from(config.rewrites)
        .map_err(|all| invalid(format!("A transform must have exactly one rewrite, not '{}'", all.len())))?;
    for text in [&regex, &replace] {
        if text.len() > LONGEST {
            return Err(invalid(format!("Rewrite '{text}' cannot be longer than '{LONGEST}' characters")));
        }
    }
    Regex::new(&regex).map_err(|error| invalid(format!("Rewrite regex '{regex}' is not valid: {error}")))?;
    Ok(Rewrite { regex, replace })
}

impl Transform {
    fn kind(&self) -> &'static str {
        match self {
            Self::Host(_) => "host-header-rewrite",
            Self::Url(_) => "url-rewrite",
        }
    }
}

/// As `DescribeRules` gives it.
pub(super) fn json(transform: &Transform) -> Value {
    let config =
        |rewrite: &Rewrite| json!({ "Rewrites": [{ "Regex": rewrite.regex, "Replace": rewrite.replace }] });
    match transform {
        Transform::Host(rewrite) => {
            json!({ "Type": transform.kind(), "HostHeaderRewriteConfig": config(rewrite) })
        }
        Transform::Url(rewrite) => json!({ "Type": transform.kind(), "UrlRewriteConfig": config(rewrite) }),
    }
}

/// What a rule's transforms made of a request; what they left alone is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rewritten {
    /// The new Host header.
    pub host: Option<String>,
    /// The new path, with its query.
    pub path_and_query: Option<String>,
}

/// The pattern matched, and what came of it is no host or no path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Failed;

/// Carries the transforms out.
pub(super) fn carry_out(transforms: &[Transform], head: &RequestHead) -> Result<Rewritten, Failed> {
    let mut rewritten = Rewritten::default();
    for transform in transforms {
        match transform {
            Transform::Host(rewrite) => rewritten.host = checked(rewrite.of(&head.host), is_host)?,
            Transform::Url(rewrite) => {
                rewritten.path_and_query = checked(rewrite.of(&head.path_and_query()), is_path)?;
            }
        }
    }
    Ok(rewritten)
}

fn checked(text: Option<String>, is_valid: impl Fn(&str) -> bool) -> Result<Option<String>, Failed> {
    if text.as_deref().is_none_or(is_valid) { Ok(text) } else { Err(Failed) }
}

fn is_host(text: &str) -> bool {
    text.parse::<http::uri::Authority>().is_ok()
}

fn is_path(text: &str) -> bool {
    text.starts_with('/') && text.parse::<http::uri::PathAndQuery>().is_ok()
}

impl Rewrite {
    /// The text with each match replaced; `None` where nothing matches.
    fn of(&self, text: &str) -> Option<String> {
        let regex = Regex::new(&self.regex).ok()?; // what is stored compiled on its way in
        let replaced = |found: &Captures<'_>| expand(&self.replace, found);
        regex.is_match(text).then(|| regex.replace_all(text, replaced).into_owned())
    }
}

/// `$1` to `$9` are the groups (`$0` the whole), whatever follows them; a group that took no
/// part is nothing, and a `$` before anything else is itself.
fn expand(template: &str, found: &Captures<'_>) -> String {
    let mut out = String::new();
    let mut chars = template.chars().peekable();
    while let Some(c) = chars.next() {
        let group = if c == '$' { chars.peek().and_then(|digit| digit.to_digit(10)) } else { None };
        match group {
            Some(group) => {
                chars.next();
                out.push_str(found.get(group as usize).map_or("", |group| group.as_str()));
            }
            None => out.push(c),
        }
    }
    out
}
