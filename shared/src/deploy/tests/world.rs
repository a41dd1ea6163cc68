//! A small world: service main/shop with one container, live on image v1.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::deploy::{Plan, Published, Revisions, Settings, check, plan};
use crate::facts::{
    CircuitBreaker, ClusterFacts, Deployment, Fact, ImageContent, ImageFact, LiveService, ParameterText,
    RepositoryFacts, RolloutState, RouteFacts, Rule, RuleConditions, ServiceFacts, Tagged, TargetGroup,
};
use crate::id::{Architecture, ImageDigest, ServiceKey, Timestamp};
use crate::ledger::{InFlight, Manner, ServiceRow, Settled};
use crate::rollout_settings::RolloutSettings;
use crate::scale::facts::{LiveInstance, LiveResources};
use crate::spec::GuardRails;
use crate::task_definition::TaskDefinition;

/// A digest of one repeated hex digit.
pub(super) fn digest(digit: char) -> ImageDigest {
    format!("sha256:{}", digit.to_string().repeat(64)).parse().unwrap()
}

/// `minutes` after the world's beginning.
pub(super) fn at(minutes: i64) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + minutes * 60).unwrap()
}

pub(super) fn revision(number: u32, image: &str) -> TaskDefinition {
    let arn = format!("arn:aws:ecs:eu-central-1:123456789012:task-definition/shop:{number}");
    TaskDefinition::from_described(&json!({"taskDefinition": {
        "taskDefinitionArn": arn, "family": "shop", "revision": number, "status": "ACTIVE",
        "containerDefinitions": [{"name": "web", "image": image, "newIn2027": true}],
    }}))
    .unwrap()
}

pub(super) fn image_of(digest: &ImageDigest) -> String {
    format!("registry.example/shop@{digest}")
}

pub(super) fn deployment(number: u32, revision: u32, rollout: RolloutState) -> Deployment {
    Deployment {
        id: format!("ecs-svc/{number}").into(),
        status: "PRIMARY".into(),
        task_definition: format!("arn:aws:ecs:eu-central-1:123456789012:task-definition/shop:{revision}")
            .into(),
        rollout,
        reason: String::new(),
        desired: 2,
        running: 2,
        failed_tasks: 0,
        // The first is there from the beginning; the others are of what is in flight.
        created_at: if number == 1 { at(1) } else { at(60) },
    }
}

pub(super) struct World {
    pub(super) facts: ServiceFacts,
    pub(super) row: ServiceRow,
    pub(super) settings: Settings,
    pub(super) now: Timestamp,
}

impl World {
    /// main/shop is tracked by its tag with this compact policy, runs v1 (digest a…a) as
    /// shop:7, and that is settled.
    pub(super) fn tracked(track: &str) -> Self {
        let key = ServiceKey::new("main", "shop");
        let live = revision(7, &image_of(&digest('a')));
        let mut world = Self {
            facts: ServiceFacts {
                cluster: Fact::Known(ClusterFacts {
                    name: "main".into(),
                    status: "ACTIVE".into(),
                    architectures: BTreeSet::from([Architecture::Amd64]),
                    instances: vec![roomy()],
                    read_at: None,
                }),
                parameter: Fact::Absent,
                service: Fact::Known(service(track)),
                live_task_definition: Fact::Known(live.clone()),
                newest_revision: Fact::Known(live),
                repository: Fact::Known(RepositoryFacts {
                    name: "shop".into(),
                    uri: "registry.example/shop".into(),
                }),
                images: Fact::Known(Vec::new()),
                stops: Fact::Absent,
                cluster_parameter: Fact::Absent,
                ..ServiceFacts::not_asked(key.clone())
            },
            row: ServiceRow::new(key),
            settings: Settings {
                region: "eu-central-1".into(),
                account: Some("123456789012".into()),
                listener: Some("listener".into()),
                infrastructure_role: None,
                verify: None,
                guard_rails: GuardRails::default(),
                revisions: Revisions::MayGo,
                published: Published::No,
                actor: "deploy".into(),
            },
            now: at(60),
        }
        .image('a', "v1.0.0", 0);
        world.settle();
        world
    }

    /// The same, and the spec comes from a parameter.
    pub(super) fn specified(spec: &str) -> Self {
        let mut world = Self::tracked("shop:latest");
        world.service().tags.clear();
        world.row.state.settled = None;
        world.facts.parameter = Fact::Known(ParameterText {
            name: "/windlass/services/main/shop".into(),
            version: 1,
            text: spec.into(),
        });
        world
    }

    /// Nothing of the service exists yet; this spec wants it.
    pub(super) fn empty(spec: &str) -> Self {
        let mut world = Self::specified(spec);
        world.facts.service = Fact::Absent;
        world.facts.live_task_definition = Fact::NotAsked;
        world.facts.newest_revision = Fact::Absent;
        world.facts.route = Fact::Known(RouteFacts {
            listener: "listener".into(),
            vpc: "vpc-1".into(),
            rules: Vec::new(),
            target_group: Fact::Absent,
            health: Fact::NotAsked,
            second_group: Fact::NotAsked,
            second_health: Fact::NotAsked,
            tagged: Tagged::All,
            usage: Fact::NotAsked,
            neighbours: BTreeMap::new(),
        });
        world
    }

    /// An image of the cluster's architecture was pushed, `latest` moved to it.
    pub(super) fn image(mut self, digit: char, tag: &str, minute: i64) -> Self {
        let Fact::Known(images) = &mut self.facts.images else { panic!("no images in this world") };
        for other in images.iter_mut() {
            other.tags.remove(&"latest".into());
            other.tags.remove(&tag.into());
        }
        images.push(ImageFact {
            digest: digest(digit),
            tags: BTreeSet::from([tag.into(), "latest".into()]),
            pushed_at: at(minute),
            manifest_media_type: Some("application/vnd.oci.image.manifest.v1+json".into()),
            artifact_media_type: Some("application/vnd.oci.image.config.v1+json".into()),
            status: Some("ACTIVE".into()),
        });
        self.content(digit, Architecture::Amd64, &[])
    }

    pub(super) fn content(
        mut self,
        digit: char,
        architecture: Architecture,
        labels: &[(&str, &str)],
    ) -> Self {
        let content = ImageContent {
            digest: digest(digit),
            repository: "shop".into(),
            architectures: BTreeSet::from([architecture]),
            labels: labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            children: BTreeSet::new(),
        };
        self.facts.inspected.insert(digest(digit), Fact::Known(content));
        self
    }

    pub(super) fn without_image(mut self, digit: char) -> Self {
        let Fact::Known(images) = &mut self.facts.images else { panic!("no images in this world") };
        images.retain(|image| image.digest != digest(digit));
        self
    }

    /// A rollout of `digit` is in flight since minute 50, as shop:8 and ecs-svc/2.
    pub(super) fn in_flight(mut self, digit: char) -> Self {
        let settled = self.row.state.settled.clone().unwrap();
        self.row.state.in_flight = Some(InFlight {
            digest: digest(digit),
            tag: Some("latest".into()),
            pushed_at: Some(at(49)),
            task_definition: Some(revision(8, "").arn.unwrap()),
            deployment: Some("ecs-svc/2".into()),
            from_digest: Some(settled.digest),
            from_task_definition: Some(settled.task_definition),
            started_at: at(50),
            spec: settled.spec,
            policy: settled.policy,
            repository: settled.repository,
            manner: Manner::Rolling,
            canary: None,
            given_up: None,
            approvals: Vec::new(),
            verdicts: Vec::new(),
        });
        self
    }

    /// The service's live deployments, PRIMARY first, and its revision accordingly.
    pub(super) fn deployments(mut self, mut deployments: Vec<Deployment>, digit: char) -> Self {
        for other in deployments.iter_mut().skip(1) {
            other.status = "ACTIVE".into();
        }
        let primary = deployments[0].task_definition.clone();
        let number: u32 = primary.short().rsplit(':').next().unwrap().parse().unwrap();
        let live = revision(number, &image_of(&digest(digit)));
        self.service().task_definition = primary;
        self.service().deployments = deployments;
        self.facts.live_task_definition = Fact::Known(live);
        self
    }

    pub(super) fn rule(mut self, priority: u32, paths: &[&str]) -> Self {
        let Fact::Known(route) = &mut self.facts.route else { panic!("no listener in this world") };
        route.rules.push(Rule {
            arn: format!("rule-{priority}").into(),
            priority: Some(priority),
            conditions: RuleConditions {
                paths: paths.iter().map(|&path| path.to_owned()).collect(),
                ..RuleConditions::default()
            },
            forwards: Vec::new(),
            stickiness_secs: None,
            rewrites: Vec::new(),
            tags: BTreeMap::new(),
        });
        self
    }

    pub(super) fn service(&mut self) -> &mut LiveService {
        match &mut self.facts.service {
            Fact::Known(service) => service,
            _ => panic!("no service in this world"),
        }
    }

    fn settle(&mut self) {
        let first = plan(&self.facts, &self.row, &self.settings, at(1));
        assert_eq!(first.steps, [], "{first}");
        self.row.state.settled = first.ledger.settled;
        assert!(matches!(self.row.state.settled, Some(Settled { .. })), "the first world settles");
    }

    /// The plan, judged sound.
    pub(super) fn plan(&self) -> Plan {
        let plan = plan(&self.facts, &self.row, &self.settings, self.now);
        assert_eq!(check(&plan, &self.facts, &self.row), [], "{plan}");
        plan
    }
}

/// The tags of what is the service's.
pub(super) fn ours() -> BTreeMap<String, String> {
    BTreeMap::from([("windlass:service".to_owned(), "main/shop".to_owned())])
}

/// A target group of the service's.
pub(super) fn group(arn: &str) -> Fact<TargetGroup> {
    let name = arn.split('/').nth(1).unwrap().to_owned();
    Fact::Known(TargetGroup {
        arn: arn.into(),
        name,
        load_balancers: Vec::new(),
        check: None,
        deregistration_delay_secs: None,
        tags: ours(),
    })
}

/// An instance with room for whatever these tests roll out.
fn roomy() -> LiveInstance {
    let all = LiveResources { cpu: 100_000, memory: 1_000_000, ..LiveResources::default() };
    LiveInstance {
        arn: "arn:aws:ecs:eu-central-1:123456789012:container-instance/main/1".into(),
        ec2: Some("i-1".into()),
        status: "ACTIVE".into(),
        agent_connected: true,
        agent_version: None,
        provider: None,
        registered: all.clone(),
        remaining: all,
        attributes: BTreeMap::new(),
        running: 0,
        pending: 0,
        registered_at: None,
    }
}

fn service(track: &str) -> LiveService {
    LiveService {
        arn: "arn:aws:ecs:eu-central-1:123456789012:service/main/shop".into(),
        status: "ACTIVE".into(),
        task_definition: revision(7, "").arn.unwrap(),
        desired: 2,
        running: 2,
        pending: 0,
        deployments: vec![deployment(1, 7, RolloutState::Completed)],
        load_balancers: Vec::new(),
        tags: BTreeMap::from([("windlass:track".to_owned(), track.to_owned())]),
        controller: "ECS".into(),
        settings: RolloutSettings { circuit_breaker: true, ..RolloutSettings::default() },
        newest_deployment: None,
        circuit_breaker: CircuitBreaker { enable: true, rollback: true },
        grace_secs: 0,
        events: Vec::new(),
        placement: crate::scale::facts::Placement::default(),
    }
}
