//! Parameters, conditions and CloudFormation's intrinsic functions.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Map, Value, json};

use super::{StackConfig, members, text};
use crate::world::World;

/// What a template's expressions may refer to.
pub(super) struct Scope<'t> {
    template: &'t Value,
    stack: String,
    region: String,
    account: String,
    /// Parameters and pseudo parameters.
    parameters: BTreeMap<String, Value>,
}

/// What stands for `AWS::NoValue` until its member or item is taken away. No template can
/// say it.
const NO_VALUE: &str = "\u{0}no value";

impl<'t> Scope<'t> {
    pub(super) fn new(world: &World, template: &'t Value, config: &StackConfig) -> Result<Self> {
        let mut parameters = BTreeMap::new();
        for (name, declared) in members(&template["Parameters"]) {
            let given = config.parameters.get(name).map(|given| Value::String(given.clone()));
            let value = given.or_else(|| declared.get("Default").cloned());
            let value = value.with_context(|| format!("the parameter {name} has no default: give it"))?;
            parameters.insert(name.clone(), typed(declared, &text(&value)?));
        }
        for name in config.parameters.keys() {
            ensure!(parameters.contains_key(name), "the template has no parameter {name}");
        }
        let (region, account) = (&world.config.region, &world.config.account);
        for (name, value) in [
            ("AWS::Region", region.as_str()),
            ("AWS::AccountId", account),
            ("AWS::Partition", "aws"),
            ("AWS::URLSuffix", "amazonaws.com"),
            ("AWS::StackName", &config.name),
            ("AWS::StackId", &format!("arn:aws:cloudformation:{region}:{account}:stack/{}/0", config.name)),
            ("AWS::NoValue", NO_VALUE),
        ] {
            parameters.insert(name.to_owned(), json!(value));
        }
        Ok(Self {
            template,
            stack: config.name.clone(),
            region: region.clone(),
            account: account.clone(),
            parameters,
        })
    }

    /// The template's resources.
    pub(super) fn resources(&self) -> impl Iterator<Item = (&'t String, &'t Value)> + use<'t> {
        members(&self.template["Resources"])
    }

    /// One resource.
    pub(super) fn resource(&self, logical: &str) -> Option<&'t Value> {
        self.template["Resources"].get(logical)
    }

    /// `Globals.Function.<member>`
    pub(super) fn global(&self, member: &str) -> Option<&'t Value> {
        self.template["Globals"]["Function"].get(member)
    }

    /// The name of what has the logical id `logical`.
    pub(super) fn name(&self, logical: &str) -> String {
        format!("{}-{logical}", self.stack)
    }

    pub(super) fn arn(&self, service: &str, resource: &str) -> String {
        format!("arn:aws:{service}:{}:{}:{resource}", self.region, self.account)
    }

    /// Whether a condition of the template holds.
    pub(super) fn holds(&self, condition: &str) -> Result<bool> {
        let expression = self.template["Conditions"].get(condition);
        let expression = expression.with_context(|| format!("the template has no condition {condition}"))?;
        self.truth(expression)
    }

    fn truth(&self, expression: &Value) -> Result<bool> {
        let (function, operand) =
            call(expression).with_context(|| format!("{expression} is no condition"))?;
        let operands = || operand.as_array().map(Vec::as_slice).unwrap_or_default();
        match function {
            "Condition" => self.holds(&text(operand)?),
            "Fn::Equals" => {
                let [left, right] = operands() else { bail!("Fn::Equals takes two values") };
                Ok(text(&self.eval(left)?)? == text(&self.eval(right)?)?)
            }
            "Fn::Not" => {
                let [one] = operands() else { bail!("Fn::Not takes one condition") };
                Ok(!self.truth(one)?)
            }
            "Fn::And" => operands().iter().try_fold(true, |all, one| Ok(all & self.truth(one)?)),
            "Fn::Or" => operands().iter().try_fold(false, |any, one| Ok(any | self.truth(one)?)),
            other => bail!("{other} is no condition function"),
        }
    }

    /// A value with everything in it resolved; members and items that are `AWS::NoValue`
    /// are gone.
    pub(super) fn eval(&self, value: &Value) -> Result<Value> {
        if let Some((function, operand)) = call(value) {
            return self.function(function, operand).with_context(|| format!("resolving {value}"));
        }
        match value {
            Value::Object(object) => {
                let mut resolved = Map::new();
                for (name, value) in object {
                    let value = self.eval(value)?;
                    if value != NO_VALUE {
                        resolved.insert(name.clone(), value);
                    }
                }
                Ok(Value::Object(resolved))
            }
            Value::Array(items) => {
                let items: Result<Vec<Value>> = items.iter().map(|item| self.eval(item)).collect();
                Ok(Value::Array(items?.into_iter().filter(|item| item != NO_VALUE).collect()))
            }
            scalar => Ok(scalar.clone()),
        }
    }

    fn function(&self, function: &str, operand: &Value) -> Result<Value> {
        match function {
            "Ref" => self.reference(&text(operand)?),
            "Fn::GetAtt" => self.attribute(operand),
            "Fn::Sub" => self.substitute(operand).map(Value::String),
            "Fn::If" => self.choose(operand),
            "Fn::Join" => {
                let [separator, items] = self.pair(operand)?;
                let items = items.as_array().context("Fn::Join joins a list")?;
                let items: Result<Vec<String>> = items.iter().map(text).collect();
                Ok(items?.join(&text(&separator)?).into())
            }
            "Fn::Split" => {
                let [separator, whole] = self.pair(operand)?;
                let (separator, whole) = (text(&separator)?, text(&whole)?);
                Ok(whole.split(&separator).collect::<Vec<_>>().into())
            }
            "Fn::Select" => {
                let [index, items] = self.pair(operand)?;
                let index: usize = text(&index)?.parse().context("Fn::Select takes a number")?;
                items.get(index).cloned().with_context(|| format!("there is no item {index}"))
            }
            other => bail!("the embedded AWS does not resolve {other}"),
        }
    }

    fn pair(&self, operand: &Value) -> Result<[Value; 2]> {
        let [first, second] = operand.as_array().map(Vec::as_slice).unwrap_or_default() else {
            bail!("two operands are wanted");
        };
        Ok([self.eval(first)?, self.eval(second)?])
    }

    fn choose(&self, operand: &Value) -> Result<Value> {
        let [condition, yes, no] = operand.as_array().map(Vec::as_slice).unwrap_or_default() else {
            bail!("Fn::If takes a condition's name and two values");
        };
        self.eval(if self.holds(&text(condition)?)? { yes } else { no })
    }

    fn reference(&self, name: &str) -> Result<Value> {
        if let Some(value) = self.parameters.get(name) {
            return Ok(value.clone());
        }
        let resource = self
            .resource(name)
            .with_context(|| format!("the template has no parameter or resource {name}"))?;
        let physical = self.physical(name, resource)?;
        Ok(match resource["Type"].as_str() {
            Some("AWS::SQS::Queue") => {
                json!(format!("https://sqs.{}.amazonaws.com/{}/{physical}", self.region, self.account))
            }
            _ => json!(physical),
        })
    }

    /// A resource's name: the one that its properties give it, or the stack's and its own.
    pub(super) fn physical(&self, logical: &str, resource: &Value) -> Result<String> {
        let properties = &resource["Properties"];
        let given = ["FunctionName", "TableName", "QueueName", "RoleName", "LogGroupName", "Name"]
            .iter()
            .find_map(|member| properties.get(*member));
        match given {
            Some(name) => match self.eval(name)? {
                Value::String(name) if name == NO_VALUE => Ok(self.name(logical)),
                name => text(&name),
            },
            None => Ok(self.name(logical)),
        }
    }

    /// `Logical.Attribute`, or the two in a list.
    fn attribute(&self, operand: &Value) -> Result<Value> {
        let path = match operand {
            Value::Array(parts) => parts.iter().map(text).collect::<Result<Vec<_>>>()?.join("."),
            one => text(one)?,
        };
        let (logical, attribute) = path.split_once('.').context("Fn::GetAtt takes Resource.Attribute")?;
        if let Some(resource) = self.resource(logical) {
            return self.attribute_of(logical, resource, attribute);
        }
        // What SAM's transform makes of a function's event: a rule of a joined name.
        ensure!(self.is_event(logical), "the template has no resource {logical}");
        ensure!(attribute == "Arn", "a rule has no attribute {attribute}");
        Ok(json!(self.arn("events", &format!("rule/{}", self.name(logical)))))
    }

    fn is_event(&self, logical: &str) -> bool {
        self.resources().any(|(function, resource)| {
            let event = logical.strip_prefix(function.as_str());
            event.is_some_and(|event| resource["Properties"]["Events"].get(event).is_some())
        })
    }

    fn attribute_of(&self, logical: &str, resource: &Value, attribute: &str) -> Result<Value> {
        let physical = self.physical(logical, resource)?;
        let kind = resource["Type"].as_str().unwrap_or_default();
        Ok(json!(match (kind, attribute) {
            ("AWS::Serverless::Function" | "AWS::Lambda::Function", "Arn") => {
                self.arn("lambda", &format!("function:{physical}"))
            }
            ("AWS::DynamoDB::Table", "Arn") => self.arn("dynamodb", &format!("table/{physical}")),
            ("AWS::SQS::Queue", "Arn") => self.arn("sqs", &physical),
            ("AWS::SQS::Queue", "QueueName") => physical,
            ("AWS::IAM::Role", "Arn") => format!("arn:aws:iam::{}:role/{physical}", self.account),
            ("AWS::Logs::LogGroup", "Arn") => self.arn("logs", &format!("log-group:{physical}:*")),
            ("AWS::Events::Rule", "Arn") => self.arn("events", &format!("rule/{physical}")),
            _ => bail!("the embedded AWS does not know the attribute {attribute} of {kind}"),
        }))
    }

    /// `${Name}`, `${Resource.Attribute}` and, untouched, `${!literal}`.
    fn substitute(&self, operand: &Value) -> Result<String> {
        let (pattern, variables) = match operand.as_array().map(Vec::as_slice) {
            Some([pattern, variables]) => (text(pattern)?, self.eval(variables)?),
            Some(_) => bail!("Fn::Sub takes a string, or a string and variables"),
            None => (text(operand)?, Value::Null),
        };
        let mut out = String::new();
        let mut rest = pattern.as_str();
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}').context("Fn::Sub: a ${ without its }")?;
            out.push_str(before);
            let name = name.trim();
            match name.strip_prefix('!') {
                Some(literal) => out.extend(["${", literal, "}"]),
                None => out.push_str(&text(&self.variable(name, &variables)?)?),
            }
            rest = after;
        }
        out.push_str(rest);
        Ok(out)
    }

    fn variable(&self, name: &str, variables: &Value) -> Result<Value> {
        match variables.get(name) {
            Some(value) => Ok(value.clone()),
            None if name.contains('.') => self.attribute(&json!(name)),
            None => self.reference(name),
        }
    }
}

/// A list parameter is a list; every other one a string, as in CloudFormation.
fn typed(declared: &Value, value: &str) -> Value {
    match declared["Type"].as_str() {
        Some("CommaDelimitedList") => json!(value.split(',').map(str::trim).collect::<Vec<_>>()),
        Some(kind) if kind.starts_with("List<") => json!(value.split(',').map(str::trim).collect::<Vec<_>>()),
        _ => json!(value),
    }
}

/// An intrinsic function and its operand: an object of that one member.
fn call(value: &Value) -> Option<(&str, &Value)> {
    let object = value.as_object().filter(|object| object.len() == 1)?;
    let (name, operand) = object.iter().next()?;
    (name == "Ref" || name == "Condition" && operand.is_string() || name.starts_with("Fn::"))
        .then_some((name.as_str(), operand))
}
