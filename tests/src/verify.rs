//! The verify function's stage: a service that ECS rolls out in stages, made by hand, with the
//! stack's verify function as its hook. The deploy function sleeps, so that what is seen is
//! verification alone.

use serde_json::{Value, json};
use windlass_sim::ServiceId;
use windlass_sim::lambda::Ended;

use crate::account::{ByHand, by_hand, register, text};
use crate::stage::Stage;
use crate::{CLUSTER, PushSpec, version};

/// A service whose new revisions the verify function is asked about.
pub struct Verified {
    /// The world.
    pub stage: Stage,
    /// The group that the first revision stands in.
    pub blue: String,
    /// The other one.
    pub green: String,
    what: ByHand,
}

impl Verified {
    /// `shop` with two tasks of version 1 behind `/shop*`; its test route wants `x-canary: yes`.
    pub async fn new(seed: u64, configuration: Value, stages: &[&str], verify: &str) -> Self {
        let stage = Stage::new(seed).await;
        stage.door.register(&stage.function, |_| async { Ok(Value::Null) });
        let what = ByHand { tag: "v1".into(), track: None, ..ByHand::tracking("shop", "shop:v1") };
        stage.push("shop", "v1", &version("1"));
        stage.apply_spec("shop", &spec(verify));
        let (blue, green) = (group(&stage, "blue"), group(&stage, "green"));
        let (test, production) = (rule(&stage, 1, &blue, &green), rule(&stage, 2, &blue, &green));
        stage.door.with(|world| {
            let revision = register(world, &what, "v1");
            let balancer = json!({"targetGroupArn": blue, "containerName": "web", "containerPort": 80,
                "advancedConfiguration": {"alternateTargetGroupArn": green, "productionListenerRule": production,
                    "testListenerRule": test, "roleArn": "arn:aws:iam::123456789012:role/infrastructure"}});
            let input = json!({"cluster": CLUSTER, "serviceName": "shop", "taskDefinition": revision,
                "desiredCount": 2, "loadBalancers": [balancer], "deploymentConfiguration": configuration});
            by_hand(world, ServiceId::Ecs, "CreateService", &input);
        });
        let mut verified = Self { stage, blue, green, what };
        assert_eq!(verified.until_over().await, "SUCCESSFUL");
        // From now on the function is asked.
        let mut configuration = configuration;
        configuration["lifecycleHooks"] = json!([{
            "hookTargetArn": format!("arn:aws:lambda:eu-central-1:123456789012:function:{}", verified.stage.verify),
            "roleArn": "arn:aws:iam::123456789012:role/hooks",
            "lifecycleStages": stages,
        }]);
        let update = json!({"cluster": CLUSTER, "service": "shop", "deploymentConfiguration": configuration});
        verified.stage.by_hand(ServiceId::Ecs, "UpdateService", &update);
        verified
    }

    /// Pushes an image and rolls it out; how the rollout ended.
    pub async fn release(&mut self, image: &PushSpec) -> String {
        self.begin(image);
        self.until_over().await
    }

    /// Pushes an image and begins to roll it out.
    pub fn begin(&self, image: &PushSpec) {
        self.stage.push("shop", "v2", image);
        self.stage.door.with(|world| {
            let revision = register(world, &self.what, "v2");
            let input = json!({"cluster": CLUSTER, "service": "shop", "taskDefinition": revision});
            by_hand(world, ServiceId::Ecs, "UpdateService", &input);
        });
    }

    /// Lets time go on until the newest rollout is over; its status.
    pub async fn until_over(&mut self) -> String {
        for _ in 0..3600 {
            self.stage.run_for(std::time::Duration::from_secs(1)).await;
            let status = self.status();
            if status.ends_with("SUCCESSFUL") || status.ends_with("FAILED") || status == "STOPPED" {
                return status;
            }
        }
        panic!("the rollout does not end: {:?}", self.hooks());
    }

    fn status(&self) -> String {
        let list = json!({"cluster": CLUSTER, "service": "shop"});
        let listed = self.stage.by_hand(ServiceId::Ecs, "ListServiceDeployments", &list);
        text(&listed["serviceDeployments"][0]["status"])
    }

    /// Every call of the hook that ended, oldest first: stage, the new revision's share of
    /// production, and the answer.
    pub fn hooks(&self) -> Vec<String> {
        self.ended(|payload, ended| {
            let stage = payload["lifecycleStage"].as_str()?;
            let details = &payload["executionDetails"];
            let target = details["targetServiceRevisionArn"].as_str()?;
            let weight = &details["productionTrafficWeights"][target];
            let answer = match ended {
                Ended::Ok(answer) => answer["hookStatus"].as_str().unwrap_or("?").to_owned(),
                Ended::Error(error) => error.clone(),
            };
            Some(format!("{stage} {weight}: {answer}"))
        })
    }

    /// The reasons of the doorbells that rang, oldest first.
    pub fn bells(&self) -> Vec<String> {
        self.ended(|payload, _| {
            let is_bell = payload["detail-type"] == "Windlass Doorbell";
            is_bell.then(|| payload["detail"]["reason"].as_str().unwrap_or_default().to_owned())
        })
    }

    fn ended(&self, read: impl Fn(&Value, &Ended) -> Option<String>) -> Vec<String> {
        self.stage.door.with(|world| {
            let log = world.lambda.log.iter();
            log.filter_map(|record| read(&record.invocation.payload, &record.ended)).collect()
        })
    }

    /// The newest verdict: `passed` or `failed` and what was found, by lines.
    pub async fn verdict(&self) -> String {
        let verdict = self.stage.row(&crate::key("shop")).await.verdict.expect("a verdict");
        let (_, stage) = verdict.stage.split_once('/').unwrap_or(("", &verdict.stage));
        format!("{stage} {}\n{}", verdict.judgement, verdict.findings.join("\n"))
    }
}

fn spec(verify: &str) -> String {
    format!(
        "image: {{repository: shop}}\nroute: {{paths: ['/shop*']}}\n\
         rollout: {{strategy: blue_green, test_route: {{header: x-canary, values: ['yes']}}}}\nverify: {verify}\n"
    )
}

fn group(stage: &Stage, name: &str) -> String {
    let input = json!({"Name": name, "Protocol": "HTTP", "Port": 80, "VpcId": windlass_sim::elb::VPC_ID,
        "HealthCheckPath": "/", "HealthCheckIntervalSeconds": 5, "HealthCheckTimeoutSeconds": 2,
        "HealthyThresholdCount": 2, "UnhealthyThresholdCount": 2});
    let made = stage.by_hand(ServiceId::ElasticLoadBalancing, "CreateTargetGroup", &input);
    text(&made["TargetGroups"][0]["TargetGroupArn"])
}

/// Priority 1 is the test route's.
fn rule(stage: &Stage, priority: u32, blue: &str, green: &str) -> String {
    let mut conditions = vec![json!({"Field": "path-pattern", "Values": ["/shop*"]})];
    if priority == 1 {
        conditions.push(json!({"Field": "http-header",
            "HttpHeaderConfig": {"HttpHeaderName": "x-canary", "Values": ["yes"]}}));
    }
    let groups = json!([{"TargetGroupArn": blue, "Weight": 1}, {"TargetGroupArn": green, "Weight": 0}]);
    let input = json!({"ListenerArn": stage.listener, "Priority": priority, "Conditions": conditions,
        "Actions": [{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}]});
    text(&stage.by_hand(ServiceId::ElasticLoadBalancing, "CreateRule", &input)["Rules"][0]["RuleArn"])
}
