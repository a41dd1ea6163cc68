//! One instance as facts, in a few lines.

use std::collections::BTreeMap;

use crate::deploy::plan::StepOutcome;
use crate::drain::facts::{GroupMember, InstanceFacts, InstanceTarget, TerminateHook, Warning};
use crate::drain::{DrainPlan, Step, check, plan, record};
use crate::facts::{CircuitBreaker, Fact, LiveService, ParameterText};
use crate::id::Timestamp;
use crate::ledger::{InstanceKey, InstanceRow, MARK, WhyItLeaves, mark};
use crate::rollout_settings::RolloutSettings;
use crate::scale::facts::{LiveInstance, LiveProvider, LiveResources, LiveTask, Placement};

pub(super) fn at(secs: i64) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + secs).unwrap()
}

#[derive(Clone)]
pub(super) struct World {
    pub(super) facts: InstanceFacts,
    pub(super) row: InstanceRow,
    pub(super) now: Timestamp,
}

impl World {
    /// An instance of a group of ours, in service and empty.
    pub(super) fn new() -> Self {
        let key = InstanceKey::new("main", "i-1");
        let instance = LiveInstance {
            arn: "arn:aws:ecs:eu-central-1:0:container-instance/main/1".into(),
            ec2: Some("i-1".into()),
            status: "ACTIVE".into(),
            agent_connected: true,
            agent_version: None,
            provider: None,
            registered: LiveResources::default(),
            remaining: LiveResources::default(),
            attributes: BTreeMap::new(),
            running: 0,
            pending: 0,
            registered_at: Some(at(-86_400)),
        };
        let member = GroupMember {
            group: "nodes".into(),
            lifecycle: "InService".into(),
            is_ours: true,
            hooks: Vec::new(),
        };
        let facts = InstanceFacts {
            key: key.clone(),
            parameter: Fact::Absent,
            instance: Fact::Known(instance),
            tasks: Fact::Known(Vec::new()),
            services: BTreeMap::new(),
            targets: Fact::Known(Vec::new()),
            group: Fact::Known(member),
            provider: Fact::Absent,
            warning: None,
        };
        Self { facts, row: InstanceRow::new(key), now: at(0) }
    }

    /// The plan, held against the invariants.
    pub(super) fn plan(&self) -> DrainPlan {
        let plan = plan(&self.facts, &self.row, self.now);
        assert_eq!(check(&plan, &self.facts, &self.row, self.now), [], "{:#?}", plan.steps);
        plan
    }

    /// Its steps and its report in words.
    pub(super) fn words(&self) -> String {
        let plan = self.plan();
        let steps = plan.steps.iter().map(Step::to_string);
        let notes = plan.report.iter().map(|note| format!("- {note}"));
        steps.chain(notes).collect::<Vec<_>>().join("\n")
    }

    pub(super) fn steps(&self) -> Vec<String> {
        self.plan().steps.iter().map(Step::to_string).collect()
    }

    /// The pass is made: its steps go through, and the world and the row are as after them.
    pub(super) fn pass(&mut self) -> &mut Self {
        let plan = self.plan();
        let outcomes = vec![StepOutcome::Done; plan.steps.len()];
        self.row.state = record::after(&plan, &self.row, &outcomes, self.now);
        for step in &plan.steps {
            self.happens(step);
        }
        self.facts.warning = None;
        self
    }

    fn happens(&mut self, step: &Step) {
        match step {
            Step::Mark { why, since, .. } => _ = self.marked(*why, *since),
            Step::Drain { .. } => _ = self.draining(),
            Step::StopTask { task, .. } => {
                let mut tasks = known(&mut self.facts.tasks).iter_mut();
                tasks.find(|it| it.arn == *task).unwrap().desired_status = "STOPPED".into();
            }
            Step::Complete { .. } => self.member().lifecycle = "Terminating:Proceed".into(),
            Step::TakeBack { .. } => {
                self.instance().status = "ACTIVE".into();
                self.instance().attributes.remove(MARK);
            }
            Step::Heartbeat { .. } => {}
        }
    }

    pub(super) fn instance(&mut self) -> &mut LiveInstance {
        known(&mut self.facts.instance)
    }

    pub(super) fn member(&mut self) -> &mut GroupMember {
        known(&mut self.facts.group)
    }

    pub(super) fn draining(&mut self) -> &mut Self {
        self.instance().status = "DRAINING".into();
        self
    }

    pub(super) fn marked(&mut self, why: WhyItLeaves, since: Timestamp) -> &mut Self {
        self.instance().attributes.insert(MARK.to_owned(), Some(mark(why, since)));
        self
    }

    /// Auto Scaling waits for our hook.
    pub(super) fn terminating(&mut self) -> &mut Self {
        self.member().lifecycle = "Terminating:Wait".into();
        self.member().hooks = vec![TerminateHook { name: "windlass-drain".into(), heartbeat_secs: 3600 }];
        self
    }

    /// ECS's managed draining is on.
    pub(super) fn managed(&mut self) -> &mut Self {
        self.facts.provider = Fact::Known(LiveProvider {
            name: "nodes-provider".into(),
            group: Some("nodes".into()),
            managed_scaling: false,
            managed_draining: true,
            managed_protection: false,
        });
        self
    }

    pub(super) fn warned(&mut self, warning: Warning) -> &mut Self {
        self.facts.warning = Some(warning);
        self
    }

    /// The instance is gone from ECS.
    pub(super) fn gone(&mut self) -> &mut Self {
        self.facts.instance = Fact::Absent;
        self.facts.tasks = Fact::NotAsked;
        self.facts.targets = Fact::NotAsked;
        self
    }

    pub(super) fn after(&mut self, secs: i64) -> &mut Self {
        self.now = at(secs);
        self
    }

    /// The cluster's section on draining, in YAML.
    pub(super) fn spec(&mut self, drain: &str) -> &mut Self {
        let text = format!("capacity: {{drain: {{{drain}}}}}");
        crate::spec::ClusterSpec::parse(&text).unwrap();
        let name = "/windlass/clusters/main".to_owned();
        self.facts.parameter = Fact::Known(ParameterText { name, version: 1, text });
        self
    }

    /// A running task of this group; where it is a service's, of one of four tasks.
    pub(super) fn task(&mut self, group: &str) -> &mut LiveTask {
        if let Some(name) = group.strip_prefix("service:") {
            self.service(name, 4, 100, 200);
        }
        let tasks = known(&mut self.facts.tasks);
        tasks.push(LiveTask {
            arn: format!("arn:aws:ecs:eu-central-1:0:task/main/{}", tasks.len()).as_str().into(),
            group: group.to_owned(),
            task_definition: "td:1".into(),
            instance: None,
            last_status: "RUNNING".into(),
            desired_status: "RUNNING".into(),
            health: "UNKNOWN".into(),
            protected_until: None,
            created_at: None,
        });
        tasks.last_mut().unwrap()
    }

    pub(super) fn service(&mut self, name: &str, desired: u32, min: u32, max: u32) -> &mut Placement {
        let settings =
            RolloutSettings { min_healthy_percent: min, max_percent: max, ..RolloutSettings::default() };
        let live = LiveService {
            arn: format!("arn:aws:ecs:eu-central-1:0:service/main/{name}").as_str().into(),
            status: "ACTIVE".into(),
            task_definition: "td:1".into(),
            desired,
            running: desired,
            pending: 0,
            deployments: Vec::new(),
            load_balancers: Vec::new(),
            tags: BTreeMap::new(),
            controller: "ECS".into(),
            settings,
            newest_deployment: None,
            circuit_breaker: CircuitBreaker { enable: false, rollback: false },
            grace_secs: 0,
            events: Vec::new(),
            placement: Placement::default(),
        };
        let placement = Placement { scheduling: "REPLICA".into(), ..Placement::default() };
        self.facts.services.insert(name.into(), Fact::Known((live, placement)));
        let Some(Fact::Known((_, placement))) = self.facts.services.get_mut(&name.into()) else { panic!() };
        placement
    }

    pub(super) fn target(&mut self, state: &str) -> &mut Self {
        let group = "arn:aws:elasticloadbalancing:eu-central-1:0:targetgroup/shop/1".into();
        known(&mut self.facts.targets).push(InstanceTarget { group, port: 32_768, state: state.to_owned() });
        self
    }

    /// Every task has ended, and every target has left.
    pub(super) fn emptied(&mut self) -> &mut Self {
        known(&mut self.facts.tasks).clear();
        known(&mut self.facts.targets).clear();
        self
    }
}

fn known<T>(fact: &mut Fact<T>) -> &mut T {
    match fact {
        Fact::Known(value) => value,
        _ => panic!("a known fact"),
    }
}
