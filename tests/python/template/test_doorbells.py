"""Which sample event rings which doorbell, by moto's reading of EventBridge's patterns: a witness beside `sim`'s own."""

import json

import pytest
from conftest import ROOT
from moto.events.models import EventPattern

# Every sample that a rule of the stack takes; the others ring nothing.
RINGS = {
    "ecr-image-action-push-doc.json": ["ImagePushed"],
    "ecr-image-action-push-real-media-types.json": ["ImagePushed"],
    "ecr-image-action-push-index-RECONSTRUCTED.json": ["ImagePushed"],
    # A signature's tag is a tag. The function looks, and deploys nothing.
    "ecr-image-action-push-cosign-signature-RECONSTRUCTED.json": ["ImagePushed"],
    "ecr-replication-action-success.json": ["ImageReplicated"],
    "ecr-pull-through-cache-success.json": ["ImageCached"],
    "ecs-deployment-in-progress.json": ["RolloutChanged"],
    "ecs-hook-awaiting-action.json": ["HookChanged"],
    "ecs-hook-timed-out-RECONSTRUCTED.json": ["HookChanged"],
    "ecs-deployment-in-progress-rollback.json": ["RolloutChanged"],
    "ecs-deployment-completed.json": ["RolloutChanged"],
    "ecs-deployment-failed.json": ["RolloutChanged"],
    "ecs-service-action-steady-state.json": ["ServiceActed"],
    "ecs-service-action-deployment-failed-RECONSTRUCTED.json": ["ServiceActed"],
    "ecs-service-action-task-start-impaired-RECONSTRUCTED.json": ["ServiceActed"],
    "ecs-service-action-placement-failure-ec2-cpu.json": ["ServiceActed"],
    "ecs-service-action-placement-failure-fargate.json": ["ServiceActed"],
    # A migration's end: the rollout behind it begins at once, and not with the sweep.
    "ecs-task-state-change-before-rollout-stopped-RECONSTRUCTED.json": ["TaskBeforeRolloutEnded"],
    "ssm-parameter-store-change-spec-delete-RECONSTRUCTED.json": ["SpecChanged"],
    "ssm-parameter-store-change-spec-update-RECONSTRUCTED.json": ["SpecChanged"],
    "ecr-image-scan-complete.json": ["ImageScanned"],
    "ecr-image-scan-without-counts-RECONSTRUCTED.json": ["ImageScanned"],
    "inspector2-scan-image.json": ["ImageInspected"],
    "windlass-doorbell.json": ["RungByHand"],
}
# Those that ring scale. What drains an instance is not among them: that rings drain.
RINGS_SCALE = {
    "asg-launch-successful.json": ["InstanceLaunched"],
    "asg-launch-unsuccessful.json": ["InstanceLaunched"],
    "cloudwatch-alarm-state-change-anomaly.json": ["AlarmChanged"],
    "cloudwatch-alarm-state-change-composite.json": ["AlarmChanged"],
    "cloudwatch-alarm-state-change-composite-without-suppressor-RECONSTRUCTED.json": ["AlarmChanged"],
    "cloudwatch-alarm-state-change-metric-math.json": ["AlarmChanged"],
    "cloudwatch-alarm-state-change-multi-time-series.json": ["AlarmChanged"],
    "cloudwatch-alarm-state-change-period-one-day-RECONSTRUCTED.json": ["AlarmChanged"],
    "cloudwatch-alarm-state-change-single.json": ["AlarmChanged"],
    "ecs-service-action-placement-failure-ec2-cpu.json": ["TaskNotPlaced"],
    "ecs-service-action-placement-failure-fargate.json": ["TaskNotPlaced"],
    "ssm-parameter-store-change-spec-delete-RECONSTRUCTED.json": ["SpecChanged"],
    "ssm-parameter-store-change-spec-update-RECONSTRUCTED.json": ["SpecChanged"],
    "windlass-cluster-doorbell.json": ["RungByHand"],
}
# Those that ring drain: what leaves, and what no longer is on it.
RINGS_DRAIN = {
    "asg-lifecycle-terminate-into-warm-pool.json": ["InstanceTerminates"],
    "asg-lifecycle-terminate-replace-root-volume-RECONSTRUCTED.json": ["InstanceTerminates"],
    "asg-lifecycle-terminate-without-destination.json": ["InstanceTerminates"],
    "asg-lifecycle-terminate.json": ["InstanceTerminates"],
    "asg-terminate-successful.json": ["InstanceEnded"],
    "asg-terminate-unsuccessful.json": ["InstanceEnded"],
    "ec2-instance-rebalance-recommendation.json": ["SpotInterrupted"],
    "ec2-spot-interruption-warning.json": ["SpotInterrupted"],
    "ecs-task-state-change-before-rollout-stopped-RECONSTRUCTED.json": ["TaskEnded"],
    "ecs-task-state-change-failed-to-start-RECONSTRUCTED.json": ["TaskEnded"],
    "ecs-task-state-change-stopped-RECONSTRUCTED.json": ["TaskEnded"],
}
SAMPLES = sorted(p.name for p in (ROOT / "events").glob("*.json"))


@pytest.fixture(scope="session")
def patterns(resources):
    return patterns_of(resources, "DeployFunction")


@pytest.fixture(scope="session")
def patterns_of_scale(resources):
    return patterns_of(resources, "ScaleFunction")


@pytest.fixture(scope="session")
def patterns_of_drain(resources):
    return patterns_of(resources, "DrainFunction")


def patterns_of(resources, function):
    events = resources[function]["Properties"]["Events"]
    return {
        name: EventPattern.load(json.dumps(event["Properties"]["Pattern"]))
        for name, event in events.items()
        if "Pattern" in event["Properties"]
    }


def rung(patterns, event):
    return [name for name, pattern in patterns.items() if pattern.matches_event(event)]


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_rings_what_it_should(patterns, name):
    event = json.loads((ROOT / "events" / name).read_text())
    assert rung(patterns, event) == RINGS.get(name, [])


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_rings_scale_where_it_should(patterns_of_scale, name):
    event = json.loads((ROOT / "events" / name).read_text())
    assert rung(patterns_of_scale, event) == RINGS_SCALE.get(name, [])


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_rings_drain_where_it_should(patterns_of_drain, name):
    event = json.loads((ROOT / "events" / name).read_text())
    assert rung(patterns_of_drain, event) == RINGS_DRAIN.get(name, [])


def test_the_tables_name_samples_that_exist():
    assert set(RINGS) | set(RINGS_SCALE) | set(RINGS_DRAIN) <= set(SAMPLES)


def push(**changes):
    detail = {"action-type": "PUSH", "result": "SUCCESS", "repository-name": "shop", "image-tag": "v1"}
    detail = {k: v for k, v in (detail | changes).items() if v is not None}
    return {"source": "aws.ecr", "detail-type": "ECR Image Action", "detail": detail}


@pytest.mark.parametrize(
    "event",
    [push(**{"image-tag": ""}), push(**{"image-tag": None}), push(result="FAILURE"), push(**{"action-type": "DELETE"})],
    ids=["an empty tag", "no tag", "a failed push", "a deletion"],
)
def test_what_is_not_a_tagged_push_rings_nothing(patterns, event):
    assert rung(patterns, push()) == ["ImagePushed"]
    assert rung(patterns, event) == []


@pytest.mark.parametrize(
    "name,expected",
    [("/windlass/services/main/shop", ["SpecChanged"]), ("/windlass/other", []), ("/other/windlass/services/x", [])],
)
def test_only_our_parameters_ring(patterns, name, expected):
    event = {"source": "aws.ssm", "detail-type": "Parameter Store Change", "detail": {"name": name, "operation": "Update"}}
    assert rung(patterns, event) == expected


def test_a_doorbell_by_hand_rings(patterns):
    event = {"source": "windlass", "detail-type": "Windlass Doorbell", "detail": {"cluster": "main", "service": "shop"}}
    assert rung(patterns, event) == ["RungByHand"]


@pytest.mark.parametrize(
    "changes,expected",
    [({}, ["InstanceRegistered"]), ({"version": 10}, []), ({"status": "DRAINING"}, []), ({"agentConnected": False}, [])],
    ids=["it came", "it has been there for long", "it leaves", "its agent is not there yet"],
)
def test_an_instance_that_came_rings_scale(patterns_of_scale, changes, expected):
    detail = {"status": "ACTIVE", "agentConnected": True, "version": 1} | changes
    event = {"source": "aws.ecs", "detail-type": "ECS Container Instance State Change", "detail": detail}
    assert rung(patterns_of_scale, event) == expected
