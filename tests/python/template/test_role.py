"""Each function's role allows the calls that its code makes, and no other."""

import re

import botocore.session
import pytest
from botocore import xform_name
from conftest import ROOT

# IAM's prefix of each service that `aws` has a client for, and botocore's name of it.
SERVICES = {"application-autoscaling": "application-autoscaling", "autoscaling": "autoscaling", "cloudwatch": "cloudwatch", "ecs": "ecs", "ecr": "ecr", "elasticloadbalancing": "elbv2", "ssm": "ssm", "dynamodb": "dynamodb", "events": "events"}

# Made by `windlass` with a person's own credentials, never by the function.
BY_PEOPLE = {
    "ecs:DeleteService": "windlass retire",
    "elasticloadbalancing:DeleteRule": "windlass retire",
    "elasticloadbalancing:DeleteTargetGroup": "windlass retire",
    "ssm:DeleteParameter": "a person, who takes a spec away",
}

# Allowed without a call of that name: AWS asks for them beside another action, or does them for the function.
IMPLIED = {
    "ecs:TagResource": "CreateService, RegisterTaskDefinition and RunTask with tags",
    "iam:PassRole": "RegisterTaskDefinition with roles, UpdateService with the role that ECS shifts requests in",
    "inspector2:ListCoverage": "DescribeImageScanFindings, where scanning is enhanced",
    "inspector2:ListFindings": "DescribeImageScanFindings, where scanning is enhanced",
    "logs:CreateLogStream": "Lambda, in the function's name",
    "logs:PutLogEvents": "Lambda, in the function's name",
    "sqs:SendMessage": "Lambda's OnFailure destination",
}


# What the verify function calls outside of `aws/src/verify`, in files that it shares with the deploy function.
VERIFY_SHARES = {
    "dynamodb:GetItem": "Ledger::row",
    "dynamodb:UpdateItem": "Ledger::set_verdict",
    "events:PutEvents": "by_hand::ring",
    "ssm:GetParameters": "observe::parameter",
}

# The same of the scale function and `aws/src/capacity`.
SCALE_SHARES = {
    "dynamodb:BatchGetItem": "Ledger::rows",
    "dynamodb:GetItem": "Ledger::stops_fact",
    "dynamodb:PutItem": "Ledger::record_of_cluster",
    "dynamodb:Query": "Ledger::services",
    "dynamodb:UpdateItem": "Ledger::ring_and_lease",
    "ecs:DescribeTaskDefinition": "lossless::describe_task_definition",
    "ecs:UpdateService": "apply::scale::set_desired",
    "events:PutEvents": "by_hand::ring",
    "ssm:GetParameters": "observe::parameter",
    "ssm:GetParametersByPath": "observe::parameters",
}

# The same of the drain function and `aws/src/draining`.
DRAIN_SHARES = {
    "autoscaling:DescribeAutoScalingGroups": "capacity::tagged",
    "dynamodb:GetItem": "Ledger::row",
    "dynamodb:PutItem": "Ledger::record_of_cluster",
    "dynamodb:UpdateItem": "Ledger::ring_and_lease",
    "ecs:DeleteAttributes": "capacity::take_back",
    "ecs:DescribeCapacityProviders": "capacity::providers",
    "ecs:DescribeClusters": "capacity::providers",
    "ecs:DescribeContainerInstances": "capacity::describe_instances",
    "ecs:DescribeServices": "capacity::describe_services",
    "ecs:PutAttributes": "capacity::put_mark",
    "ecs:UpdateContainerInstancesState": "capacity::set_state",
    "ssm:GetParameters": "observe::parameter",
}

# What the deploy function calls in `aws/src/capacity`: CapacityObserver::room_facts, before a rollout for whose
# tasks there is no room.
DEPLOY_SHARES = {
    "autoscaling:DescribeAutoScalingGroups": "groups::tagged",
    "autoscaling:DescribeAutoScalingInstances": "groups::of_instances",
    "autoscaling:DescribeScalingActivities": "groups::add_failure",
    "ecs:DescribeCapacityProviders": "groups::providers",
    "ecs:DescribeContainerInstances": "instances::describe_instances",
    "ecs:ListContainerInstances": "instances::instances_in",
}

# In a VPC Lambda makes its interfaces with the function's role.
IN_A_VPC = re.compile("ec2:.*(NetworkInterface|PrivateIpAddresses|DescribeSubnets).*")


def statements(resources, role):
    for policy in resources[role]["Properties"]["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            yield statement["Fn::If"][1] if "Fn::If" in statement else statement


def allowed(resources, role):
    for statement in statements(resources, role):
        actions = statement["Action"]
        yield from [actions] if isinstance(actions, str) else actions


def called(is_of):
    """Every operation that these files of `aws` build: `.describe_services()`."""
    files = [p for p in (ROOT / "aws/src").rglob("*.rs") if "tests" not in p.parts and p.name != "tests.rs"]
    sources = [p.read_text() for p in files if is_of(p)]
    built = set(re.findall(r"\.\s*([a-z_]+)\(\)", "\n".join(sources)))
    session = botocore.session.Session()
    for prefix, service in SERVICES.items():
        for operation in session.get_service_model(service).operation_names:
            if xform_name(operation) in built:
                yield f"{prefix}:{operation}"


# Names that two services have: which one it is that `aws` calls.
AMBIGUOUS = {
    "application-autoscaling:DescribeScalingActivities", "autoscaling:DescribeAccountLimits", "autoscaling:DescribeLoadBalancers", "autoscaling:DescribeTags", "events:DeleteRule", "ecr:TagResource", "ecs:TagResource", "events:TagResource", "dynamodb:TagResource",
}


def is_of_verify(path):
    return path.is_relative_to(ROOT / "aws/src/verify")


def is_of_scale(path):
    return path.is_relative_to(ROOT / "aws/src/capacity")


def is_of_drain(path):
    return path.is_relative_to(ROOT / "aws/src/draining")


def is_of_deploy(path):
    return not is_of_verify(path) and not is_of_scale(path) and not is_of_drain(path)


def by_code():
    return {
        "DeployRole": set(called(is_of_deploy)) - set(BY_PEOPLE) | set(DEPLOY_SHARES),
        "DrainRole": set(called(is_of_drain)) | set(DRAIN_SHARES),
        "ScaleRole": set(called(is_of_scale)) | set(SCALE_SHARES),
        "VerifyRole": set(called(is_of_verify)) | set(VERIFY_SHARES),
    }


@pytest.mark.parametrize("role", ["DeployRole", "DrainRole", "ScaleRole", "VerifyRole"])
def test_the_role_allows_what_is_called_and_no_more(resources, role):
    by_function = by_code()[role] - AMBIGUOUS
    by_role = {a for a in allowed(resources, role) if not IN_A_VPC.fullmatch(a)} - set(IMPLIED)
    assert by_function - by_role == set(), "called, not allowed: a user's function is denied it"
    assert by_role - by_function == set(), "allowed, never called: take it out of template.yaml"


def test_every_function_has_a_role_that_is_looked_at(resources):
    functions = [r for r in resources.values() if r["Type"] == "AWS::Serverless::Function"]
    assert {f["Properties"]["Role"]["Fn::GetAtt"][0] for f in functions} == set(by_code())


# Stopping a deployment takes the new tasks away and gives the old ones all requests back: a rollback.
# What scale removes it has emptied first, and its own mark is taken off an instance that stays. Drain stops tasks
# when their instance's time is up by the spec, and records each.
GIVES_BACK = {
    "ecs:StopServiceDeployment", "autoscaling:TerminateInstanceInAutoScalingGroup", "ecs:DeleteAttributes", "ecs:StopTask",
}
# Off unless a spec says `keep_revisions`, and left out by `DeregisterRevisions=no`; what runs on such a revision runs on, and it can be read and cloned for ever.
TIDIES = {"ecs:DeregisterTaskDefinition"}


@pytest.mark.parametrize("role", ["DeployRole", "DrainRole", "ScaleRole", "VerifyRole"])
def test_no_action_is_a_pattern_and_none_takes_anything_away(resources, role):
    for action in allowed(resources, role):
        assert "*" not in action, action
        # Its own interfaces: Lambda's, not the code's.
        taking = re.search(":(Delete|Deregister|Stop|Terminate|Remove)", action) and not IN_A_VPC.fullmatch(action)
        assert not taking or action in GIVES_BACK | TIDIES, action


@pytest.mark.parametrize("role", ["DeployRole", "DrainRole", "ScaleRole", "VerifyRole"])
def test_only_what_iam_knows_no_resource_for_is_allowed_everywhere(resources, role):
    everywhere = [s for s in statements(resources, role) if s["Resource"] == "*" and "Condition" not in s]
    actions = {action for s in everywhere for action in s["Action"] if not IN_A_VPC.fullmatch(action)}
    assert all(re.match("(ecs:DescribeTaskDefinition|ecs:ListTaskDefinitions|elasticloadbalancing:Describe)", a) for a in actions)


def test_the_roles_put_only_windlass_own_events_on_the_bus(resources):
    of_deploy = ["Windlass Verdict Wanted", "Windlass Doorbell", "Windlass Cluster Doorbell"]
    words = {"DeployRole": of_deploy, "VerifyRole": "Windlass Doorbell"}
    for role, detail_type in words.items():
        put = [s for s in statements(resources, role) if "events:PutEvents" in (s["Action"], *s["Action"])]
        expected = {"StringEquals": {"events:source": "windlass", "events:detail-type": detail_type}}
        assert [s["Condition"] for s in put] == [expected], role


def test_a_stack_may_leave_the_right_to_deregister_out(resources):
    """IAM confines it to no family. Without `DeregisterRevisions` the function gets neither it nor the listing for it."""
    policies = resources["DeployRole"]["Properties"]["Policies"]
    raw = [s for policy in policies for s in policy["PolicyDocument"]["Statement"]]
    tidies = TIDIES | {"ecs:ListTaskDefinitions"}
    found = {}
    for statement in raw:
        condition, inner = (statement["Fn::If"][:2]) if "Fn::If" in statement else (None, statement)
        actions = inner["Action"]
        found |= {action: condition for action in ([actions] if isinstance(actions, str) else actions) if action in tidies}
    assert found == dict.fromkeys(tidies, "DeregistersRevisions")
    told = resources["DeployFunction"]["Properties"]["Environment"]["Variables"]["WINDLASS_DEREGISTER_REVISIONS"]
    assert told == {"Ref": "DeregisterRevisions"}, "the function knows what it may not"


def test_what_is_beside_the_roles_own_policies_is_tracing_alone(resources):
    """docs/least-privilege.md has the roles' own policies row by row, and says this one in words."""
    beside = {name: r["Properties"]["PolicyDocument"]["Statement"] for name, r in resources.items() if r["Type"] in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy")}
    tracing = {"Sid": "Traces", "Effect": "Allow", "Action": ["xray:PutTelemetryRecords", "xray:PutTraceSegments"], "Resource": "*"}
    assert beside == {"TracingPolicy": [tracing]}
