//! The packer at 10,000 tasks on 1,000 instances: `cargo bench -p windlass-shared --bench packer`.
//!
//! The goal (`docs` of the repository: performance) is well under 100 ms for placing.

use std::collections::BTreeSet;
use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use windlass_shared::capacity::{
    Agent, Attributes, ClusterQuery, Demand, GroupOffer, HostPorts, Instance, InstanceState, Machine,
    OnDemand, Owner, Placed, Protection, Resources, Sharing, SparePolicy, Standing, Supply, TaskOn,
    TaskShape, Touch, UsdPerHour, at_least, missing, place, spare,
};

const ZONES: [&str; 3] = ["eu-central-1a", "eu-central-1b", "eu-central-1c"];
const HAS: Resources = Resources::new(4096, 15_800);

/// A service: every tenth with a fixed port, every tenth apart, every fifth bound to an attribute.
fn shape(at: u32) -> TaskShape {
    let needs = Resources::new(64 + (at * 37) % 13 * 48, 128 + (at * 53) % 17 * 128);
    let mut shape = TaskShape::new(format!("service:s{at:04}"), needs);
    if at % 10 == 3 {
        shape.ports = HostPorts::tcp([u16::try_from(8_000 + at % 50).unwrap_or(8_000)]);
    }
    if at % 10 == 7 {
        shape.sharing = Sharing::Distinct;
    }
    if at.is_multiple_of(5) {
        shape.member_of =
            ClusterQuery::parse("attribute:ecs.instance-type =~ m5.* and attribute:disk exists")
                .into_iter()
                .collect();
    }
    shape
}

/// So many tasks of so many services.
fn demand(services: u32, each: u32) -> Vec<Demand> {
    (0..services).map(|at| Demand::new(shape(at), each)).collect()
}

fn attributes(zone: &str) -> Attributes {
    [("ecs.instance-type", "m5.xlarge"), ("ecs.availability-zone", zone), ("disk", "ssd")]
        .map(|(name, value)| (name.to_owned(), Some(value.to_owned())))
        .into()
}

fn instances(count: usize) -> Vec<Instance> {
    let one = |at: usize| Instance {
        arn: format!("arn:aws:ecs:eu-central-1:1:container-instance/c/{at:08}").into(),
        ec2: Some(format!("i-{at:08}").into()),
        group: Some("asg".into()),
        zone: ZONES[at % 3].into(),
        state: InstanceState::Active,
        agent: Agent::Connected,
        agent_version: None,
        registered: HAS,
        remaining: HAS,
        used_ports: HostPorts::tcp([22, 2375, 2376, 51678, 51679]),
        attributes: attributes(ZONES[at % 3]),
        price: Some(UsdPerHour::micros(230_000)),
        tasks: Vec::new(),
    };
    (0..count).map(one).collect()
}

fn offer() -> GroupOffer {
    let price = Some(UsdPerHour::micros(230_000));
    let machine = Machine { instance_type: "m5.xlarge".into(), capacity: HAS, on_demand: price, spot: None };
    GroupOffer {
        name: "asg".into(),
        min: 0,
        max: 5_000,
        desired: 0,
        supply: Supply::Open,
        zones: ZONES.map(Into::into).to_vec(),
        machines: vec![machine],
        attributes: attributes(ZONES[0]),
        used_ports: HostPorts::tcp([22, 2375, 2376, 51678, 51679]),
        overhead: Resources::default(),
        launching: Vec::new(),
        on_demand: OnDemand::ALL,
        share: None,
    }
}

/// A tenth of the demand is running, thinly laid over all.
fn running(count: usize) -> Vec<Instance> {
    let mut world = instances(count);
    let shapes: Vec<Arc<TaskShape>> = demand(100, 1).into_iter().map(|it| it.shape).collect();
    for (at, instance) in world.iter_mut().enumerate() {
        for task in 0..10 {
            let shape = &shapes[(at * 7 + task * 10) % 100];
            let service = shape.group.as_str().trim_start_matches("service:").to_owned();
            instance.remaining = instance.remaining.minus(shape.needs);
            instance.used_ports.extend(&shape.ports);
            instance.tasks.push(TaskOn {
                arn: format!("{at}/{task}").into(),
                shape: Arc::clone(shape),
                owner: Owner::Service(service.into()),
                protection: Protection::Unprotected,
                standing: Standing::Healthy,
            });
        }
    }
    world
}

fn packer(criterion: &mut Criterion) {
    let world = instances(1_000);
    let (few, many, each) = (demand(100, 100), demand(1_000, 10), demand(10_000, 1));
    for (name, demand) in [("100 services", &few), ("1,000 services", &many), ("10,000 services", &each)] {
        let placement = place(&world, demand);
        let placed: u32 = placement.placed.iter().map(|it: &Placed| it.count).sum();
        eprintln!("{name}: {placed} of 10,000 tasks have a place");
        let name = format!("place 10,000 tasks of {name} on 1,000 instances");
        criterion.bench_function(&name, |bench| bench.iter(|| place(black_box(&world), black_box(demand))));
    }
    let offers = [offer()];
    let order = missing(&[], &offers, &few);
    let count: u32 = order.groups.values().map(|it| it.more).sum();
    eprintln!(
        "missing for 10,000 tasks of 100 services: {count} instances, at least {}",
        at_least(HAS, &few)
    );
    criterion.bench_function("missing for 10,000 tasks, from zero", |bench| {
        bench.iter(|| missing(&[], black_box(&offers), black_box(&few)));
    });
    let world = running(1_000);
    let offers = [GroupOffer { desired: 1_000, ..offer() }];
    let policy = SparePolicy {
        budget: 1_000,
        standalone: Touch::Keep,
        protected: Touch::Keep,
        last_copies: Touch::Keep,
        gapless: std::collections::BTreeSet::new(),
        zones: Touch::Allow,
        exempt: BTreeSet::new(),
        for_now: BTreeSet::new(),
    };
    let outcome = spare(&world, &offers, &[], &policy);
    eprintln!("spare of 1,000 instances with 10,000 tasks: {}, {}", outcome.emptied.len(), outcome.saves);
    criterion.bench_function("spare of 1,000 instances with 10,000 tasks", |bench| {
        bench.iter(|| spare(black_box(&world), black_box(&offers), &[], &policy));
    });
}

criterion_group! { name = benches; config = Criterion::default().sample_size(10); targets = packer }
criterion_main!(benches);
