//! The state of the embedded AWS, its timers, and the two ways in: [`World::call`]
//! (an API call now) and [`World::advance`] (time goes on).
//!
//! Everything is deterministic under [`Config::seed`]: no clock is read, no thread is
//! started, and the services keep their state in ordered maps. What must happen outside
//! (start a container's HTTP server, invoke a function) is put into [`World::effects`]
//! and taken by the door.

mod disk;

use std::collections::{BinaryHeap, VecDeque};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::accounts::Accounts;
use crate::autoscaling::AutoScaling;
use crate::behaviour::Behaviour;
use crate::bus::Bus;
use crate::call::{Call, Reply, ServiceId};
use crate::cloudwatch::CloudWatch;
use crate::dynamo::Dynamo;
use crate::ec2::Ec2;
use crate::ecr::Ecr;
use crate::ecs::Ecs;
use crate::elb::Elb;
use crate::gate::{Gate, Outcome};
use crate::lambda::{Invocation, Lambda};
use crate::load::Load;
use crate::scalable::Scalable;
use crate::ssm::Ssm;
use crate::time::Time;
use crate::wire::Stamp;
use crate::{autoscaling, bus, cloudwatch, ec2, ecr, ecs, elb, gate, lambda, load, scalable, ssm, sts};

/// What a world is made with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// The twelve-digit account.
    pub account: String,
    /// The Region.
    pub region: String,
    /// Seeds every choice the world makes.
    pub seed: u64,
    /// When its clock starts.
    pub start: Time,
    /// The host (and port) of the registry in image URIs. In AWS
    /// `<account>.dkr.ecr.<region>.amazonaws.com`; locally `localhost:4566`.
    pub registry: String,
    /// Whether AWS's API rates are kept.
    pub throttling: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            account: "123456789012".into(),
            region: "eu-central-1".into(),
            seed: 0,
            start: Time(1_767_225_600_000), // 2026-01-01T00:00:00Z
            registry: "123456789012.dkr.ecr.eu-central-1.amazonaws.com".into(),
            throttling: true,
        }
    }
}

/// The embedded AWS.
pub struct World {
    /// What it was made with.
    pub config: Config,
    pub(crate) accounts: Accounts,
    pub(crate) now: Time,
    pub(crate) rng: ChaCha8Rng,
    timers: BinaryHeap<std::cmp::Reverse<Timer>>,
    sequence: u64,
    /// The gate that every call passes.
    pub gate: Gate,
    /// ECS.
    pub ecs: Ecs,
    /// ECR.
    pub ecr: Ecr,
    /// ELBv2.
    pub elb: Elb,
    /// Parameter Store.
    pub ssm: Ssm,
    /// EventBridge.
    pub bus: Bus,
    /// Lambda's queues.
    pub lambda: Lambda,
    /// CloudWatch.
    pub cloudwatch: CloudWatch,
    /// EC2's instances.
    pub ec2: Ec2,
    /// EC2 Auto Scaling.
    pub autoscaling: AutoScaling,
    /// Application Auto Scaling.
    pub scalable: Scalable,
    /// DynamoDB.
    pub dynamo: Dynamo,
    /// Requests that are simulated by their number.
    pub load: Load,
    /// What the door has to do, oldest first.
    pub effects: VecDeque<Effect>,
}

/// Something outside the state machine that a door carries out.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// A task's container began to run: serve HTTP for it.
    StartContainer(RunningContainer),
    /// A task got SIGTERM: it goes on answering until [`Effect::StopContainer`].
    SignalContainer {
        /// The task.
        task_arn: String,
    },
    /// A container ended: stop serving, cut what is open.
    StopContainer {
        /// The task.
        task_arn: String,
    },
    /// A function is to be invoked; the door reports back with `lambda::completed`.
    Invoke(Invocation),
}

/// A container that runs, as far as a data plane must know.
#[derive(Debug, Clone, PartialEq)]
pub struct RunningContainer {
    /// The task.
    pub task_arn: String,
    /// The service it belongs to; empty for a standalone task.
    pub service: String,
    /// The container's name.
    pub container: String,
    /// The image's digest.
    pub digest: String,
    /// The image as the task definition names it.
    pub image: String,
    /// The tag or tags of that digest when it started.
    pub tags: Vec<String>,
    /// What it does.
    pub behaviour: Behaviour,
    /// When it started: it answers `behaviour.start_secs` later.
    pub started: Time,
    /// The EC2 instance it runs on.
    pub instance_id: String,
    /// Its bound ports: (container port, host port).
    pub ports: Vec<(u16, u16)>,
}

/// What a timer is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Due {
    /// ECS's.
    Ecs(ecs::Due),
    /// ELBv2's.
    Elb(elb::Due),
    /// EventBridge's.
    Bus(bus::Due),
    /// Lambda's.
    Lambda(lambda::Due),
    /// CloudWatch's.
    CloudWatch(cloudwatch::Due),
    /// ECR's.
    Ecr(ecr::Due),
    /// The simulated load's.
    Load(load::Due),
    /// EC2's.
    Ec2(ec2::Due),
    /// Auto Scaling's.
    AutoScaling(autoscaling::Due),
    /// Another account's.
    In {
        /// Which.
        account: String,
        /// What is due there.
        due: Box<Due>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Timer {
    at: Time,
    sequence: u64,
    due: Due,
}

impl World {
    /// An empty account.
    pub fn new(config: Config) -> Self {
        Self {
            accounts: Accounts::new(&config.account),
            now: config.start,
            rng: ChaCha8Rng::seed_from_u64(config.seed),
            timers: BinaryHeap::new(),
            sequence: 0,
            gate: Gate::new(config.throttling),
            ecs: Ecs::default(),
            ecr: Ecr::default(),
            elb: Elb::default(),
            ssm: Ssm::default(),
            bus: Bus::default(),
            lambda: Lambda::default(),
            cloudwatch: CloudWatch::default(),
            ec2: Ec2::default(),
            autoscaling: AutoScaling::default(),
            scalable: Scalable::default(),
            dynamo: Dynamo::in_memory(),
            load: Load::default(),
            effects: VecDeque::new(),
            config,
        }
    }

    /// The virtual instant.
    pub fn now(&self) -> Time {
        self.now
    }

    /// One API call, now. It passes the gate (faults, throttling, the log), then goes to
    /// its service.
    ///
    /// A connection cut by a fault reads as the error `ConnectionDropped`; a door uses
    /// [`World::serve`].
    pub fn call(&mut self, call: &Call) -> Reply {
        self.serve(call).reply.unwrap_or_else(|| Err(gate::dropped()))
    }

    /// One API call, now, as a door needs it: with the faults of a connection.
    pub fn serve(&mut self, call: &Call) -> Outcome<Reply> {
        gate::pass(self, call, dispatch)
    }

    /// A request id that no other reply has, and the virtual time.
    pub fn stamp(&mut self) -> Stamp {
        let id = self.next_id();
        Stamp {
            request_id: format!("{:08x}-0000-4000-8000-{id:012x}", self.config.seed & 0xffff_ffff),
            now: self.now,
        }
    }

    /// When the next timer is due.
    pub fn next_due(&self) -> Option<Time> {
        self.timers.peek().map(|timer| timer.0.at)
    }

    /// Lets time go on to `to`, running what is due in order of (time, order of setting).
    pub fn advance(&mut self, to: Time) {
        while let Some(timer) = self.timers.peek() {
            if timer.0.at > to {
                break;
            }
            let Some(std::cmp::Reverse(timer)) = self.timers.pop() else { break };
            self.now = self.now.max(timer.at);
            self.due(timer.due);
        }
        self.now = self.now.max(to);
    }

    fn due(&mut self, due: Due) {
        match due {
            Due::Ecs(due) => ecs::due(self, due),
            Due::Elb(due) => elb::due(self, due),
            Due::Bus(due) => bus::due(self, due),
            Due::Lambda(due) => lambda::due(self, due),
            Due::CloudWatch(due) => cloudwatch::due(self, &due),
            Due::Ecr(due) => ecr::due(self, &due),
            Due::Load(due) => load::due(self, &due),
            Due::Ec2(due) => ec2::due(self, &due),
            Due::AutoScaling(due) => autoscaling::due(self, &due),
            Due::In { account, due } => {
                // A state on disk has no other accounts: what was due there is gone with them.
                let _: Option<()> = self.in_account(&account, |world| world.due(*due));
            }
        }
    }

    /// Sets a timer. Timers are not cancelled: what is due checks whether it still matters.
    pub(crate) fn at(&mut self, at: Time, due: Due) {
        self.sequence += 1;
        let due = match self.visited() {
            Some(account) => Due::In { account: account.to_owned(), due: Box::new(due) },
            None => due,
        };
        self.timers.push(std::cmp::Reverse(Timer { at, sequence: self.sequence, due }));
    }

    /// Sets a timer that runs after all others of its instant. It takes no number, so that
    /// ids do not depend on it.
    pub(crate) fn at_the_end_of(&mut self, at: Time, due: Due) {
        self.timers.push(std::cmp::Reverse(Timer { at, sequence: u64::MAX, due }));
    }

    /// A number that this world has not given out before: for ids.
    pub(crate) fn next_id(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    /// `arn:aws:<service>:<region>:<account>:<resource>`
    pub(crate) fn arn(&self, service: &str, resource: &str) -> String {
        format!("arn:aws:{service}:{}:{}:{resource}", self.config.region, self.config.account)
    }

    /// Emits an AWS event onto the default bus, as its service would.
    pub(crate) fn emit(
        &mut self,
        source: &str,
        detail_type: &str,
        resources: &[String],
        detail: serde_json::Value,
    ) {
        bus::emit(self, source, detail_type, resources, detail);
    }
}

fn dispatch(world: &mut World, call: &Call) -> Reply {
    match call.service {
        ServiceId::Ecs => ecs::handle(world, &call.operation, &call.input),
        ServiceId::Ecr => ecr::serve(world, call),
        ServiceId::ElasticLoadBalancing => elb::handle(world, &call.operation, &call.input),
        ServiceId::Ssm => ssm::handle(world, &call.operation, &call.input),
        ServiceId::Events => bus::handle(world, &call.operation, &call.input),
        ServiceId::Lambda => lambda::handle(world, &call.operation, &call.input),
        ServiceId::DynamoDb => world.dynamo.handle(&call.operation, &call.input),
        ServiceId::Sts => sts::handle(world, call),
        ServiceId::ApplicationAutoScaling => scalable::handle(world, &call.operation, &call.input),
        ServiceId::CloudWatch => cloudwatch::handle(world, &call.operation, &call.input),
        ServiceId::AutoScaling => autoscaling::handle(world, &call.operation, &call.input),
        ServiceId::Ec2 => ec2::handle(world, &call.operation, &call.input),
    }
}
