//! Worlds in three lines, and worlds by chance.

use std::sync::Arc;

use proptest::prelude::*;

use crate::capacity::*;

pub(super) fn query(text: &str) -> ClusterQuery {
    ClusterQuery::parse(text).expect("a query of a test reads")
}

/// Empty, ACTIVE, connected, in zone `a`.
pub(super) fn instance(name: &str, has: Resources) -> Instance {
    Instance {
        arn: format!("arn:aws:ecs:eu-central-1:1:container-instance/c/{name}").into(),
        ec2: Some(name.into()),
        group: Some("asg".into()),
        zone: "a".into(),
        state: InstanceState::Active,
        agent: Agent::Connected,
        agent_version: Some("1.84.0".to_owned()),
        registered: has,
        remaining: has,
        used_ports: HostPorts::tcp([22, 51678]),
        attributes: Attributes::new(),
        price: Some(UsdPerHour::micros(40_000)),
        tasks: Vec::new(),
    }
}

pub(super) fn in_zone(mut instance: Instance, zone: &str) -> Instance {
    instance.attributes.insert("ecs.availability-zone".to_owned(), Some(zone.to_owned()));
    instance.zone = zone.into();
    instance
}

/// The instance with a healthy task of a service more.
pub(super) fn with(mut instance: Instance, shape: &Arc<TaskShape>) -> Instance {
    let task = task(&instance, shape);
    instance.take(&task);
    instance
}

/// A healthy task of a service, named after its instance.
pub(super) fn task(instance: &Instance, shape: &Arc<TaskShape>) -> TaskOn {
    let service = shape.group.as_str().trim_start_matches("service:").to_owned();
    TaskOn {
        arn: format!("{}/{}", instance.name(), instance.tasks.len()).into(),
        shape: Arc::clone(shape),
        owner: Owner::Service(service.into()),
        protection: Protection::Unprotected,
        standing: Standing::Healthy,
    }
}

/// A group of one type, one zone `a`, empty, of at most 10,000.
pub(super) fn offer(name: &str, cpu: u32, memory_mib: u32) -> GroupOffer {
    let machine = Machine {
        instance_type: "t3.medium".into(),
        capacity: Resources::new(cpu, memory_mib),
        on_demand: Some(UsdPerHour::micros(40_000)),
        spot: None,
    };
    GroupOffer {
        name: name.into(),
        min: 0,
        max: 10_000,
        desired: 0,
        supply: Supply::Open,
        zones: vec!["a".into()],
        machines: vec![machine],
        attributes: Attributes::new(),
        used_ports: HostPorts::tcp([22]),
        overhead: Resources::default(),
        launching: Vec::new(),
        on_demand: OnDemand::ALL,
        share: None,
    }
}

pub(super) fn shape(service: &str, cpu: u32, memory_mib: u32) -> TaskShape {
    TaskShape::new(format!("service:{service}"), Resources::new(cpu, memory_mib))
}

const QUERIES: [&str; 4] = [
    "attribute:disk == ssd",
    "attribute:ecs.availability-zone in [a, b]",
    "not(task:group == service:s0)",
    "attribute:disk =~ s.* or attribute:ecs.availability-zone == c",
];

prop_compose! {
    /// A shape of service `s<index>`, now and then with ports or constraints.
    pub(super) fn any_shape(index: usize)(
        cpu in 1_u32..=8, memory in 1_u32..=8, enis in 0_u32..=1,
        port in prop::option::weighted(0.2, 80_u16..83),
        distinct in prop::bool::weighted(0.2),
        query_at in prop::option::weighted(0.25, 0..QUERIES.len()),
        anywhere in any::<bool>(),
    ) -> TaskShape {
        TaskShape {
            ports: HostPorts::tcp(port),
            sharing: if distinct { Sharing::Distinct } else { Sharing::Shared },
            member_of: query_at.map(|at| query(QUERIES[at])).into_iter().collect(),
            spread: if anywhere { Spread::Anywhere } else { Spread::Zones },
            needs: Resources::new(cpu * 128, memory * 128).enis(enis),
            ..shape(&format!("s{index}"), 0, 0)
        }
    }
}

prop_compose! {
    /// An empty instance of some size, somewhere; sometimes of no use.
    pub(super) fn any_instance(index: usize)(
        cpu in 4_u32..=16, memory in 4_u32..=16, enis in 1_u32..=4,
        zone in prop::sample::select(vec!["a", "b", "c"]),
        ssd in any::<bool>(),
        state in prop::sample::select(vec![InstanceState::Active, InstanceState::Active,
            InstanceState::Active, InstanceState::Active, InstanceState::Draining]),
        agent in prop::sample::select(vec![Agent::Connected, Agent::Connected, Agent::Connected,
            Agent::Connected, Agent::Disconnected]),
        taken in prop::option::weighted(0.2, 80_u16..83),
    ) -> Instance {
        let has = Resources::new(cpu * 128, memory * 128).enis(enis);
        let mut it = in_zone(instance(&format!("i-{index}"), has), zone);
        it.used_ports.extend(&HostPorts::tcp(taken));
        if ssd {
            it.attributes.insert("disk".to_owned(), Some("ssd".to_owned()));
        }
        Instance { state, agent, ..it }
    }
}

/// Up to so many instances and demands, with some tasks already there.
pub(super) fn any_world(
    instances: std::ops::RangeInclusive<usize>,
    shapes: std::ops::RangeInclusive<usize>,
    each: u32,
) -> impl Strategy<Value = (Vec<Instance>, Vec<Demand>)> {
    (instances, shapes).prop_flat_map(move |(instances, shapes)| {
        let instances: Vec<_> = (0..instances).map(any_instance).collect();
        let shapes: Vec<_> = (0..shapes).map(|at| (any_shape(at), 1..=each)).collect();
        (instances, shapes).prop_map(|(instances, shapes)| {
            let demand = shapes.into_iter().map(|(shape, count)| Demand::new(shape, count)).collect();
            (instances, demand)
        })
    })
}

/// The instances after a placement: what was placed is on them.
pub(super) fn after(instances: &[Instance], demand: &[Demand], placement: &Placement) -> Vec<Instance> {
    let mut instances = instances.to_vec();
    for Placed { demand: of, instance, count } in &placement.placed {
        for _ in 0..*count {
            instances[*instance] = with(instances[*instance].clone(), &demand[*of].shape);
        }
    }
    instances
}
