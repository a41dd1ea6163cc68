//! A function's invocations that wait, its instances, and how many it needs.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

use super::super::hub::Hub;
use super::super::lock;
use crate::lambda::{Ended, Invocation, completed};

/// An invocation and who wants to know how it ended.
pub(super) struct Job {
    pub(super) invocation: Invocation,
    /// How long it may take, in real time: the function's timeout.
    pub(super) allowance: Duration,
    pub(super) answer: Answer,
}

/// Who wants to know.
pub(super) enum Answer {
    /// The world: its retries and its dead-letter queue.
    World,
    /// A caller of Invoke who waits.
    Caller(oneshot::Sender<Ended>),
}

impl Job {
    /// Reports the end.
    pub(super) fn end(self, hub: &Hub, ended: Ended) {
        match self.answer {
            Answer::World => hub.with(|world| completed(world, &self.invocation, &ended)),
            // A caller who left does not want the answer any more.
            Answer::Caller(caller) => drop(caller.send(ended)),
        }
    }
}

/// The queue of one function.
pub(super) struct Queue {
    state: Mutex<State>,
    max_concurrency: usize,
    ready: Notify,
    grow: Notify,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Job>,
    busy: usize,
    /// Each instance's process id, and how to have it killed.
    instances: BTreeMap<u32, Arc<Notify>>,
}

impl Queue {
    pub(super) fn new(max_concurrency: usize) -> Self {
        let (ready, grow) = (Notify::new(), Notify::new());
        Self { state: Mutex::default(), max_concurrency: max_concurrency.max(1), ready, grow }
    }

    pub(super) fn push(&self, job: Job) {
        lock(&self.state).waiting.push_back(job);
        self.ready.notify_one();
        self.grow.notify_one();
    }

    /// The next invocation, for the instance that asks; it is busy until [`Queue::finished`].
    pub(super) async fn next(&self) -> Job {
        loop {
            if let Some(job) = self.try_next() {
                return job;
            }
            self.ready.notified().await;
        }
    }

    /// The next invocation if one waits.
    pub(super) fn try_next(&self) -> Option<Job> {
        let mut state = lock(&self.state);
        let job = state.waiting.pop_front()?;
        state.busy += 1;
        if !state.waiting.is_empty() {
            self.ready.notify_one(); // notices do not add up: pass the next one on
        }
        Some(job)
    }

    /// An instance's invocation has ended.
    pub(super) fn finished(&self) {
        let mut state = lock(&self.state);
        state.busy = state.busy.saturating_sub(1);
    }

    /// How many instances its work needs now: one is kept warm.
    pub(super) fn wanted(&self) -> usize {
        let state = lock(&self.state);
        (state.busy + state.waiting.len()).clamp(1, self.max_concurrency)
    }

    /// Resolves when more may be wanted.
    pub(super) async fn grown(&self) {
        self.grow.notified().await;
    }

    pub(super) fn born(&self, pid: u32) -> Arc<Notify> {
        Arc::clone(lock(&self.state).instances.entry(pid).or_default())
    }

    pub(super) fn died(&self, pid: u32) {
        lock(&self.state).instances.remove(&pid);
    }

    pub(super) fn pids(&self) -> Vec<u32> {
        lock(&self.state).instances.keys().copied().collect()
    }

    pub(super) fn kill(&self, pid: u32) -> bool {
        let state = lock(&self.state);
        let Some(instance) = state.instances.get(&pid) else { return false };
        instance.notify_one();
        true
    }
}
