//! The calls as clients send them, and the gate before them.

use std::sync::Arc;

use http::{HeaderMap, Method, Uri};

use super::*;
use crate::gate::permissions::Role;
use crate::iam::{Document, Policy};

fn send(world: &mut World, service: &str, body: &str) -> (u16, String) {
    let scope = format!("AKIDEXAMPLE/20261123/eu-central-1/{service}/aws4_request");
    let mut headers = HeaderMap::new();
    let authorization = format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0");
    headers.insert("authorization", authorization.parse().unwrap());
    let reply = crate::wire::serve(world, &Method::POST, &Uri::from_static("/"), &headers, body.as_bytes());
    let reply = reply.reply.unwrap();
    (reply.status, String::from_utf8(reply.body.to_vec()).unwrap())
}

#[test]
fn groups_are_described_page_by_page_and_by_tag() {
    let mut world =
        settled_with(0, 1, 2, json!({"Tags": [{"Key": "team", "Value": "x", "PropagateAtLaunch": true}]}));
    let body = "Action=DescribeAutoScalingGroups&Version=2011-01-01&AutoScalingGroupNames.member.1=nodes\
        &Filters.member.1.Name=tag%3Ateam&Filters.member.1.Values.member.1=x";
    let (status, xml) = send(&mut world, "autoscaling", body);
    assert_eq!(status, 200);
    for part in [
        "<DescribeAutoScalingGroupsResponse xmlns=\"http://autoscaling.amazonaws.com/doc/2011-01-01/\">",
        "<AutoScalingGroups><member>",
        "<DesiredCapacity>1</DesiredCapacity>",
        "<LifecycleState>InService</LifecycleState>",
        "<VPCZoneIdentifier>subnet-a,subnet-b</VPCZoneIdentifier>",
        "<LaunchTemplateName>nodes</LaunchTemplateName>",
    ] {
        assert!(xml.contains(part), "{part} in {xml}");
    }
    let body = "Action=DescribeAutoScalingGroups&Version=2011-01-01&Filters.member.1.Name=tag%3Ateam\
        &Filters.member.1.Values.member.1=y";
    assert!(!send(&mut world, "autoscaling", body).1.contains("<AutoScalingGroups><member>"));
    let machine = &crate::ec2::machines(&world)[0];
    let tags = ec2(&mut world, "DescribeInstances", json!({"InstanceIds": [machine.instance_id]}));
    let tags = &tags["Reservations"][0]["Instances"][0]["Tags"];
    assert!(tags.as_array().unwrap().contains(&json!({"Key": "team", "Value": "x"})), "{tags}");
}

#[test]
fn pages_follow_each_other() {
    let mut world = settled(0, 0, 1);
    for n in 0..3 {
        let input = json!({"AutoScalingGroupName": format!("g{n}"), "MinSize": 0, "MaxSize": 1,
            "AvailabilityZones": ["eu-central-1c"], "LaunchTemplate": {"LaunchTemplateName": "nodes"}});
        call(&mut world, "CreateAutoScalingGroup", input);
    }
    let first = call(&mut world, "DescribeAutoScalingGroups", json!({"MaxRecords": "3"}));
    assert_eq!(first["AutoScalingGroups"].as_array().unwrap().len(), 3);
    let input = json!({"MaxRecords": "3", "NextToken": first["NextToken"]});
    let second = call(&mut world, "DescribeAutoScalingGroups", input);
    assert_eq!(second["AutoScalingGroups"][0]["AutoScalingGroupName"], "nodes");
    assert_eq!(second["NextToken"], Value::Null);
}

#[test]
fn ec2_speaks_its_own_dialect() {
    let mut world = settled(0, 1, 2);
    let id = nodes(&world).members[0].instance_id.clone();
    let body = format!(
        "Action=DescribeInstances&Version=2016-11-15&InstanceId.1={id}&Filter.1.Name=instance-state-name\
         &Filter.1.Value.1=running"
    );
    let (status, xml) = send(&mut world, "ec2", &body);
    assert_eq!(status, 200);
    for part in [
        "<reservationSet><item>",
        "<instancesSet><item>",
        "<instanceState><code>16</code><name>running</name></instanceState>",
        "<instanceType>m5.large</instanceType>",
        "<tagSet><item>",
    ] {
        assert!(xml.contains(part), "{part} in {xml}");
    }
    let (status, xml) =
        send(&mut world, "ec2", "Action=DescribeInstances&Version=2016-11-15&InstanceId.1=i-no");
    assert_eq!(status, 400);
    assert!(xml.contains("<Response><Errors><Error><Code>InvalidInstanceID.NotFound</Code>"), "{xml}");
    let body = "Action=DescribeInstanceTypes&Version=2016-11-15&InstanceType.1=m5.large";
    let (_, xml) = send(&mut world, "ec2", body);
    assert!(xml.contains("<vCpuInfo><defaultVCpus>2</defaultVCpus></vCpuInfo>"), "{xml}");
}

#[test]
fn permissions_are_kept_in_each_services_own_words() {
    let mut world = settled(0, 1, 2);
    let allowed = json!({"Effect": "Allow", "Action": "autoscaling:Describe*", "Resource": "*"});
    let document = Document { name: "p".into(), document: json!({ "Statement": allowed }) };
    let role = Role {
        name: "scale".into(),
        session: "scale".into(),
        policy: Some(Arc::new(Policy::read(&[document]).unwrap())),
    };
    world.gate.permissions.assume("AKIDEXAMPLE", role);
    call(&mut world, "DescribeAutoScalingGroups", json!({}));
    let error = refused(
        &mut world,
        "SetDesiredCapacity",
        json!({"AutoScalingGroupName": "nodes", "DesiredCapacity": 2}),
    );
    assert_eq!((error.code.as_str(), error.status), ("AccessDenied", 403));
    let error = made(&mut world, ServiceId::Ec2, "DescribeInstances", json!({})).unwrap_err();
    assert_eq!((error.code.as_str(), error.status), ("UnauthorizedOperation", 403));
}

#[test]
fn too_many_calls_are_throttled() {
    let mut world = settled(0, 1, 2);
    world.gate.throttling = true;
    let mut codes = (0..60).filter_map(|_| {
        let input = json!({});
        made(&mut world, ServiceId::AutoScaling, "DescribeAutoScalingGroups", input).err()
    });
    assert_eq!(codes.next().unwrap().code, "Throttling");
}
