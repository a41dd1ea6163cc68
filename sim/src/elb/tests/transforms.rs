//! Transforms: kept, given back, refused, carried out.

use super::*;
use crate::elb::Rewritten;

fn url(regex: &str, replace: &str) -> Value {
    json!({ "Type": "url-rewrite", "UrlRewriteConfig": { "Rewrites": [{ "Regex": regex, "Replace": replace }] } })
}

fn host(regex: &str, replace: &str) -> Value {
    json!({ "Type": "host-header-rewrite",
        "HostHeaderRewriteConfig": { "Rewrites": [{ "Regex": regex, "Replace": replace }] } })
}

/// A rule for everything with these transforms, and a healthy target behind it.
fn bench(transforms: &[Value]) -> (Bench, String) {
    let mut bench = Bench::new();
    let group = bench.group("a");
    let mut input = bench.rule_input(1, "*", &[(&group, 1)]);
    input["Transforms"] = json!(transforms);
    let rule = text(&bench.call("CreateRule", input)["Rules"][0]["RuleArn"]);
    run("i-1", 1, Some(200));
    register(&mut bench.world, &group, "i-1", 1).unwrap();
    bench.wait(1);
    (bench, rule)
}

fn sent(bench: &mut Bench, host: &str, path: &str, query: &str) -> RouteDecision {
    let head = RequestHead { query: query.into(), ..RequestHead::get(host, path) };
    route(&mut bench.world, &bench.listener.clone(), &head).unwrap()
}

fn rewritten(bench: &mut Bench, path: &str, query: &str) -> Rewritten {
    let decision = sent(bench, "mywebsite-example.com", path, query);
    let RouteDecision::Forward { rewritten, .. } = decision else { panic!("{decision:?}") };
    rewritten
}

#[test]
fn a_request_goes_to_its_target_rewritten() {
    let transforms = [
        url("^/dp/([A-Za-z0-9]+)/?(\\?.*)?$", "/product.php?id=$1&$9$"),
        host("^mywebsite-(.+).com$", "internal.dev.$1.myweb.com"),
    ];
    let (mut bench, _) = bench(&transforms);
    let found = rewritten(&mut bench, "/dp/B09G3HRMW", "x=1");
    assert_eq!(found.path_and_query.as_deref(), Some("/product.php?id=B09G3HRMW&$"));
    assert_eq!(found.host.as_deref(), Some("internal.dev.example.myweb.com"));
    let other = rewritten(&mut bench, "/cart", "");
    assert_eq!(other.path_and_query, None, "no match, no change");
}

#[test]
fn a_path_loses_its_prefix_and_a_rewrite_that_breaks_the_request_is_500() {
    let (mut bench, _) = bench(&[url("^/shop/", "/")]);
    assert_eq!(rewritten(&mut bench, "/shop/cart", "a=b").path_and_query.as_deref(), Some("/cart?a=b"));
    let (mut broken, _) = self::bench(&[url("^/bad", "no slash")]);
    assert!(matches!(sent(&mut broken, "h", "/bad", ""), RouteDecision::TransformFailed { .. }));
    assert_eq!(broken.get("/bad"), 500);
    assert_eq!(broken.get("/good"), 200);
}

#[test]
fn they_are_given_back_replaced_whole_and_reset() {
    let both = [url("a", "b"), host("c", "d")];
    let (mut bench, rule) = bench(&both);
    let kept = |bench: &mut Bench| {
        bench.call("DescribeRules", json!({ "RuleArns": [rule] }))["Rules"][0]["Transforms"].clone()
    };
    assert_eq!(kept(&mut bench), json!(both));
    let condition = json!([{ "Field": "path-pattern", "Values": ["/x"] }]);
    bench.call("ModifyRule", json!({ "RuleArn": rule, "Conditions": condition }));
    assert_eq!(kept(&mut bench), json!(both), "what is not given stays");
    bench.call("ModifyRule", json!({ "RuleArn": rule, "Transforms": [url("e", "f")] }));
    assert_eq!(kept(&mut bench), json!([url("e", "f")]));
    bench.call("ModifyRule", json!({ "RuleArn": rule, "ResetTransforms": "true" }));
    assert_eq!(kept(&mut bench), json!([]));
}

#[test]
fn what_is_no_transform_is_refused() {
    let (mut bench, rule) = bench(&[]);
    let mut two = url("a", "b");
    two["UrlRewriteConfig"]["Rewrites"] =
        json!([{ "Regex": "a", "Replace": "b" }, { "Regex": "c", "Replace": "d" }]);
    let mut mixed = url("a", "b");
    mixed["HostHeaderRewriteConfig"] = host("a", "b")["HostHeaderRewriteConfig"].clone();
    for (transforms, words) in [
        (json!([url("a", "b"), url("c", "d")]), "only have one 'url-rewrite'"),
        (json!([url("(", "b")]), "is not valid"),
        (json!([url("(?=a)", "b")]), "is not valid"),
        (json!([url(&"a".repeat(1025), "b")]), "longer than '1024'"),
        (json!([two]), "exactly one rewrite"),
        (json!([mixed]), "no other"),
        (json!([{ "Type": "path-rewrite" }]), "must be one of"),
    ] {
        let input = json!({ "RuleArn": rule, "Transforms": transforms });
        let error = handle(&mut bench.world, "ModifyRule", &input).unwrap_err();
        assert_eq!(error.code, "ValidationError");
        assert!(error.message.contains(words), "{}", error.message);
    }
    let both = json!({ "RuleArn": rule, "Transforms": [url("a", "b")], "ResetTransforms": true });
    assert_eq!(bench.code("ModifyRule", both), "ValidationError");
}
