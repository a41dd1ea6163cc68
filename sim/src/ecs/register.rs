//! `RegisterTaskDefinition`: what AWS refuses, and the defaults it writes into what it keeps.
//!
//! Everything else in the input is kept as it came, members that nobody knows included:
//! that is how a field newer than a client's SDK behaves.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::args::{self, client};
use super::blueprint::Network;
use super::clusters::is_name;
use super::tags::Tags;
use super::task_definitions::{Definition, Status};
use crate::call::{ApiError, Reply};
use crate::world::World;

/// The members that only AWS writes.
const READ_ONLY: [&str; 9] = [
    "taskDefinitionArn",
    "revision",
    "status",
    "requiresAttributes",
    "compatibilities",
    "registeredAt",
    "deregisteredAt",
    "deleteRequestedAt",
    "registeredBy",
];

/// The size AWS allows, in bytes.
const MOST_BYTES: usize = 65_536;

pub(crate) fn register(world: &mut World, input: &Value) -> Reply {
    let tags = Tags::from_input(input)?;
    let mut record = input.as_object().cloned().unwrap_or_default();
    record.remove("tags");
    for member in READ_ONLY {
        record.remove(member);
    }
    record.retain(|_, value| !value.is_null());
    let family = validate(&record)?;
    normalise(&mut record)?;
    let definition = keep(world, &family, record, tags.clone());
    let mut output = json!({ "taskDefinition": definition });
    if !tags.0.is_empty() {
        output["tags"] = tags.to_json();
    }
    Ok(output)
}

/// Gives the next revision of the family and stores it.
fn keep(world: &mut World, family: &str, mut record: Map<String, Value>, tags: Tags) -> Value {
    let revision = world.ecs.families.get(family).map_or(1, |it| it.last_revision + 1);
    let arn = world.arn("ecs", &format!("task-definition/{family}:{revision}"));
    let registered_by = format!("arn:aws:iam::{}:root", world.config.account);
    record.insert("taskDefinitionArn".into(), json!(arn));
    record.insert("revision".into(), json!(revision));
    record.insert("status".into(), json!("ACTIVE"));
    record.insert("registeredAt".into(), json!(world.now().epoch_secs()));
    record.insert("registeredBy".into(), json!(registered_by));
    record.insert("requiresAttributes".into(), attributes(&record));
    record.insert("compatibilities".into(), compatibilities(&record));
    let record = Value::Object(record);
    let definition = Definition { arn, revision, status: Status::Active, record: record.clone(), tags };
    let entry = world.ecs.families.entry(family.to_owned()).or_default();
    entry.last_revision = revision;
    entry.revisions.insert(revision, definition);
    record
}

fn validate(record: &Map<String, Value>) -> Result<String, ApiError> {
    let input = Value::Object(record.clone());
    let family = args::text(&input, "family")?.unwrap_or_default();
    if family.is_empty() {
        return Err(client("Family should not be null or empty."));
    }
    if !is_name(family) {
        return Err(client(format!("Family contains invalid characters: {family}")));
    }
    let bytes = input.to_string().len();
    if bytes > MOST_BYTES {
        return Err(client(format!("Actual length: '{bytes}'. Max allowed length is '{MOST_BYTES}' bytes.")));
    }
    let mode = args::text(&input, "networkMode")?;
    let network = Network::parse(mode)
        .ok_or_else(|| client(format!("Invalid network mode: {}", mode.unwrap_or_default())))?;
    let containers = args::list(&input, "containerDefinitions")?;
    let task_memory = amount(&input, "memory")?;
    amount(&input, "cpu")?;
    containers_fit(containers)?;
    for container in containers {
        check_container(container, network, task_memory.is_some())?;
    }
    Ok(family.to_owned())
}

fn containers_fit(containers: &[Value]) -> Result<(), ApiError> {
    if containers.is_empty() {
        return Err(client("Container list cannot be empty."));
    }
    if containers.len() > 10 {
        return Err(client("Too many containers: a task definition has at most 10."));
    }
    let names: BTreeSet<&str> = containers.iter().filter_map(|it| it["name"].as_str()).collect();
    if names.len() < containers.iter().filter(|it| it["name"].is_string()).count() {
        return Err(client("Container names should be unique."));
    }
    if containers.iter().all(|it| it["essential"] == json!(false)) {
        return Err(client("No essential containers were found: at least one container must be essential."));
    }
    Ok(())
}

fn check_container(container: &Value, network: Network, task_memory: bool) -> Result<(), ApiError> {
    let name = args::text(container, "name")?.unwrap_or_default();
    if name.is_empty() {
        return Err(client("Container.name should not be null or empty."));
    }
    let image = args::text(container, "image")?.unwrap_or_default();
    if image.is_empty() {
        return Err(client("Container.image should not be null or empty."));
    }
    if image.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(client("Container.image contains invalid characters."));
    }
    let (memory, soft) = (args::count(container, "memory")?, args::count(container, "memoryReservation")?);
    if memory.is_none() && soft.is_none() && !task_memory {
        return Err(client(format!(
            "Invalid setting for container '{name}'. At least one of 'memory' or 'memoryReservation' must be specified."
        )));
    }
    if let (Some(memory), Some(soft)) = (memory, soft)
        && soft > memory
    {
        return Err(client(format!(
            "Invalid setting for container '{name}'. The memory reservation must be less than or equal to the memory."
        )));
    }
    args::count(container, "cpu")?;
    args::count(container, "stopTimeout")?;
    args::flag(container, "essential")?;
    check_ports(container, name, network)
}

fn check_ports(container: &Value, name: &str, network: Network) -> Result<(), ApiError> {
    let mut seen = BTreeSet::new();
    for mapping in args::list(container, "portMappings")? {
        // A range is a feature of its own; ECS keeps it, and no port is bound for it here.
        if mapping.get("containerPortRange").is_some() {
            continue;
        }
        let port = args::count(mapping, "containerPort")?.ok_or_else(|| {
            client(format!("Invalid setting for container '{name}': containerPort is missing."))
        })?;
        let host = args::count(mapping, "hostPort")?.unwrap_or(0);
        if port == 0 || port > 65_535 || host > 65_535 {
            return Err(client(format!(
                "Invalid setting for container '{name}': ports are from 1 to 65535."
            )));
        }
        if matches!(network, Network::Awsvpc | Network::Host) && host != 0 && host != port {
            let mode = if network == Network::Host { "host" } else { "awsvpc" };
            return Err(client(format!(
                "When networkMode={mode}, the host ports and container ports in port mappings must match."
            )));
        }
        let protocol = args::text(mapping, "protocol")?.unwrap_or("tcp");
        if host != 0 && !seen.insert((host, protocol.to_owned())) {
            return Err(client(format!(
                "Invalid setting for container '{name}': host port {host} is mapped twice."
            )));
        }
    }
    Ok(())
}

/// A task-level amount: `256`, `1 vCPU`, `0.5 GB`, as units or `MiB`.
fn amount(input: &Value, member: &str) -> Result<Option<u32>, ApiError> {
    let Some(text) = args::text(input, member)? else { return Ok(None) };
    let bad = || client(format!("Invalid '{member}' setting for task: {text}"));
    let lower = text.to_ascii_lowercase();
    let suffix = if member == "cpu" { "vcpu" } else { "gb" };
    let Some(number) = lower.strip_suffix(suffix) else {
        return lower.trim().parse::<u32>().map(Some).map_err(|_| bad());
    };
    // Thousandths as whole numbers: no rounding of floats.
    let number = number.trim();
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let part: u32 = format!("{part:0<3}").get(..3).and_then(|it| it.parse().ok()).ok_or_else(bad)?;
    let whole: u32 = whole.parse().map_err(|_| bad())?;
    Ok(Some(whole * 1024 + part * 1024 / 1000))
}

/// The defaults that `DescribeTaskDefinition` shows though nobody gave them.
fn normalise(record: &mut Map<String, Value>) -> Result<(), ApiError> {
    let input = Value::Object(record.clone());
    for member in ["cpu", "memory"] {
        if let Some(amount) = amount(&input, member)? {
            record.insert(member.into(), json!(amount.to_string()));
        }
    }
    let network = Network::parse(input["networkMode"].as_str()).unwrap_or(Network::Bridge);
    for member in ["volumes", "placementConstraints"] {
        record.entry(member).or_insert_with(|| json!([]));
    }
    let containers = record.get_mut("containerDefinitions").and_then(Value::as_array_mut);
    for container in containers.into_iter().flatten().filter_map(Value::as_object_mut) {
        container.entry("cpu").or_insert_with(|| json!(0));
        container.entry("essential").or_insert_with(|| json!(true));
        for member in ["environment", "mountPoints", "volumesFrom", "portMappings", "systemControls"] {
            container.entry(member).or_insert_with(|| json!([]));
        }
        let ports = container.get_mut("portMappings").and_then(Value::as_array_mut);
        for mapping in ports.into_iter().flatten().filter_map(Value::as_object_mut) {
            default_port(mapping, network);
        }
    }
    Ok(())
}

fn default_port(mapping: &mut Map<String, Value>, network: Network) {
    let host = match network {
        Network::Awsvpc | Network::Host => mapping.get("containerPort").cloned().unwrap_or_else(|| json!(0)),
        Network::Bridge | Network::None => json!(0),
    };
    let unset = mapping.get("hostPort").is_none_or(|port| port.as_u64().unwrap_or(0) == 0);
    if unset && !mapping.contains_key("containerPortRange") {
        mapping.insert("hostPort".into(), host);
    }
    mapping.entry("protocol").or_insert_with(|| json!("tcp"));
}

/// `requiresAttributes`: the capabilities that an instance must have.
fn attributes(record: &Map<String, Value>) -> Value {
    let mut names = BTreeSet::new();
    let containers = record.get("containerDefinitions").and_then(Value::as_array);
    for container in containers.into_iter().flatten() {
        names.insert("com.amazonaws.ecs.capability.docker-remote-api.1.18".to_owned());
        if container.get("memoryReservation").is_some() {
            names.insert("com.amazonaws.ecs.capability.docker-remote-api.1.21".to_owned());
        }
        if container["image"].as_str().is_some_and(|image| image.contains(".dkr.ecr.")) {
            names.insert("com.amazonaws.ecs.capability.ecr-auth".to_owned());
        }
        if let Some(driver) = container["logConfiguration"]["logDriver"].as_str() {
            names.insert(format!("com.amazonaws.ecs.capability.logging-driver.{driver}"));
        }
    }
    if record.contains_key("taskRoleArn") {
        names.insert("com.amazonaws.ecs.capability.task-iam-role".to_owned());
    }
    if record.get("networkMode") == Some(&json!("awsvpc")) {
        names.insert("ecs.capability.task-eni".to_owned());
    }
    names.into_iter().map(|name| json!({ "name": name })).collect()
}

/// `compatibilities`: where the definition could run.
fn compatibilities(record: &Map<String, Value>) -> Value {
    let fargate = record.get("networkMode") == Some(&json!("awsvpc"))
        && record.contains_key("cpu")
        && record.contains_key("memory");
    let mut found = vec!["EXTERNAL", "EC2"];
    if record.get("networkMode") == Some(&json!("awsvpc")) {
        found.remove(0);
    }
    if fargate {
        found.push("FARGATE");
    }
    json!(found)
}
