//! The policy: which of a repository's tags are wanted, and which of those comes first.
//!
//! Three written forms, one type: in a spec a word (`policy: latest`) or a map with one
//! key (`policy: {semver: "1.x"}`), in tags and labels the compact form (`semver=1.x`).

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use globset::{Glob, GlobMatcher};
use regex::bytes::{Regex, RegexBuilder};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use semver::{Version, VersionReq};
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Unexpected, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::select::{Candidate, Rank};
use crate::id::{ImageTag, Timestamp};
use crate::ledger::{InFlight, Pin, Settled};

/// Which of a repository's images is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Policy {
    /// Wherever this tag points now. `latest` is one of them.
    Tag(ImageTag),
    /// The newest push of those with a tag that the glob matches whole.
    Glob(TagGlob),
    /// The newest push of those with a tag in which the regex is found.
    Regex(TagRegex),
    /// The highest version of those in the range, by semver's precedence.
    Semver(VersionRange),
    /// The newest push of all that have a tag.
    Newest,
}

/// As with `docker pull` without a tag.
impl Default for Policy {
    fn default() -> Self {
        Self::Tag("latest".into())
    }
}

/// A policy that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Not one of the compact forms.
    #[error(
        "`{0}` is no image policy: a tag (`latest`), `semver=1.x`, `prefix=prod-`, `glob=prod-*`, \
         `regex=^v[0-9]+$` or `newest=all`"
    )]
    Form(String),
    /// A tag with characters that no registry takes.
    #[error("`{0}` is no image tag: at most 128 letters, digits, `_`, `.` and `-`, the first no `.` or `-`")]
    Tag(String),
    /// A glob that does not compile.
    #[error("the glob `{glob}` cannot be read: {reason}")]
    Glob {
        /// As it was written.
        glob: String,
        /// The compiler's words.
        reason: String,
    },
    /// A regex that does not compile.
    #[error("the regex `{regex}` cannot be read: {reason}")]
    Regex {
        /// As it was written.
        regex: String,
        /// The compiler's words.
        reason: String,
    },
    /// A range that semver does not take.
    #[error(
        "the version range `{range}` cannot be read: {reason}; write `1.x`, `1.2.x`, `=1.2.3`, or with \
         commas `>=1.2.0, <2.0.0`"
    )]
    Range {
        /// As it was written.
        range: String,
        /// semver's words.
        reason: String,
    },
}

/// What runs now, as far as a policy's order needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Live<'a> {
    /// The tag it was chosen by.
    pub tag: Option<&'a ImageTag>,
    /// When it was pushed.
    pub pushed_at: Option<Timestamp>,
}

impl<'a> From<&'a Settled> for Live<'a> {
    fn from(settled: &'a Settled) -> Self {
        Self { tag: settled.tag.as_ref(), pushed_at: settled.pushed_at }
    }
}

impl<'a> From<&'a Pin> for Live<'a> {
    /// What the rollback left; of what nobody knows when it was pushed, all that came before
    /// the order is taken for older.
    fn from(pin: &'a Pin) -> Self {
        Self { tag: pin.left_tag.as_ref(), pushed_at: pin.left_pushed_at.or(Some(pin.order.at)) }
    }
}

impl<'a> From<&'a InFlight> for Live<'a> {
    fn from(in_flight: &'a InFlight) -> Self {
        Self { tag: in_flight.tag.as_ref(), pushed_at: in_flight.pushed_at }
    }
}

impl Policy {
    /// Exactly this tag.
    pub fn tag(text: &str) -> Result<Self, PolicyError> {
        if is_tag(text) { Ok(Self::Tag(text.into())) } else { Err(PolicyError::Tag(text.to_owned())) }
    }

    /// All tags that begin so.
    pub fn prefix(text: &str) -> Result<Self, PolicyError> {
        // A tag's characters mean themselves in a glob, so that nothing is to be escaped.
        if is_tag(text) { Self::glob(&format!("{text}*")) } else { Err(PolicyError::Tag(text.to_owned())) }
    }

    /// All tags that the glob matches whole.
    pub fn glob(text: &str) -> Result<Self, PolicyError> {
        text.parse().map(Self::Glob)
    }

    /// All tags in which the regex is found.
    pub fn regex(text: &str) -> Result<Self, PolicyError> {
        text.parse().map(Self::Regex)
    }

    /// All versions of the range.
    pub fn semver(text: &str) -> Result<Self, PolicyError> {
        text.parse().map(Self::Semver)
    }

    /// The compact form, one text for each meaning: reads back to the same policy.
    pub fn canonical_text(&self) -> String {
        match self {
            Self::Tag(tag) if tag.as_str() == NEWEST => format!("tag={tag}"),
            Self::Tag(tag) => tag.to_string(),
            Self::Glob(glob) => format!("glob={glob}"),
            Self::Regex(regex) => format!("regex={regex}"),
            Self::Semver(range) => format!("semver={range}"),
            Self::Newest => format!("{NEWEST}=all"),
        }
    }

    /// Where an image with this tag stands in the policy's order; `None` if the tag is not
    /// wanted.
    pub fn rank(&self, tag: &ImageTag, pushed_at: Timestamp) -> Option<Rank> {
        let text = tag.as_str();
        match self {
            Self::Tag(wanted) => (wanted == tag).then_some(Rank::Pointed),
            Self::Glob(glob) => glob.matcher.is_match(text).then_some(Rank::Pushed(pushed_at)),
            Self::Regex(regex) => regex.regex.is_match(text.as_bytes()).then_some(Rank::Pushed(pushed_at)),
            Self::Semver(range) => range.version_of(text).map(Rank::Version),
            Self::Newest => Some(Rank::Pushed(pushed_at)),
        }
    }

    /// Whether the candidate comes before what is live in the policy's order: rolling it
    /// out would be a silent downgrade. That happens when the live image was deleted, and
    /// the best that is left is an older one.
    ///
    /// 1. An exact tag goes wherever it points: whoever moved it back meant to.
    /// 2. What is live by another policy's order cannot be compared: no.
    /// 3. Versions by precedence, then by push; everything else by push.
    pub fn older<'a>(&self, live: impl Into<Live<'a>>, candidate: &Candidate) -> bool {
        let Live { tag: Some(live_tag), pushed_at } = live.into() else { return false };
        let live_rank = self.rank(live_tag, pushed_at.unwrap_or(Timestamp::MAX));
        match (live_rank, &candidate.rank) {
            (Some(Rank::Version(live)), Rank::Version(version)) => {
                version < &live || (version == &live && pushed_at.is_some_and(|at| candidate.pushed_at < at))
            }
            (Some(Rank::Pushed(_)), Rank::Pushed(at)) => pushed_at.is_some_and(|live| *at < live),
            _ => false,
        }
    }
}

impl Policy {
    /// Whether the candidate comes after `left` in the policy's order: a rollback from `left`
    /// does not hold against it. By version where both have one; else by push.
    pub fn newer<'a>(&self, left: impl Into<Live<'a>>, candidate: &Candidate) -> bool {
        let Live { tag, pushed_at } = left.into();
        let pushed_later = pushed_at.is_some_and(|left| candidate.pushed_at > left);
        let rank = tag.and_then(|tag| self.rank(tag, pushed_at.unwrap_or(Timestamp::MIN)));
        match (rank, &candidate.rank) {
            (Some(Rank::Version(left)), Rank::Version(version)) => {
                version > &left || (version == &left && pushed_later)
            }
            _ => pushed_later,
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.canonical_text())
    }
}

/// The word for [`Policy::Newest`].
const NEWEST: &str = "newest";

/// The compact form.
impl FromStr for Policy {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        match text.split_once('=') {
            None if text == NEWEST => Ok(Self::Newest),
            None => Self::tag(text),
            Some((NEWEST, "all")) => Ok(Self::Newest),
            Some(("tag", value)) => Self::tag(value),
            Some(("semver", value)) => Self::semver(value),
            Some(("prefix", value)) => Self::prefix(value),
            Some(("glob", value)) => Self::glob(value),
            Some(("regex", value)) => Self::regex(value),
            Some(_) => Err(PolicyError::Form(text.to_owned())),
        }
    }
}

/// The distribution specification's tag: `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`.
fn is_tag(text: &str) -> bool {
    text.len() <= 128
        && !text.is_empty()
        && !text.starts_with(['.', '-'])
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

/// A glob over tags, compiled.
#[derive(Debug, Clone)]
pub struct TagGlob {
    matcher: GlobMatcher,
}

impl FromStr for TagGlob {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        let failed = |reason| PolicyError::Glob { glob: text.to_owned(), reason };
        if text.is_empty() {
            return Err(failed("it is empty and matches no tag".into()));
        }
        let glob = Glob::new(text).map_err(|error| failed(error.kind().to_string()))?;
        Ok(Self { matcher: glob.compile_matcher() })
    }
}

impl fmt::Display for TagGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.matcher.glob().glob())
    }
}

impl PartialEq for TagGlob {
    fn eq(&self, other: &Self) -> bool {
        self.matcher.glob() == other.matcher.glob()
    }
}

impl Eq for TagGlob {}

/// A regex over tags, compiled. Found anywhere in the tag unless it is anchored.
#[derive(Debug, Clone)]
pub struct TagRegex {
    regex: Regex,
}

/// Bytes that a compiled regex may take. A tag has 128 characters: what needs more is a mistake.
const REGEX_SIZE_LIMIT: usize = 1 << 20;

impl FromStr for TagRegex {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        // Over bytes and ASCII, as tags are: `(?i)` then needs no tables of Unicode's.
        RegexBuilder::new(text)
            .unicode(false)
            .size_limit(REGEX_SIZE_LIMIT)
            .build()
            .map(|regex| Self { regex })
            .map_err(|error| PolicyError::Regex { regex: text.to_owned(), reason: last_line(&error) })
    }
}

/// The last line of the compiler's message: the others draw the expression again.
pub(crate) fn last_line(error: &regex::Error) -> String {
    let text = error.to_string();
    let line = text.lines().last().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

impl fmt::Display for TagRegex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.regex.as_str())
    }
}

impl PartialEq for TagRegex {
    fn eq(&self, other: &Self) -> bool {
        self.regex.as_str() == other.regex.as_str()
    }
}

impl Eq for TagRegex {}

/// A range of versions, in the semver crate's terms, with one difference: a version
/// without an operator is meant as it stands (`1.2` is `1.2.x`, `1.2.3` is `=1.2.3`), as in
/// npm and in Flux; the crate would read Cargo's caret into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionRange {
    range: VersionReq,
}

impl VersionRange {
    /// The version that a tag names (a leading `v` is allowed), if the range has it. Its
    /// build metadata is dropped: it does not count in the order.
    ///
    /// Prereleases belong to a range only where it names one of the same version
    /// (`>=1.2.0-rc.1`), as the semver crate has it. Floating tags (`1`, `1.2`) are no versions.
    pub fn version_of(&self, tag: &str) -> Option<Version> {
        let mut version = Version::parse(tag.strip_prefix('v').unwrap_or(tag)).ok()?;
        version.build = semver::BuildMetadata::EMPTY;
        self.range.matches(&version).then_some(version)
    }
}

impl FromStr for VersionRange {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        let exact: Vec<String> = text.split(',').map(|part| as_it_stands(part.trim())).collect();
        let range = VersionReq::parse(&exact.join(", "))
            .map_err(|error| PolicyError::Range { range: text.to_owned(), reason: error.to_string() })?;
        Ok(Self { range })
    }
}

/// `1.2` → `=1.2`; a wildcard or an operator says it already.
fn as_it_stands(comparator: &str) -> String {
    let bare = comparator.strip_prefix('v').unwrap_or(comparator);
    let is_version = bare.starts_with(|c: char| c.is_ascii_digit());
    let has_wildcard = bare.split(['.', '-', '+']).take(3).any(|part| matches!(part, "x" | "X" | "*"));
    if is_version && !has_wildcard { format!("={bare}") } else { bare.to_owned() }
}

impl fmt::Display for VersionRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.range.fmt(f)
    }
}

impl Serialize for Policy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (key, value) = match self {
            Self::Tag(tag) if tag.as_str() == NEWEST => ("tag", tag.to_string()),
            Self::Tag(tag) => return serializer.serialize_str(tag.as_str()),
            Self::Newest => return serializer.serialize_str(NEWEST),
            Self::Glob(glob) => ("glob", glob.to_string()),
            Self::Regex(regex) => ("regex", regex.to_string()),
            Self::Semver(range) => ("semver", range.to_string()),
        };
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(key, &value)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for Policy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PolicyVisitor)
    }
}

/// The map form. A prefix is read, and written as the glob that it is.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Form {
    Tag(String),
    Glob(String),
    Regex(String),
    Semver(String),
    Prefix(String),
}

struct PolicyVisitor;

impl<'de> Visitor<'de> for PolicyVisitor {
    type Value = Policy;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a tag in quotes, `newest`, or a map with one of `tag`, `glob`, `regex`, `semver`, `prefix`",
        )
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Policy, E> {
        text.parse().map_err(E::custom)
    }

    // A tag that looks like a number would lose digits (`1.10`): it is not guessed at.
    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Policy, E> {
        Err(E::invalid_type(Unexpected::Float(number), &self))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Policy, A::Error> {
        let read = match Form::deserialize(MapAccessDeserializer::new(map))? {
            Form::Tag(text) => Policy::tag(&text),
            Form::Glob(text) => Policy::glob(&text),
            Form::Regex(text) => Policy::regex(&text),
            Form::Semver(text) => Policy::semver(&text),
            Form::Prefix(text) => Policy::prefix(&text),
        };
        read.map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Policy {
    fn schema_name() -> Cow<'static, str> {
        "Policy".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Which of the repository's images: a tag, `newest`, or one of the map's keys.",
            "anyOf": [
                {"type": "string"},
                {
                    "type": "object",
                    "minProperties": 1,
                    "maxProperties": 1,
                    "additionalProperties": false,
                    "properties": {
                        "tag": {"type": "string", "description": "Wherever this tag points now."},
                        "glob": {"type": "string", "description": "The newest push of the tags it matches whole."},
                        "regex": {"type": "string", "description": "The newest push of the tags it is found in."},
                        "semver": {"type": "string", "description": "The highest version of the range."},
                        "prefix": {"type": "string", "description": "The newest push of the tags that begin so."},
                    },
                },
            ],
        })
    }
}
