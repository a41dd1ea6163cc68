//! A service between two target groups, and a load balancer that forwards to both.

#![expect(clippy::needless_pass_by_value, reason = "a call reads best with its input in place")]

use std::time::Duration;

use serde_json::{Value, json};

use super::super::testing::{call, instance, pass, push, register, release, service, shop, world};
use super::super::view;
use crate::elb::{self, RequestHead};
use crate::world::World;

/// What is beside the world: the listener and what is behind it.
pub(super) struct Bench {
    pub(super) world: World,
    pub(super) listener: String,
    pub(super) blue: String,
    pub(super) green: String,
    pub(super) production: String,
    pub(super) test: String,
}

pub(super) fn elb(world: &mut World, operation: &str, input: &Value) -> Value {
    elb::handle(world, operation, input).unwrap_or_else(|error| panic!("{operation}: {error:?}"))
}

/// A target group checked every 5 s and drained for 10 s.
fn group(world: &mut World, name: &str) -> String {
    let made = elb(
        world,
        "CreateTargetGroup",
        &json!({"Name": name, "Protocol": "HTTP", "Port": 80, "VpcId": elb::VPC_ID, "HealthCheckPath": "/",
        "HealthCheckIntervalSeconds": 5, "HealthCheckTimeoutSeconds": 2, "HealthyThresholdCount": 2,
        "UnhealthyThresholdCount": 2}),
    );
    let arn = made["TargetGroups"][0]["TargetGroupArn"].as_str().unwrap().to_owned();
    let delay = json!([{"Key": "deregistration_delay.timeout_seconds", "Value": "10"}]);
    elb(world, "ModifyTargetGroupAttributes", &json!({"TargetGroupArn": arn, "Attributes": delay}));
    arn
}

fn rule(
    world: &mut World,
    listener: &str,
    priority: u32,
    condition: &Value,
    groups: [(&str, u32); 2],
) -> String {
    let groups = groups.map(|(group, weight)| json!({"TargetGroupArn": group, "Weight": weight}));
    let made = elb(
        world,
        "CreateRule",
        &json!({"ListenerArn": listener, "Priority": priority, "Conditions": [condition],
        "Actions": [{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}]}),
    );
    made["Rules"][0]["RuleArn"].as_str().unwrap().to_owned()
}

impl Bench {
    /// Two instances, a load balancer, no service yet.
    pub(super) fn empty() -> Self {
        let mut world = world();
        instance(&mut world, 1, 8000);
        instance(&mut world, 2, 8000);
        let (blue, green) = (group(&mut world, "blue"), group(&mut world, "green"));
        let made = elb(
            &mut world,
            "CreateLoadBalancer",
            &json!({"Name": "main", "Subnets": ["subnet-a", "subnet-b"]}),
        );
        let lb = made["LoadBalancers"][0]["LoadBalancerArn"].clone();
        let nowhere = json!([{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}]);
        let made = elb(
            &mut world,
            "CreateListener",
            &json!({"LoadBalancerArn": lb, "Protocol": "HTTP", "Port": 80, "DefaultActions": nowhere}),
        );
        let listener = made["Listeners"][0]["ListenerArn"].as_str().unwrap().to_owned();
        let header = json!({"Field": "http-header",
            "HttpHeaderConfig": {"HttpHeaderName": "x-test", "Values": ["1"]}});
        let path = json!({"Field": "path-pattern", "Values": ["/*"]});
        let test = rule(&mut world, &listener, 1, &header, [(&blue, 1), (&green, 0)]);
        let production = rule(&mut world, &listener, 2, &path, [(&blue, 1), (&green, 0)]);
        push(&mut world, "v1", [("sim.body", "v1")]);
        Self { world, listener, blue, green, production, test }
    }

    /// `shop` with 2 tasks and this `deploymentConfiguration`, its first deployment done.
    pub(super) fn steady(configuration: Value) -> Self {
        let mut bench = Self::empty();
        bench.create(configuration);
        for _ in 0..1000 {
            pass(&mut bench.world, 5);
            if bench.status(0) == "SUCCESSFUL" {
                bench.forget_events();
                return bench;
            }
        }
        panic!("{}", bench.describe(0));
    }

    pub(super) fn create(&mut self, configuration: Value) {
        let definition = register(&mut self.world, "shop", &shop("v1"), 256);
        let balancer = self.balancer();
        call(
            &mut self.world,
            "CreateService",
            json!({"cluster": "main", "serviceName": "shop", "taskDefinition": definition, "desiredCount": 2,
            "loadBalancers": [balancer], "deploymentConfiguration": configuration}),
        );
    }

    pub(super) fn balancer(&self) -> Value {
        json!({"targetGroupArn": self.blue, "containerName": "web", "containerPort": 80,
            "advancedConfiguration": {"alternateTargetGroupArn": self.green,
                "productionListenerRule": self.production, "testListenerRule": self.test,
                "roleArn": "arn:aws:iam::123456789012:role/ecsInfrastructureRole"}})
    }

    /// Pushes and rolls out `shop:<tag>`.
    pub(super) fn release(&mut self, tag: &str) {
        push(&mut self.world, tag, [("sim.body", tag)]);
        release(&mut self.world, tag);
    }

    pub(super) fn service(&mut self) -> Value {
        service(&mut self.world, "shop")
    }

    /// The ARN of the service deployment that is `back` deployments old.
    pub(super) fn arn(&mut self, back: usize) -> String {
        let listed =
            call(&mut self.world, "ListServiceDeployments", json!({"cluster": "main", "service": "shop"}));
        listed["serviceDeployments"][back]["serviceDeploymentArn"].as_str().unwrap().to_owned()
    }

    /// `DescribeServiceDeployments` of it.
    pub(super) fn describe(&mut self, back: usize) -> Value {
        let arn = self.arn(back);
        let described =
            call(&mut self.world, "DescribeServiceDeployments", json!({"serviceDeploymentArns": [arn]}));
        described["serviceDeployments"][0].clone()
    }

    pub(super) fn status(&mut self, back: usize) -> String {
        self.describe(back)["status"].as_str().unwrap().to_owned()
    }

    pub(super) fn stage(&mut self) -> String {
        self.describe(0)["lifecycleStage"].as_str().unwrap().to_owned()
    }

    /// Lets time pass until the newest deployment is in a stage; fails after an hour.
    pub(super) fn until_stage(&mut self, stage: &str) {
        self.until(|bench| bench.stage() == stage, stage);
    }

    pub(super) fn until_status(&mut self, status: &str) {
        self.until(|bench| bench.status(0) == status, status);
    }

    pub(super) fn until(&mut self, done: impl Fn(&mut Self) -> bool, what: &str) {
        for _ in 0..3600 {
            if done(self) {
                return;
            }
            pass(&mut self.world, 1);
        }
        panic!("never {what}: {}", self.describe(0));
    }

    /// (blue's weight, green's) of a rule.
    pub(super) fn weights(&self, rule: &str) -> (u32, u32) {
        let rules = elb::rules(&self.world, &self.listener);
        let rule = rules.into_iter().find(|it| it.arn == rule).unwrap();
        let weight = |arn: &str| rule.groups.iter().find(|it| it.arn == arn).map_or(0, |it| it.weight);
        (weight(&self.blue), weight(&self.green))
    }

    pub(super) fn production(&self) -> (u32, u32) {
        self.weights(&self.production)
    }

    /// Running tasks of each task definition revision 1, 2, 3.
    pub(super) fn tasks(&self) -> [usize; 3] {
        let tasks = view::service(&self.world, "main", "shop").unwrap().tasks;
        let of = |revision: &str| {
            let tasks = tasks.iter().filter(|it| it.wanted && it.status == "RUNNING");
            tasks.filter(|it| it.task_definition.ends_with(revision)).count()
        };
        [of("shop:1"), of("shop:2"), of("shop:3")]
    }

    /// Sends a request: its status and the revision that answered.
    pub(super) fn request(&mut self, test: bool) -> (u16, String) {
        let mut head = RequestHead::get("shop", "/");
        if test {
            head.headers.push(("x-test".into(), "1".into()));
        }
        let served = elb::request(&mut self.world, &self.listener, &head).unwrap();
        let task = served.task_arn.and_then(|arn| view::task(&self.world, &arn));
        let revision = task.map(|it| it.task_definition.rsplit(':').next().unwrap().to_owned());
        (served.status, revision.unwrap_or_default())
    }

    /// A request four times a second for `secs`; each must succeed.
    pub(super) fn traffic(&mut self, secs: u64) {
        for _ in 0..secs * 4 {
            let to = self.world.now() + Duration::from_millis(250);
            self.world.advance(to);
            let (status, _) = self.request(false);
            assert_eq!(status, 200, "at {} in {}", self.world.now(), self.describe(0));
        }
    }

    pub(super) fn forget_events(&mut self) {
        super::super::testing::emitted("");
        self.world.effects.clear();
    }
}
