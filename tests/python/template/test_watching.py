"""Alarms and the dashboard watch what the functions count, and every alarm is in the runbook."""

import json
import re

import pytest
from conftest import ROOT

COUNTED = re.compile(r'Self::(\w+) => "(\1)"')


@pytest.fixture(scope="session")
def counted():
    """The metrics that the functions write."""
    names = [name for _, name in COUNTED.findall((ROOT / "shared/src/metrics.rs").read_text())]
    assert len(names) > 5, names
    return set(names)


def alarms(resources):
    return {name: r["Properties"] for name, r in resources.items() if r["Type"] == "AWS::CloudWatch::Alarm"}


def metrics(alarm):
    """(namespace, name, dimensions) of what an alarm looks at."""
    if "MetricName" in alarm:
        yield alarm["Namespace"], alarm["MetricName"], alarm["Dimensions"]
    for query in alarm.get("Metrics", []):
        if stat := query.get("MetricStat"):
            yield stat["Metric"]["Namespace"], stat["Metric"]["MetricName"], stat["Metric"]["Dimensions"]


def test_an_alarm_looks_at_what_is_counted(resources, counted):
    looked = [(namespace, name) for alarm in alarms(resources).values() for namespace, name, _ in metrics(alarm)]
    assert {name for namespace, name in looked if namespace == "Windlass"} <= counted
    assert {namespace for namespace, _ in looked} == {"Windlass", "AWS/Lambda", "AWS/SQS"}


def test_an_alarm_looks_at_the_stacks_own_functions(resources):
    functions = {name for name, r in resources.items() if r["Type"] == "AWS::Serverless::Function"}
    for name, alarm in alarms(resources).items():
        for _, _, dimensions in metrics(alarm):
            [dimension] = dimensions
            of = dimension["Value"].get("Ref") or dimension["Value"]["Fn::GetAtt"][0]
            assert of in functions | {"DeadLetters"}, name
        failing = next(metrics(alarm))[1] in {"Errors", "Throttles", "MalformedEvents"}
        assert not failing or len(list(metrics(alarm))) == len(functions), f"{name} leaves a function out"


def test_every_alarm_is_in_the_runbook_under_its_name(resources):
    runbook = (ROOT / "docs/operations.md").read_text()
    for name, alarm in alarms(resources).items():
        title = alarm["AlarmName"]["Fn::Sub"].removeprefix("${AWS::StackName}-")
        assert f"\n### {title}\n" in runbook, name
        told = alarm["AlarmDescription"].removesuffix(" See docs/operations.md.")
        assert told != alarm["AlarmDescription"], name
        assert told.split(";")[0].split(".")[0] in " ".join(runbook.split()), f"{name}: the runbook says something else"


def test_the_dashboard_shows_every_metric_that_is_counted(resources, counted):
    body = json.loads(resources["Overview"]["Properties"]["DashboardBody"]["Fn::Sub"])
    shown = json.dumps(body)
    # A cluster's are found by their dimensions.
    of_clusters = {"Instances", "TasksWithoutPlace"}
    assert {name for name in counted - of_clusters if f'"{name}"' not in shown} == set()
    assert "{Windlass,FunctionName,Cluster}" in shown
    for widget in body["widgets"]:
        assert widget["x"] + widget["width"] <= 24, widget["properties"]["title"]


def test_the_dashboard_names_only_what_is_in_the_stack(resources):
    body = resources["Overview"]["Properties"]["DashboardBody"]["Fn::Sub"]
    named = {name.split(".")[0] for name in re.findall(r"\$\{([^}]+)\}", body)}
    assert named - {"AWS::Region"} <= resources.keys()


def test_the_template_is_within_cloudformations_limits(template):
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
    assert len((ROOT / "template.yaml").read_bytes()) < 1_000_000
    assert len(template["Parameters"]) <= 200
    assert len(template["Outputs"]) <= 200
    assert all(len(p.get("Description", "")) <= 4000 for p in template["Parameters"].values())
    assert len(template["Description"].encode()) <= 1024


def test_what_sam_makes_of_it_is_within_them_too():
    import runpy

    made = runpy.run_path(str(ROOT / "scripts/cloudformation"))["cloudformation"](ROOT / "template.yaml")
    assert len(json.dumps(made)) < 1_000_000
    assert len(made["Resources"]) <= 500
