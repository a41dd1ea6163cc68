"""A push becomes live through ministack's EventBridge, Lambda, DynamoDB and SSM."""

import json
import time
import urllib.error
import urllib.request

import pytest

from calls import HELLO
from images import push
from processes import eventually

# ministack takes no event whose source is AWS's from an account, as EventBridge takes none. So the test has a rule of
# its own, for a source of its own, which hands the function the event as ECR would have written it.
OUR_SOURCE = "test.ecr"
AS_ECR_WRITES_IT = (
    '{"version":"0","id":"<id>","source":"aws.ecr","detail-type":"ECR Image Action","account":"<account>",'
    '"time":"<time>","region":"<region>","resources":[],"detail":<detail>}'
)


MALFORMED = {"source": "aws.ecr", "detail-type": "ECR Image Action", "detail": {}}


@pytest.fixture(scope="session")
def pushes(deployed, deploy_function):
    """Pushes an image to the simulator's registry, and tells ministack's bus of it."""
    events = deployed.client("events")
    events.put_rule(Name="test-ecr", EventPattern=json.dumps({"source": [OUR_SOURCE]}))
    paths = {name: f"$.{name}" for name in ["id", "account", "region", "time", "detail"]}
    transformer = {"InputPathsMap": paths, "InputTemplate": AS_ECR_WRITES_IT}
    events.put_targets(Rule="test-ecr", Targets=[{"Id": "deploy", "Arn": deploy_function, "InputTransformer": transformer}])

    def pushed(directory, tag):
        digest = push(directory, deployed.sim, "hello", tag)
        detail = {"result": "SUCCESS", "repository-name": "hello", "image-digest": digest, "action-type": "PUSH", "image-tag": tag}
        entry = {"Source": OUR_SOURCE, "DetailType": "ECR Image Action", "Detail": json.dumps(detail)}
        assert events.put_events(Entries=[entry])["FailedEntryCount"] == 0
        return digest

    return pushed


def served(deployed):
    """The digest of the image that answers."""
    try:
        with urllib.request.urlopen(f"{deployed.sim.alb}/hello/x", timeout=10) as answer:
            return json.loads(answer.read())["digest"]
    except (urllib.error.HTTPError, json.JSONDecodeError):
        return None


def ring_until(deployed, what, check):
    """`windlass ring` goes through the template's own rule. ECS's events, which would have told, are the simulator's."""

    def rung():
        if found := check():
            return found
        deployed.windlass("ring", "main/hello")
        time.sleep(2)
        return None

    log = lambda: deployed.log.read_text()[-3000:]
    return eventually(what, rung, 150, log)


def history(deployed):
    return json.loads(deployed.windlass("history", "main/hello", "--json"))


def test_aws_own_events_are_not_taken_from_an_account(deployed):
    entry = {"Source": "aws.ecr", "DetailType": "ECR Image Action", "Detail": "{}"}
    told = deployed.client("events").put_events(Entries=[entry])
    assert told["Entries"][0]["ErrorCode"] == "NotAuthorizedForSourceException"


def test_a_push_is_live(deployed, pushes, tmp_path):
    deployed.sim.client("ecr").create_repository(repositoryName="hello")
    (tmp_path / "hello.yaml").write_text(f"{HELLO}  deregistration_delay_secs: 0\n")
    deployed.windlass("apply", str(tmp_path / "hello.yaml"))
    one = pushes(tmp_path / "one", "v1")
    ring_until(deployed, "the first release serves", lambda: served(deployed) == one)
    ring_until(deployed, "it is settled", lambda: "v1 live" in deployed.windlass("status"))
    two = pushes(tmp_path / "two", "v2")
    # Nobody rings: the push itself does.
    eventually("the second release serves", lambda: served(deployed) == two, 90, lambda: deployed.log.read_text()[-3000:])
    ring_until(deployed, "it is settled", lambda: "v2 live" in deployed.windlass("status"))
    text = json.dumps(history(deployed))
    assert f"push of hello:v2 ({two[:19]}" in text, text


def test_the_timer_rings_by_its_schedule(deployed):
    """Of ministack's EventBridge: `rate(1 minute)` of three functions."""

    def all_rang():
        log = deployed.log.read_text()
        return all(f"EventBridge → Lambda windlass-{name}Function" in log for name in ["Deploy", "Scale", "Drain"])

    eventually("each function was rung by its schedule", all_rang, 90, lambda: deployed.log.read_text()[-3000:])


def test_a_malformed_event_is_refused_with_its_reason(deployed, deploy_function):
    lambda_ = deployed.client("lambda")
    answer = lambda_.invoke(FunctionName=deploy_function, Payload=json.dumps(MALFORMED))
    said = json.loads(answer["Payload"].read())
    assert answer.get("FunctionError"), said
    assert "malformed event" in said["errorMessage"], said


def test_the_ledger_is_the_templates_table(deployed):
    table = deployed.client("dynamodb").describe_table(TableName=deployed.outputs["Table"])["Table"]
    assert {key["AttributeName"]: key["KeyType"] for key in table["KeySchema"]} == {"pk": "HASH", "sk": "RANGE"}
    rows = deployed.client("dynamodb").scan(TableName=deployed.outputs["Table"])["Items"]
    assert any("hello" in row["pk"]["S"] for row in rows), [row["pk"] for row in rows]


def test_a_dead_letter_finds_the_queue(deployed, deploy_function):
    """Lambda's own OnFailure destination, of the template: the queue has the event with its reason."""
    lambda_, queue = deployed.client("lambda"), deployed.outputs["DeadLetterQueue"]
    # As SAM writes it, for the newest code. The two tries more, minutes apart, are left out.
    of = {"FunctionName": deploy_function, "Qualifier": "$LATEST"}
    config = lambda_.get_function_event_invoke_config(**of)
    assert config["MaximumRetryAttempts"] == 2
    lambda_.put_function_event_invoke_config(**of, MaximumRetryAttempts=0, DestinationConfig=config["DestinationConfig"])
    lambda_.invoke(FunctionName=deploy_function, InvocationType="Event", Payload=json.dumps(MALFORMED))
    sqs = deployed.client("sqs")

    def letter():
        return sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages")

    found = eventually("a letter is in the queue", letter, 60, lambda: deployed.log.read_text()[-3000:])
    assert "malformed event" in found[0]["Body"], found
