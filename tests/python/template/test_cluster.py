"""The reference cluster: what it promises to `template.yaml`, to Windlass, and to whoever pays for it."""

import json
import re

import pytest
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER
from conftest import ROOT
from samcli.yamlhelper import yaml_parse

# Outputs that no parameter of template.yaml takes: for people.
FOR_PEOPLE = {"Url", "AutoScalingGroup"}

DYNAMIC_PORTS = (32768, 61000)


@pytest.fixture(scope="module")
def cluster():
    return yaml_parse((ROOT / "cluster" / "cluster.yaml").read_text())


@pytest.fixture(scope="module")
def parts(cluster):
    return cluster["Resources"]


def of_type(parts, kind):
    return {name: part["Properties"] for name, part in parts.items() if part["Type"] == kind}


def only(parts, kind):
    (properties,) = of_type(parts, kind).values()
    return properties


def test_outputs_are_parameters_of_the_stack(cluster, template):
    assert set(cluster["Outputs"]) - FOR_PEOPLE <= set(template["Parameters"])
    assert cluster["Outputs"]["ListenerArn"]["Value"] == {"Fn::If": ["HasCertificate", {"Ref": "HttpsListener"}, {"Ref": "HttpListener"}]}
    # A name that the cluster may have is one that the stack takes.
    allowed = template["Parameters"]["ClusterNames"]["AllowedPattern"]
    assert re.fullmatch(allowed, cluster["Parameters"]["ClusterName"]["Default"])
    assert cluster["Parameters"]["ClusterName"]["Default"] == template["Parameters"]["ClusterNames"]["Default"]


def test_the_readmes_command_hands_over_exactly_these(cluster):
    said = (ROOT / "cluster" / "README.md").read_text()
    (names,) = re.findall(r"contains\(`(\[.*?\])`", said)
    assert set(json.loads(names)) == set(cluster["Outputs"]) - FOR_PEOPLE
    for name in cluster["Outputs"]:
        assert f"| `{name}` |" in said, name


def test_an_instance_that_nobody_answers_for_goes_all_the_same(parts):
    hook = only(parts, "AWS::AutoScaling::LifecycleHook")
    assert hook["LifecycleTransition"] == "autoscaling:EC2_INSTANCE_TERMINATING"
    assert hook["DefaultResult"] == "CONTINUE"
    assert hook["AutoScalingGroupName"] == {"Ref": "Instances"}


def test_a_heartbeat_outlasts_a_minutes_timer(cluster):
    heartbeat = cluster["Parameters"]["DrainHeartbeatSecs"]
    assert heartbeat["MinValue"] >= 2 * 60 and heartbeat["MaxValue"] <= 7200


def test_only_the_load_balancer_connects_to_instances(parts):
    instances = parts["InstanceGroup"]["Properties"]
    assert "SecurityGroupIngress" not in instances
    (rule,) = of_type(parts, "AWS::EC2::SecurityGroupIngress").values()
    assert rule["GroupId"] == {"Ref": "InstanceGroup"}
    assert rule["SourceSecurityGroupId"] == {"Ref": "LoadBalancerGroup"}
    assert (rule["FromPort"], rule["ToPort"]) == DYNAMIC_PORTS
    assert not {"CidrIp", "CidrIpv6", "SourcePrefixListId"} & set(rule)
    assert parts["Launch"]["Properties"]["LaunchTemplateData"]["SecurityGroupIds"] == [{"Ref": "InstanceGroup"}]


def test_the_load_balancer_connects_to_nothing_else(parts):
    group = parts["LoadBalancerGroup"]["Properties"]
    (out,) = group["SecurityGroupEgress"]
    assert out["DestinationSecurityGroupId"] == {"Ref": "InstanceGroup"}
    assert (out["FromPort"], out["ToPort"]) == DYNAMIC_PORTS
    # From clients by their parameter, on 80 and (with a certificate) 443.
    ingress = [rule.get("Fn::If", [None, rule])[1] for rule in group["SecurityGroupIngress"]]
    assert [(rule["FromPort"], rule["CidrIp"]) for rule in ingress] == [(80, {"Ref": "ClientCidr"}), (443, {"Ref": "ClientCidr"})]


def test_what_no_rule_takes_is_404(parts):
    plain = parts["HttpListener"]["Properties"]["DefaultActions"][0]["Fn::If"]
    assert plain[0] == "HasCertificate" and plain[1]["Type"] == "redirect"
    for action in (plain[2], parts["HttpsListener"]["Properties"]["DefaultActions"][0]):
        assert action["Type"] == "fixed-response" and action["FixedResponseConfig"]["StatusCode"] == "404"


def test_the_agent_joins_and_leaves_draining_to_windlass(parts):
    data = parts["Launch"]["Properties"]["LaunchTemplateData"]
    script = data["UserData"]["Fn::Base64"]["Fn::Sub"]
    assert "ECS_CLUSTER=${Cluster}\n" in script
    assert "ECS_ENABLE_SPOT_INSTANCE_DRAINING=false\n" in script
    assert data["MetadataOptions"]["HttpTokens"] == "required"
    assert data["MetadataOptions"]["HttpPutResponseHopLimit"] == 1


def test_images_are_aws_own_ecs_optimised_ones(cluster):
    for name, architecture in (("ImageOfArm64", "arm64/"), ("ImageOfX8664", "")):
        parameter = cluster["Parameters"][name]
        assert parameter["Type"] == "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>"
        assert parameter["Default"] == f"/aws/service/ecs/optimized-ami/amazon-linux-2023/{architecture}recommended/image_id"
    assert cluster["Parameters"]["InstanceArchitecture"]["Default"] == "arm64"


def test_an_update_of_the_stack_takes_no_instance_away(parts):
    group = parts["Instances"]
    assert "DesiredCapacity" not in group["Properties"]
    assert "UpdatePolicy" not in group


def test_ecs_does_not_size_the_group_beside_windlass(parts):
    kinds = {part["Type"] for part in parts.values()}
    assert not kinds & {"AWS::ECS::CapacityProvider", "AWS::ECS::ClusterCapacityProviderAssociations", "AWS::AutoScaling::ScalingPolicy"}


def test_alarms_are_about_this_cluster_and_need_no_action(parts):
    alarms = of_type(parts, "AWS::CloudWatch::Alarm")
    assert {alarm["MetricName"] for alarm in alarms.values()} == {"CPUReservation", "MemoryReservation"}
    for name, alarm in alarms.items():
        assert alarm["Namespace"] == "AWS/ECS", name
        assert alarm["Dimensions"] == [{"Name": "ClusterName", "Value": {"Ref": "Cluster"}}], name
        assert alarm["TreatMissingData"] == "notBreaching", name
        assert not {"AlarmActions", "OKActions", "InsufficientDataActions"} & set(alarm), name


def tags_of(part):
    properties = part["Properties"]
    if (tags := properties.get("Tags")) is not None:
        return tags
    return [tag for spec in properties.get("TagSpecifications", []) for tag in spec["Tags"]]


def test_every_resource_that_can_be_is_tagged(parts):
    tagged = 0
    for name, part in parts.items():
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", part["Type"]).schema
        if not {"Tags", "TagSpecifications"} & set(schema["properties"]):
            continue
        assert {"windlass:cluster"} <= {tag["Key"] for tag in tags_of(part)}, name
        tagged += 1
    assert tagged > 20
    assert all(tag["PropagateAtLaunch"] for tag in parts["Instances"]["Properties"]["Tags"])


def test_every_parameter_of_the_cluster_is_grouped_and_used(cluster):
    interface = cluster["Metadata"]["AWS::CloudFormation::Interface"]
    grouped = [p for group in interface["ParameterGroups"] for p in group["Parameters"]]
    assert sorted(grouped) == sorted(cluster["Parameters"])
    body = json.dumps({k: cluster[k] for k in ("Conditions", "Resources")})
    for name, parameter in cluster["Parameters"].items():
        assert f'"Ref": "{name}"' in body or f"${{{name}}}" in body, name
        assert parameter["Description"], name
        if "AllowedPattern" in parameter:
            assert re.fullmatch(parameter["AllowedPattern"], str(parameter["Default"])), name
