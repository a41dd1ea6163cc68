"""boto3 and the AWS CLI speak another protocol to CloudWatch (JSON) than the Rust SDK (CBOR): both are understood."""

import datetime
import json
import os
import pathlib
import subprocess
import sys

import pytest
from botocore.exceptions import ClientError
from processes import CREDENTIALS, REGION, eventually


def put_alarm(cloudwatch, name, **changes):
    alarm = {
        "AlarmName": name,
        "Namespace": "Python",
        "MetricName": "Errors",
        "Dimensions": [{"Name": "Service", "Value": name}],
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 1.5,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "ignore",
    }
    cloudwatch.put_metric_alarm(**(alarm | changes))


def state(cloudwatch, name):
    return cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["StateValue"]


def test_boto3_puts_sets_reads_and_deletes_alarms(local):
    cloudwatch = local.client("cloudwatch")
    for name in ("python-a", "python-b", "python-c"):
        put_alarm(cloudwatch, name)
    cloudwatch.set_alarm_state(AlarmName="python-a", StateValue="ALARM", StateReason="test")
    pages = cloudwatch.get_paginator("describe_alarms").paginate(
        AlarmNamePrefix="python-", PaginationConfig={"PageSize": 2}
    )
    told = [alarm for page in pages for alarm in page["MetricAlarms"]]
    assert [(alarm["AlarmName"], alarm["StateValue"], alarm["Threshold"]) for alarm in told] == [
        ("python-a", "ALARM", 1.5),
        ("python-b", "INSUFFICIENT_DATA", 1.5),
        ("python-c", "INSUFFICIENT_DATA", 1.5),
    ]
    assert isinstance(told[0]["StateUpdatedTimestamp"], datetime.datetime)
    cloudwatch.put_composite_alarm(AlarmName="python", AlarmRule='ALARM("python-a") AND NOT ALARM("python-b")')
    composite = cloudwatch.describe_alarms(AlarmTypes=["CompositeAlarm"], AlarmNamePrefix="python")
    assert composite["CompositeAlarms"][0]["StateValue"] == "ALARM"
    cloudwatch.delete_alarms(AlarmNames=["python", "python-a", "python-b", "python-c"])
    assert cloudwatch.describe_alarms(AlarmNamePrefix="python")["MetricAlarms"] == []


def test_boto3_reads_errors_by_their_codes(local):
    cloudwatch = local.client("cloudwatch")
    with pytest.raises(cloudwatch.exceptions.ResourceNotFound):
        cloudwatch.set_alarm_state(AlarmName="none", StateValue="OK", StateReason="test")
    with pytest.raises(ClientError) as refused:
        put_alarm(cloudwatch, "band", ComparisonOperator="GreaterThanUpperThreshold")
    assert refused.value.response["Error"]["Code"] == "ValidationError"


def test_what_boto3_measures_rings_its_alarm(local):
    cloudwatch = local.client("cloudwatch")
    put_alarm(cloudwatch, "measured")
    datum = {"MetricName": "Errors", "Dimensions": [{"Name": "Service", "Value": "measured"}], "Values": [2.0, 3.0]}
    cloudwatch.put_metric_data(Namespace="Python", MetricData=[datum])
    # A minute is six seconds here.
    eventually("the alarm rings", lambda: state(cloudwatch, "measured") == "ALARM", 30)
    alarm = cloudwatch.describe_alarms(AlarmNames=["measured"])["MetricAlarms"][0]
    at = alarm["StateUpdatedTimestamp"]
    query = {
        "Id": "m1",
        "MetricStat": {
            "Metric": {k: alarm[k] for k in ("Namespace", "MetricName", "Dimensions")}, "Period": 60, "Stat": "Average"
        },
    }
    told = cloudwatch.get_metric_data(
        MetricDataQueries=[query, {"Id": "twice", "Expression": "m1 * 2"}],
        StartTime=at - datetime.timedelta(hours=1),
        EndTime=at + datetime.timedelta(minutes=1),
    )["MetricDataResults"]
    assert [result["Values"] for result in told] == [[2.5], [5.0]]
    assert told[0]["Timestamps"][0].second == 0
    metrics = cloudwatch.list_metrics(Namespace="Python")["Metrics"]
    assert metrics == [{k: alarm[k] for k in ("Namespace", "MetricName", "Dimensions")}]


def test_the_aws_cli_describes_alarms(local):
    put_alarm(local.client("cloudwatch"), "by-cli")
    command = [str(pathlib.Path(sys.executable).parent / "aws"), "cloudwatch", "describe-alarms", "--alarm-names", "by-cli"]
    environment = os.environ | CREDENTIALS | {"AWS_ENDPOINT_URL": local.endpoint, "AWS_REGION": REGION}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["MetricAlarms"][0]["AlarmName"] == "by-cli"


def test_boto3_waits_for_a_scan(local, tmp_path):
    from images import push

    ecr = local.client("ecr")
    ecr.create_repository(repositoryName="scanned", imageScanningConfiguration={"scanOnPush": True})
    digest = push(tmp_path / "image", local, "scanned", "v1", labels={"sim.findings": "CRITICAL=1,LOW=2"})
    image = {"repositoryName": "scanned", "imageId": {"imageDigest": digest}}
    ecr.get_waiter("image_scan_complete").wait(**image, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    found = ecr.describe_image_scan_findings(**image)["imageScanFindings"]
    assert found["findingSeverityCounts"] == {"CRITICAL": 1, "LOW": 2}
    assert len(found["findings"]) == 3
