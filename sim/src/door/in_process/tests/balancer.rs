//! Requests to a load balancer's DNS name through the connector.

use std::time::Duration;

use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use http::Request;
use serde_json::{Value, json};

use super::super::InProcess;
use crate::ServiceId::{Ecs, ElasticLoadBalancing as Elb};
use crate::door::tcp::tests::rollout::{call, furnish, release, transform_and_bind};
use crate::elb::{dns_name, set_weights};
use crate::world::{Config, World};

/// A cluster with `shop` behind `/shop*`, once it runs; and the load balancer's name.
pub(super) async fn furnished() -> (InProcess, String) {
    let mut world = World::new(Config { throttling: false, ..Config::default() });
    furnish(&mut world);
    let door = InProcess::start(world);
    door.run_for(Duration::from_mins(3)).await;
    let name = door.with(|world| {
        let arn = balancer(world)["LoadBalancerArn"].as_str().unwrap().to_owned();
        dns_name(world, &arn).unwrap()
    });
    (door, name)
}

fn balancer(world: &mut World) -> Value {
    call(world, Elb, "DescribeLoadBalancers", json!({}))["LoadBalancers"][0].clone()
}

/// What came back: the status, the headers, the body.
pub(super) struct Got {
    pub(super) status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Got {
    fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(header, _)| header == name).map_or("", |(_, value)| value)
    }
}

pub(super) async fn get(door: &InProcess, url: &str, headers: &[(&str, &str)]) -> Result<Got, String> {
    let request = headers.iter().fold(Request::get(url), |it, (name, value)| it.header(*name, *value));
    let request = HttpRequest::try_from(request.body(SdkBody::empty()).unwrap()).unwrap();
    let response = door.connector().call(request).await.map_err(|error| {
        std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string)
    })?;
    let headers = response.headers().iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    Ok(Got {
        status: response.status().as_u16(),
        headers: headers.collect(),
        body: String::from_utf8(response.body().bytes().unwrap().to_vec()).unwrap(),
    })
}

#[tokio::test(start_paused = true)]
async fn the_balancers_name_leads_to_its_listeners_and_their_rules() {
    let (door, name) = furnished().await;
    let described = door.with(balancer);
    assert_eq!(described["DNSName"], name.as_str());
    let shop = get(&door, &format!("http://{name}/shop?x=1"), &[]).await.unwrap();
    assert_eq!(shop.status, 200, "{}", shop.body);
    let said: Value = serde_json::from_str(&shop.body).unwrap();
    assert_eq!((&said["body"], &said["path"]), (&json!("1"), &json!("/shop")));
    assert_eq!(shop.header("x-digest"), said["digest"]);
    assert_eq!(shop.header("x-task"), said["task"]);
    let elsewhere = get(&door, &format!("http://{name}:80/elsewhere"), &[]).await.unwrap();
    assert_eq!((elsewhere.status, elsewhere.body.as_str()), (404, "nothing here"));
    assert_eq!(elsewhere.header("content-type"), "text/plain");
    let moved = get(&door, &format!("http://{name}:8443/a?b=c"), &[]).await.unwrap();
    assert_eq!((moved.status, moved.header("location")), (302, "http://example.com:80/a?b=c"));
    for (url, words) in [
        (format!("http://{name}:81/"), "connection refused"),
        (format!("https://{name}:80/"), "TLS handshake"),
        (format!("http://none-{name}/"), "does not resolve"),
    ] {
        let refused = get(&door, &url, &[]).await.err().unwrap();
        assert!(refused.contains(words), "{url}: {refused}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_rule_is_chosen_by_the_requests_own_headers() {
    let (door, name) = furnished().await;
    door.with(|world| {
        let listener = listener(world);
        let condition = json!({ "Field": "http-header", "HttpHeaderConfig": {
            "HttpHeaderName": "x-check", "Values": ["green"] } });
        let host = json!({ "Field": "host-header", "Values": ["shop.example.com"] });
        for (priority, condition, status) in [(1, condition, "201"), (2, host, "202")] {
            let action = json!({ "Type": "fixed-response", "FixedResponseConfig": { "StatusCode": status } });
            let input = json!({ "ListenerArn": listener, "Priority": priority, "Conditions": [condition],
                "Actions": [action] });
            call(world, Elb, "CreateRule", input);
        }
    });
    let url = format!("http://{name}/shop");
    let mut statuses = Vec::new();
    for headers in [vec![], vec![("x-check", "green")], vec![("host", "shop.example.com")]] {
        statuses.push(get(&door, &url, &headers).await.unwrap().status);
    }
    assert_eq!(statuses, [200, 201, 202]);
}

fn listener(world: &mut World) -> Value {
    let arn = balancer(world)["LoadBalancerArn"].clone();
    let listeners = call(world, Elb, "DescribeListeners", json!({ "LoadBalancerArn": arn }));
    let all = listeners["Listeners"].as_array().unwrap();
    all.iter().find(|listener| listener["Port"] == 80).unwrap()["ListenerArn"].clone()
}

#[tokio::test(start_paused = true)]
async fn a_target_takes_its_time_and_ends_with_its_task() {
    let (door, name) = furnished().await;
    door.with(|world| {
        let definition = release(world, "slow", [("sim.body", "slow"), ("sim.latency_ms", "1500")]);
        let input = json!({ "cluster": "main", "service": "shop", "taskDefinition": definition });
        call(world, Ecs, "UpdateService", input);
    });
    door.run_for(Duration::from_mins(5)).await;
    let (url, began) = (format!("http://{name}/shop"), door.now());
    let slow = get(&door, &url, &[]).await.unwrap();
    assert!(slow.body.contains("slow"), "{}", slow.body);
    let took = door.now().since(began);
    assert!((1506..=1540).contains(&took.as_millis()), "{took:?}");

    let kill = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        door.with(|world| {
            for instance in ["i-1", "i-2"] {
                crate::ecs::remove_instance(world, instance);
            }
        });
    };
    let (cut, ()) = tokio::join!(get(&door, &url, &[]), kill);
    assert_eq!(cut.unwrap().status, 502, "its task ended under it");
}

#[tokio::test(start_paused = true)]
async fn weights_split_requests_over_revisions_and_an_empty_group_is_503() {
    let (door, name) = furnished().await;
    let (rule, shop, empty) = door.with(|world| {
        let input = json!({ "Name": "empty", "Protocol": "HTTP", "Port": 80, "VpcId": crate::elb::VPC_ID });
        let made = call(world, Elb, "CreateTargetGroup", input);
        let listener = listener(world);
        let rules = crate::elb::rules(world, listener.as_str().unwrap());
        let empty = made["TargetGroups"][0]["TargetGroupArn"].as_str().unwrap().to_owned();
        (rules[0].arn.clone(), rules[0].groups[0].arn.clone(), empty)
    });
    door.with(|world| set_weights(world, &rule, &[(&shop, 75), (&empty, 25)])).unwrap();
    let mut failed = 0;
    for _ in 0..200 {
        failed += u32::from(get(&door, &format!("http://{name}/shop"), &[]).await.unwrap().status == 503);
    }
    assert!((30..70).contains(&failed), "{failed} of 200");
}

#[tokio::test(start_paused = true)]
async fn transforms_and_cookies_reach_target_and_client() {
    let (door, name) = furnished().await;
    door.with(transform_and_bind);
    let first = get(&door, &format!("http://{name}/shop/cart?x=1"), &[]).await.unwrap();
    assert_eq!(serde_json::from_str::<Value>(&first.body).unwrap()["path"], "/cart");
    let cookies: Vec<_> = first.headers.iter().filter(|(name, _)| name == "set-cookie").collect();
    assert_eq!(cookies.len(), 2, "{cookies:?}");
    let cookie = cookies[0].1.split(';').next().unwrap();
    for _ in 0..6 {
        let again = get(&door, &format!("http://{name}/shop"), &[("cookie", cookie)]).await.unwrap();
        assert_eq!(again.header("x-task"), first.header("x-task"));
    }
}
