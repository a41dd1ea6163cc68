//! Lambda functions as the processes that are deployed: the same binaries, under the
//! same Runtime API.
//!
//! | room | holds |
//! |---|---|
//! | [`queue`] | a function's invocations that wait, and how many instances they need |
//! | [`instance`] | one process: spawned, watched, killed at its time limit, spawned again |
//! | [`runtime_api`] | the HTTP that an instance speaks: next, response, error |
//! | [`log`] | what the processes said, bounded |
//!
//! As in Lambda, every instance has a Runtime API of its own, so an invocation in flight
//! belongs to exactly one process, and its crash is that invocation's end.

mod instance;
mod log;
mod queue;
mod runtime_api;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use self::queue::{Answer, Job, Queue};
use super::hub::Hub;
use crate::lambda::{Ended, Invocation};
use crate::world::World;

/// A function's binary, and how it is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionProcess {
    /// The function's name, as the rules' targets name it.
    pub name: String,
    /// The binary, or a script that speaks the Runtime API.
    pub binary: PathBuf,
    /// Its environment beside what Lambda sets.
    pub env: BTreeMap<String, String>,
    /// The access key that it signs with: the simulator maps it to the function's role.
    pub access_key: String,
    /// How many instances run at once at most (reserved concurrency).
    pub max_concurrency: usize,
}

impl FunctionProcess {
    /// A function of at most two instances that signs with its own name as access key.
    pub fn new(name: impl Into<String>, binary: impl Into<PathBuf>) -> Self {
        let name = name.into();
        Self {
            access_key: crate::lambda::access_key(&name),
            name,
            binary: binary.into(),
            env: BTreeMap::new(),
            max_concurrency: 2,
        }
    }
}

/// What an instance is told about the AWS around it.
#[derive(Debug, Clone)]
pub(super) struct Surroundings {
    /// `http://127.0.0.1:4566`
    pub(super) endpoint: String,
    /// Where the load balancer is reached: `http://127.0.0.1:8080`. Its own DNS name
    /// resolves nowhere outside this process.
    pub(super) balancer: String,
    /// The Region.
    pub(super) region: String,
    /// The account, for the invoked function's ARN.
    pub(super) account: String,
}

/// Every function and its queue.
pub(super) struct Functions {
    by_name: BTreeMap<String, Arc<Function>>,
    surroundings: Surroundings,
    speed: f64,
}

/// One function.
struct Function {
    process: FunctionProcess,
    queue: Queue,
    log: log::Log,
}

impl Functions {
    pub(super) fn new(
        processes: Vec<FunctionProcess>,
        surroundings: Surroundings,
        speed: f64,
    ) -> anyhow::Result<Self> {
        let mut by_name = BTreeMap::new();
        for process in processes {
            ensure!(
                process.binary.is_file(),
                "function {}: {} is not a file: build it first",
                process.name,
                process.binary.display()
            );
            let queue = Queue::new(process.max_concurrency);
            let name = process.name.clone();
            by_name.insert(name, Arc::new(Function { process, queue, log: log::Log::default() }));
        }
        Ok(Self { by_name, surroundings, speed })
    }

    /// Puts an invocation of the world's into its function's queue. A function without a
    /// process fails it, so that the world's retries and dead-letter queue show it.
    pub(super) fn enqueue(&self, world: &mut World, invocation: Invocation) {
        let Some(function) = self.by_name.get(&invocation.function) else {
            let words = format!("function {} has no process here", invocation.function);
            crate::lambda::completed(world, &invocation, &Ended::Error(words));
            return;
        };
        let allowance = self.allowance(world, &invocation);
        function.queue.push(Job { invocation, allowance, answer: Answer::World });
    }

    /// Invokes and gives the outcome to the caller. `None` where there is no such function.
    pub(super) fn invoke(&self, world: &World, invocation: Invocation) -> Option<oneshot::Receiver<Ended>> {
        let function = self.by_name.get(&invocation.function)?;
        let (sender, receiver) = oneshot::channel();
        let allowance = self.allowance(world, &invocation);
        function.queue.push(Job { invocation, allowance, answer: Answer::Caller(sender) });
        Some(receiver)
    }

    /// Real time until the deadline.
    fn allowance(&self, world: &World, invocation: &Invocation) -> Duration {
        invocation.deadline.since(world.now()).div_f64(self.speed)
    }

    /// The last lines that a function's processes wrote.
    pub(super) fn log(&self, name: &str) -> Vec<String> {
        self.by_name.get(name).map(|function| function.log.lines()).unwrap_or_default()
    }

    /// The process ids of a function's instances.
    pub(super) fn pids(&self, name: &str) -> Vec<u32> {
        self.by_name.get(name).map(|function| function.queue.pids()).unwrap_or_default()
    }

    /// Kills one instance, as a crash of the machine under it would. Returns whether there
    /// was one.
    pub(super) fn kill(&self, name: &str, pid: u32) -> bool {
        self.by_name.get(name).is_some_and(|function| function.queue.kill(pid))
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.by_name.keys().cloned().collect()
    }
}

/// Keeps as many instances of each function as its work needs, until `closing`; ends when
/// every process has ended.
pub(super) async fn supervise(hub: Arc<Hub>, closing: watch::Receiver<bool>) {
    let mut functions = JoinSet::new();
    for function in hub.functions.by_name.values() {
        functions.spawn(keep(Arc::clone(&hub), Arc::clone(function), closing.clone()));
    }
    while functions.join_next().await.is_some() {}
}

async fn keep(hub: Arc<Hub>, function: Arc<Function>, mut closing: watch::Receiver<bool>) {
    let mut instances = JoinSet::new();
    loop {
        while instances.len() < function.queue.wanted() {
            instances.spawn(instance::run(Arc::clone(&hub), Arc::clone(&function), closing.clone()));
        }
        tokio::select! {
            () = function.queue.grown() => {}
            _ = closing.wait_for(|closing| *closing) => break,
        }
    }
    while instances.join_next().await.is_some() {}
}
