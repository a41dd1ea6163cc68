"""The registry account's template: it forwards what this stack's rules take, to one bus, and opens what the functions call."""

import json
import re

import pytest
from conftest import ROOT
from moto.events.models import EventPattern
from samcli.yamlhelper import yaml_parse
from test_role import statements

ACCOUNT, WORKLOAD, REGION = "111122223333", "123456789012", "eu-central-1"
SAMPLES = sorted((ROOT / "events").glob("*.json"))


@pytest.fixture(scope="module")
def registry():
    return yaml_parse((ROOT / "registry" / "registry.yaml").read_text())


@pytest.fixture(scope="module")
def parts(registry):
    return registry["Resources"]


def filled(value, prefix=""):
    """What CloudFormation makes of it, in the account 111122223333."""
    names = {"AWS::Partition": "aws", "AWS::Region": REGION, "AWS::AccountId": ACCOUNT, "AWS::URLSuffix": "amazonaws.com"}
    names |= {"WorkloadAccount": WORKLOAD, "RepositoryPrefix": prefix}
    if isinstance(value, list):
        return [filled(item, prefix) for item in value]
    if not isinstance(value, dict):
        return value
    if "Ref" in value:
        return names[value["Ref"]]
    if "Fn::Sub" in value:
        return re.sub(r"\$\{([\w:]+)\}", lambda name: names[name.group(1)], value["Fn::Sub"])
    return {key: filled(item, prefix) for key, item in value.items()}


def patterns(parts, prefix=""):
    rules = {name: part["Properties"] for name, part in parts.items() if part["Type"] == "AWS::Events::Rule"}
    return {name: EventPattern.load(json.dumps(filled(rule["EventPattern"], prefix))) for name, rule in rules.items()}


def here(path):
    """A sample as it would have happened in this account."""
    event = json.loads(path.read_text())
    text = json.dumps(event).replace(event.get("account") or "-", ACCOUNT).replace(event.get("region") or "-", REGION)
    return json.loads(text)


def taken(event, prefix, parts):
    return [name for name, pattern in patterns(parts, prefix).items() if pattern.matches_event(event)]


def test_every_event_of_an_image_that_rings_the_stack_is_forwarded(parts, resources):
    rings = resources["DeployFunction"]["Properties"]["Events"]
    ours = [event["Properties"]["Pattern"] for event in rings.values() if event["Type"] == "EventBridgeRule"]
    of_images = [pattern for pattern in ours if pattern["source"][0] in ("aws.ecr", "aws.inspector2")]
    assert len(of_images) >= 5
    checked = 0
    for path in SAMPLES:
        event = here(path)
        if any(EventPattern.load(json.dumps(pattern)).matches_event(event) for pattern in of_images):
            assert len(taken(event, "", parts)) == 1, path.name
            checked += 1
    assert checked >= len(of_images), "each of the stack's rules has a sample"


def test_nothing_but_images_is_forwarded(parts):
    for path in SAMPLES:
        event = here(path)
        if taken(event, "", parts):
            assert event["source"] in ("aws.ecr", "aws.inspector2"), path.name
            assert "repository-name" in event["detail"], path.name


@pytest.mark.parametrize("sample", ["ecr-image-action-push-doc.json", "inspector2-scan-image.json"])
def test_a_prefix_chooses_repositories(parts, sample):
    event = here(ROOT / "events" / sample)
    name = event["detail"]["repository-name"].split(":repository/")[-1]
    assert taken(event, name[:3], parts)
    assert not taken(event, "other/", parts)


def test_the_role_puts_events_onto_the_buses_that_the_rules_name_and_no_others(parts):
    (policy,) = parts["ForwardRole"]["Properties"]["Policies"]
    (statement,) = policy["PolicyDocument"]["Statement"]
    targets = [t for p in parts.values() if p["Type"] == "AWS::Events::Rule" for t in p["Properties"]["Targets"]]
    assert statement["Action"] == "events:PutEvents"
    assert {t["Arn"]["Fn::Sub"] for t in targets} == {statement["Resource"]["Fn::Sub"]}
    assert filled(statement["Resource"]) == f"arn:aws:events:{REGION}:{WORKLOAD}:event-bus/default"
    assert all(t["RoleArn"] == {"Fn::GetAtt": ["ForwardRole", "Arn"]} and t["DeadLetterConfig"] for t in targets)


def test_the_repositories_policy_has_what_the_deploy_function_reads_and_ecs_pulls_with(registry, resources):
    (statement,) = json.loads(filled(registry["Outputs"]["RepositoryPolicy"]["Value"]))["Statement"]
    assert statement["Principal"] == {"AWS": f"arn:aws:iam::{WORKLOAD}:root"}
    (reads,) = [s for s in statements(resources, "DeployRole") if s.get("Sid") == "ReadImages"]
    # Another account's repository says its URI by its name: that is not asked for.
    needed = set(reads["Action"]) - {"ecr:DescribeRepositories"} | {"ecr:BatchCheckLayerAvailability"}
    assert set(statement["Action"]) == needed


def test_the_stacks_bus_takes_events_of_images_from_the_named_accounts_alone(resources, template):
    policy = resources["RegistryEvents"]
    assert policy["Condition"] == "HasRegistryAccounts" and template["Parameters"]["RegistryAccounts"]["Default"] == ""
    statement = policy["Properties"]["Statement"]
    assert statement["Principal"] == {"AWS": {"Ref": "RegistryAccounts"}} and statement["Action"] == "events:PutEvents"
    assert statement["Resource"]["Fn::Sub"].endswith(":event-bus/default")
    # A doorbell by hand is not an image's event.
    assert statement["Condition"] == {"ForAllValues:StringEquals": {"events:source": ["aws.ecr", "aws.inspector2"]}}


def test_every_resource_that_takes_tags_has_one(parts):
    untagged = {"AWS::Events::Rule", "AWS::SQS::QueuePolicy"}
    for name, part in parts.items():
        assert part["Type"] in untagged or part["Properties"]["Tags"], name
