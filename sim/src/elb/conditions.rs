//! A rule's conditions: reading them, giving them back, and whether a request holds them.

use std::net::IpAddr;

use regex::Regex;
use serde::Deserialize;
use serde_json::{Value, json};

use super::input::invalid;
use super::model::Condition;
use super::quotas::{Quotas, keep};
use super::route::RequestHead;
use crate::call::ApiError;
use crate::wildcard;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    field: Option<String>,
    #[serde(default)]
    values: Vec<String>,
    #[serde(default)]
    regex_values: Vec<String>,
    host_header_config: Option<Config>,
    path_pattern_config: Option<Config>,
    http_header_config: Option<Config>,
    http_request_method_config: Option<Config>,
    source_ip_config: Option<Config>,
    query_string_config: Option<Query>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    http_header_name: Option<String>,
    #[serde(default)]
    values: Vec<String>,
    #[serde(default)]
    regex_values: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Query {
    #[serde(default)]
    values: Vec<QueryPair>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct QueryPair {
    key: Option<String>,
    #[serde(default)]
    value: String,
}

impl Input {
    fn read(self) -> Result<Condition, ApiError> {
        let field = self.field.unwrap_or_default();
        let short = (self.values, self.regex_values);
        let condition = match field.as_str() {
            "host-header" => {
                let Config { values, regex_values, .. } =
                    either(&field, short, "HostHeaderConfig", self.host_header_config)?;
                Condition::Host { values, regex: regex_values }
            }
            "path-pattern" => {
                let Config { values, regex_values, .. } =
                    either(&field, short, "PathPatternConfig", self.path_pattern_config)?;
                Condition::Path { values, regex: regex_values }
            }
            "http-header" => {
                let config = self.http_header_config.unwrap_or_default();
                let name =
                    config.http_header_name.ok_or_else(|| invalid("A header name must be specified"))?;
                Condition::Header { name, values: config.values, regex: config.regex_values }
            }
            "http-request-method" => {
                Condition::Method { values: self.http_request_method_config.unwrap_or_default().values }
            }
            "source-ip" => Condition::SourceIp { values: self.source_ip_config.unwrap_or_default().values },
            "query-string" => {
                let pairs = self.query_string_config.into_iter().flat_map(|config| config.values);
                Condition::Query { values: pairs.map(|pair| (pair.key, pair.value)).collect() }
            }
            "" => return Err(invalid("A condition field must be specified")),
            other => {
                return Err(invalid(format!(
                    "Condition field '{other}' must be one of '[path-pattern, host-header, http-header, \
                     http-request-method, query-string, source-ip]'"
                )));
            }
        };
        check(&condition)?;
        Ok(condition)
    }
}

/// Host and path take their values in either of two places, never in both. `DescribeRules`
/// gives both back: who sends that on as it is gets this error, as from AWS.
fn either(
    field: &str,
    (values, regex_values): (Vec<String>, Vec<String>),
    name: &str,
    config: Option<Config>,
) -> Result<Config, ApiError> {
    match config {
        Some(_) if !values.is_empty() || !regex_values.is_empty() => Err(invalid(format!(
            "You cannot provide both Values and '{name}' for a condition of type '{field}'"
        ))),
        Some(config) => Ok(config),
        None => Ok(Config { http_header_name: None, values, regex_values }),
    }
}

fn check(condition: &Condition) -> Result<(), ApiError> {
    let (texts, regexes) = texts(condition);
    if texts.is_empty() && regexes.is_empty() {
        return Err(invalid("A condition value must be specified"));
    }
    if let Some(long) = texts.iter().chain(&regexes).find(|text| text.len() > 128) {
        return Err(invalid(format!("Condition value '{long}' cannot be longer than '128' characters")));
    }
    for regex in regexes {
        Regex::new(regex)
            .map_err(|error| invalid(format!("Condition regex '{regex}' is not valid: {error}")))?;
    }
    if let Condition::SourceIp { values } = condition {
        for value in values {
            Cidr::parse(value)
                .ok_or_else(|| invalid(format!("Condition value '{value}' is not a valid CIDR block")))?;
        }
    }
    Ok(())
}

/// A condition's wildcard values and its regexes.
fn texts(condition: &Condition) -> (Vec<&str>, Vec<&str>) {
    fn strs(values: &[String]) -> Vec<&str> {
        values.iter().map(String::as_str).collect()
    }
    match condition {
        Condition::Host { values, regex }
        | Condition::Path { values, regex }
        | Condition::Header { values, regex, .. } => (strs(values), strs(regex)),
        Condition::Method { values } | Condition::SourceIp { values } => (strs(values), Vec::new()),
        Condition::Query { values } => (values.iter().map(|(_, value)| value.as_str()).collect(), Vec::new()),
    }
}

/// Reads a rule's conditions; each kind but headers and queries at most once, and no
/// more values and wildcards together than the quotas allow.
pub(super) fn read(quotas: &Quotas, inputs: Vec<Input>) -> Result<Vec<Condition>, ApiError> {
    let conditions = inputs.into_iter().map(Input::read).collect::<Result<Vec<_>, _>>()?;
    if conditions.is_empty() {
        return Err(invalid("A condition must be specified"));
    }
    for kind in ["host-header", "path-pattern", "http-request-method", "source-ip"] {
        if conditions.iter().filter(|condition| field(condition) == kind).count() > 1 {
            return Err(invalid(format!("A rule can only have one '{kind}' condition")));
        }
    }
    let all: Vec<&str> = conditions
        .iter()
        .flat_map(|condition| {
            let (values, regexes) = texts(condition);
            values.into_iter().chain(regexes)
        })
        .collect();
    let most = quotas.values_per_rule;
    keep(all.len(), most, "ValidationError", || format!("A rule can only have '{most}' condition values"))?;
    let wildcards: usize =
        conditions.iter().flat_map(|c| texts(c).0).map(|v| v.matches(['*', '?']).count()).sum();
    let most = quotas.wildcards_per_rule;
    keep(wildcards, most, "ValidationError", || {
        format!("A rule can only have '{most}' condition wildcards")
    })?;
    Ok(conditions)
}

fn field(condition: &Condition) -> &'static str {
    match condition {
        Condition::Host { .. } => "host-header",
        Condition::Path { .. } => "path-pattern",
        Condition::Header { .. } => "http-header",
        Condition::Method { .. } => "http-request-method",
        Condition::Query { .. } => "query-string",
        Condition::SourceIp { .. } => "source-ip",
    }
}

/// As `DescribeRules` gives it: host and path in both places.
pub(super) fn json(condition: &Condition) -> Value {
    let config = |values: &[String], regex: &[String]| {
        let mut config = json!({});
        if !values.is_empty() {
            config["Values"] = json!(values);
        }
        if !regex.is_empty() {
            config["RegexValues"] = json!(regex);
        }
        config
    };
    let mut out = json!({ "Field": field(condition) });
    match condition {
        Condition::Host { values, regex } => {
            out["Values"] = json!(values);
            out["HostHeaderConfig"] = config(values, regex);
        }
        Condition::Path { values, regex } => {
            out["Values"] = json!(values);
            out["PathPatternConfig"] = config(values, regex);
        }
        Condition::Header { name, values, regex } => {
            out["HttpHeaderConfig"] = config(values, regex);
            out["HttpHeaderConfig"]["HttpHeaderName"] = json!(name);
        }
        Condition::Method { values } => out["HttpRequestMethodConfig"] = config(values, &[]),
        Condition::SourceIp { values } => out["SourceIpConfig"] = config(values, &[]),
        Condition::Query { values } => {
            let pairs = values.iter().map(|(key, value)| match key {
                Some(key) => json!({ "Key": key, "Value": value }),
                None => json!({ "Value": value }),
            });
            out["QueryStringConfig"] = json!({ "Values": pairs.collect::<Vec<_>>() });
        }
    }
    out
}

/// Whether a request holds a condition. Paths and methods are compared as they are; hosts,
/// headers and queries without regard to case.
pub(super) fn holds(condition: &Condition, head: &RequestHead) -> bool {
    let loosely =
        |pattern: &str, text: &str| wildcard::matches(&pattern.to_lowercase(), &text.to_lowercase());
    let by_regex = |regex: &[String], text: &str| {
        regex.iter().any(|regex| Regex::new(regex).is_ok_and(|regex| regex.is_match(text)))
    };
    match condition {
        Condition::Host { values, regex } => {
            let host = head.host_name();
            values.iter().any(|value| loosely(value, host)) || by_regex(regex, host)
        }
        Condition::Path { values, regex } => {
            values.iter().any(|value| wildcard::matches(value, &head.path)) || by_regex(regex, &head.path)
        }
        Condition::Header { name, values, regex } => head
            .headers
            .iter()
            .filter(|(header, _)| header.eq_ignore_ascii_case(name))
            .any(|(_, text)| values.iter().any(|value| loosely(value, text)) || by_regex(regex, text)),
        Condition::Method { values } => values.contains(&head.method),
        Condition::Query { values } => values.iter().any(|(key, value)| {
            head.query
                .split('&')
                .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
                .any(|(k, v)| key.as_ref().is_none_or(|key| loosely(key, k)) && loosely(value, v))
        }),
        Condition::SourceIp { values } => head.source_ip.is_some_and(|ip| {
            values.iter().filter_map(|value| Cidr::parse(value)).any(|cidr| cidr.contains(ip))
        }),
    }
}

/// `10.0.0.0/8`, `2001:db8::/32`.
struct Cidr {
    base: u128,
    is_v4: bool,
    bits: u32,
}

impl Cidr {
    fn parse(text: &str) -> Option<Self> {
        let (ip, bits) = text.split_once('/')?;
        let (ip, bits): (IpAddr, u32) = (ip.parse().ok()?, bits.parse().ok()?);
        let width = if ip.is_ipv4() { 32 } else { 128 };
        (bits <= width).then(|| Self { base: number(ip), is_v4: ip.is_ipv4(), bits })
    }

    fn contains(&self, ip: IpAddr) -> bool {
        let width = if self.is_v4 { 32 } else { 128 };
        let drop = width - self.bits;
        self.is_v4 == ip.is_ipv4() && (drop == 128 || self.base >> drop == number(ip) >> drop)
    }
}

fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => ip.to_bits().into(),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}
