//! The in-process door: the SDK's HTTP client without a socket, and functions as
//! futures. Tokio's clock is the virtual clock: under `start_paused` an hour of AWS goes
//! by as fast as the work in it takes, and calls of concurrent functions interleave by
//! their latencies.
//!
//! ```ignore
//! let door = InProcess::start(World::new(Config::default()));
//! let ssm = aws_sdk_ssm::Client::from_conf(config.http_client(door.http_client()).build());
//! door.register("deploy", |invocation| async move { handle(invocation.payload).await });
//! door.run_for(Duration::from_secs(60)).await;
//! ```
//!
//! A call takes its latency twice, before and after its effect, so that what a caller
//! reads may be stale when it acts on it. A seed makes all of this repeat itself: the
//! world's own, which also seeds the latencies and (through `fastrand`) the SDK's jitter.
//!
//! | room | holds |
//! |---|---|
//! | `connector` | the SDK's requests to the world and back |
//! | `balancer` | plain HTTP to a load balancer's DNS name |
//! | [`functions`] | invocations as futures, deadlines, kills |

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_smithy_async::time::{SharedTimeSource, TimeSource};
use aws_smithy_runtime_api::client::http::{SharedHttpClient, SharedHttpConnector};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::time::Time;
use crate::world::{Effect, World};

mod balancer;
mod connector;
pub mod functions;

pub use functions::{Handler, Kill, Kills};

/// The virtual clock: cheap to clone, and a time source for the SDK.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    origin: Instant,
    start: Time,
}

impl Clock {
    /// The virtual instant.
    pub fn now(&self) -> Time {
        self.start + self.origin.elapsed()
    }

    fn instant(&self, at: Time) -> Instant {
        self.origin + at.since(self.start)
    }
}

impl TimeSource for Clock {
    fn now(&self) -> std::time::SystemTime {
        std::time::UNIX_EPOCH + Duration::from_millis(self.now().0)
    }
}

/// How long a call takes on its way there, and again on its way back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latency {
    /// At least.
    pub least: Duration,
    /// At most.
    pub most: Duration,
}

impl Default for Latency {
    /// What a function in the same Region sees: 5 to 40 ms for the whole call, mostly.
    fn default() -> Self {
        Self { least: Duration::from_millis(3), most: Duration::from_millis(20) }
    }
}

/// What the door's tasks share.
struct Core {
    world: Mutex<World>,
    clock: Clock,
    rng: Mutex<(ChaCha8Rng, Latency)>,
    functions: functions::Functions,
    /// Wakes the driver: a call may have set an earlier timer, or invoked a function.
    called: Notify,
    /// Moves whenever the world did.
    moved: watch::Sender<u64>,
}

/// A world that lives in this process, on tokio's clock. Dropping it stops its timers.
pub struct InProcess {
    core: Arc<Core>,
    driver: tokio::task::JoinHandle<()>,
}

impl InProcess {
    /// Starts a world's time. Call it inside a tokio runtime of one thread.
    pub fn start(world: World) -> Self {
        let seed = world.config.seed;
        fastrand::seed(seed);
        let core = Arc::new(Core {
            clock: Clock { origin: Instant::now(), start: world.now() },
            // Another stream than the world's own.
            rng: Mutex::new((ChaCha8Rng::seed_from_u64(seed ^ 0xD00D), Latency::default())),
            functions: functions::Functions::default(),
            called: Notify::new(),
            moved: watch::channel(0).0,
            world: Mutex::new(world),
        });
        let driver = tokio::spawn(drive(Arc::clone(&core)));
        Self { core, driver }
    }

    /// Looks at the world, or does something to it, now.
    pub fn with<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        let result = act(&mut self.core.world_now());
        self.core.touched();
        result
    }

    /// The virtual instant.
    pub fn now(&self) -> Time {
        self.core.clock.now()
    }

    /// The virtual clock, for what runs inside this world.
    pub fn clock(&self) -> Clock {
        self.core.clock
    }

    /// The same, for an SDK configuration.
    pub fn time_source(&self) -> SharedTimeSource {
        SharedTimeSource::new(self.core.clock)
    }

    /// The HTTP client to give to an SDK configuration.
    pub fn http_client(&self) -> SharedHttpClient {
        connector::client(&self.core)
    }

    /// The connector under it, for clients that share one.
    pub fn connector(&self) -> SharedHttpConnector {
        connector::connector(&self.core)
    }

    /// How long calls take from now on.
    pub fn set_latency(&self, latency: Latency) {
        lock(&self.core.rng).1 = latency;
    }

    /// Registers what runs when the function `name` is invoked. The function itself must
    /// have been made: `lambda::install`, or a template.
    pub fn register<F, Fut>(&self, name: &str, handler: F)
    where
        F: Fn(crate::lambda::Invocation) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<serde_json::Value, String>> + Send + 'static,
    {
        self.core.functions.register(name, Arc::new(move |invocation| Box::pin(handler(invocation))));
    }

    /// Who is killed from now on, and at which of its calls.
    pub fn set_kills(&self, kills: Kills) {
        self.core.functions.set_kills(kills);
    }

    /// Whoever makes the call of this number is killed at it, counted from now over the calls of
    /// all invocations.
    pub fn kill_at(&self, kill: Kill) {
        self.core.functions.kill_at(kill);
    }

    /// Lets time go on to `at`.
    pub async fn run_until(&self, at: Time) {
        tokio::time::sleep_until(self.core.clock.instant(at)).await;
        self.with(|_| ());
    }

    /// Lets time go on.
    pub async fn run_for(&self, time: Duration) {
        self.run_until(self.now() + time).await;
    }

    /// Lets time go on until `done` says so, asked whenever the world moved; `false` if
    /// it did not within `limit`.
    pub async fn wait_for(&self, limit: Duration, mut done: impl FnMut(&World) -> bool) -> bool {
        let end = self.core.clock.instant(self.now() + limit);
        let mut moved = self.core.moved.subscribe();
        loop {
            if done(&self.core.world_now()) {
                return true;
            }
            let next = tokio::time::timeout_at(end, moved.changed()).await;
            if next.is_err() {
                return done(&self.core.world_now());
            }
        }
    }

    /// Lets time go on until no event is under way and no function runs or waits for its
    /// retry; `false` if that did not come within `limit`. Services may still roll out.
    pub async fn settle(&self, limit: Duration) -> bool {
        self.wait_for(limit, |world| {
            world.bus.under_way() == 0 && world.lambda.is_idle() && world.effects.is_empty()
        })
        .await
    }
}

impl Drop for InProcess {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Core {
    /// The world, with everything done that is due by now.
    fn world_now(&self) -> MutexGuard<'_, World> {
        let mut world = lock(&self.world);
        world.advance(self.clock.now());
        world
    }

    fn touched(&self) {
        self.called.notify_one();
        self.moved.send_modify(|count| *count += 1);
    }

    fn latency(&self) -> Duration {
        let (rng, latency) = &mut *lock(&self.rng);
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let least = ms(latency.least);
        Duration::from_millis(rng.random_range(least..=ms(latency.most).max(least)))
    }
}

/// Runs timers when they are due and starts what is to be invoked.
async fn drive(core: Arc<Core>) {
    loop {
        let next = turn(&core);
        tokio::select! {
            biased;
            () = core.called.notified() => {}
            () = tokio::time::sleep_until(next) => {
                core.moved.send_modify(|count| *count += 1);
            }
        }
    }
}

/// One turn; returns when the next timer is due. Containers are nothing outside the world
/// here, so their effects are dropped.
fn turn(core: &Arc<Core>) -> Instant {
    let mut world = core.world_now();
    let effects = std::mem::take(&mut world.effects);
    let next = world.next_due();
    drop(world);
    for effect in effects {
        if let Effect::Invoke(invocation) = effect {
            functions::spawn(core, invocation);
        }
    }
    let idle = Instant::now() + Duration::from_hours(24);
    next.map_or(idle, |at| core.clock.instant(at))
}

/// Locks. A test that panicked while it held the world has failed already.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
