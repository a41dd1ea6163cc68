//! Calls that read parameters.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{Kind, Parameter, Version, arn, check};
use crate::call::{ApiError, Reply, parse};
use crate::world::World;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Get {
    name: String,
    #[serde(default)]
    with_decryption: bool,
}

pub(super) fn get(world: &World, input: &Value) -> Reply {
    let get: Get = parse(input)?;
    Ok(json!({ "Parameter": selected(world, &get.name, get.with_decryption)? }))
}

/// `<name>` or `<name>:<version>`.
fn selected(world: &World, name: &str, decrypt: bool) -> Reply {
    let (plain, selector) = match name.rsplit_once(':') {
        Some((plain, number)) if !plain.is_empty() && number.parse::<u64>().is_ok() => (plain, Some(number)),
        _ => (name, None),
    };
    let (name, parameter) = world.ssm.find(plain)?;
    let Some(number) = selector else {
        return Ok(shape(world, name, parameter, parameter.latest(), decrypt));
    };
    let version = parameter.versions.iter().find(|version| version.number.to_string() == number);
    let version = version.ok_or_else(|| {
        let message = format!(
            "Systems Manager could not find version {number} of {name}. Verify the version and try again."
        );
        ApiError::client("ParameterVersionNotFound", message)
    })?;
    let mut shape = shape(world, name, parameter, version, decrypt);
    shape["Selector"] = json!(format!(":{number}"));
    Ok(shape)
}

fn shape(world: &World, name: &str, parameter: &Parameter, version: &Version, decrypt: bool) -> Value {
    json!({
        "ARN": arn(world, name),
        "DataType": parameter.data_type,
        "LastModifiedDate": version.at.epoch_secs(),
        "Name": name,
        "Type": version.kind.name(),
        "Value": shown(version, decrypt),
        "Version": version.number,
    })
}

/// A secure string that nobody asked to decrypt is unreadable, and the same each time.
fn shown(version: &Version, decrypt: bool) -> String {
    if decrypt || version.kind != Kind::SecureString {
        return version.value.clone();
    }
    let digest = Sha256::digest(version.value.as_bytes());
    digest.iter().fold("AQICAH".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetAll {
    names: Vec<String>,
    #[serde(default)]
    with_decryption: bool,
}

pub(super) fn get_all(world: &World, input: &Value) -> Reply {
    let get: GetAll = parse(input)?;
    at_most_ten(&get.names)?;
    let mut sorted = get.names.clone();
    sorted.sort();
    if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(check::invalid("Duplicate parameters are not allowed in the request."));
    }
    let (mut found, mut invalid) = (Vec::new(), Vec::new());
    for name in get.names {
        match selected(world, &name, get.with_decryption) {
            Ok(parameter) => found.push(parameter),
            Err(_) => invalid.push(name),
        }
    }
    Ok(json!({ "Parameters": found, "InvalidParameters": invalid }))
}

pub(super) fn at_most_ten(names: &[String]) -> Result<(), ApiError> {
    if names.len() > 10 {
        let most = "Member must have length less than or equal to 10";
        return Err(check::constraint(&format!("[{}]", names.join(", ")), "names", most));
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ByPath {
    path: String,
    #[serde(default)]
    recursive: bool,
    #[serde(default)]
    with_decryption: bool,
    max_results: Option<usize>,
    next_token: Option<String>,
}

pub(super) fn by_path(world: &World, input: &Value) -> Reply {
    let ask: ByPath = parse(input)?;
    if !ask.path.starts_with('/') {
        return Err(check::invalid(
            "The parameter doesn't meet the parameter name requirements. The parameter name must begin with a \
             forward slash \"/\".",
        ));
    }
    let names = world.ssm.parameters.iter().filter(|(name, _)| under(name, &ask.path, ask.recursive));
    let page = Page::new(ask.max_results, 10, ask.next_token.as_deref())?;
    let shown = |(name, parameter): (&String, &Parameter)| {
        shape(world, name, parameter, parameter.latest(), ask.with_decryption)
    };
    Ok(page.of(names, "Parameters", shown))
}

/// Whether `name` lies below `path`: directly, or at any depth.
fn under(name: &str, path: &str, recursive: bool) -> bool {
    let path = path.trim_end_matches('/');
    let rest = name.strip_prefix(path).and_then(|rest| rest.strip_prefix('/'));
    rest.is_some_and(|rest| recursive || !rest.contains('/'))
}

/// One page of parameters in the order of their names. Its token names the last one
/// seen, so that a change between two pages neither repeats nor skips another.
struct Page {
    most: usize,
    after: Option<String>,
}

const TOKEN: &str = "after:";

impl Page {
    fn new(wanted: Option<usize>, most: usize, token: Option<&str>) -> Result<Self, ApiError> {
        if let Some(wanted) = wanted.filter(|wanted| *wanted == 0 || *wanted > most) {
            let range = format!("Member must have value less than or equal to {most}");
            return Err(check::constraint(&wanted.to_string(), "maxResults", &range));
        }
        let after =
            match token {
                None => None,
                Some(token) => Some(token.strip_prefix(TOKEN).map(str::to_owned).ok_or_else(|| {
                    ApiError::client("InvalidNextToken", "The specified token isn't valid.")
                })?),
            };
        Ok(Self { most: wanted.unwrap_or(most), after })
    }

    fn of<'p>(
        &self,
        all: impl Iterator<Item = (&'p String, &'p Parameter)>,
        member: &str,
        shown: impl Fn((&'p String, &'p Parameter)) -> Value,
    ) -> Value {
        let rest = all.filter(|(name, _)| self.after.as_ref().is_none_or(|after| *name > after));
        let found: Vec<_> = rest.take(self.most + 1).collect();
        let mut reply = Map::new();
        if found.len() > self.most {
            let last = found[self.most - 1].0;
            reply.insert("NextToken".into(), json!(format!("{TOKEN}{last}")));
        }
        let page: Vec<Value> = found.into_iter().take(self.most).map(shown).collect();
        reply.insert(member.into(), Value::Array(page));
        Value::Object(reply)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Describe {
    #[serde(default)]
    parameter_filters: Vec<Filter>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Filter {
    key: String,
    option: Option<String>,
    #[serde(default)]
    values: Vec<String>,
}

impl Filter {
    fn check(&self) -> Result<(), ApiError> {
        match (self.key.as_str(), self.option.as_deref().unwrap_or("Equals")) {
            ("Name", "Equals" | "BeginsWith" | "Contains")
            | ("Type", "Equals")
            | ("Path", "Equals" | "OneLevel" | "Recursive") => Ok(()),
            ("Name" | "Type" | "Path", option) => Err(ApiError::client(
                "InvalidFilterOption",
                format!("The filter option {option} is not valid."),
            )),
            (key, _) => {
                Err(ApiError::client("InvalidFilterKey", format!("The filter key {key} is not valid.")))
            }
        }
    }

    fn admits(&self, name: &str, parameter: &Parameter) -> bool {
        self.values.iter().any(|value| match (self.key.as_str(), self.option.as_deref()) {
            ("Name", Some("BeginsWith")) => name.starts_with(value),
            ("Name", Some("Contains")) => name.contains(value.as_str()),
            ("Name", _) => name == value,
            ("Path", option) => under(name, value, option == Some("Recursive")),
            _ => parameter.latest().kind.name() == value,
        })
    }
}

pub(super) fn describe(world: &World, input: &Value) -> Reply {
    let ask: Describe = parse(input)?;
    ask.parameter_filters.iter().try_for_each(Filter::check)?;
    let admitted = world.ssm.parameters.iter().filter(|(name, parameter)| {
        ask.parameter_filters.iter().all(|filter| filter.admits(name, parameter))
    });
    let page = Page::new(ask.max_results, 50, ask.next_token.as_deref())?;
    Ok(page
        .of(admitted, "Parameters", |(name, parameter)| metadata(world, name, parameter, parameter.latest())))
}

fn metadata(world: &World, name: &str, parameter: &Parameter, version: &Version) -> Value {
    let mut metadata = json!({
        "ARN": arn(world, name),
        "DataType": parameter.data_type,
        "LastModifiedDate": version.at.epoch_secs(),
        "LastModifiedUser": version.by,
        "Name": name,
        "Policies": [],
        "Tier": parameter.tier.name(),
        "Type": version.kind.name(),
        "Version": version.number,
    });
    if let Some(description) = &version.description {
        metadata["Description"] = json!(description);
    }
    metadata
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct History {
    name: String,
    #[serde(default)]
    with_decryption: bool,
}

/// All versions in one page: AWS keeps a hundred at most, and may page sooner.
pub(super) fn history(world: &World, input: &Value) -> Reply {
    let ask: History = parse(input)?;
    let (name, parameter) = world.ssm.find(&ask.name)?;
    let versions = parameter.versions.iter().map(|version| {
        let mut shape = metadata(world, name, parameter, version);
        shape["Value"] = json!(shown(version, ask.with_decryption));
        shape["Labels"] = json!([]);
        if let Some(members) = shape.as_object_mut() {
            members.remove("ARN");
        }
        shape
    });
    Ok(json!({ "Parameters": versions.collect::<Vec<_>>() }))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tags {
    resource_id: String,
}

pub(super) fn tags(world: &World, input: &Value) -> Reply {
    let ask: Tags = parse(input)?;
    let parameter = world.ssm.parameters.get(&ask.resource_id);
    let parameter = parameter.ok_or_else(|| super::write::unknown(&ask.resource_id))?;
    let tags = parameter.tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value }));
    Ok(json!({ "TagList": tags.collect::<Vec<_>>() }))
}
