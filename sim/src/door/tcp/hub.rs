//! Where the doors' tasks meet the state machine: every touch of the world goes through
//! [`Hub::with`], which first lets time go on to now, and then carries out the effects.
//!
//! ## Guarantees
//!
//! - Effects are carried out in the order in which the world emitted them: under the
//!   world's lock, which is sound because none of them waits (binding a socket, putting
//!   an invocation into a queue).
//! - The lock is never held across an `await`.
//! - Time does not leap. Where the process was held up, the clock has gone on, and what
//!   AWS would have done over seconds must not happen in one instant: a request under way
//!   would see its target drained and killed at once. So the driver catches up in slices,
//!   with a moment between them for the requests, and calls do not push it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use super::clock::Clock;
use super::containers::Containers;
use super::function::Functions;
use super::lock;
use crate::time::Time;
use crate::world::{Effect, World};

/// The longest sleep of the clock's driver: whoever locks the world himself, without
/// [`Hub::with`], sees his effects carried out within this time.
const TICK: Duration = Duration::from_millis(50);

/// How far, in real time, the world goes in one step; more is a leap.
const SLICE: Duration = Duration::from_millis(50);

/// The moment between two slices: catching up is ten times as fast as the clock.
const BREATH: Duration = Duration::from_millis(5);

/// The world, its clock, and what carries out its effects.
pub(super) struct Hub {
    pub(super) world: Arc<Mutex<World>>,
    pub(super) clock: Clock,
    pub(super) containers: Containers,
    pub(super) functions: Functions,
    wake: Notify,
}

impl Hub {
    pub(super) fn new(world: World, clock: Clock, functions: Functions) -> Self {
        Self {
            world: Arc::new(Mutex::new(world)),
            clock,
            containers: Containers::default(),
            functions,
            wake: Notify::new(),
        }
    }

    /// Does something with the world as it is now, and carries out what follows from it.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        let done = {
            let mut world = lock(&self.world);
            let now = self.clock.now();
            if now <= self.slice_end(&world) {
                world.advance(now);
            }
            let done = act(&mut world);
            self.carry_out(&mut world);
            done
        };
        self.wake.notify_one(); // a timer may now be due earlier than the driver thinks
        done
    }

    fn carry_out(&self, world: &mut World) {
        while let Some(effect) = world.effects.pop_front() {
            match effect {
                Effect::StartContainer(container) => {
                    if let Err(error) = self.containers.start(&container, &self.clock) {
                        tracing::error!(task = container.task_arn, "container not served: {error:#}");
                    }
                }
                Effect::SignalContainer { task_arn } => {
                    tracing::debug!(task = task_arn, "SIGTERM: it answers until it ends");
                }
                Effect::StopContainer { task_arn } => self.containers.stop(&task_arn),
                Effect::Invoke(invocation) => self.functions.enqueue(world, invocation),
            }
        }
    }

    /// Runs what is due when it is due, until `closing` turns true.
    pub(super) async fn drive(self: Arc<Self>, mut closing: watch::Receiver<bool>) {
        loop {
            let sleep = self.step();
            tokio::select! {
                () = tokio::time::sleep(sleep) => {}
                () = self.wake.notified(), if sleep > BREATH => {}
                _ = closing.wait_for(|closing| *closing) => return,
            }
        }
    }
    /// Goes on to now, or by one slice. Returns how long to sleep until the next step.
    fn step(&self) -> Duration {
        let mut world = lock(&self.world);
        let (now, end) = (self.clock.now(), self.slice_end(&world));
        world.advance(now.min(end));
        self.carry_out(&mut world);
        if end < now {
            return BREATH;
        }
        world.next_due().map_or(TICK, |at| self.clock.real_until(at).min(TICK))
    }

    /// How far one step may go. The driver's own sleep is part of it.
    fn slice_end(&self, world: &World) -> Time {
        world.now() + (TICK + SLICE).mul_f64(self.clock.speed())
    }
}
