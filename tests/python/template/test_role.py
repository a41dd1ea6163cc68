"""The role allows the calls that the code makes, and no other."""

import re

import botocore.session
from botocore import xform_name
from conftest import ROOT

# IAM's prefix of each service that `aws` has a client for, and botocore's name of it.
SERVICES = {"cloudwatch": "cloudwatch", "ecs": "ecs", "ecr": "ecr", "elasticloadbalancing": "elbv2", "ssm": "ssm", "dynamodb": "dynamodb", "events": "events"}

# Made by `windlass` with a person's own credentials, never by the function.
BY_PEOPLE = {
    "events:PutEvents": "windlass ring",
    "ssm:DeleteParameter": "a person, who takes a spec away",
    "ssm:PutParameter": "windlass apply",
}

# Allowed without a call of that name: AWS asks for them beside another action, or does them for the function.
IMPLIED = {
    "ecs:TagResource": "CreateService and RegisterTaskDefinition with tags",
    "elasticloadbalancing:AddTags": "CreateRule and CreateTargetGroup with tags",
    "iam:PassRole": "RegisterTaskDefinition with roles, UpdateService with the role that ECS shifts requests in",
    "logs:CreateLogStream": "Lambda, in the function's name",
    "logs:PutLogEvents": "Lambda, in the function's name",
    "sqs:SendMessage": "Lambda's OnFailure destination",
}


def statements(resources):
    for policy in resources["DeployRole"]["Properties"]["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            yield statement["Fn::If"][1] if "Fn::If" in statement else statement


def allowed(resources):
    for statement in statements(resources):
        actions = statement["Action"]
        yield from [actions] if isinstance(actions, str) else actions


def called():
    """Every operation that `aws` builds: `.describe_services()`."""
    sources = [p.read_text() for p in (ROOT / "aws/src").rglob("*.rs") if "tests" not in p.parts and p.name != "tests.rs"]
    built = set(re.findall(r"\.\s*([a-z_]+)\(\)", "\n".join(sources)))
    session = botocore.session.Session()
    for prefix, service in SERVICES.items():
        for operation in session.get_service_model(service).operation_names:
            if xform_name(operation) in built:
                yield f"{prefix}:{operation}"


# Names that two services have: which one it is that `aws` calls.
AMBIGUOUS = {"ecr:TagResource", "ecs:TagResource", "events:TagResource", "dynamodb:TagResource"}


def test_the_role_allows_what_is_called_and_no_more(resources):
    by_function = set(called()) - set(BY_PEOPLE) - AMBIGUOUS
    by_role = set(allowed(resources)) - set(IMPLIED)
    assert by_function - by_role == set(), "called, not allowed: a user's function is denied it"
    assert by_role - by_function == set(), "allowed, never called: take it out of template.yaml"


def test_no_action_is_a_pattern_and_none_takes_anything_away(resources):
    for action in allowed(resources):
        assert "*" not in action, action
        assert not re.search(":(Delete|Deregister|Stop|Terminate|Remove)", action), action


def test_only_what_iam_knows_no_resource_for_is_allowed_everywhere(resources):
    everywhere = [s for s in statements(resources) if s["Resource"] == "*" and "Condition" not in s]
    actions = {action for s in everywhere for action in s["Action"]}
    assert all(re.match("(ecs:DescribeTaskDefinition|ecs:ListTaskDefinitions|elasticloadbalancing:Describe)", a) for a in actions)
