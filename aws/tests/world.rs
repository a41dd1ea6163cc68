//! Observe and apply against the embedded AWS: what is seen, how deep the calls are, and
//! that a pass which fails at any of its calls leaves nothing that the next one cannot mend.

#![allow(clippy::large_futures, reason = "a test's stack has room")]

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use windlass_aws::clients::{Endpoints, Retries, Settings as ClientSettings};
use windlass_aws::{Clients, Clock, Hints, Ledger, Observer, RingResult, StateWrite, apply};
use windlass_shared::deploy::{self, Plan, Published, Revisions, Settings, record};
use windlass_shared::facts::{Fact, FailureKind, ServiceFacts};
use windlass_shared::id::{ImageDigest, Region, ServiceKey, Timestamp};
use windlass_shared::spec::GuardRails;
use windlass_sim::call::Caller;
use windlass_sim::door::in_process::{InProcess, Latency};
use windlass_sim::gate::faults::{self, When};
use windlass_sim::gate::{Fault, Faults};
use windlass_sim::{Call, Config, ServiceId, World, ecr, ecs, elb};

const REGISTRY: &str = "123456789012.dkr.ecr.eu-central-1.amazonaws.com";
/// One call, there and back.
const CALL: Duration = Duration::from_millis(20);

fn shop() -> ServiceKey {
    ServiceKey::new("main", "shop")
}

/// A world with two instances in the cluster `main`, a ledger, and Windlass's side of it.
struct Stage {
    door: InProcess,
    clients: Clients,
    observer: Observer,
    ledger: Ledger,
    settings: Settings,
    passes: u64,
}

fn call(world: &mut World, service: ServiceId, operation: &str, input: Value) -> Value {
    let caller = Caller { access_key: "AKIDPERSON".into() };
    let call = Call { service, operation: operation.into(), input, caller };
    world.call(&call).unwrap_or_else(|error| panic!("{operation}: {error:?}"))
}

impl Stage {
    async fn new(seed: u64) -> Self {
        let mut world = World::new(Config { seed, ..Config::default() });
        call(&mut world, ServiceId::Ecs, "CreateCluster", json!({"clusterName": "main"}));
        for n in 1..=2 {
            let spec = ecs::InstanceSpec {
                cluster: "main".into(),
                instance_id: format!("i-{n}"),
                az: "eu-central-1a".into(),
                architecture: "amd64".into(),
                cpu: 2048,
                memory: 4000,
                attributes: BTreeMap::new(),
            };
            ecs::add_instance(&mut world, spec).unwrap();
        }
        let attribute = |name: &str| json!({"AttributeName": name, "AttributeType": "S"});
        let table = json!({
            "TableName": "ledger", "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [attribute("pk"), attribute("sk")],
            "KeySchema": [
                {"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
        });
        call(&mut world, ServiceId::DynamoDb, "CreateTable", table);
        let door = InProcess::start(world);
        door.set_latency(Latency { least: CALL / 2, most: CALL / 2 });
        door.run_for(Duration::from_mins(1)).await;
        let client_settings = ClientSettings {
            region: Region::new("eu-central-1"),
            credentials: aws_credential_types::Credentials::new("AKIDDEPLOY", "secret", None, None, "test"),
            endpoints: Endpoints { all: Some("http://aws.invalid".into()), ..Endpoints::default() },
            retries: Retries::Off,
        };
        let clients = Clients::new(door.connector(), &client_settings);
        let virtual_clock = door.clock();
        let clock = Clock::given(move || {
            Timestamp::from_millisecond(i64::try_from(virtual_clock.now().0).unwrap()).unwrap()
        });
        let ledger = Ledger::new(clients.dynamo.clone(), "ledger");
        Self {
            observer: Observer::new(clients.clone(), clock, ledger.clone()),
            ledger,
            clients,
            door,
            settings: Settings {
                region: Region::new("eu-central-1"),
                account: Some("123456789012".into()),
                listener: None,
                infrastructure_role: None,
                verify: None,
                guard_rails: rails(),
                revisions: Revisions::MayGo,
                published: Published::No,
                actor: "deploy".into(),
            },
            passes: 0,
        }
    }

    fn push(&self, tag: &str, spec: &ecr::PushSpec) -> ImageDigest {
        self.door.with(|world| {
            ecr::ensure_repository(world, "shop");
            ecr::push_image(world, "shop", &[tag], spec).unwrap().parse().unwrap()
        })
    }

    /// A service that a person made, which follows `shop:latest` by its tag.
    async fn tracked_service(&self) {
        self.push("latest", &image("1"));
        let definition = json!({"family": "shop", "containerDefinitions": [{
            "name": "web", "image": format!("{REGISTRY}/shop:latest"), "memory": 256, "cpu": 128}]});
        self.door.with(|world| {
            let made = call(world, ServiceId::Ecs, "RegisterTaskDefinition", definition);
            let service = json!({
                "cluster": "main", "serviceName": "shop", "desiredCount": 2,
                "taskDefinition": made["taskDefinition"]["taskDefinitionArn"],
                "deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": true, "rollback": true}},
                "tags": [{"key": "windlass:track", "value": "shop:latest"}],
            });
            call(world, ServiceId::Ecs, "CreateService", service);
        });
        self.door.run_for(Duration::from_mins(1)).await;
    }

    /// A load balancer, and a spec of a service behind it that does not exist yet.
    fn wanted_service(&mut self) {
        self.push("latest", &image("1"));
        let listener = self.door.with(|world| {
            let subnets = json!({"Name": "main", "Subnets": ["subnet-1", "subnet-2"]});
            let made = call(world, ServiceId::ElasticLoadBalancing, "CreateLoadBalancer", subnets);
            let not_found = json!({"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}});
            let listener = json!({
                "LoadBalancerArn": made["LoadBalancers"][0]["LoadBalancerArn"], "Protocol": "HTTP", "Port": 80,
                "DefaultActions": [not_found],
            });
            let made = call(world, ServiceId::ElasticLoadBalancing, "CreateListener", listener);
            let spec = json!({
                "Name": "/windlass/services/main/shop", "Type": "String",
                "Value": "image: {repository: shop, policy: latest}\n\
                          task: {cpu: 128, memory: 256, port: 8080}\n\
                          desired: 2\n\
                          route: {paths: [\"/shop/*\"]}\n",
            });
            call(world, ServiceId::Ssm, "PutParameter", spec);
            made["Listeners"][0]["ListenerArn"].as_str().unwrap().to_owned()
        });
        self.settings.listener = Some(listener.as_str().into());
    }

    fn fault(&self, faults: Faults) {
        self.door.with(|world| world.gate.faults = faults);
    }

    /// A whole pass, as the function makes it. `Err` is what would end the invocation.
    async fn pass(&mut self, hints: &Hints) -> Result<Seen, String> {
        self.passes += 1;
        let holder = format!("pass {}", self.passes);
        let now = Timestamp::from_millisecond(i64::try_from(self.door.now().0).unwrap()).unwrap();
        let until = now + Duration::from_secs(65);
        let key = shop();
        self.observer.warm(&key.cluster);
        let rung = self.ledger.ring_and_lease(&key, now, until, &holder);
        let (lease, mut row) = match self.observer.prefetch(hints, rung).await.map_err(words)? {
            RingResult::Leased { lease, row } => (lease, row),
            RingResult::Busy { .. } => return Err("busy".into()),
        };
        let facts = self.observer.service_facts(&shop(), &row, hints, &self.settings).await;
        let plan = deploy::plan(&facts, &row, &self.settings, now);
        assert_eq!(deploy::check(&plan, &facts, &row), [], "{plan:#?}");
        let intent = record::intent(&row.state, &plan, now);
        let write = StateWrite { state: &intent, quarantine: &plan.ledger.quarantine };
        let writing = self.ledger.write_state(&lease, write);
        let made = apply(&self.clients, &plan, row.state.generation + 1, writing).await.map_err(words)?;
        let mut state = record::after(intent, &plan, &made);
        state.route = windlass_aws::observe::route_hint(&facts).or(state.route);
        row.state = state;
        let write = StateWrite { state: &row.state, quarantine: &plan.ledger.quarantine };
        self.ledger.release(&lease, row.rung, Some(write)).await.map_err(words)?;
        Ok(Seen { facts, plan, made })
    }

    /// Passes every half minute until one finds nothing to do and nothing open.
    async fn until_quiet(&mut self) -> Vec<Seen> {
        let mut seen = Vec::new();
        for _ in 0..30 {
            self.door.run_for(Duration::from_secs(30)).await;
            // A pass that died keeps its lease for a minute.
            let Ok(pass) = self.pass(&Hints::default()).await else { continue };
            let row = self.ledger.row(&shop()).await.unwrap();
            let is_quiet =
                pass.plan.steps.is_empty() && row.state.in_flight.is_none() && !row.state.unfinished;
            seen.push(pass);
            if is_quiet {
                return seen;
            }
        }
        panic!("no quiet: {:#?}", seen.last().map(|pass| (&pass.plan, &pass.made)));
    }

    fn calls(&self) -> u64 {
        self.door.with(|world| world.gate.log.counts().map(|(_, _, counts)| counts.ok + counts.failed).sum())
    }

    fn revisions(&self, family: &str) -> usize {
        let listed = self.door.with(|world| {
            call(world, ServiceId::Ecs, "ListTaskDefinitions", json!({"familyPrefix": family}))
        });
        listed["taskDefinitionArns"].as_array().unwrap().len()
    }

    fn live(&self) -> String {
        self.door.with(|world| ecs::view::service(world, "main", "shop").unwrap().task_definition)
    }
}

#[derive(Debug)]
struct Seen {
    facts: ServiceFacts,
    plan: Plan,
    made: record::Made,
}

#[expect(clippy::needless_pass_by_value, reason = "map_err gives it by value")]
fn words(error: windlass_aws::LedgerError) -> String {
    error.to_string()
}

fn rails() -> GuardRails {
    GuardRails {
        enabled: false,
        clusters: ["main".into()].into(),
        path_prefixes: vec!["/".into()],
        hosts: vec!["*".into()],
        max_cpu: 1024,
        max_memory: 1024,
        max_desired: 4,
    }
}

fn image(content: &str) -> ecr::PushSpec {
    ecr::PushSpec { content: content.into(), ..ecr::PushSpec::default() }
}

/// For two platforms, with an attestation: what buildx pushes.
fn index(content: &str) -> ecr::PushSpec {
    let architectures = vec!["amd64".into(), "arm64".into()];
    ecr::PushSpec { architectures, attestation: true, ..image(content) }
}

fn pushed(digest: &ImageDigest) -> Hints {
    Hints { repository: Some("shop".into()), digest: Some(digest.clone()), tag: Some("latest".into()) }
}

fn outcomes(seen: &Seen) -> Vec<String> {
    let steps = seen.plan.steps.iter().zip(&seen.made.outcomes);
    steps.map(|(step, outcome)| format!("{step}: {outcome}")).collect()
}

#[tokio::test(start_paused = true)]
async fn a_push_is_rolled_out_and_the_next_pass_finds_it_live() {
    let mut stage = Stage::new(1).await;
    stage.tracked_service().await;
    stage.until_quiet().await;
    let digest = stage.push("latest", &image("2"));
    let seen = stage.pass(&pushed(&digest)).await.unwrap();
    assert!(seen.made.outcomes.iter().all(deploy::StepOutcome::goes_on), "{:?}", outcomes(&seen));
    let deployment = seen.made.deployment.clone().unwrap();
    let row = stage.ledger.row(&shop()).await.unwrap();
    let begun = row.state.in_flight.unwrap();
    assert_eq!((begun.deployment, begun.task_definition), (Some(deployment), seen.made.task_definition));
    let last = stage.until_quiet().await.pop().unwrap();
    assert!(last.facts.live_task_definition.known().unwrap().carries(&digest));
    let settled = stage.ledger.row(&shop()).await.unwrap().state.settled.unwrap();
    assert_eq!(settled.digest, digest);
}

#[tokio::test(start_paused = true)]
async fn every_fact_of_a_tracked_service_is_known() {
    let mut stage = Stage::new(1).await;
    stage.tracked_service().await;
    stage.until_quiet().await;
    let seen = stage.pass(&Hints::default()).await.unwrap();
    let ServiceFacts {
        key: _,
        cluster,
        parameter,
        service,
        live_task_definition,
        newest_revision,
        repository,
        images,
        inspected,
        route,
        stopped_tasks,
        service_deployments,
        ..
    } = seen.facts;
    assert_eq!(parameter, Fact::Absent);
    let service = service.known().unwrap();
    assert_eq!((service.desired, service.running, service.controller.as_str()), (2, 2, "ECS"));
    assert!(service.circuit_breaker.enable && service.circuit_breaker.rollback);
    assert_eq!(service.tags["windlass:track"], "shop:latest");
    let live = live_task_definition.known().unwrap();
    assert_eq!(live.arn.as_ref(), Some(&service.task_definition));
    assert_eq!(newest_revision.known(), Some(live));
    assert_eq!(repository.known().unwrap().uri, format!("{REGISTRY}/shop"));
    assert_eq!(images.known().unwrap().len(), 1);
    let architectures = &cluster.known().unwrap().architectures;
    let content = inspected.values().next().unwrap().known().unwrap();
    assert_eq!(&content.architectures, architectures);
    assert_eq!((route, stopped_tasks, service_deployments), (Fact::NotAsked, Fact::NotAsked, Fact::NotAsked));
}

/// How long it takes from the ring to UpdateService's answer, in calls one after another;
/// cold, as a function's first invocation is.
async fn depth(spec: &ecr::PushSpec) -> u32 {
    let mut stage = Stage::new(1).await;
    stage.tracked_service().await;
    stage.until_quiet().await;
    let digest = stage.push("latest", spec);
    stage.observer = Observer::new(stage.clients.clone(), Clock::system(), stage.ledger.clone());
    let before = stage.door.now();
    let seen = stage.pass(&pushed(&digest)).await.unwrap();
    assert!(seen.made.deployment.is_some(), "{:?}", outcomes(&seen));
    let taken = stage.door.now().since(before);
    // The last call lets the lease go.
    let calls = taken.as_millis().div_ceil(CALL.as_millis()) - 1;
    u32::try_from(calls).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_push_is_three_calls_deep_beyond_the_lease() {
    assert_eq!(depth(&index("2")).await, 1 + 3, "lease; read; register; update");
    // A plain image says its platform in its config alone, which is three calls deep.
    assert_eq!(depth(&image("2")).await, 1 + 4);
}

#[tokio::test(start_paused = true)]
async fn a_service_is_made_behind_the_load_balancer_and_its_route_opened_when_it_can_answer() {
    let mut stage = Stage::new(1).await;
    stage.wanted_service();
    let seen = stage.pass(&Hints::default()).await.unwrap();
    assert_eq!(seen.made.outcomes.len(), 4, "{:?}", outcomes(&seen));
    assert!(seen.made.outcomes.iter().all(deploy::StepOutcome::goes_on), "{:?}", outcomes(&seen));
    stage.until_quiet().await;
    let listener = stage.settings.listener.clone().unwrap();
    let rules = stage.door.with(|world| elb::rules(world, listener.as_str()));
    assert_eq!(rules[0].conditions, ["path /shop/*"]);
    assert_eq!(rules[0].groups[0].targets[&elb::TargetState::Healthy], 2);
}

/// Every call of the pass fails once, in every way: what it left behind, the next passes mend,
/// and nothing is there twice.
async fn fails_anywhere(make: impl AsyncFn(u64) -> (Stage, Hints), check: impl Fn(&Stage, &str)) {
    let calls = {
        let (mut stage, hints) = make(0).await;
        let before = stage.calls();
        stage.pass(&hints).await.unwrap();
        stage.calls() - before
    };
    assert!(calls > 10, "{calls}");
    for n in 1..=calls {
        for (name, fault) in [
            ("refused", faults::fail_nth_call(n, When::Before)),
            ("failed after it took effect", faults::fail_nth_call(n, When::After)),
            ("cut after it took effect", faults::drop_nth_call(n, When::After)),
            ("throttled", throttle_nth(n)),
        ] {
            let (mut stage, hints) = make(n).await;
            stage.fault(fault);
            let first = stage.pass(&hints).await.map(|seen| outcomes(&seen));
            stage.fault(faults::none());
            stage.until_quiet().await;
            check(&stage, &format!("call {n} {name}: {first:?}"));
        }
    }
}

fn throttle_nth(n: u64) -> Faults {
    let mut count = 0;
    Box::new(move |call, seen| {
        count += 1;
        if count == n { faults::throttle_next(1)(call, seen) } else { Fault::None }
    })
}

#[tokio::test(start_paused = true)]
async fn a_push_whose_pass_fails_at_any_call_is_live_in_the_end_and_registered_once() {
    let make = async |seed| {
        let mut stage = Stage::new(seed).await;
        stage.tracked_service().await;
        stage.until_quiet().await;
        let digest = stage.push("latest", &image("2"));
        (stage, pushed(&digest))
    };
    fails_anywhere(make, |stage, what| {
        // 1: the person's; 2: pinned by the first pass; 3: this push's.
        assert_eq!(stage.revisions("shop"), 3, "{what}");
        assert!(stage.live().ends_with("shop:3"), "{what}: {}", stage.live());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_service_whose_making_fails_at_any_call_is_made_once() {
    let make = async |seed| {
        let mut stage = Stage::new(seed).await;
        stage.wanted_service();
        (stage, Hints::default())
    };
    fails_anywhere(make, |stage, what| {
        assert_eq!(stage.revisions("main-shop"), 1, "{what}");
        let listener = stage.settings.listener.clone().unwrap();
        let rules = stage.door.with(|world| elb::rules(world, listener.as_str()));
        let ours: Vec<_> = rules.iter().filter(|rule| !rule.groups.is_empty()).collect();
        assert_eq!(ours.len(), 1, "{what}");
        assert_eq!(ours[0].conditions, ["path /shop/*"], "{what}");
        assert_eq!(ours[0].groups[0].targets[&elb::TargetState::Healthy], 2, "{what}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_read_is_never_taken_for_absent() {
    let mut stage = Stage::new(1).await;
    stage.tracked_service().await;
    stage.door.with(|world| world.gate.permissions.deny("ecs:DescribeServices"));
    let seen = stage.pass(&Hints::default()).await.unwrap();
    let Fact::Unreadable(why) = &seen.facts.service else { panic!("{:?}", seen.facts.service) };
    assert_eq!((why.kind, why.doing.as_str()), (FailureKind::Denied, "describing service main/shop"));
    assert!(why.detail.contains("(next: allow ecs:DescribeServices for the role"), "{}", why.detail);
    assert_eq!(seen.plan.steps, []);
}

#[tokio::test(start_paused = true)]
async fn the_world_that_changed_since_the_plan_is_found_stale() {
    let mut stage = Stage::new(1).await;
    stage.tracked_service().await;
    stage.until_quiet().await;
    let digest = stage.push("latest", &image("2"));
    let row = stage.ledger.row(&shop()).await.unwrap();
    let facts = stage.observer.service_facts(&shop(), &row, &pushed(&digest), &stage.settings).await;
    let plan = deploy::plan(&facts, &row, &stage.settings, Timestamp::UNIX_EPOCH);
    stage.door.with(|world| {
        let input = json!({"cluster": "main", "service": "shop", "taskDefinition": "shop:1"});
        call(world, ServiceId::Ecs, "UpdateService", input)
    });
    let made = apply(&stage.clients, &plan, 7, async { Ok(()) }).await.unwrap();
    assert_eq!(made.outcomes.last().unwrap().to_string(), "stale: expected shop:2, found shop:1");
    assert!(stage.live().ends_with("shop:1"));
}

#[tokio::test(start_paused = true)]
async fn without_a_written_intent_no_rollout_is_begun() {
    let mut stage = Stage::new(1).await;
    stage.tracked_service().await;
    stage.until_quiet().await;
    let digest = stage.push("latest", &image("2"));
    let row = stage.ledger.row(&shop()).await.unwrap();
    let facts = stage.observer.service_facts(&shop(), &row, &pushed(&digest), &stage.settings).await;
    let plan = deploy::plan(&facts, &row, &stage.settings, Timestamp::UNIX_EPOCH);
    let lost = windlass_aws::LedgerError::LeaseLost {
        key: shop().to_string(),
        held: windlass_shared::id::FencingToken(1),
        newest: windlass_shared::id::FencingToken(2),
    };
    apply(&stage.clients, &plan, 7, async { Err(lost) }).await.unwrap_err();
    assert!(stage.live().ends_with("shop:2"));
}

#[tokio::test(start_paused = true)]
async fn a_new_application_is_wanted_by_its_images_labels_alone() {
    let mut stage = Stage::new(1).await;
    stage.wanted_service();
    stage.door.with(|world| {
        call(world, ServiceId::Ssm, "DeleteParameter", json!({"Name": "/windlass/services/main/shop"}))
    });
    stage.settings.guard_rails.enabled = true;
    let labels = [("windlass.path", "/shop/*"), ("windlass.port", "8080"), ("windlass.cluster", "main")];
    let spec = ecr::PushSpec { ..ecr::PushSpec::labelled(labels) };
    let spec = ecr::PushSpec { architectures: vec!["amd64".into(), "arm64".into()], ..spec };
    let digest = stage.push("latest", &spec);
    let content = stage.observer.image_content(&"shop".into(), &digest).await;
    assert_eq!(content.known().unwrap().labels["windlass.path"], "/shop/*");
    let seen = stage.pass(&pushed(&digest)).await.unwrap();
    assert_eq!(seen.made.outcomes.len(), 4, "{:?} {:?}", outcomes(&seen), seen.plan.report);
    stage.until_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_sweep_of_quiet_services_reads_them_by_the_ten_and_writes_nothing() {
    let mut stage = Stage::new(1).await;
    stage.tracked_service().await;
    stage.until_quiet().await;
    stage.door.with(|world| {
        for n in 0..34 {
            let input = json!({"cluster": "main", "serviceName": format!("other-{n}"), "desiredCount": 0,
                "taskDefinition": "shop:1"});
            call(world, ServiceId::Ecs, "CreateService", input);
            // Not all at once: AWS's rate for it is 5 a second.
            let later = world.now() + Duration::from_millis(300);
            world.advance(later);
        }
        world.gate.log.clear();
    });
    let swept = stage.observer.sweep(&["main".into()], &stage.ledger, &stage.settings).await.unwrap();
    assert_eq!(swept.len(), 35);
    let now = Timestamp::from_millisecond(i64::try_from(stage.door.now().0).unwrap()).unwrap();
    let verdicts: Vec<_> = swept
        .iter()
        .map(|glimpse| deploy::triage(&glimpse.facts, glimpse.row.as_ref(), &stage.settings, now))
        .collect();
    let quiet = verdicts.iter().filter(|verdict| **verdict == deploy::Triage::Quiet).count();
    let strangers = verdicts.iter().filter(|verdict| **verdict == deploy::Triage::NotOurs).count();
    assert_eq!((quiet, strangers), (1, 34));
    let counts: BTreeMap<String, u64> = stage.door.with(|world| {
        world
            .gate
            .log
            .counts()
            .map(|(_, name, counts)| (name.to_owned(), counts.ok + counts.failed))
            .collect()
    });
    let expected = [
        ("BatchGetItem", 1),
        ("DescribeImages", 1),
        ("DescribeServices", 4),
        // What people stopped.
        ("GetItem", 1),
        ("GetParametersByPath", 1),
        ("ListServices", 1),
        ("Query", 1),
    ];
    assert_eq!(counts, expected.map(|(name, n)| (name.to_owned(), n)).into());
}
