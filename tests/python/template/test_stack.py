"""What cfn-lint cannot know: promises between the parts of `template.yaml`, and with the code."""

import json
import re
import tomllib

from conftest import ROOT


def functions(resources):
    return {name: r for name, r in resources.items() if r["Type"] == "AWS::Serverless::Function"}


def rules(resources):
    """(function, event, properties) of every rule."""
    for function, resource in functions(resources).items():
        for event, body in resource["Properties"]["Events"].items():
            yield function, event, body["Properties"]


def test_a_function_knows_its_own_timeout(template, resources):
    default = template["Globals"]["Function"]["Timeout"]
    for name, function in functions(resources).items():
        properties = function["Properties"]
        told = properties["Environment"]["Variables"]["WINDLASS_TIMEOUT_SECS"]
        assert int(told) == properties.get("Timeout", default), name


def test_each_function_is_a_binary_of_the_workspace(resources):
    for name, function in functions(resources).items():
        binary = function["Metadata"]["BuildProperties"]["Binary"]
        manifest = tomllib.loads((ROOT / "functions" / binary / "Cargo.toml").read_text())
        assert [b["name"] for b in manifest["bin"]] == [binary], name


def test_the_version_is_that_of_the_workspace(template):
    workspace = tomllib.loads((ROOT / "Cargo.toml").read_text())
    version = workspace["workspace"]["package"]["version"]
    assert template["Outputs"]["Version"]["Value"] == version
    told = template["Resources"]["StackSettings"]["Properties"]["Value"]["Fn::Sub"][0]
    assert json.loads(told)["version"] == version


def test_every_rule_keeps_what_it_cannot_hand_over(resources):
    for function, event, properties in rules(resources):
        assert properties["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": ["DeadLetters", "Arn"]}}, event
        assert 60 <= properties["RetryPolicy"]["MaximumEventAgeInSeconds"] <= 86400, event
        assert 0 <= properties["RetryPolicy"]["MaximumRetryAttempts"] <= 185, event


def test_the_queue_takes_letters_of_every_rule_and_of_no_other(resources):
    statement = resources["DeadLettersPolicy"]["Properties"]["PolicyDocument"]["Statement"][0]
    sources = statement["Condition"]["ArnEquals"]["aws:SourceArn"]
    # SAM names a rule after its function and its event.
    expected = [{"Fn::GetAtt": [function + event, "Arn"]} for function, event, _ in rules(resources)]
    assert sorted(map(json.dumps, sources)) == sorted(map(json.dumps, expected))


def test_a_failed_pass_is_retried_and_then_kept(resources):
    for name, function in functions(resources).items():
        asynchronous = function["Properties"]["EventInvokeConfig"]
        assert asynchronous["MaximumRetryAttempts"] == 2, name
        assert asynchronous["DestinationConfig"]["OnFailure"]["Type"] == "SQS", name


def test_patterns_fit_eventbridge(resources):
    for _, event, properties in rules(resources):
        if pattern := properties.get("Pattern"):
            assert len(json.dumps(pattern)) <= 2048, event


def test_the_ledger_outlives_the_stack(resources):
    table = resources["LedgerTable"]
    assert table["DeletionPolicy"] == table["UpdateReplacePolicy"] == "Retain"
    assert table["Properties"]["DeletionProtectionEnabled"]
    assert table["Properties"]["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]


def test_every_parameter_is_grouped_and_used(template):
    interface = template["Metadata"]["AWS::CloudFormation::Interface"]
    grouped = [p for group in interface["ParameterGroups"] for p in group["Parameters"]]
    assert sorted(grouped) == sorted(template["Parameters"])
    body = json.dumps({k: template[k] for k in ("Conditions", "Globals", "Resources")})
    for name, parameter in template["Parameters"].items():
        assert f'"Ref": "{name}"' in body, name
        assert parameter["Description"], name


def test_parameters_allow_what_they_describe(template):
    def allows(name, value):
        return bool(re.fullmatch(template["Parameters"][name]["AllowedPattern"], value))

    listener = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/main/50dc6c495c0c9188/f2f7dc8efc522ab2"
    assert allows("ListenerArn", "") and allows("ListenerArn", listener)
    assert not allows("ListenerArn", listener.replace("listener/app", "listener/net"))
    assert allows("ClusterNames", "main") and not allows("ClusterNames", "arn:aws:ecs:eu-central-1:123456789012:cluster/main")
    assert allows("RepositoryNames", "*") and allows("RepositoryNames", "team/shop")
    assert allows("PassRoleArns", "") and allows("PassRoleArns", "arn:aws:iam::123456789012:role/shop/task")
    assert allows("LabelPathPrefixes", "/apps/,/admin/") and not allows("LabelPathPrefixes", "apps")
    for name, parameter in template["Parameters"].items():
        if "AllowedPattern" in parameter:
            assert allows(name, parameter["Default"]), name
