//! EventBridge's default bus: rules match events by pattern or ring by schedule, and
//! their targets, functions, get them later: asynchronously, at least once, in no order.
//!
//! Another account's default bus is a target, too ([`forward`]). Other targets are accepted and get nothing.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use rand::RngExt;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::call::{Reply, parse, unknown_operation};
use crate::lambda::{self, DeadLetter};
use crate::time::Time;
use crate::world::{self, World};

mod delivery;
mod forward;
pub mod pattern;
mod put_events;
mod rules;
mod wildcard;

pub use delivery::{Chaos, Delivery, DeliveryFaults};
pub(crate) use forward::permit;
pub use rules::Rule;

/// How many events the log keeps.
const KEPT: usize = 20_000;

/// EventBridge's state.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Bus {
    rules: BTreeMap<String, Rule>,
    /// Who else may put events, by the statements' ids.
    #[serde(default)] // a state from before there were policies
    policy: BTreeMap<String, Value>,
    /// Under way to a target, by number.
    under_way: BTreeMap<u64, UnderWay>,
    /// Every event that came onto the bus, oldest first: for explanations and tests.
    pub log: VecDeque<Logged>,
    /// What becomes of events on their way to targets.
    #[serde(skip)]
    pub delivery: DeliveryFaults,
}

/// An event, as its targets see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Event(pub Value);

impl Event {
    /// Its id.
    pub fn id(&self) -> &str {
        self.text("id")
    }

    /// `aws.ecs`
    pub fn source(&self) -> &str {
        self.text("source")
    }

    /// `ECS Service Action`
    pub fn detail_type(&self) -> &str {
        self.text("detail-type")
    }

    /// What is in it.
    pub fn detail(&self) -> &Value {
        &self.0["detail"]
    }

    fn text(&self, member: &str) -> &str {
        self.0[member].as_str().unwrap_or_default()
    }
}

/// An event that came onto the bus.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Logged {
    /// When.
    pub at: Time,
    /// The event.
    pub event: Event,
    /// The names of the rules that it matched.
    pub rules: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct UnderWay {
    rule: String,
    target: String,
    event: Event,
}

/// What this service's timers are for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Due {
    /// An event reaches its target.
    Deliver {
        /// Which one.
        number: u64,
    },
    /// A schedule rings.
    Tick {
        /// The rule.
        rule: String,
        /// Its generation when the timer was set.
        generation: u64,
    },
}

impl Bus {
    /// The rules' names.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.values()
    }

    /// How many copies of events are under way to their targets.
    pub fn under_way(&self) -> usize {
        self.under_way.len()
    }
}

pub(crate) fn handle(world: &mut World, operation: &str, input: &Value) -> Reply {
    match operation {
        "PutEvents" => put_events::handle(world, input),
        "PutRule" => rules::put(world, input),
        "DescribeRule" => rules::describe(world, input),
        "DeleteRule" => rules::delete(world, input),
        "EnableRule" => rules::enable(world, input, true),
        "DisableRule" => rules::enable(world, input, false),
        "ListRules" => rules::list(world, input),
        "PutTargets" => rules::put_targets(world, input),
        "RemoveTargets" => rules::remove_targets(world, input),
        "ListTargetsByRule" => rules::list_targets(world, input),
        "TestEventPattern" => test_pattern(input),
        other => Err(unknown_operation(other)),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TestPattern {
    event_pattern: String,
    event: String,
}

fn test_pattern(input: &Value) -> Reply {
    let test: TestPattern = parse(input)?;
    let pattern =
        pattern::Pattern::parse(&test.event_pattern).map_err(|reason| rules::bad_pattern(&reason))?;
    let event: Value = serde_json::from_str(&test.event)
        .map_err(|_| rules::invalid("Parameter Event is not valid. Reason: it is not JSON."))?;
    Ok(json!({ "Result": pattern.matches(&event) }))
}

/// An AWS service emits an event onto the default bus.
pub(crate) fn emit(world: &mut World, source: &str, detail_type: &str, resources: &[String], detail: Value) {
    let event = envelope(world, source, detail_type, resources, detail);
    publish(world, event);
}

fn envelope(
    world: &mut World,
    source: &str,
    detail_type: &str,
    resources: &[String],
    detail: Value,
) -> Event {
    let id = world.next_id();
    let mut event = json!({
        "version": "0",
        "id": format!("{:08x}-0000-4000-9000-{id:012x}", world.config.seed & 0xffff_ffff),
        "detail-type": detail_type,
        "source": source,
        "account": world.config.account,
        "time": world.now.iso_secs(),
        "region": world.config.region,
        "resources": resources,
    });
    event["detail"] = detail;
    Event(event)
}

/// Puts an event onto the bus: it is logged, and sets out to the targets of each rule
/// that it matches.
fn publish(world: &mut World, event: Event) {
    let matches = |rule: &&Rule| {
        rule.enabled && rule.pattern.as_ref().is_some_and(|(_, pattern)| pattern.matches(&event.0))
    };
    let rules: Vec<String> = world.bus.rules.values().filter(matches).map(|rule| rule.name.clone()).collect();
    for rule in &rules {
        send(world, rule, &event);
    }
    log(world, event, rules);
}

fn log(world: &mut World, event: Event, rules: Vec<String>) {
    if world.bus.log.len() == KEPT {
        world.bus.log.pop_front();
    }
    world.bus.log.push_back(Logged { at: world.now, event, rules });
}

/// Sets an event on its way to each target of a rule.
fn send(world: &mut World, rule: &str, event: &Event) {
    let Some(found) = world.bus.rules.get(rule) else { return };
    let targets: Vec<String> = found.targets.keys().cloned().collect();
    for target in targets {
        let delays = match world.bus.delivery.ask(event) {
            Delivery::Usual => vec![Duration::from_millis(world.rng.random_range(200..=1000))],
            Delivery::Lost => Vec::new(),
            Delivery::Copies(delays) => delays,
        };
        for delay in delays {
            let number = world.next_id();
            let under_way = UnderWay { rule: rule.to_owned(), target: target.clone(), event: event.clone() };
            world.bus.under_way.insert(number, under_way);
            world.at(world.now + delay, world::Due::Bus(Due::Deliver { number }));
        }
    }
}

pub(crate) fn due(world: &mut World, due: Due) {
    match due {
        Due::Deliver { number } => {
            if let Some(under_way) = world.bus.under_way.remove(&number) {
                deliver(world, &under_way);
            }
        }
        Due::Tick { rule, generation } => {
            let current = world.bus.rules.get(&rule).map(|rule| rule.generation);
            if current == Some(generation) {
                tick(world, &rule);
            }
        }
    }
}

fn tick(world: &mut World, rule: &str) {
    let arn = rules::arn(world, rule);
    let event = envelope(world, "aws.events", "Scheduled Event", &[arn], json!({}));
    send(world, rule, &event);
    log(world, event, vec![rule.to_owned()]);
    ticks(world, rule);
}

/// Sets the timer of a rule's next tick, if it has a schedule.
fn ticks(world: &mut World, rule: &str) {
    if let Some((after, due)) = world.bus.rules.get(rule).and_then(rules::next_tick) {
        world.at(world.now + after, due);
    }
}

/// Hands an event to a function's queue. A target taken away meanwhile gets nothing; one
/// that cannot take it sends it to the rule's dead-letter queue.
fn deliver(world: &mut World, under_way: &UnderWay) {
    let rule = world.bus.rules.get(&under_way.rule);
    let Some(target) = rule.and_then(|rule| rule.targets.get(&under_way.target)).cloned() else { return };
    if target.arn.contains(":event-bus/") {
        return forward::forward(world, under_way, &target);
    }
    let Some((_, function)) = target.arn.split_once(":function:") else { return };
    let payload = payload(&target, &under_way.event);
    if lambda::enqueue(world, function, payload).is_none() {
        let why = ("RESOURCE_NOT_FOUND", format!("The target {} does not exist.", target.arn));
        undeliverable(world, under_way, &target, why);
    }
}

fn payload(target: &rules::Target, event: &Event) -> Value {
    if let Some(input) = &target.input {
        // PutTargets refuses what is no JSON.
        return serde_json::from_str(input).unwrap_or(Value::Null);
    }
    let path = target.input_path.as_deref().unwrap_or("$");
    let steps = path.trim_start_matches('$').split('.').filter(|step| !step.is_empty());
    steps.fold(&event.0, |value, step| &value[step]).clone()
}

fn undeliverable(
    world: &mut World,
    under_way: &UnderWay,
    target: &rules::Target,
    (code, message): (&str, String),
) {
    let Some(queue) = target.dead_letter_config.as_ref().map(|config| config.arn.clone()) else { return };
    let attributes = [
        ("RULE_ARN", rules::arn(world, &under_way.rule)),
        ("TARGET_ARN", target.arn.clone()),
        ("ERROR_CODE", code.to_owned()),
        ("ERROR_MESSAGE", message),
    ];
    let attributes = attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let letter = DeadLetter { at: world.now, queue, body: under_way.event.0.clone(), attributes };
    world.lambda.dead_letters.push(letter);
}

#[cfg(test)]
mod tests;
