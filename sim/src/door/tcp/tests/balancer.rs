//! Rules and weights as real requests meet them.

use http::request::Builder;

use super::rollout::{call, furnished, settle, transform_and_bind};
use super::*;
use crate::call::ServiceId::ElasticLoadBalancing as Elb;
use crate::elb::{group_arn, listener_on, rules, set_weights};

async fn status(request: Builder) -> u16 {
    exchange(request.body(Full::default()).unwrap()).await.0.status.as_u16()
}

#[tokio::test]
async fn each_kind_of_condition_is_held_against_the_real_request() {
    let local = furnished(None).await;
    let conditions = [
        json!({ "Field": "http-header", "HttpHeaderConfig": { "HttpHeaderName": "X-Check", "Values": ["green*"] } }),
        json!({ "Field": "http-request-method", "HttpRequestMethodConfig": { "Values": ["DELETE"] } }),
        json!({ "Field": "query-string", "QueryStringConfig": { "Values": [{ "Key": "v", "Value": "2" }] } }),
        json!({ "Field": "host-header", "HostHeaderConfig": { "Values": ["shop.example.com"] } }),
        json!({ "Field": "path-pattern", "PathPatternConfig": { "Values": ["/only/*"] } }),
        json!({ "Field": "source-ip", "SourceIpConfig": { "Values": ["127.0.0.0/8"] } }),
    ];
    local.with(|world| {
        let listener = listener_on(world, 80).unwrap().to_owned();
        for (n, condition) in (1..).zip(conditions) {
            let answer = json!({ "StatusCode": (200 + n).to_string() });
            let action = json!({ "Type": "fixed-response", "FixedResponseConfig": answer });
            let rule = json!({ "ListenerArn": listener, "Priority": n, "Conditions": [condition], "Actions": [action] });
            call(world, Elb, "CreateRule", rule);
        }
    });
    let url = |path: &str| format!("{}{path}", local.alb_url());
    assert_eq!(status(Request::get(url("/")).header("x-check", "Green-1")).await, 201);
    assert_eq!(status(Request::delete(url("/"))).await, 202);
    assert_eq!(status(Request::get(url("/?u=1&v=2"))).await, 203);
    assert_eq!(status(Request::get(url("/")).header("host", "shop.example.com")).await, 204);
    assert_eq!(status(Request::get(url("/only/me"))).await, 205);
    assert_eq!(status(Request::get(url("/"))).await, 206, "it came from this machine");
    local.shutdown().await.unwrap();
}

#[tokio::test]
async fn weights_split_real_requests() {
    let local = furnished(None).await;
    settle(&local).await;
    let (rule, shop, empty) = local.with(|world| {
        let group = json!({ "Name": "empty", "Protocol": "HTTP", "Port": 80, "VpcId": crate::elb::VPC_ID });
        call(world, Elb, "CreateTargetGroup", group);
        let listener = listener_on(world, 80).unwrap().to_owned();
        let group = |name| group_arn(world, name).unwrap().to_owned();
        (rules(world, &listener)[0].arn.clone(), group("shop"), group("empty"))
    });
    for (weights, served) in [((100, 0), 100..=100), ((50, 50), 30..=70), ((0, 100), 0..=0)] {
        let (to_shop, to_empty) = weights;
        local.with(|world| set_weights(world, &rule, &[(&shop, to_shop), (&empty, to_empty)])).unwrap();
        let mut answered = 0;
        for _ in 0..100 {
            answered += u32::from(status(Request::get(format!("{}/shop", local.alb_url()))).await == 200);
        }
        assert!(served.contains(&answered), "{weights:?}: {answered} of 100");
    }
    local.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_real_request_is_rewritten_and_its_client_bound() {
    let local = furnished(None).await;
    settle(&local).await;
    local.with(transform_and_bind);
    let (parts, body) = get(&format!("{}/shop/cart?x=1", local.alb_url())).await;
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["path"], "/cart");
    let cookies: Vec<_> = parts.headers.get_all("set-cookie").iter().collect();
    assert_eq!(cookies.len(), 2, "{cookies:?}");
    let cookie = cookies[0].to_str().unwrap().split(';').next().unwrap();
    for _ in 0..6 {
        let again = Request::get(format!("{}/shop", local.alb_url())).header("cookie", cookie);
        let (again, _) = exchange(again.body(Full::default()).unwrap()).await;
        assert_eq!(again.headers["x-task"], parts.headers["x-task"]);
    }
    local.shutdown().await.unwrap();
}

#[tokio::test]
async fn the_first_port_stands_for_the_name_with_every_listeners_port() {
    let local = furnished(None).await;
    let meant = |host: &str| Request::get(format!("{}/elsewhere", local.alb_url())).header("host", host);
    assert_eq!(status(meant("main.eu-central-1.elb.amazonaws.com:8443")).await, 302);
    assert_eq!(status(meant("main.eu-central-1.elb.amazonaws.com:80")).await, 404);
    assert_eq!(status(meant("main.eu-central-1.elb.amazonaws.com")).await, 404);
    assert_eq!(status(meant("main.eu-central-1.elb.amazonaws.com:9")).await, 404, "no such listener");
    local.shutdown().await.unwrap();
}
