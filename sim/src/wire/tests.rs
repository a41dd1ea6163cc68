use http::Request;
use serde_json::json;

use super::*;

fn stamp() -> Stamp {
    Stamp { request_id: "id-1".into(), now: Time(784_111_777_000) }
}

fn read(request: Request<&str>) -> Result<Call, HttpReply> {
    let (parts, body) = request.into_parts();
    decode(&parts.method, &parts.uri, &parts.headers, body.as_bytes(), &stamp())
}

fn signed(service: &str) -> http::request::Builder {
    let scope = format!("AKIDEXAMPLE/20261123/eu-central-1/{service}/aws4_request");
    Request::builder().method("POST").uri("/").header(
        "authorization",
        format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"),
    )
}

fn text(reply: &HttpReply) -> &str {
    std::str::from_utf8(&reply.body).unwrap()
}

#[test]
fn aws_json_is_read_with_its_caller() {
    for (target, service) in [
        ("AmazonEC2ContainerServiceV20141113.DescribeServices", ServiceId::Ecs),
        ("AmazonEC2ContainerRegistry_V20150921.DescribeServices", ServiceId::Ecr),
        ("AmazonSSM.DescribeServices", ServiceId::Ssm),
        ("AWSEvents.DescribeServices", ServiceId::Events),
        ("DynamoDB_20120810.DescribeServices", ServiceId::DynamoDb),
    ] {
        let request = signed("x").header("x-amz-target", target).body(r#"{"cluster":"main"}"#).unwrap();
        let call = read(request).unwrap();
        assert_eq!((call.service, call.operation.as_str()), (service, "DescribeServices"));
        assert_eq!(call.input, json!({"cluster": "main"}));
        assert_eq!(call.caller.access_key, "AKIDEXAMPLE");
    }
}

#[test]
fn an_unknown_target_and_a_broken_body_are_refused_as_aws_does() {
    let reply = read(signed("ecs").header("x-amz-target", "Nobody.Does").body("{}").unwrap()).unwrap_err();
    assert_eq!(reply.status, 400);
    assert!(text(&reply).contains(r#""__type":"UnknownOperationException""#), "{}", text(&reply));
    let reply = read(signed("ssm").header("x-amz-target", "AmazonSSM.X").body("{").unwrap()).unwrap_err();
    assert!(text(&reply).contains("SerializationException"), "{}", text(&reply));
}

#[test]
fn a_form_becomes_nested_json_of_strings() {
    let body = "Action=CreateRule&Version=2015-12-01&ListenerArn=arn%3Aaws%3Ax&Priority=10\
        &Conditions.member.1.Field=path-pattern&Conditions.member.1.Values.member.1=%2Fadmin%2F*\
        &Conditions.member.1.Values.member.10=c&Conditions.member.1.Values.member.2=b+d\
        &Actions.member.1.ForwardConfig.TargetGroups.member.1.Weight=1\
        &Attributes.entry.1.key=k&Attributes.entry.1.value=v";
    let call = read(signed("elasticloadbalancing").body(body).unwrap()).unwrap();
    assert_eq!((call.service, call.operation.as_str()), (ServiceId::ElasticLoadBalancing, "CreateRule"));
    assert_eq!(
        call.input,
        json!({
            "ListenerArn": "arn:aws:x",
            "Priority": "10",
            "Conditions": [{"Field": "path-pattern", "Values": ["/admin/*", "b d", "c"]}],
            "Actions": [{"ForwardConfig": {"TargetGroups": [{"Weight": "1"}]}}],
            "Attributes": {"k": "v"},
        })
    );
}

#[test]
fn a_presigned_get_is_read() {
    let uri = "/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Credential=AKID%2F20261123%2Feu%2Fsts%2Faws4_request";
    let call = read(Request::get(uri).body("").unwrap()).unwrap();
    assert_eq!((call.service, call.caller.access_key.as_str()), (ServiceId::Sts, "AKID"));
    assert_eq!(call.input, json!({}));
}

fn call(service: ServiceId, operation: &str) -> Call {
    let caller = Caller { access_key: String::new() };
    Call { service, operation: operation.into(), input: json!({}), caller }
}

#[test]
fn xml_replies_are_as_aws_writes_them() {
    let output = json!({
        "Rules": [{"RuleArn": "a&b", "IsDefault": false, "Priority": "1", "Gone": null, "Conditions": []}],
        "NextMarker": null,
    });
    let reply =
        encode(&call(ServiceId::ElasticLoadBalancing, "DescribeRules"), Dialect::Usual, Ok(output), &stamp());
    assert_eq!(
        text(&reply),
        "<DescribeRulesResponse xmlns=\"http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/\">\
         <DescribeRulesResult><Rules><member><Conditions></Conditions><IsDefault>false</IsDefault>\
         <Priority>1</Priority><RuleArn>a&amp;b</RuleArn></member></Rules></DescribeRulesResult>\
         <ResponseMetadata><RequestId>id-1</RequestId></ResponseMetadata></DescribeRulesResponse>"
    );
    assert!(reply.headers.contains(&("date", "Sun, 06 Nov 1994 08:49:37 GMT".into())));

    let refused = Err(ApiError::client("PriorityInUse", "Priority '1' is currently in use"));
    let reply =
        encode(&call(ServiceId::ElasticLoadBalancing, "CreateRule"), Dialect::Usual, refused, &stamp());
    assert_eq!(reply.status, 400);
    assert!(text(&reply).contains(
        "<Error><Type>Sender</Type><Code>PriorityInUse</Code>\
         <Message>Priority '1' is currently in use</Message></Error><RequestId>id-1</RequestId>"
    ));
}

#[test]
fn json_errors_carry_their_code_twice_and_their_members() {
    let mut extra = serde_json::Map::new();
    extra.insert("CancellationReasons".into(), json!([{"Code": "None"}]));
    let error = ApiError::client("TransactionCanceledException", "cancelled").with_extra(extra);
    let reply =
        encode(&call(ServiceId::DynamoDb, "TransactWriteItems"), Dialect::Usual, Err(error), &stamp());
    let body: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(
        body,
        json!({
            "__type": "TransactionCanceledException",
            "message": "cancelled",
            "CancellationReasons": [{"Code": "None"}],
        })
    );
    assert!(reply.headers.contains(&("x-amzn-errortype", "TransactionCanceledException".into())));
    assert!(reply.headers.contains(&("content-type", "application/x-amz-json-1.0".into())));
}

#[test]
fn lambdas_invoke_has_its_payload_as_body() {
    let request = Request::post("/2015-03-31/functions/deploy/invocations")
        .header("x-amz-invocation-type", "Event")
        .body(r#"{"a":1}"#)
        .unwrap();
    let call = read(request).unwrap();
    assert_eq!(call.input, json!({"FunctionName": "deploy", "InvocationType": "Event", "Payload": {"a": 1}}));
    let reply = encode(&call, Dialect::Usual, Ok(json!({"StatusCode": 202})), &stamp());
    assert_eq!((reply.status, text(&reply)), (202, ""));
}
