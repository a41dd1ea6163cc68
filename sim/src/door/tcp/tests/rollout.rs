//! The whole of it: instances, a service behind the load balancer, traffic, a new version.

use std::collections::BTreeMap;

use super::super::traffic::Traffic;
use super::*;
use crate::call::{Call, Caller, ServiceId};
use crate::ecr::{PushSpec, ensure_repository, push_image};
use crate::ecs::{InstanceSpec, add_instance};
use crate::{Config, World};

pub(in crate::door) fn call(world: &mut World, service: ServiceId, operation: &str, input: Value) -> Value {
    let caller = Caller { access_key: "AKIATEST".into() };
    let call = Call { service, operation: operation.into(), input, caller };
    world.call(&call).unwrap_or_else(|error| panic!("{operation}: {error:?}"))
}

/// Two instances, a load balancer with a listener on port 80 and one on 8443, and the
/// service `shop` with two tasks of `shop:1` behind `/shop*`.
pub(in crate::door) fn furnish(world: &mut World) {
    use ServiceId::{Ecs, ElasticLoadBalancing as Elb};
    call(world, Ecs, "CreateCluster", json!({ "clusterName": "main" }));
    for n in 1..=2 {
        let spec = InstanceSpec {
            cluster: "main".into(),
            instance_id: format!("i-{n}"),
            az: "eu-central-1a".into(),
            architecture: "amd64".into(),
            cpu: 2048,
            memory: 4096,
            attributes: BTreeMap::new(),
        };
        add_instance(world, spec).unwrap();
    }
    let balancer = call(
        world,
        Elb,
        "CreateLoadBalancer",
        json!({ "Name": "main", "Subnets": ["subnet-1", "subnet-2"], "Type": "application" }),
    );
    let balancer = balancer["LoadBalancers"][0]["LoadBalancerArn"].clone();
    let nothing = json!([{ "Type": "fixed-response", "FixedResponseConfig": {
        "StatusCode": "404", "ContentType": "text/plain", "MessageBody": "nothing here" } }]);
    let listener = |world: &mut World, port: &str, actions: &Value| {
        let input = json!({
            "LoadBalancerArn": balancer, "Protocol": "HTTP", "Port": port, "DefaultActions": actions,
        });
        call(world, Elb, "CreateListener", input)["Listeners"][0]["ListenerArn"].clone()
    };
    let first = listener(world, "80", &nothing);
    let elsewhere = json!([{ "Type": "redirect", "RedirectConfig": {
        "Host": "example.com", "Port": "80", "StatusCode": "HTTP_302" } }]);
    listener(world, "8443", &elsewhere);
    let group = json!({
        "Name": "shop", "Protocol": "HTTP", "Port": "80", "VpcId": crate::elb::VPC_ID, "TargetType": "instance",
        "HealthCheckIntervalSeconds": "5", "HealthCheckTimeoutSeconds": "2",
        "HealthyThresholdCount": "2", "UnhealthyThresholdCount": "2",
    });
    let group = call(world, Elb, "CreateTargetGroup", group)["TargetGroups"][0]["TargetGroupArn"].clone();
    let delay = json!([{ "Key": "deregistration_delay.timeout_seconds", "Value": "20" }]);
    call(world, Elb, "ModifyTargetGroupAttributes", json!({ "TargetGroupArn": group, "Attributes": delay }));
    let rule = json!({
        "ListenerArn": first, "Priority": "10",
        "Conditions": [{ "Field": "path-pattern", "Values": ["/shop*"] }],
        "Actions": [{ "Type": "forward", "TargetGroupArn": group }],
    });
    call(world, Elb, "CreateRule", rule);
    ensure_repository(world, "shop");
    let definition = release(world, "1", [("sim.body", "1")]);
    let service = json!({
        "cluster": "main", "serviceName": "shop", "taskDefinition": definition, "desiredCount": 2,
        "loadBalancers": [{ "targetGroupArn": group, "containerName": "web", "containerPort": 80 }],
        "healthCheckGracePeriodSeconds": 30,
    });
    call(world, Ecs, "CreateService", service);
}

/// Pushes `shop:<version>` with these labels and registers a task definition for it.
pub(in crate::door) fn release<const N: usize>(
    world: &mut World,
    version: &str,
    labels: [(&str, &str); N],
) -> Value {
    let labels = PushSpec { content: version.into(), ..PushSpec::labelled(labels) };
    push_image(world, "shop", &[version], &labels).unwrap();
    let image = format!("{}/shop:{version}", world.config.registry);
    let input = json!({ "family": "shop", "containerDefinitions": [{
        "name": "web", "image": image, "memory": 256, "cpu": 128, "portMappings": [{ "containerPort": 80 }] }] });
    call(world, ServiceId::Ecs, "RegisterTaskDefinition", input)["taskDefinition"]["taskDefinitionArn"]
        .clone()
}

/// `/shop…` loses its first part on its way to a target, and clients stay with their target.
pub(in crate::door) fn transform_and_bind(world: &mut World) {
    let listener = crate::elb::listener_on(world, 80).unwrap().to_owned();
    let rule = crate::elb::rules(world, &listener).remove(0);
    let rewrite = json!({ "Regex": "^/shop/?", "Replace": "/" });
    let transform = json!({ "Type": "url-rewrite", "UrlRewriteConfig": { "Rewrites": [rewrite] } });
    let elb = ServiceId::ElasticLoadBalancing;
    call(world, elb, "ModifyRule", json!({ "RuleArn": rule.arn, "Transforms": [transform] }));
    let sticky = json!([{ "Key": "stickiness.enabled", "Value": "true" }]);
    let input = json!({ "TargetGroupArn": rule.groups[0].arn, "Attributes": sticky });
    call(world, elb, "ModifyTargetGroupAttributes", input);
}

fn settled(local: &Local) -> bool {
    let input = json!({ "cluster": "main", "services": ["shop"] });
    let described = local.with(|world| call(world, ServiceId::Ecs, "DescribeServices", input));
    let service = &described["services"][0];
    let deployments = service["deployments"].as_array().unwrap();
    deployments.len() == 1 && deployments[0]["rolloutState"] == "COMPLETED"
}

pub(super) async fn settle(local: &Local) {
    let waited = async {
        while !settled(local) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), waited).await.expect("the rollout ends within a minute");
}

pub(super) async fn furnished(state_dir: Option<PathBuf>) -> Local {
    let world = Config { throttling: false, ..Config::default() };
    let config =
        LocalConfig { port: 0, alb_port: 0, speed: 50.0, state_dir, world, ..LocalConfig::default() };
    let local = Local::start_with(config, |world, origin| {
        if origin == crate::door::tcp::Origin::New {
            furnish(world);
        }
        Ok(())
    });
    local.await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_version_comes_up_without_a_failed_request() {
    let local = furnished(None).await;
    settle(&local).await;
    let traffic = Traffic::start(local.alb_url(), vec!["/shop".into(), "/shop/cart".into()], 200.0);
    let updated = local.with(|world| {
        let definition = release(world, "2", [("sim.body", "2")]);
        let input = json!({ "cluster": "main", "service": "shop", "taskDefinition": definition });
        call(world, ServiceId::Ecs, "UpdateService", input)
    });
    assert_eq!(updated["service"]["deployments"].as_array().unwrap().len(), 2);
    settle(&local).await;
    tokio::time::sleep(Duration::from_millis(500)).await; // the old tasks' end is traffic too
    let summary = traffic.stop().await;
    assert_eq!(summary.failed, 0, "{summary:#?}");
    assert_eq!(summary.digests.len(), 2, "both versions have answered: {summary:#?}");
    let (_, body) = get(&format!("{}/shop", local.alb_url())).await;
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["body"], "2");
    local.shutdown().await.unwrap();
}

#[tokio::test]
async fn the_balancer_answers_by_itself_where_a_rule_says_so() {
    let local = furnished(None).await;
    let (parts, body) = get(&format!("{}/elsewhere", local.alb_url())).await;
    assert_eq!((parts.status.as_u16(), &body[..]), (404, &b"nothing here"[..]));
    assert_eq!(parts.headers["content-type"], "text/plain");

    let (parts, _) = get(&format!("{}/shop", local.alb_url())).await;
    assert_eq!(parts.status, 503, "the service has no task yet");

    while !local.alb_urls().contains_key(&8443) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (parts, _) = get(&format!("{}/a?b=c", local.alb_urls()[&8443])).await;
    assert_eq!(parts.status, 302);
    assert_eq!(parts.headers["location"], "http://example.com:80/a?b=c");
    local.shutdown().await.unwrap();
}

#[tokio::test]
async fn it_comes_back_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let local = furnished(Some(dir.path().into())).await;
    settle(&local).await;
    let before = local.with(|world| {
        let table = json!({
            "TableName": "ledger", "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{ "AttributeName": "pk", "AttributeType": "S" }],
            "KeySchema": [{ "AttributeName": "pk", "KeyType": "HASH" }],
        });
        call(world, ServiceId::DynamoDb, "CreateTable", table);
        let item = json!({ "TableName": "ledger", "Item": { "pk": { "S": "shop" } } });
        call(world, ServiceId::DynamoDb, "PutItem", item);
        world.now()
    });
    local.shutdown().await.unwrap();

    let local = furnished(Some(dir.path().into())).await;
    assert_eq!(local.origin(), crate::door::tcp::Origin::Restored);
    assert!(local.with(|world| world.now()) >= before, "the clock does not go back");
    assert!(settled(&local));
    let (parts, _) = get(&format!("{}/shop", local.alb_url())).await;
    assert_eq!(parts.status, 200, "its containers serve again at once");
    let item = json!({ "TableName": "ledger", "Key": { "pk": { "S": "shop" } } });
    let item = local.with(|world| call(world, ServiceId::DynamoDb, "GetItem", item));
    assert_eq!(item["Item"]["pk"]["S"], "shop", "its tables are there");
    let (parts, _) = get(&format!("{}/v2/shop/manifests/1", local.endpoint())).await;
    assert_eq!(parts.status, 200, "its images are there");
    local.shutdown().await.unwrap();
}

#[tokio::test]
async fn the_state_is_json() {
    let local = furnished(None).await;
    let (parts, body) = get(&format!("{}/_windlass/state", local.endpoint())).await;
    assert_eq!(parts.status, 200, "{}", String::from_utf8_lossy(&body));
    let state: Value = serde_json::from_slice(&body).unwrap();
    assert!(state["ecs"]["clusters"]["main"]["services"]["shop"].is_object(), "{state:#}");
    let (_, body) = get(&format!("{}/_windlass/events", local.endpoint())).await;
    let events: Value = serde_json::from_slice(&body).unwrap();
    let kinds: Vec<_> = events.as_array().unwrap().iter().map(|it| &it["event"]["detail-type"]).collect();
    assert!(kinds.contains(&&json!("ECR Image Action")), "{kinds:?}");
    local.shutdown().await.unwrap();
}
