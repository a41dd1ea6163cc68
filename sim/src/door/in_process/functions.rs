//! Functions as futures: started when the world says so, dropped at their deadline, and
//! killed at any of their calls if a test wants so.
//!
//! A call belongs to the invocation whose task makes it. What a handler spawns onto other
//! tasks is neither counted nor killed, so handlers run their calls concurrently within
//! their own task (`join`, `buffered`).

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::Value;
use tokio::sync::Notify;

use super::{Core, lock};
use crate::gate::faults::When;
use crate::lambda::{self, Ended, Invocation};

/// What runs when a function is invoked. The error is what Lambda would report.
pub type Handler = Arc<dyn Fn(Invocation) -> BoxFuture<'static, Result<Value, String>> + Send + Sync>;

/// Asked at each invocation whether, and at which call, it is killed.
pub type Kills = Box<dyn FnMut(&Invocation) -> Option<Kill> + Send>;

/// A kill at a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kill {
    /// At which call of the invocation: 1 for its first.
    pub call: u32,
    /// Before the call's effect, or after it.
    pub when: When,
}

/// Nobody is killed.
pub fn no_kills() -> Kills {
    Box::new(|_| None)
}

/// The next invocation is killed at its call number `call`; those after it live.
pub fn kill_next(call: u32, when: When) -> Kills {
    let mut left = Some(Kill { call, when });
    Box::new(move |_| left.take())
}

/// What is registered.
pub(super) struct Functions {
    registered: Mutex<(BTreeMap<String, Handler>, Kills)>,
    all: Arc<AllCalls>,
}

/// The calls of all invocations, counted together.
#[derive(Default)]
struct AllCalls(Mutex<(u32, Option<Kill>)>);

impl AllCalls {
    /// Counts a call; when its caller is killed, where it is this one's turn.
    fn next(&self) -> Option<When> {
        let (calls, kill) = &mut *lock(&self.0);
        *calls += 1;
        kill.filter(|kill| kill.call == *calls).map(|kill| kill.when)
    }
}

impl Default for Functions {
    fn default() -> Self {
        Self { registered: Mutex::new((BTreeMap::new(), no_kills())), all: Arc::default() }
    }
}

impl Functions {
    pub(super) fn register(&self, name: &str, handler: Handler) {
        lock(&self.registered).0.insert(name.to_owned(), handler);
    }

    pub(super) fn set_kills(&self, kills: Kills) {
        lock(&self.registered).1 = kills;
    }

    pub(super) fn kill_at(&self, kill: Kill) {
        *lock(&self.all.0) = (0, Some(kill));
    }

    fn begin(&self, invocation: &Invocation) -> (Option<Handler>, Option<Kill>) {
        let (handlers, kills) = &mut *lock(&self.registered);
        (handlers.get(&invocation.function).cloned(), kills(invocation))
    }
}

/// An invocation under way, as its calls see it.
struct Running {
    calls: AtomicU32,
    kill: Option<Kill>,
    all: Arc<AllCalls>,
    killed: Notify,
}

tokio::task_local! {
    static RUNNING: Arc<Running>;
}

/// Where, within one call, its caller is killed.
pub(super) struct KillPoint(Option<(Arc<Running>, When)>);

/// Counts a call of the invocation whose task this is.
pub(super) fn next_call() -> KillPoint {
    let point = RUNNING.try_with(|running| {
        let call = running.calls.fetch_add(1, Ordering::Relaxed) + 1;
        let own = running.kill.filter(|kill| kill.call == call).map(|kill| kill.when);
        let when = running.all.next().or(own)?;
        Some((Arc::clone(running), when))
    });
    KillPoint(point.ok().flatten())
}

impl KillPoint {
    pub(super) async fn before(&self) {
        self.strike(When::Before).await;
    }

    pub(super) async fn after(&self) {
        self.strike(When::After).await;
    }

    /// Whoever is killed does not return from here: its future is dropped.
    async fn strike(&self, when: When) {
        if let Some((running, at)) = &self.0
            && *at == when
        {
            running.killed.notify_one();
            std::future::pending::<()>().await;
        }
    }
}

/// Starts an invocation and reports its end to the world.
pub(super) fn spawn(core: &Arc<Core>, invocation: Invocation) {
    let (handler, kill) = core.functions.begin(&invocation);
    let core = Arc::clone(core);
    tokio::spawn(async move {
        let ended = match handler {
            Some(handler) => run(&core, &invocation, handler, kill).await,
            None => Ended::Error(format!("no handler is registered for {}", invocation.function)),
        };
        lambda::completed(&mut core.world_now(), &invocation, &ended);
        core.touched();
    });
}

async fn run(core: &Core, invocation: &Invocation, handler: Handler, kill: Option<Kill>) -> Ended {
    let all = Arc::clone(&core.functions.all);
    let running = Arc::new(Running { calls: AtomicU32::new(0), kill, all, killed: Notify::new() });
    let work = AssertUnwindSafe(RUNNING.scope(Arc::clone(&running), handler(invocation.clone())));
    let id = &invocation.request_id;
    tokio::select! {
        biased;
        () = running.killed.notified() => {
            Ended::Error(format!("RequestId: {id} Error: Runtime exited with error: signal: killed"))
        }
        () = tokio::time::sleep_until(core.clock.instant(invocation.deadline)) => {
            Ended::Error(lambda::timed_out(&core.world_now(), invocation))
        }
        result = work.catch_unwind() => match result {
            Ok(Ok(value)) => Ended::Ok(value),
            Ok(Err(error)) => Ended::Error(error),
            Err(panic) => Ended::Error(format!("RequestId: {id} Error: panicked: {}", words(&*panic))),
        },
    }
}

fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}
