//! What a replay comes to: looked at every few seconds, summed up at the end. Pure accounting: it knows no
//! simulator.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

/// What is seen at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Look {
    /// Tasks wanted, of all services.
    pub(crate) wanted: u32,
    /// Of these, those without a place on an instance, on the newest revision.
    pub(crate) waiting: u32,
    /// The EC2 instances that are paid for.
    pub(crate) instances: BTreeSet<String>,
    /// As many as the tasks wanted take at least.
    pub(crate) least: u32,
    /// Tasks that are to run: task → its instance.
    pub(crate) tasks: BTreeMap<String, String>,
    /// Instances that are there and take tasks.
    pub(crate) open: BTreeSet<String>,
}

/// A moment of the curve that is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Point {
    /// Seconds since the beginning.
    pub(crate) at: u32,
    pub(crate) wanted: u32,
    pub(crate) waiting: u32,
    pub(crate) instances: u32,
    pub(crate) least: u32,
}

/// What it came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Totals {
    /// Seconds, summed over tasks, from wanted to placed.
    pub(crate) waited_task_secs: u64,
    /// The longest time in which some task was without a place.
    pub(crate) longest_wait_secs: u64,
    /// Seconds, summed over instances.
    pub(crate) instance_secs: u64,
    /// The same for as many instances as the tasks wanted take at least.
    pub(crate) least_instance_secs: u64,
    /// Tasks that ran and had to leave because their instance did.
    pub(crate) disrupted: u32,
    /// The most instances at once.
    pub(crate) most_instances: u32,
    /// Instances launched after the beginning.
    pub(crate) launched: u32,
}

/// Sums up.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    totals: Totals,
    curve: Vec<Point>,
    last: Look,
    seen: BTreeSet<String>,
    at: u32,
    waiting_since: Option<u32>,
}

impl Meter {
    /// A meter at the beginning, where it looks like this.
    pub(crate) fn new(first: Look) -> Self {
        let mut meter = Self { seen: first.instances.clone(), ..Self::default() };
        meter.totals.most_instances = count(first.instances.len());
        meter.waiting_since = (first.waiting > 0).then_some(0);
        meter.last = first;
        meter.draw();
        meter
    }

    /// So many seconds later it looks like this. Until now it was as at the last look.
    pub(crate) fn look(&mut self, after: u32, now: Look) {
        let secs = u64::from(after);
        self.at += after;
        self.totals.waited_task_secs += secs * u64::from(self.last.waiting);
        self.totals.instance_secs += secs * self.last.instances.len() as u64;
        self.totals.least_instance_secs += secs * u64::from(self.last.least);
        self.wait(now.waiting > 0);
        self.totals.disrupted += disrupted(&self.last, &now);
        self.totals.most_instances = self.totals.most_instances.max(count(now.instances.len()));
        self.totals.launched += count(now.instances.difference(&self.seen).count());
        self.seen.extend(now.instances.iter().cloned());
        self.last = now;
        self.draw();
    }

    fn wait(&mut self, waits: bool) {
        if let Some(since) = self.waiting_since {
            let waited = u64::from(self.at - since);
            self.totals.longest_wait_secs = self.totals.longest_wait_secs.max(waited);
        }
        self.waiting_since = waits.then(|| self.waiting_since.unwrap_or(self.at));
    }

    /// Points that say nothing new are left out.
    fn draw(&mut self) {
        let Look { wanted, waiting, ref instances, least, .. } = self.last;
        let point = Point { at: self.at, wanted, waiting, instances: count(instances.len()), least };
        if self.curve.last().is_none_or(|last| Point { at: self.at, ..*last } != point) {
            self.curve.push(point);
        }
    }

    /// What it came to, and its curve.
    pub(crate) fn end(mut self) -> (Totals, Vec<Point>) {
        if let Some(last) = self.curve.last().copied().filter(|last| last.at < self.at) {
            self.curve.push(Point { at: self.at, ..last });
        }
        (self.totals, self.curve)
    }
}

/// Tasks that were to run on an instance, and no longer are, where that instance takes no tasks any more.
fn disrupted(before: &Look, now: &Look) -> u32 {
    let left = before.tasks.iter().filter(|(task, _)| !now.tasks.contains_key(*task));
    count(left.filter(|(_, instance)| !now.open.contains(*instance)).count())
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|it| (*it).to_owned()).collect()
    }

    fn look(wanted: u32, waiting: u32, instances: &[&str]) -> Look {
        Look { wanted, waiting, instances: set(instances), open: set(instances), least: 1, ..Look::default() }
    }

    fn on(tasks: &[(&str, &str)]) -> BTreeMap<String, String> {
        tasks.iter().map(|(task, instance)| ((*task).to_owned(), (*instance).to_owned())).collect()
    }

    #[test]
    fn seconds_are_summed_over_tasks_and_over_instances() {
        let mut meter = Meter::new(look(2, 0, &["a"]));
        meter.look(10, look(5, 3, &["a"])); // 10 s with one instance, none waits
        meter.look(30, look(5, 1, &["a", "b"])); // 30 s in which three wait
        meter.look(20, look(5, 0, &["a", "b"])); // 20 s in which one waits, on two instances
        meter.look(60, look(5, 2, &["b", "c"])); // 60 s on two
        meter.look(5, look(5, 0, &["b"])); // 5 s in which two wait
        let (totals, curve) = meter.end();
        assert_eq!(
            totals,
            Totals {
                waited_task_secs: 3 * 30 + 20 + 2 * 5,
                longest_wait_secs: 50,
                instance_secs: 10 + 30 + 2 * 20 + 2 * 60 + 2 * 5,
                least_instance_secs: 125,
                disrupted: 0,
                most_instances: 2,
                launched: 2,
            }
        );
        let at: Vec<(u32, u32)> = curve.iter().map(|it| (it.at, it.instances)).collect();
        assert_eq!(at, [(0, 1), (10, 1), (40, 2), (60, 2), (120, 2), (125, 1)]);
    }

    #[test]
    fn a_wait_that_does_not_end_is_counted_to_the_end() {
        let mut meter = Meter::new(look(1, 1, &[]));
        meter.look(7, look(1, 1, &[]));
        meter.look(7, look(1, 1, &[]));
        assert_eq!(meter.end().0.longest_wait_secs, 14);
    }

    #[test]
    fn tasks_that_leave_with_their_instance_are_disrupted_and_those_that_are_scaled_in_are_not() {
        let tasks = |open: &[&str], tasks: &[(&str, &str)]| Look {
            tasks: on(tasks),
            open: set(open),
            ..Look::default()
        };
        let mut meter = Meter::new(tasks(&["a", "b"], &[("1", "a"), ("2", "a"), ("3", "b"), ("4", "b")]));
        // 1 is scaled in; b drains: 3 leaves, 4 is still there.
        meter.look(5, tasks(&["a"], &[("2", "a"), ("4", "b")]));
        // b is gone, and 4 with it; 5 is new.
        meter.look(5, tasks(&["a"], &[("2", "a"), ("5", "a")]));
        assert_eq!(meter.end().0.disrupted, 2);
    }
}
