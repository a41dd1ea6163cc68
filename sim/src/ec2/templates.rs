//! Launch templates and their versions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::describe::{invalid, page, texts};
use super::instance::TemplateRef;
use crate::call::{ApiError, Reply};
use crate::ecs;
use crate::time::Time;
use crate::world::World;

/// A launch template, kept by its name.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Template {
    id: String,
    name: String,
    created: Time,
    default: u64,
    versions: BTreeMap<u64, Version>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Version {
    data: Map<String, Value>,
    description: Option<String>,
    created: Time,
}

/// A version with what it launches.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Resolved {
    pub(crate) template: TemplateRef,
    pub(crate) instance_type: Option<String>,
    pub(crate) image: String,
    pub(crate) user_data: String,
    pub(crate) spot: bool,
    pub(crate) tags: BTreeMap<String, String>,
}

impl Template {
    fn latest(&self) -> u64 {
        self.versions.keys().next_back().copied().unwrap_or(0)
    }

    /// `3`, `$Latest`, `$Default`; nothing is `$Default`.
    fn number(&self, version: Option<&str>) -> Result<u64, ApiError> {
        let number = match version {
            None | Some("" | "$Default") => Some(self.default),
            Some("$Latest") => Some(self.latest()),
            Some(text) => text.parse().ok(),
        };
        number.filter(|number| self.versions.contains_key(number)).ok_or_else(|| {
            let message = format!(
                "Could not find launch template version {} of launch template {}",
                version.unwrap_or_default(),
                self.id
            );
            ApiError::client("InvalidLaunchTemplateId.VersionNotFound", message)
        })
    }

    fn view(&self) -> Value {
        json!({
            "LaunchTemplateId": self.id,
            "LaunchTemplateName": self.name,
            "CreateTime": self.created.iso(),
            "DefaultVersionNumber": self.default,
            "LatestVersionNumber": self.latest(),
        })
    }

    fn version_view(&self, number: u64, version: &Version) -> Value {
        json!({
            "LaunchTemplateId": self.id,
            "LaunchTemplateName": self.name,
            "VersionNumber": number,
            "VersionDescription": version.description,
            "CreateTime": version.created.iso(),
            "DefaultVersion": number == self.default,
            "LaunchTemplateData": version.data,
        })
    }
}

/// The template that `LaunchTemplateId` or `LaunchTemplateName` names.
fn find<'a>(world: &'a World, input: &Value) -> Result<&'a Template, ApiError> {
    let mut all = world.ec2.templates.values();
    match (input["LaunchTemplateId"].as_str(), input["LaunchTemplateName"].as_str()) {
        (Some(id), None) => all.find(|it| it.id == id).ok_or_else(|| {
            ApiError::client(
                "InvalidLaunchTemplateId.NotFound",
                format!("The specified launch template, with template ID {id}, does not exist."),
            )
        }),
        (None, Some(name)) => all.find(|it| it.name == name).ok_or_else(|| {
            ApiError::client(
                "InvalidLaunchTemplateName.NotFoundException",
                "At least one of the launch templates specified in the request does not exist.",
            )
        }),
        _ => Err(ApiError::client(
            "MissingParameter",
            "Either the launch template ID or the launch template name must be given, and not both",
        )),
    }
}

fn data(input: &Value) -> Result<Map<String, Value>, ApiError> {
    let data = input["LaunchTemplateData"].as_object().cloned();
    data.ok_or_else(|| ApiError::client("MissingParameter", "LaunchTemplateData is missing"))
}

pub(super) fn create(world: &mut World, input: &Value) -> Reply {
    let name = input["LaunchTemplateName"].as_str().filter(|name| (3..=128).contains(&name.len()));
    let name = name.ok_or_else(|| invalid("A launch template name must be between 3 and 128 characters"))?;
    if world.ec2.templates.contains_key(name) {
        return Err(ApiError::client(
            "InvalidLaunchTemplateName.AlreadyExistsException",
            format!("Launch template name already in use: {name}"),
        ));
    }
    let (data, created) = (data(input)?, world.now());
    let description = input["VersionDescription"].as_str().map(str::to_owned);
    let id = format!("lt-0{}", &ecs::hex_id(world)[..16]);
    let versions = BTreeMap::from([(1, Version { data, description, created })]);
    let template = Template { id, name: name.to_owned(), created, default: 1, versions };
    let view = template.view();
    world.ec2.templates.insert(name.to_owned(), template);
    Ok(json!({ "LaunchTemplate": view }))
}

/// A version on its own, or laid over `SourceVersion`.
pub(super) fn create_version(world: &mut World, input: &Value) -> Reply {
    let (template, created) = (find(world, input)?, world.now());
    let mut merged = match input["SourceVersion"].as_str() {
        None => Map::new(),
        source => {
            template.versions.get(&template.number(source)?).map(|it| it.data.clone()).unwrap_or_default()
        }
    };
    merged.extend(data(input)?);
    let (name, number) = (template.name.clone(), template.latest() + 1);
    let description = input["VersionDescription"].as_str().map(str::to_owned);
    let version = Version { data: merged, description, created };
    let view = template.version_view(number, &version);
    if let Some(template) = world.ec2.templates.get_mut(&name) {
        template.versions.insert(number, version);
    }
    Ok(json!({ "LaunchTemplateVersion": view }))
}

/// Another version becomes the default. (The wire's name of the member is `SetDefaultVersion`.)
pub(super) fn modify(world: &mut World, input: &Value) -> Reply {
    let template = find(world, input)?;
    let wanted = input["SetDefaultVersion"].as_str().or_else(|| input["DefaultVersion"].as_str());
    let (name, number) = (template.name.clone(), template.number(wanted)?);
    let Some(template) = world.ec2.templates.get_mut(&name) else { return Ok(json!({})) };
    template.default = number;
    Ok(json!({ "LaunchTemplate": template.view() }))
}

pub(super) fn describe(world: &World, input: &Value) -> Reply {
    let (ids, names) = (texts(input, "LaunchTemplateIds"), texts(input, "LaunchTemplateNames"));
    for id in &ids {
        find(world, &json!({ "LaunchTemplateId": id }))?;
    }
    for name in &names {
        find(world, &json!({ "LaunchTemplateName": name }))?;
    }
    let all = ids.is_empty() && names.is_empty();
    let templates = world.ec2.templates.values();
    let asked = templates.filter(|it| all || ids.contains(&it.id) || names.contains(&it.name));
    page(input, "LaunchTemplates", asked.map(|it| (it.name.clone(), it.view())).collect())
}

pub(super) fn describe_versions(world: &World, input: &Value) -> Reply {
    let template = find(world, input)?;
    let asked = texts(input, "Versions");
    let numbers: Result<Vec<u64>, ApiError> =
        asked.iter().map(|version| template.number(Some(version))).collect();
    let numbers = numbers?;
    let versions =
        template.versions.iter().filter(|(number, _)| asked.is_empty() || numbers.contains(number));
    let views = versions.map(|(number, it)| (format!("{number:020}"), template.version_view(*number, it)));
    page(input, "LaunchTemplateVersions", views.collect())
}

/// What a `LaunchTemplateSpecification` of an Auto Scaling group launches now.
pub(crate) fn resolve(world: &World, specification: &Value) -> Result<Resolved, ApiError> {
    let template = find(world, specification)?;
    let number = template.number(specification["Version"].as_str())?;
    let Some(version) = template.versions.get(&number) else {
        return Err(invalid(format!("launch template {} has no version {number}", template.name)));
    };
    let text = |member: &str| version.data.get(member).and_then(Value::as_str).map(str::to_owned);
    let market = version.data.get("InstanceMarketOptions").map(|it| it["MarketType"] == "spot");
    Ok(Resolved {
        template: TemplateRef { id: template.id.clone(), name: template.name.clone(), version: number },
        instance_type: text("InstanceType"),
        image: image(world, &text("ImageId").unwrap_or_default()),
        user_data: text("UserData").unwrap_or_default(),
        spot: market.unwrap_or(false),
        tags: instance_tags(&version.data),
    })
}

/// An AMI's id, where it is not found by `resolve:ssm:<parameter>`.
fn image(world: &World, image: &str) -> String {
    match image.strip_prefix("resolve:ssm:") {
        None => image.to_owned(),
        Some(parameter) => world.ec2.images.get(parameter).cloned().unwrap_or_else(|| {
            let digest = crate::ecr::digest_of(parameter.as_bytes());
            format!("ami-0{}", &digest.trim_start_matches("sha256:")[..16])
        }),
    }
}

fn instance_tags(data: &Map<String, Value>) -> BTreeMap<String, String> {
    let specifications = data.get("TagSpecifications").and_then(Value::as_array).into_iter().flatten();
    let tags = specifications
        .filter(|it| it["ResourceType"] == "instance")
        .flat_map(|it| it["Tags"].as_array().into_iter().flatten());
    let pair = |tag: &Value| Some((tag["Key"].as_str()?.to_owned(), tag["Value"].as_str()?.to_owned()));
    tags.filter_map(pair).collect()
}
