//! What load makes of one task: a queue in front of a limited rate.
//!
//! 1. A task works off `capacity` requests a second: `sim.capacity_rps`, or what its cpu allows
//!    at `sim.cpu_per_request_ms` each. Cpu goes from `sim.base_cpu` to 100 % in proportion.
//! 2. Near capacity `c` a request takes `latency / (1 - rate / c)`, at most twenty times as long.
//! 3. Beyond it requests wait, up to `sim.queue_secs` of work; they take that much longer.
//! 4. What does not fit is refused at once with 503.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::behaviour::Cost;
use crate::ecs::Worker;

/// The rate beyond which a request takes no longer by rule 2.
const MOST_BUSY: f64 = 0.95;

/// How a task is loaded.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Strain {
    /// Requests that wait.
    pub(super) waiting: f64,
    /// Single requests since the last step.
    pub(super) singles: f64,
    pub(super) strained: Strained,
    /// In the last step: of all that came.
    pub(super) used: Used,
    /// Over the steps of this minute.
    pub(super) minute: Used,
    pub(super) steps: f64,
    /// What the last step took from each source.
    pub(super) from: BTreeMap<String, f64>,
}

/// What a client notices.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Strained {
    /// The share (0 to 1) that is refused.
    pub(crate) refused: f64,
    /// How much longer a request takes than on an idle task.
    pub(crate) waits_ms: u64,
}

/// Percent of what a task reserves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Used {
    pub(crate) cpu: f64,
    pub(crate) memory: f64,
}

/// Requests a second at which a task's cpu is full; infinite where a request takes none.
pub(super) fn capacity(worker: &Worker) -> f64 {
    let Cost { capacity_rps, cpu_per_request_ms, base_cpu, .. } = *worker.behaviour.cost;
    if let Some(rps) = capacity_rps {
        return rps;
    }
    if cpu_per_request_ms <= 0.0 {
        return f64::INFINITY;
    }
    f64::from(worker.cpu) / 1024.0 * 1000.0 * (1.0 - base_cpu / 100.0) / cpu_per_request_ms
}

/// At rest.
pub(super) fn at_rest(worker: &Worker) -> Used {
    Used { cpu: worker.behaviour.cost.base_cpu, memory: worker.behaviour.cost.base_memory }
}

impl Strain {
    /// A step of `secs` in which `arrived` requests came.
    pub(super) fn step(&mut self, worker: &Worker, arrived: f64, secs: f64) {
        let capacity = capacity(worker);
        let served = (self.waiting + arrived).min(capacity * secs);
        let left = self.waiting + arrived - served;
        let room = if capacity.is_finite() { capacity * worker.behaviour.cost.queue_secs } else { 0.0 };
        let refused = (left - room).clamp(0.0, arrived);
        self.waiting = left - refused;
        self.strained = Strained {
            refused: if arrived > 0.0 { refused / arrived } else { 0.0 },
            waits_ms: waits_ms(worker, (arrived - refused) / secs / capacity, self.waiting / capacity),
        };
        self.used = used(worker, served / secs, capacity);
        self.minute.cpu += self.used.cpu;
        self.minute.memory += self.used.memory;
        self.steps += 1.0;
    }

    /// The mean of the minute's steps.
    pub(super) fn of_minute(&self) -> Option<Used> {
        let mean = |sum: f64| sum / self.steps;
        (self.steps > 0.0).then(|| Used { cpu: mean(self.minute.cpu), memory: mean(self.minute.memory) })
    }

    /// Whether there is nothing to remember.
    pub(super) fn is_over(&self) -> bool {
        self.waiting < 1e-6 && self.singles == 0.0 && self.steps == 0.0
    }
}

fn used(worker: &Worker, rate: f64, capacity: f64) -> Used {
    let Used { cpu, memory } = at_rest(worker);
    let mib = f64::from(worker.memory.max(1));
    Used {
        cpu: (cpu + (100.0 - cpu) * rate / capacity).min(100.0),
        memory: (memory + 100.0 * rate * worker.behaviour.cost.memory_per_rps_mib / mib).min(100.0),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
fn waits_ms(worker: &Worker, busy: f64, queue_secs: f64) -> u64 {
    let busy = busy.clamp(0.0, MOST_BUSY);
    let idle = f64::from(u32::try_from(worker.behaviour.latency_ms).unwrap_or(u32::MAX));
    (idle * busy / (1.0 - busy) + queue_secs * 1000.0).clamp(0.0, 3_600_000.0).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::behaviour::Behaviour;

    /// 100 requests a second are its most, a request takes 10 ms.
    fn worker() -> Worker {
        let cost = Cost {
            cpu_per_request_ms: 5.0,
            capacity_rps: None,
            base_cpu: 0.0,
            base_memory: 20.0,
            memory_per_rps_mib: 1.0,
            queue_secs: 2.0,
        };
        let behaviour = Behaviour { cost: Box::new(cost), latency_ms: 10, ..Behaviour::default() };
        Worker { task: "t".into(), behaviour, cpu: 512, memory: 400 }
    }

    #[test]
    fn cpu_follows_the_rate_up_to_full() {
        let mut strain = Strain::default();
        let cpu: Vec<f64> = [0.0, 50.0, 100.0, 150.0]
            .map(|rate| {
                strain.step(&worker(), rate * 5.0, 5.0);
                strain.used.cpu
            })
            .into();
        assert_eq!(cpu, [0.0, 50.0, 100.0, 100.0]);
        assert_eq!(strain.of_minute(), Some(Used { cpu: 62.5, memory: 20.0 + 62.5 / 4.0 }));
    }

    #[test]
    fn beyond_capacity_requests_wait_and_then_are_refused() {
        let mut strain = Strain::default();
        strain.step(&worker(), 500.0 * 0.9, 5.0);
        assert_eq!(strain.strained, Strained { refused: 0.0, waits_ms: 90 }, "ten times as long");
        strain.step(&worker(), 600.0, 5.0);
        assert_eq!((strain.waiting, strain.strained.refused), (100.0, 0.0));
        assert_eq!(strain.strained.waits_ms, 190 + 1000, "a second's work waits before it");
        strain.step(&worker(), 1000.0, 5.0);
        assert_eq!((strain.waiting, strain.strained.refused), (200.0, 0.4), "two seconds' work fit");
        strain.step(&worker(), 0.0, 5.0);
        assert_eq!((strain.waiting, strain.used.cpu), (0.0, 40.0), "and it is worked off");
        assert_eq!(strain.strained, Strained::default());
    }

    #[test]
    fn without_a_cost_nothing_is_ever_full() {
        let idle = Worker { behaviour: Behaviour::default(), ..worker() };
        let mut strain = Strain::default();
        strain.step(&idle, 1e6, 5.0);
        assert_eq!((strain.used.cpu, strain.waiting, strain.strained), (1.0, 0.0, Strained::default()));
    }
}
