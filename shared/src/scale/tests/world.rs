//! A small cluster as facts: services of one-container tasks, instances of one type, groups.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::capacity::UsdPerHour;
use crate::event::AlarmValue;
use crate::facts::{CircuitBreaker, Deployment, Fact, LiveService, ParameterText, RolloutState, Stops};
use crate::id::Timestamp;
use crate::ledger::{ClusterRow, MARK, WhyItLeaves, mark};
use crate::rollout_settings::RolloutSettings;
use crate::scale::facts::{
    AlarmKind, CapacityFacts, GroupInstance, LiveAlarm, LiveGroup, LiveInstance, LiveResources, LiveTask,
    Placement, ServiceOfCluster,
};
use crate::scale::settings::{Price, Settings};
use crate::scale::supply::TAG;
use crate::scale::{CapacityPlan, Step, check, plan};
use crate::task_definition::TaskDefinition;

/// What every instance has: two vCPUs and 4,000 MiB.
const CPU: u32 = 2048;
const MEMORY: u32 = 4000;

pub(super) fn at(secs: i64) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + secs).unwrap()
}

pub(super) struct World {
    pub(super) facts: CapacityFacts,
    pub(super) row: ClusterRow,
    pub(super) now: Timestamp,
}

impl World {
    pub(super) fn new() -> Self {
        let facts = CapacityFacts {
            parameter: Fact::Absent,
            stops: Fact::Known(Stops::default()),
            services: Fact::Known(BTreeMap::new()),
            instances: Fact::Known(Vec::new()),
            tasks: Fact::Known(Vec::new()),
            groups: Fact::Known(Vec::new()),
            providers: Fact::Known(Vec::new()),
            owned_elsewhere: Fact::Known(BTreeSet::new()),
            ..CapacityFacts::not_asked("main".into())
        };
        Self { facts, row: ClusterRow::new("main".into()), now: at(86_400) }
    }

    /// The plan, held against the invariants.
    pub(super) fn plan(&self) -> CapacityPlan {
        let plan = plan(&self.facts, &self.row, &settings(), self.now);
        assert_eq!(check(&plan, &self.facts, &self.row, self.now), [], "{:#?}", plan.steps);
        plan
    }

    /// Its steps in words.
    pub(super) fn steps(&self) -> Vec<String> {
        self.plan().steps.iter().map(Step::to_string).collect()
    }

    pub(super) fn report(&self) -> Vec<String> {
        self.plan().report.iter().map(ToString::to_string).collect()
    }

    /// A service whose tasks take so much each.
    pub(super) fn service(&mut self, name: &str, desired: u32, cpu: u32, memory: u32) -> &mut Self {
        let arn = format!("arn:aws:ecs:eu-central-1:0:task-definition/{name}:1");
        let content = json!({"family": name, "containerDefinitions": [{
            "name": name, "image": "i", "cpu": cpu, "memory": memory,
            "portMappings": [{"containerPort": 80, "hostPort": 0, "protocol": "tcp"}],
        }]});
        let content = content.as_object().cloned().unwrap();
        let definition = TaskDefinition { arn: Some(arn.as_str().into()), content };
        self.facts.task_definitions.insert(arn.as_str().into(), Fact::Known(definition));
        let deployment = Deployment {
            id: "ecs-svc/1".into(),
            status: "PRIMARY".into(),
            task_definition: arn.as_str().into(),
            rollout: RolloutState::Completed,
            reason: String::new(),
            desired,
            running: desired,
            failed_tasks: 0,
            created_at: at(0),
        };
        let live = LiveService {
            arn: format!("arn:aws:ecs:eu-central-1:0:service/main/{name}").as_str().into(),
            status: "ACTIVE".into(),
            task_definition: arn.as_str().into(),
            desired,
            running: desired,
            pending: 0,
            deployments: vec![deployment],
            load_balancers: Vec::new(),
            tags: BTreeMap::new(),
            controller: "ECS".into(),
            settings: RolloutSettings::default(),
            newest_deployment: None,
            circuit_breaker: CircuitBreaker { enable: false, rollback: false },
            grace_secs: 0,
            events: Vec::new(),
            placement: Placement::default(),
        };
        let placement =
            Placement { scheduling: "REPLICA".into(), launch_type: "EC2".into(), ..Placement::default() };
        let service = ServiceOfCluster { live, placement, parameter: Fact::Absent, row: None };
        self.services().insert(name.into(), service);
        self
    }

    pub(super) fn services(&mut self) -> &mut BTreeMap<crate::id::ServiceName, ServiceOfCluster> {
        known(&mut self.facts.services)
    }

    pub(super) fn of(&mut self, name: &str) -> &mut ServiceOfCluster {
        self.services().get_mut(&name.into()).unwrap()
    }

    /// The `scaling` section of a service, in YAML.
    pub(super) fn scaling(&mut self, name: &str, scaling: &str) -> &mut Self {
        let text = format!("image: {{repository: {name}}}\nscaling: {scaling}\n");
        crate::spec::ServiceSpec::parse(&text).unwrap();
        let parameter = ParameterText { name: format!("/windlass/services/main/{name}"), version: 1, text };
        self.of(name).parameter = Fact::Known(parameter);
        self
    }

    /// The cluster's own parameter, in YAML.
    pub(super) fn spec(&mut self, text: &str) -> &mut Self {
        crate::spec::ClusterSpec::parse(text).unwrap();
        let parameter =
            ParameterText { name: "/windlass/clusters/main".into(), version: 1, text: text.into() };
        self.facts.parameter = Fact::Known(parameter);
        self
    }

    /// An alarm, and the value of what it watches, a minute old.
    pub(super) fn alarm(&mut self, name: &str, state: AlarmValue, threshold: f64, value: f64) -> &mut Self {
        let alarm = LiveAlarm {
            state,
            since: Some(at(0)),
            kind: AlarmKind::Single,
            threshold: Some(threshold),
            rings_below: false,
            actions_enabled: true,
            value: Fact::Known((self.now - std::time::Duration::from_mins(1), value)),
        };
        self.facts.alarms.insert(name.into(), Fact::Known(alarm));
        self
    }

    /// A group of ours with so many instances that are in service and registered, `<group>-1` on.
    pub(super) fn group(&mut self, name: &str, instances: u32, min: u32, max: u32) -> &mut Self {
        let zones = ["a", "b"];
        let mut members = Vec::new();
        for n in 1..=instances {
            let zone = zones[(n as usize - 1) % 2];
            let id = format!("i-{name}{n}");
            self.instance(&id, zone);
            members.push(GroupInstance {
                id: id.as_str().into(),
                zone: zone.into(),
                lifecycle: "InService".into(),
                instance_type: Some("m6g.large".into()),
                is_protected: false,
                launch_template: None,
            });
        }
        known(&mut self.facts.groups).push(LiveGroup {
            name: name.into(),
            min,
            max,
            desired: instances,
            tags: [(TAG.to_owned(), "main".to_owned())].into(),
            zones: zones.map(Into::into).to_vec(),
            instances: members,
            types: vec!["m6g.large".into()],
            on_demand: None,
            launch_template: None,
            failed: None,
        });
        self
    }

    pub(super) fn groups(&mut self) -> &mut Vec<LiveGroup> {
        known(&mut self.facts.groups)
    }

    pub(super) fn group_mut(&mut self) -> &mut LiveGroup {
        &mut known(&mut self.facts.groups)[0]
    }

    fn instance(&mut self, id: &str, zone: &str) {
        let all = LiveResources { cpu: CPU, memory: MEMORY, ..LiveResources::default() };
        let attributes = [("ecs.instance-type", "m6g.large"), ("ecs.availability-zone", zone)];
        known(&mut self.facts.instances).push(LiveInstance {
            arn: format!("ci/{id}").as_str().into(),
            ec2: Some(id.into()),
            status: "ACTIVE".into(),
            agent_connected: true,
            agent_version: None,
            provider: None,
            registered: all.clone(),
            remaining: all,
            attributes: attributes.map(|(name, value)| (name.to_owned(), Some(value.to_owned()))).into(),
            running: 0,
            pending: 0,
            registered_at: Some(at(0)),
        });
    }

    pub(super) fn on(&mut self, id: &str) -> &mut LiveInstance {
        let all = known(&mut self.facts.instances);
        all.iter_mut().find(|it| it.ec2.as_ref().is_some_and(|ec2| ec2.as_str() == id)).unwrap()
    }

    /// A running task of a service on an instance.
    pub(super) fn task(&mut self, service: &str, id: &str) -> &mut LiveTask {
        self.task_of(service, &format!("service:{service}"), id)
    }

    /// A running task of any group, of the service's revision.
    pub(super) fn task_of(&mut self, service: &str, group: &str, id: &str) -> &mut LiveTask {
        let definition = self.of(service).live.task_definition.clone();
        let content = &self.facts.task_definitions[&definition].known().unwrap().content;
        let number =
            |name: &str| u32::try_from(content["containerDefinitions"][0][name].as_u64().unwrap()).unwrap();
        let (cpu, memory) = (number("cpu"), number("memory"));
        let instance = self.on(id);
        instance.remaining.cpu -= cpu;
        instance.remaining.memory -= memory;
        instance.running += 1;
        let arn = instance.arn.clone();
        let tasks = known(&mut self.facts.tasks);
        tasks.push(LiveTask {
            arn: format!("task/{}", tasks.len()).as_str().into(),
            group: group.to_owned(),
            task_definition: definition,
            instance: Some(arn),
            last_status: "RUNNING".into(),
            desired_status: "RUNNING".into(),
            health: "UNKNOWN".into(),
            protected_until: None,
            created_at: None,
        });
        tasks.last_mut().unwrap()
    }

    /// It leaves, and ECS drains it.
    pub(super) fn leaves(&mut self, id: &str, why: WhyItLeaves, since: Timestamp) -> &mut Self {
        let instance = self.on(id);
        instance.status = "DRAINING".into();
        instance.attributes.insert(MARK.to_owned(), Some(mark(why, since)));
        self
    }

    /// Nothing is on it any more.
    pub(super) fn emptied(&mut self, id: &str) -> &mut Self {
        let arn = self.on(id).arn.clone();
        known(&mut self.facts.tasks).retain(|task| task.instance.as_ref() != Some(&arn));
        let instance = self.on(id);
        instance.remaining = instance.registered.clone();
        instance.running = 0;
        self
    }
}

pub(super) fn settings() -> Settings {
    let price = Price { on_demand: UsdPerHour::micros(100_000), spot: None };
    Settings {
        region: "eu-central-1".into(),
        prices: [("m6g.large".to_owned(), price)].into(),
        actor: "scale".into(),
    }
}

fn known<T>(fact: &mut Fact<T>) -> &mut T {
    match fact {
        Fact::Known(value) => value,
        _ => panic!("worlds know everything until a test says otherwise"),
    }
}
