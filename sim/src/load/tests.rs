//! Load on services: what it makes of them, and of the alarms that look at them.

#![expect(clippy::float_cmp, reason = "rates are chosen so that the sums are exact")]

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::cloudwatch::{AlarmState, alarm_state};
use crate::ecs::testing::{call, instance, pass, push, register, shop, world};
use crate::ecs::view;
use crate::elb::{self, RequestHead};

/// 100 requests a second are a task's most, each takes 10 ms.
const LABELS: [(&str, &str); 4] =
    [("sim.capacity_rps", "100"), ("sim.base_cpu", "0"), ("sim.latency_ms", "10"), ("sim.queue_secs", "1")];

fn elb(world: &mut World, operation: &str, input: &Value) -> Value {
    elb::handle(world, operation, input).unwrap_or_else(|error| panic!("{operation}: {error:?}"))
}

fn group(world: &mut World, name: &str) -> String {
    let input = json!({"Name": name, "Protocol": "HTTP", "Port": 80, "VpcId": elb::VPC_ID,
        "HealthCheckIntervalSeconds": 5, "HealthCheckTimeoutSeconds": 2, "HealthyThresholdCount": 2});
    let made = elb(world, "CreateTargetGroup", &input);
    made["TargetGroups"][0]["TargetGroupArn"].as_str().unwrap().to_owned()
}

/// A listener that forwards to these groups by weight.
fn listener(world: &mut World, groups: &[(&str, u32)]) -> String {
    let made =
        elb(world, "CreateLoadBalancer", &json!({"Name": "main", "Subnets": ["subnet-a", "subnet-b"]}));
    let groups: Vec<Value> =
        groups.iter().map(|(arn, weight)| json!({"TargetGroupArn": arn, "Weight": weight})).collect();
    let input = json!({"LoadBalancerArn": made["LoadBalancers"][0]["LoadBalancerArn"], "Protocol": "HTTP",
        "Port": 80, "DefaultActions": [{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}]});
    elb(world, "CreateListener", &input)["Listeners"][0]["ListenerArn"].as_str().unwrap().to_owned()
}

fn create(world: &mut World, name: &str, desired: u32, balancers: &Value) {
    let definition = register(world, name, &shop("v1"), 256);
    let input = json!({"cluster": "main", "serviceName": name, "taskDefinition": definition,
        "desiredCount": desired, "loadBalancers": balancers});
    call(world, "CreateService", input);
}

fn behind(group: &str) -> Value {
    json!([{"targetGroupArn": group, "containerName": "web", "containerPort": 80}])
}

/// `shop` with two tasks of 128 cpu and 256 `MiB` behind a listener, on two instances of 2 vCPU
/// and 4000 `MiB`; it is a whole minute.
struct Shop {
    world: World,
    listener: String,
    group: String,
}

impl Shop {
    fn steady() -> Self {
        let mut world = world();
        instance(&mut world, 1, 4000);
        instance(&mut world, 2, 4000);
        let group = group(&mut world, "shop");
        let listener = listener(&mut world, &[(&group, 1)]);
        push(&mut world, "v1", LABELS);
        create(&mut world, "shop", 2, &behind(&group));
        pass(&mut world, 120);
        assert_eq!(view::service(&world, "main", "shop").unwrap().healthy, 2);
        Self { world, listener, group }
    }

    fn load(&mut self, profile: Profile) {
        set(&mut self.world, "users", service(), profile);
    }

    fn totals(&self) -> Totals {
        totals(&self.world, "users").unwrap()
    }

    /// A statistic of the last minute.
    fn of(&mut self, name: &str, stat: &str) -> Option<f64> {
        metric(&mut self.world, "AWS/ECS", name, stat, &[("ClusterName", "main"), ("ServiceName", "shop")])
    }

    fn of_group(&mut self, name: &str, stat: &str) -> Option<f64> {
        let group = self.group.rsplit(':').next().unwrap().to_owned();
        let balancer = self.listener.rsplit(':').next().unwrap().replace("listener/", "");
        let balancer = balancer.rsplit_once('/').unwrap().0;
        let dimensions = [("LoadBalancer", balancer), ("TargetGroup", &group)];
        metric(&mut self.world, "AWS/ApplicationELB", name, stat, &dimensions)
    }

    fn desire(&mut self, count: u32) {
        let input = json!({"cluster": "main", "service": "shop", "desiredCount": count});
        call(&mut self.world, "UpdateService", input);
    }
}

fn service() -> Onto {
    Onto::Service { cluster: "main".into(), service: "shop".into() }
}

fn metric(
    world: &mut World,
    namespace: &str,
    name: &str,
    stat: &str,
    dimensions: &[(&str, &str)],
) -> Option<f64> {
    let now = world.now().epoch_secs();
    let dimensions: Vec<Value> =
        dimensions.iter().map(|(name, value)| json!({"Name": name, "Value": value})).collect();
    let ask = json!({"Namespace": namespace, "MetricName": name, "Dimensions": dimensions, "Period": 60,
        "StartTime": now - 60.0, "EndTime": now, "Statistics": [stat]});
    let told = cloudwatch::handle(world, "GetMetricStatistics", &ask).unwrap();
    told["Datapoints"].as_array()?.last()?[stat].as_f64()
}

/// Rings above `threshold` for one minute.
fn alarm(world: &mut World, name: &str, source: &Value, threshold: f64) {
    let mut put = json!({"AlarmName": name, "EvaluationPeriods": 1, "Threshold": threshold,
        "ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "notBreaching"});
    for (member, value) in source.as_object().unwrap() {
        put[member] = value.clone();
    }
    cloudwatch::handle(world, "PutMetricAlarm", &put).unwrap();
}

fn cpu_of_shop() -> Value {
    json!({"Namespace": "AWS/ECS", "MetricName": "CPUUtilization", "Statistic": "Average", "Period": 60,
        "Dimensions": [{"Name": "ClusterName", "Value": "main"}, {"Name": "ServiceName", "Value": "shop"}]})
}

#[test]
fn load_becomes_cpu_requests_and_latency_of_each_minute() {
    let mut shop = Shop::steady();
    shop.load(Profile::Steady(100.0));
    pass(&mut shop.world, 60);
    assert_eq!(shop.of("CPUUtilization", "Average"), Some(50.0), "50 of 100 requests a second each");
    assert_eq!(shop.of("CPUUtilization", "SampleCount"), Some(2.0), "a sample for each task");
    assert_eq!(shop.of("MemoryUtilization", "Maximum"), Some(10.0));
    assert_eq!(shop.of_group("RequestCount", "Sum"), Some(6000.0));
    assert_eq!(shop.of_group("RequestCountPerTarget", "Sum"), Some(3000.0));
    assert_eq!(shop.of_group("HTTPCode_Target_2XX_Count", "Sum"), Some(6000.0));
    assert_eq!(shop.of_group("HTTPCode_Target_5XX_Count", "Sum"), None);
    assert!((shop.of_group("TargetResponseTime", "Average").unwrap() - 0.02).abs() < 1e-9, "twice idle's");
    assert_eq!(
        shop.totals(),
        Totals { offered: 6000.0, by_status: [(200, 6000.0)].into(), waiting: 0.0, slowest_ms: 20 }
    );
}

#[test]
fn a_cluster_tells_what_is_reserved_and_used() {
    let mut shop = Shop::steady();
    shop.load(Profile::Steady(100.0));
    pass(&mut shop.world, 60);
    let mut of = |name| metric(&mut shop.world, "AWS/ECS", name, "Average", &[("ClusterName", "main")]);
    assert_eq!(of("CPUReservation"), Some(100.0 * 256.0 / 4096.0));
    assert_eq!(of("MemoryReservation"), Some(100.0 * 512.0 / 8000.0));
    assert_eq!(of("CPUUtilization"), Some(50.0 * 256.0 / 4096.0));
    assert_eq!(of("MemoryUtilization"), Some(10.0 * 512.0 / 8000.0));
}

#[test]
fn an_alarm_rings_by_itself_and_ends_with_more_tasks() {
    let mut shop = Shop::steady();
    alarm(&mut shop.world, "busy", &cpu_of_shop(), 70.0);
    let begins = shop.world.now() + Duration::from_mins(2);
    shop.load(Profile::Steps(vec![(Time(0), 40.0), (begins, 180.0)]));
    pass(&mut shop.world, 120);
    assert_eq!(alarm_state(&shop.world, "busy"), Some(AlarmState::Ok));
    pass(&mut shop.world, 60);
    assert_eq!(shop.of("CPUUtilization", "Average"), Some(90.0));
    assert_eq!(alarm_state(&shop.world, "busy"), Some(AlarmState::Alarm));
    shop.desire(4);
    pass(&mut shop.world, 120);
    assert_eq!(shop.of("CPUUtilization", "Average"), Some(45.0));
    assert_eq!(alarm_state(&shop.world, "busy"), Some(AlarmState::Ok));
    assert!(shop.totals().failed() < 1e-9, "{:?}", shop.totals());
}

#[test]
fn metric_math_and_a_composite_ring_from_load_alone() {
    let mut shop = Shop::steady();
    let group = shop.group.rsplit(':').next().unwrap().to_owned();
    let per_target = json!({"Namespace": "AWS/ApplicationELB", "MetricName": "RequestCountPerTarget",
        "Dimensions": [{"Name": "TargetGroup", "Value": group}]});
    let metrics = json!({"Metrics": [
        {"Id": "minute", "MetricStat": {"Metric": per_target, "Period": 60, "Stat": "Sum"}, "ReturnData": false},
        {"Id": "second", "Expression": "minute / 60", "ReturnData": true}]});
    alarm(&mut shop.world, "rate", &metrics, 40.0);
    alarm(&mut shop.world, "busy", &cpu_of_shop(), 90.0);
    let put = json!({"AlarmName": "both", "AlarmRule": "ALARM(rate) AND ALARM(busy)"});
    cloudwatch::handle(&mut shop.world, "PutCompositeAlarm", &put).unwrap();
    shop.load(Profile::Steady(100.0));
    pass(&mut shop.world, 60);
    let states = |world: &World| ["rate", "busy", "both"].map(|name| alarm_state(world, name).unwrap());
    assert_eq!(states(&shop.world), [AlarmState::Alarm, AlarmState::Ok, AlarmState::Ok]);
    shop.load(Profile::Steady(190.0));
    pass(&mut shop.world, 60);
    assert_eq!(states(&shop.world), [AlarmState::Alarm; 3]);
}

#[test]
fn beyond_capacity_requests_are_refused_and_single_ones_share_it() {
    let mut shop = Shop::steady();
    shop.load(Profile::Steady(400.0));
    pass(&mut shop.world, 60);
    assert_eq!(shop.of("CPUUtilization", "Average"), Some(100.0));
    let refused = shop.of_group("HTTPCode_Target_5XX_Count", "Sum").unwrap();
    // 200 of 400 a second, but for a second's work that waits in each of the two tasks.
    assert!((refused - (200.0 * 60.0 - 200.0)).abs() < 1e-6, "{refused}");
    assert!((shop.totals().failed() - refused).abs() < 1e-6);
    let first = view::service(&shop.world, "main", "shop").unwrap().tasks[0].arn.clone();
    let strained = task(&shop.world, &first).unwrap();
    assert_eq!((strained.cpu, strained.refused, strained.waiting), (100.0, 0.5, 100.0));
    assert_eq!(strained.waits_ms, 190 + 1000);
    let head = RequestHead::get("a", "/");
    let single = (0..1000).filter(|_| {
        let served = elb::request(&mut shop.world, &shop.listener, &head).unwrap();
        served.status == 503
    });
    let single = single.count();
    assert!((400..600).contains(&single), "{single} of 1000 single requests were refused");
}

#[test]
fn single_requests_and_load_add_up() {
    let mut shop = Shop::steady();
    shop.load(Profile::Steady(40.0));
    let head = RequestHead::get("a", "/");
    for _ in 0..60 {
        for _ in 0..20 {
            elb::request(&mut shop.world, &shop.listener, &head).unwrap();
        }
        pass(&mut shop.world, 1);
    }
    assert_eq!(shop.of_group("RequestCount", "Sum"), Some(60.0 * 60.0));
    assert_eq!(shop.of("CPUUtilization", "Average"), Some(30.0), "20 + 10 of 100 a second each");
    assert_eq!(shop.totals().offered, 40.0 * 60.0, "the load's own alone");
    stop(&mut shop.world, "users");
    pass(&mut shop.world, 60);
    assert_eq!(shop.of("CPUUtilization", "Average"), Some(0.0));
    pass(&mut shop.world, 10);
    assert!(shop.world.load.tasks.is_empty() && !shop.world.load.awake, "and it is over");
}

#[test]
fn load_goes_by_weight_and_only_to_healthy_targets() {
    let mut world = world();
    instance(&mut world, 1, 4000);
    let (old, new) = (group(&mut world, "old"), group(&mut world, "new"));
    let listener = listener(&mut world, &[(&old, 90), (&new, 10)]);
    push(&mut world, "v1", LABELS);
    let onto = Onto::Path { listener, host: "a".into(), path: "/".into() };
    set(&mut world, "users", onto, Profile::Steady(50.0));
    pass(&mut world, 60);
    let early = totals(&world, "users").unwrap();
    assert!((early.by_status[&503] - 3000.0).abs() < 1e-6, "nobody is there yet: {early:?}");
    create(&mut world, "old", 1, &behind(&old));
    create(&mut world, "new", 1, &behind(&new));
    pass(&mut world, 120);
    let mut of = |service: &str| {
        let dimensions = [("ClusterName", "main"), ("ServiceName", service)];
        metric(&mut world, "AWS/ECS", "CPUUtilization", "Average", &dimensions).unwrap()
    };
    assert!((of("old") - 45.0).abs() < 1e-9 && (of("new") - 5.0).abs() < 1e-9);
    call(&mut world, "UpdateService", json!({"cluster": "main", "service": "new", "desiredCount": 0}));
    pass(&mut world, 60);
    let before = totals(&world, "users").unwrap().failed();
    pass(&mut world, 60);
    let failed = totals(&world, "users").unwrap().failed() - before;
    assert!((failed - 300.0).abs() < 1e-6, "its weight is lost: {failed}");
}

#[test]
fn a_queue_fills_and_is_worked_off() {
    let mut world = world();
    instance(&mut world, 1, 4000);
    push(&mut world, "v1", LABELS);
    create(&mut world, "shop", 0, &json!([]));
    let onto = Onto::Queue { name: "jobs".into(), cluster: "main".into(), service: "shop".into() };
    let visible = json!({"Namespace": "AWS/SQS", "MetricName": "ApproximateNumberOfMessagesVisible",
        "Statistic": "Average", "Period": 60, "Dimensions": [{"Name": "QueueName", "Value": "jobs"}]});
    alarm(&mut world, "jobs", &visible, 0.0);
    let now = world.now();
    let ends = now + Duration::from_mins(2);
    set(&mut world, "jobs", onto, Profile::Steps(vec![(now, 50.0), (ends, 0.0)]));
    pass(&mut world, 120);
    assert_eq!(totals(&world, "jobs").unwrap().waiting, 6000.0);
    assert_eq!(alarm_state(&world, "jobs"), Some(AlarmState::Alarm));
    call(&mut world, "UpdateService", json!({"cluster": "main", "service": "shop", "desiredCount": 2}));
    pass(&mut world, 60);
    let dimensions = [("ClusterName", "main"), ("ServiceName", "shop")];
    let busy = metric(&mut world, "AWS/ECS", "CPUUtilization", "Maximum", &dimensions).unwrap();
    assert!(busy > 40.0, "half a minute's work for two: {busy}");
    pass(&mut world, 60);
    let done = totals(&world, "jobs").unwrap();
    assert_eq!((done.waiting, done.offered), (0.0, 6000.0));
    assert!((done.by_status[&200] - 6000.0).abs() < 1e-6, "{done:?}");
    assert_eq!(alarm_state(&world, "jobs"), Some(AlarmState::Ok));
}

#[test]
fn a_programs_own_metric_follows_its_profile() {
    let mut world = world();
    let dimensions = [("Queue".to_owned(), "jobs".to_owned())].into();
    let onto = Onto::Metric { namespace: "Shop".into(), name: "Backlog".into(), dimensions };
    let now = world.now();
    set(&mut world, "backlog", onto, Profile::Line(vec![(now, 0.0), (now + Duration::from_mins(2), 120.0)]));
    let found: Vec<_> = (0..2)
        .map(|_| {
            pass(&mut world, 60);
            metric(&mut world, "Shop", "Backlog", "Average", &[("Queue", "jobs")]).unwrap()
        })
        .collect();
    assert_eq!(found, [30.0, 90.0], "in the middle of each minute");
}

#[test]
fn what_waits_in_a_task_that_is_lost_is_cut() {
    let mut shop = Shop::steady();
    shop.load(Profile::Steady(220.0));
    pass(&mut shop.world, 60);
    let before = shop.totals();
    assert_eq!(before.by_status.get(&502), None);
    crate::ecs::remove_instance(&mut shop.world, "i-1");
    pass(&mut shop.world, 5);
    let after = shop.totals();
    assert!(after.by_status[&502] >= 100.0, "a second's work was waiting: {after:?}");
    let sum: f64 = after.by_status.values().sum();
    assert!((sum - after.offered).abs() < 1e-6, "every request ended once: {after:?}");
}

#[test]
fn a_world_without_load_and_alarms_has_no_timers_of_it() {
    let shop = Shop::steady();
    assert!(shop.world.load.tasks.is_empty() && !shop.world.load.awake);
}

#[test]
fn two_worlds_of_one_seed_count_the_same() {
    let run = || {
        let mut shop = Shop::steady();
        let wave =
            Profile::Wave { low: 10.0, high: 300.0, period: Duration::from_mins(10), peak: shop.world.now() };
        shop.load(wave);
        pass(&mut shop.world, 1200);
        serde_json::to_string(&shop.world.load).unwrap()
    };
    assert_eq!(run(), run());
}
