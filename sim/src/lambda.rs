//! Lambda's asynchronous side: the queue of each function, two retries, destinations and
//! dead letters. Carrying an invocation out is the door's work: it takes
//! [`Effect::Invoke`] and reports back with [`completed`].

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::gate::permissions::Role;
use crate::iam::{Document, Policy};
use crate::time::Time;
use crate::world::{self, Effect, World};

mod api;
mod letters;
mod policy;

pub(crate) use api::handle;
pub use letters::DeadLetter;
pub(crate) use policy::allows;
pub use policy::{Permission, permit};

/// How many invocations the log keeps.
const KEPT: usize = 20_000;

/// Lambda's state.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Lambda {
    functions: BTreeMap<String, Function>,
    /// Waiting for their first or next try, by request id.
    waiting: BTreeMap<String, Queued>,
    /// Running now, by request id.
    running: BTreeMap<String, Queued>,
    /// What nothing could be done with: from functions and from rules, oldest first.
    pub dead_letters: Vec<DeadLetter>,
    /// Every try that ended, oldest first: for explanations and tests.
    pub log: VecDeque<InvocationRecord>,
    /// How much longer than its timeout a function may run on the virtual clock.
    #[serde(skip)]
    pub stretch: Stretch,
}

/// Virtual seconds for each second of a function's timeout: 1, but at the TCP door, whose
/// functions are processes that work in real time while the clock runs faster.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stretch(pub f64);

impl Default for Stretch {
    fn default() -> Self {
        Self(1.0)
    }
}

/// A function, as far as its invocations go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// The name of its role.
    pub role: String,
    /// Its role's policies; `None` allows everything.
    #[serde(default)]
    pub policies: Option<Vec<Document>>,
    /// How long it may run.
    pub timeout: Duration,
    /// Its memory in MiB.
    pub memory_mib: u32,
    /// Its environment.
    pub environment: BTreeMap<String, String>,
    /// How often an event is tried again after an error: 0 to 2.
    pub retries: u32,
    /// An event older than this is not tried again.
    pub max_event_age: Duration,
    /// The queue of failed events' records (`EventInvokeConfig`'s destination).
    pub on_failure: Option<String>,
    /// The queue of failed events themselves (`DeadLetterConfig`).
    pub dead_letter: Option<String>,
    /// The most that may run at once; `None` is no limit.
    pub reserved_concurrency: Option<usize>,
    /// Which services may invoke it: its resource policy, by statement.
    #[serde(default)]
    pub permissions: BTreeMap<String, Permission>,
}

impl Function {
    /// A function with AWS's defaults, allowed everything.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            role: format!("{name}-role"),
            policies: None,
            timeout: Duration::from_secs(3),
            memory_mib: 128,
            environment: BTreeMap::new(),
            retries: 2,
            max_event_age: Duration::from_hours(6),
            on_failure: None,
            dead_letter: None,
            reserved_concurrency: None,
            permissions: BTreeMap::new(),
        }
    }

    /// The access key id that the function's SDK signs with, so that the gate knows it.
    pub fn access_key(&self) -> String {
        access_key(&self.name)
    }
}

/// The access key id of the function `name`.
pub fn access_key(name: &str) -> String {
    format!("ASIA-{name}")
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Queued {
    invocation: Invocation,
    since: Time,
    /// How often it found every slot taken since its last try.
    throttled: u32,
    #[serde(default)]
    caller: Caller,
}

/// Who waits for an invocation's end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Caller {
    /// Nobody: it is an event, tried again where it fails.
    #[default]
    Nobody,
    /// An ECS deployment's lifecycle hook, which decides itself what an error means.
    EcsHook {
        /// The hook's id.
        hook: String,
    },
}

/// One invocation of a function that a door carries out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Invocation {
    /// Lambda's request id: the same on retries of one event.
    pub request_id: String,
    /// The function's name.
    pub function: String,
    /// The event.
    pub payload: Value,
    /// 1 for the first try.
    pub attempt: u32,
    /// By when the function must have answered.
    pub deadline: Time,
}

/// How an invocation ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Ended {
    /// It returned.
    Ok(Value),
    /// It returned an error, crashed, or was killed.
    Error(String),
}

/// A try that ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InvocationRecord {
    /// When it ended.
    pub at: Time,
    /// What was tried.
    pub invocation: Invocation,
    /// How it ended.
    pub ended: Ended,
}

/// What this service's timers are for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Due {
    /// A queued event is tried.
    Start {
        /// Its request id.
        request_id: String,
    },
    /// A function must have answered by now.
    Deadline {
        /// Its request id.
        request_id: String,
        /// Which try.
        attempt: u32,
    },
}

impl Lambda {
    /// The functions.
    pub fn functions(&self) -> impl Iterator<Item = &Function> {
        self.functions.values()
    }

    /// A function by its name.
    pub fn function(&self, name: &str) -> Option<&Function> {
        self.functions.get(name)
    }

    /// Whether any event waits or runs.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.running.is_empty()
    }
}

/// Creates a function, or replaces one of the same name. Whoever signs with its
/// [`Function::access_key`] has its role. Its policies were read by whoever made it: one that cannot be
/// read allows nothing.
pub fn install(world: &mut World, function: Function) {
    let policy = function.policies.as_ref().map(|documents| {
        let read = Policy::read(documents);
        Arc::new(read.unwrap_or_else(|error| {
            tracing::error!("the role {} allows nothing: {error:#}", function.role);
            Policy::default()
        }))
    });
    let role = Role { name: function.role.clone(), session: function.name.clone(), policy };
    world.gate.permissions.assume(&function.access_key(), role);
    world.lambda.functions.insert(function.name.clone(), function);
}

/// Puts an event into a function's queue; `None` if there is no such function. Returns
/// the request id.
pub fn enqueue(world: &mut World, function: &str, payload: Value) -> Option<String> {
    invoke(world, function, payload, Caller::Nobody)
}

/// The same for a caller who gets the answer.
pub(crate) fn invoke(world: &mut World, function: &str, payload: Value, caller: Caller) -> Option<String> {
    let name = plain_name(function).to_owned();
    world.lambda.functions.get(&name)?;
    let id = world.next_id();
    let request_id = format!("{:08x}-0000-4000-a000-{id:012x}", world.config.seed & 0xffff_ffff);
    let invocation = Invocation {
        request_id: request_id.clone(),
        function: name,
        payload,
        attempt: 1,
        deadline: world.now, // set when it starts
    };
    let queued = Queued { invocation, since: world.now, throttled: 0, caller };
    world.lambda.waiting.insert(request_id.clone(), queued);
    start(world, &request_id);
    Some(request_id)
}

/// `arn:…:function:deploy:alias` and `deploy:alias` name `deploy`.
fn plain_name(function: &str) -> &str {
    let name = function.split_once(":function:").map_or(function, |(_, name)| name);
    name.split(':').next().unwrap_or(name)
}

pub(crate) fn due(world: &mut World, due: Due) {
    match due {
        Due::Start { request_id } => start(world, &request_id),
        Due::Deadline { request_id, attempt } => {
            let running = world.lambda.running.get(&request_id).map(|queued| &queued.invocation);
            if let Some(invocation) = running.filter(|running| running.attempt == attempt).cloned() {
                let ended = Ended::Error(timed_out(world, &invocation));
                completed(world, &invocation, &ended);
            }
        }
    }
}

/// Lambda's words for a function that was killed at its deadline.
pub fn timed_out(world: &World, invocation: &Invocation) -> String {
    let timeout = world.lambda.function(&invocation.function).map_or(Duration::ZERO, |f| f.timeout);
    format!(
        "RequestId: {} Error: Task timed out after {:.2} seconds",
        invocation.request_id,
        timeout.as_secs_f64()
    )
}

/// Tries a waiting event now, or later if the function's slots are taken.
fn start(world: &mut World, request_id: &str) {
    let Some(mut queued) = world.lambda.waiting.remove(request_id) else { return };
    let Some(function) = world.lambda.functions.get(&queued.invocation.function) else { return };
    let (timeout, limit) = (function.timeout, function.reserved_concurrency);
    let running = world.lambda.running.values();
    let running = running.filter(|other| other.invocation.function == queued.invocation.function).count();
    if limit.is_some_and(|limit| running >= limit) {
        // Lambda backs off from 1 s to 5 min.
        let wait = Duration::from_secs(1 << queued.throttled.min(8)).min(Duration::from_mins(5));
        queued.throttled += 1;
        wait_for(world, queued, wait);
        return;
    }
    queued.throttled = 0;
    queued.invocation.deadline = world.now + timeout.mul_f64(world.lambda.stretch.0);
    let invocation = queued.invocation.clone();
    let due = Due::Deadline { request_id: request_id.to_owned(), attempt: invocation.attempt };
    world.at(invocation.deadline, world::Due::Lambda(due));
    world.lambda.running.insert(request_id.to_owned(), queued);
    world.effects.push_back(Effect::Invoke(invocation));
}

fn wait_for(world: &mut World, queued: Queued, wait: Duration) {
    let request_id = queued.invocation.request_id.clone();
    world.lambda.waiting.insert(request_id.clone(), queued);
    world.at(world.now + wait, world::Due::Lambda(Due::Start { request_id }));
}

/// The door reports an invocation's end: retries and the dead-letter queue follow. A
/// report after the deadline, or of an older try, is ignored.
pub fn completed(world: &mut World, invocation: &Invocation, ended: &Ended) {
    let running = world.lambda.running.get(&invocation.request_id);
    if running.is_none_or(|running| running.invocation.attempt != invocation.attempt) {
        return;
    }
    let Some(queued) = world.lambda.running.remove(&invocation.request_id) else { return };
    if world.lambda.log.len() == KEPT {
        world.lambda.log.pop_front();
    }
    world.lambda.log.push_back(InvocationRecord {
        at: world.now,
        invocation: queued.invocation.clone(),
        ended: ended.clone(),
    });
    match (&queued.caller, ended) {
        (Caller::EcsHook { hook }, ended) => crate::ecs::hook_answered(world, hook, ended),
        (Caller::Nobody, Ended::Error(error)) => failed(world, queued, error),
        (Caller::Nobody, Ended::Ok(_)) => {}
    }
}

/// Tries again after one minute, then after two, then gives up.
fn failed(world: &mut World, mut queued: Queued, error: &str) {
    let Some(function) = world.lambda.functions.get(&queued.invocation.function).cloned() else { return };
    let wait = Duration::from_mins(1) * queued.invocation.attempt;
    let exhausted = queued.invocation.attempt > function.retries;
    let too_old = world.now.since(queued.since) + wait > function.max_event_age;
    if exhausted || too_old {
        let condition = if exhausted { "RetriesExhausted" } else { "EventAgeExceeded" };
        letters::give_up(world, &function, &queued.invocation, condition, error);
        return;
    }
    queued.invocation.attempt += 1;
    wait_for(world, queued, wait);
}

fn function_arn(world: &World, name: &str) -> String {
    world.arn("lambda", &format!("function:{name}"))
}

/// A function's configuration, as `GetFunction` tells it.
fn configuration(world: &World, function: &Function) -> Value {
    json!({
        "FunctionName": function.name,
        "FunctionArn": function_arn(world, &function.name),
        "Role": format!("arn:aws:iam::{}:role/{}", world.config.account, function.role),
        "Runtime": "provided.al2023",
        "Handler": "bootstrap",
        "Timeout": function.timeout.as_secs(),
        "MemorySize": function.memory_mib,
        "Environment": { "Variables": function.environment },
        "State": "Active",
        "Version": "$LATEST",
    })
}

#[cfg(test)]
mod tests;
