//! design.md's invariants, asked at every tick of the world and never of Windlass's own
//! records:
//!
//! 1. healthy tasks of a live service never fall below its minimum;
//! 2. no open rule of ours forwards only to groups without a healthy target;
//! 3. the function deletes, deregisters and stops nothing (revisions alone, where the scenario
//!    says that they may go);
//! 4. a digest that ECS gave up is not rolled out again (asked by the scenarios of failures).
//!
//! The first two hold for applications that work. A scenario whose *live* image is broken
//! says so with [`Watch::tolerate`].

use std::collections::{BTreeMap, BTreeSet};

use windlass_shared::names;
use windlass_sim::elb::{self, TargetState};
use windlass_sim::{Time, World, ecs};

/// What must never be called: prefixes of operations.
const DESTRUCTIVE: [&str; 6] = ["Delete", "BatchDelete", "Deregister", "Stop", "Remove", "Untag"];
/// What ends a rollout, and takes nothing away: ECS goes back to what ran before.
const ENDS_A_ROLLOUT: [&str; 1] = ["StopServiceDeployment"];
/// The first violations say enough.
const KEPT: usize = 5;

/// The invariants' state.
#[derive(Debug)]
pub struct Watch {
    access_key: String,
    /// Services that had all their tasks healthy, by how many were wanted then.
    armed: BTreeMap<String, u32>,
    tolerated: BTreeSet<String>,
    min_percent: BTreeMap<String, u32>,
    /// What may be called all the same.
    allowed: BTreeSet<&'static str>,
    looked_at: Time,
    violations: Vec<String>,
}

impl Watch {
    /// Watches the function that signs with `access_key`.
    pub(crate) fn new(access_key: &str) -> Self {
        Self {
            access_key: access_key.to_owned(),
            armed: BTreeMap::new(),
            tolerated: BTreeSet::new(),
            min_percent: BTreeMap::new(),
            allowed: BTreeSet::from(ENDS_A_ROLLOUT),
            looked_at: Time(0),
            violations: Vec::new(),
        }
    }

    /// The service's live image is broken from now on: nobody could keep it healthy.
    pub fn tolerate(&mut self, service: &str) {
        self.tolerated.insert(service.to_owned());
    }

    /// The service's minimum is another one than 100 %.
    pub fn min_percent(&mut self, service: &str, percent: u32) {
        self.min_percent.insert(service.to_owned(), percent);
    }

    /// A spec has `keep_revisions`: old ones may go.
    pub fn let_revisions_go(&mut self) {
        self.allowed.insert("DeregisterTaskDefinition");
    }

    /// Panics with what was broken.
    pub fn verdict(&self) {
        assert!(self.violations.is_empty(), "invariants were broken:\n{}", self.violations.join("\n"));
    }

    pub(crate) fn tick(&mut self, world: &World, listener: &str) {
        let services = ecs::view::services(world);
        for service in services.iter().filter(|it| it.status == "ACTIVE") {
            self.stays_healthy(world, service);
        }
        self.rules(world, listener, &services);
        self.calls(world);
    }

    fn broken(&mut self, world: &World, what: &str) {
        if self.violations.len() < KEPT {
            self.violations.push(format!("{}: {what}", world.now()));
        }
    }

    fn stays_healthy(&mut self, world: &World, service: &ecs::view::ServiceView) {
        let name = &service.name;
        let healthy = u32::try_from(service.healthy).unwrap_or(u32::MAX);
        // Another number is wanted: armed again once it is reached.
        if self.armed.get(name).is_some_and(|desired| *desired != service.desired) {
            self.armed.remove(name);
        }
        if healthy >= service.desired {
            self.armed.insert(name.clone(), service.desired);
        }
        let percent = self.min_percent.get(name).copied().unwrap_or(100);
        let floor = (service.desired * percent).div_ceil(100);
        if self.armed.contains_key(name) && !self.tolerated.contains(name) && healthy < floor {
            self.broken(world, &format!("{name} has {healthy} healthy tasks, its minimum is {floor}"));
        }
    }

    fn rules(&mut self, world: &World, listener: &str, services: &[ecs::view::ServiceView]) {
        let ours: BTreeMap<String, &str> = services
            .iter()
            .flat_map(|service| {
                let key = crate::key(&service.name);
                let name = service.name.as_str();
                [(names::target_group(&key), name), (names::second_target_group(&key), name)]
            })
            .collect();
        for rule in elb::rules(world, listener) {
            let is_parked =
                rule.conditions.iter().any(|condition| condition.contains(".parked.windlass.invalid"));
            let own: Vec<_> = rule.groups.iter().filter_map(|group| ours.get(&group.name)).copied().collect();
            let can_serve = rule.groups.iter().any(|group| {
                group.weight > 0 && group.targets.get(&TargetState::Healthy).is_some_and(|n| *n > 0)
            });
            if !is_parked
                && !own.is_empty()
                && !can_serve
                && !own.iter().any(|it| self.tolerated.contains(*it))
            {
                self.broken(
                    world,
                    &format!("rule {:?} of ours has no healthy target: {:?}", rule.priority, rule.conditions),
                );
            }
        }
    }

    fn calls(&mut self, world: &World) {
        let since = std::mem::replace(&mut self.looked_at, world.now());
        let new = world.gate.log.records().rev().take_while(|record| record.at >= since);
        let ours = new.filter(|record| record.caller.access_key == self.access_key);
        let bad: Vec<String> = ours
            .filter(|record| DESTRUCTIVE.iter().any(|word| record.operation.starts_with(word)))
            .filter(|record| !self.allowed.contains(record.operation.as_str()))
            .map(|record| format!("the function called {}:{}", record.service.name(), record.operation))
            .collect();
        for what in bad {
            self.broken(world, &what);
        }
    }
}
