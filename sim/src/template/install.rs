//! A template's resources, made in a world.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::{Map, Value, json};

use super::resolve::Scope;
use super::{Stack, members, role, text};
use crate::bus;
use crate::call::ApiError;
use crate::gate::permissions::Role;
use crate::iam::Policy;
use crate::lambda::{self, Function, Permission};
use crate::ssm;
use crate::world::World;

pub(super) fn resource(
    world: &mut World,
    scope: &Scope<'_>,
    logical: &str,
    resource: &Value,
    stack: &mut Stack,
) -> Result<()> {
    if let Some(condition) = resource.get("Condition")
        && !scope.holds(&text(condition)?)?
    {
        return Ok(());
    }
    match resource["Type"].as_str().context("it has no type")? {
        "AWS::Serverless::Function" => function(world, scope, logical, resource, stack),
        "AWS::Lambda::Permission" => permission(world, scope, logical, resource),
        "AWS::IAM::Role" => role_of_a_service(world, scope, logical, resource, stack),
        "AWS::DynamoDB::Table" => table(world, scope, logical, resource, stack),
        "AWS::SSM::Parameter" => parameter(world, scope, logical, resource),
        "AWS::Events::Rule" => {
            let properties = scope.eval(&resource["Properties"])?;
            let name = scope.physical(logical, resource)?;
            let targets = properties["Targets"].clone();
            stack.rules.insert(logical.to_owned(), name.clone());
            rule(world, &name, &properties, &targets)
        }
        "AWS::Events::EventBusPolicy" => bus_policy(world, scope, resource),
        other => {
            stack.ignored.push(other.to_owned());
            Ok(())
        }
    }
}

fn bus_policy(world: &mut World, scope: &Scope<'_>, resource: &Value) -> Result<()> {
    let properties = scope.eval(&resource["Properties"])?;
    let id = properties["StatementId"].as_str().context("it has no StatementId")?;
    bus::permit(world, id, &properties["Statement"])
}

/// A role that a service takes, by its ARN: ECS, to call its hooks. What a managed policy allows is
/// not known here: such a role is passed over, and may everything.
fn role_of_a_service(
    world: &mut World,
    scope: &Scope<'_>,
    logical: &str,
    resource: &Value,
    stack: &mut Stack,
) -> Result<()> {
    if resource["Properties"].get("ManagedPolicyArns").is_some() {
        stack.ignored.push(format!("AWS::IAM::Role {logical} with managed policies"));
        return Ok(());
    }
    let name = scope.physical(logical, resource)?;
    let documents = role::of_role(scope, resource)?;
    let policy = Policy::read(&documents)?;
    stack.roles.insert(logical.to_owned(), documents);
    let arn = format!("arn:aws:iam::{}:role/{name}", world.config.account);
    let role = Role { name, session: "service".to_owned(), policy: Some(Arc::new(policy)) };
    world.gate.permissions.assume(&arn, role);
    Ok(())
}

/// Of its resource policy only `lambda:InvokeFunction` is known here.
fn permission(world: &mut World, scope: &Scope<'_>, logical: &str, resource: &Value) -> Result<()> {
    let properties = scope.eval(&resource["Properties"])?;
    let wanted = |member: &str| properties[member].as_str().with_context(|| format!("it has no {member}"));
    let given = |member: &str| properties[member].as_str().map(str::to_owned);
    let permission = Permission {
        principal: wanted("Principal")?.to_owned(),
        source_arn: given("SourceArn"),
        source_account: given("SourceAccount"),
    };
    let function = wanted("FunctionName")?;
    if !lambda::permit(world, function, logical, permission) {
        bail!("there is no function {function}");
    }
    Ok(())
}

/// Any member of a function's properties, the template's globals beneath them.
fn property(scope: &Scope<'_>, properties: &Value, member: &str) -> Result<Option<Value>> {
    let found = properties.get(member).or_else(|| scope.global(member));
    found.map(|found| scope.eval(found)).transpose()
}

fn function(
    world: &mut World,
    scope: &Scope<'_>,
    logical: &str,
    resource: &Value,
    stack: &mut Stack,
) -> Result<()> {
    let properties = &resource["Properties"];
    let name = scope.physical(logical, resource)?;
    let allowed = role::of_function(scope, logical, properties)?;
    let number = |member: &str| -> Result<Option<u32>> {
        let value = property(scope, properties, member)?;
        let read = |value: Value| text(&value)?.parse().with_context(|| format!("{member} is no number"));
        value.map(read).transpose()
    };
    let mut function = Function {
        role: allowed.role,
        policies: Some(allowed.policies),
        environment: environment(scope, properties)?,
        ..Function::named(&name)
    };
    if let Some(secs) = number("Timeout")? {
        function.timeout = Duration::from_secs(secs.into());
    }
    if let Some(mib) = number("MemorySize")? {
        function.memory_mib = mib;
    }
    function.reserved_concurrency = number("ReservedConcurrentExecutions")?
        .map(usize::try_from)
        .transpose()
        .context("ReservedConcurrentExecutions")?;
    failures(scope, properties, &mut function)?;
    lambda::install(world, function);
    stack.functions.insert(logical.to_owned(), name.clone());
    let events: Vec<_> = members(&properties["Events"]).collect();
    for (event, declared) in events {
        let rule_logical = format!("{logical}{event}");
        let rule_name = scope.name(&rule_logical);
        event_rule(world, scope, &rule_name, declared, &name)
            .with_context(|| format!("its event {event}"))?;
        stack.rules.insert(rule_logical, rule_name);
    }
    Ok(())
}

/// Retries, the destination of what failed, the dead-letter queue.
fn failures(scope: &Scope<'_>, properties: &Value, function: &mut Function) -> Result<()> {
    let config = property(scope, properties, "EventInvokeConfig")?.unwrap_or_default();
    if let Some(retries) = config["MaximumRetryAttempts"].as_u64() {
        function.retries = u32::try_from(retries).context("MaximumRetryAttempts")?;
    }
    if let Some(secs) = config["MaximumEventAgeInSeconds"].as_u64() {
        function.max_event_age = Duration::from_secs(secs);
    }
    let destination = &config["DestinationConfig"]["OnFailure"]["Destination"];
    function.on_failure = destination.as_str().map(str::to_owned);
    let queue = property(scope, properties, "DeadLetterQueue")?.unwrap_or_default();
    function.dead_letter = queue["TargetArn"].as_str().map(str::to_owned);
    Ok(())
}

fn environment(scope: &Scope<'_>, properties: &Value) -> Result<BTreeMap<String, String>> {
    let mut environment = BTreeMap::new();
    // The globals first: the function's own variables win.
    for source in [scope.global("Environment"), properties.get("Environment")].into_iter().flatten() {
        let variables = scope.eval(&source["Variables"])?;
        for (name, value) in members(&variables) {
            let value = text(value).with_context(|| format!("the environment variable {name}"))?;
            environment.insert(name.clone(), value);
        }
    }
    Ok(environment)
}

/// A function's event as the rule that SAM makes of it.
fn event_rule(
    world: &mut World,
    scope: &Scope<'_>,
    name: &str,
    declared: &Value,
    function: &str,
) -> Result<()> {
    let mut properties = scope.eval(&declared["Properties"])?;
    let expression = match declared["Type"].as_str() {
        Some("EventBridgeRule" | "CloudWatchEvent") => {
            properties["EventPattern"] = properties["Pattern"].take();
            None
        }
        Some("Schedule") => Some(properties["Schedule"].take()),
        Some("ScheduleV2") => Some(properties["ScheduleExpression"].take()),
        other => bail!("the embedded AWS has no event source {other:?} for functions"),
    };
    if let Some(expression) = expression {
        properties["ScheduleExpression"] = expression;
    }
    if properties["Enabled"] == false {
        properties["State"] = json!("DISABLED");
    }
    let mut target = Map::new();
    target.insert("Id".into(), json!("Function"));
    target.insert("Arn".into(), json!(scope.arn("lambda", &format!("function:{function}"))));
    for member in ["Input", "InputPath", "InputTransformer", "RetryPolicy", "DeadLetterConfig"] {
        if let Some(value) = properties.get(member) {
            target.insert(member.into(), value.clone());
        }
    }
    rule(world, name, &properties, &json!([target]))
}

fn rule(world: &mut World, name: &str, properties: &Value, targets: &Value) -> Result<()> {
    let mut put = Map::new();
    put.insert("Name".into(), json!(name));
    if properties["EventPattern"].is_object() {
        put.insert("EventPattern".into(), json!(properties["EventPattern"].to_string()));
    }
    for member in ["ScheduleExpression", "State", "Description", "EventBusName"] {
        if properties[member].is_string() {
            put.insert(member.into(), properties[member].clone());
        }
    }
    bus::handle(world, "PutRule", &Value::Object(put)).map_err(refused("PutRule"))?;
    let put = json!({ "Rule": name, "Targets": targets });
    let reply = bus::handle(world, "PutTargets", &put).map_err(refused("PutTargets"))?;
    if reply["FailedEntryCount"] != 0 {
        bail!("PutTargets: {}", reply["FailedEntries"]);
    }
    Ok(())
}

fn refused(operation: &'static str) -> impl Fn(ApiError) -> anyhow::Error {
    move |error| anyhow!("{operation}: {}: {}", error.code, error.message)
}

/// A table, with its time to live. One that is there is kept, as a retained one is.
fn table(
    world: &mut World,
    scope: &Scope<'_>,
    logical: &str,
    resource: &Value,
    stack: &mut Stack,
) -> Result<()> {
    const MEMBERS: [&str; 7] = [
        "AttributeDefinitions",
        "KeySchema",
        "BillingMode",
        "ProvisionedThroughput",
        "GlobalSecondaryIndexes",
        "LocalSecondaryIndexes",
        "StreamSpecification",
    ];
    let properties = scope.eval(&resource["Properties"])?;
    let name = scope.physical(logical, resource)?;
    stack.tables.insert(logical.to_owned(), name.clone());
    let mut create = Map::new();
    create.insert("TableName".into(), json!(name));
    for member in MEMBERS {
        if let Some(value) = properties.get(member) {
            create.insert(member.into(), value.clone());
        }
    }
    match world.dynamo.handle("CreateTable", &Value::Object(create)) {
        Ok(_) => {}
        Err(error) if error.code == "ResourceInUseException" => return Ok(()),
        Err(error) => return Err(refused("CreateTable")(error)),
    }
    if let Some(ttl) = properties.get("TimeToLiveSpecification") {
        let update = json!({ "TableName": name, "TimeToLiveSpecification": ttl });
        world.dynamo.handle("UpdateTimeToLive", &update).map_err(refused("UpdateTimeToLive"))?;
    }
    Ok(())
}

/// A parameter of Parameter Store. One that says the same already is left as it is, as in an update of a stack.
fn parameter(world: &mut World, scope: &Scope<'_>, logical: &str, resource: &Value) -> Result<()> {
    let properties = scope.eval(&resource["Properties"])?;
    let name = scope.physical(logical, resource)?;
    let is_there = world.ssm.value(&name).is_some();
    if world.ssm.value(&name) == properties["Value"].as_str() {
        return Ok(());
    }
    let mut put = Map::new();
    put.insert("Name".into(), json!(name));
    put.insert("Overwrite".into(), json!(is_there));
    for member in ["Type", "Value", "Description", "Tier", "DataType"] {
        if let Some(value) = properties.get(member) {
            put.insert(member.into(), value.clone());
        }
    }
    if !is_there {
        // A map here, a list in the API.
        let tag = |(key, value): (&String, &Value)| json!({ "Key": key, "Value": value });
        put.insert("Tags".into(), members(&properties["Tags"]).map(tag).collect());
    }
    ssm::handle(world, "PutParameter", &Value::Object(put)).map_err(refused("PutParameter"))?;
    Ok(())
}
