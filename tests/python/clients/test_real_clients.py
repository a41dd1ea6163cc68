"""What users have at hand, against `windlass local`: skopeo, boto3, the AWS CLI, and HTTP through the load balancer."""

import json
import os
import pathlib
import subprocess
import sys
import urllib.error
import urllib.request

import pytest
from calls import HELLO, forward, paths, service, target_group, task_definition
from images import push
from processes import CREDENTIALS, eventually
from world import binary


def get(world, path):
    """The status, and what a container says of itself where it is one."""
    try:
        with urllib.request.urlopen(world.alb + path, timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, None


def live(world, path, digest, seconds=90):
    """Waits until three requests in a row are answered by this image."""
    asked = []

    def check():
        asked[:] = [get(world, path) for _ in range(3)]
        return asked if all(a and a["digest"] == digest for _, a in asked) else None

    return eventually(f"{path} answers from {digest}", check, seconds, lambda: asked)[0][1]


def windlass(world, *arguments):
    environment = os.environ | world.variables
    done = subprocess.run([binary(), *arguments], capture_output=True, text=True, timeout=60, env=environment)
    assert done.returncode == 0, f"windlass {' '.join(arguments)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def shop(local, tmp_path_factory):
    """A service that somebody made without Windlass, and told it to track by a tag."""
    ecr, ecs, elb = local.client("ecr"), local.client("ecs"), local.client("elbv2")
    uri = ecr.create_repository(repositoryName="shop")["repository"]["repositoryUri"]
    digest = push(tmp_path_factory.mktemp("image"), local, "shop", "1.0.0")
    group = elb.create_target_group(**target_group(local, "shop"))["TargetGroups"][0]["TargetGroupArn"]
    elb.modify_target_group_attributes(
        TargetGroupArn=group, Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "5"}]
    )
    elb.create_rule(ListenerArn=local.listener, Priority=100, Conditions=paths("/shop/*"), Actions=forward(group))
    ecs.register_task_definition(**task_definition("shop", f"{uri}:1.0.0"))
    ecs.create_service(
        **service(
            local, {}, name="shop", taskDefinition="shop", desiredCount=2,
            loadBalancers=[{"targetGroupArn": group, "containerName": "web", "containerPort": 80}],
            tags=[{"key": "windlass:track", "value": "shop:semver=1.x"}],
        )
    )
    ecs.get_waiter("services_stable").wait(
        cluster=local.cluster, services=["shop"], WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    return {"uri": uri, "digest": digest, "group": group}


def test_boto3s_waiter_sees_a_service_that_answers(local, shop):
    assert live(local, "/shop/cart", shop["digest"])["service"] == "shop"


def test_an_image_that_skopeo_pushes_becomes_the_running_one(local, shop, tmp_path):
    digest = push(tmp_path / "image", local, "shop", "1.1.0")
    assert live(local, "/shop/", digest)["body"] == "shop:1.1.0"
    described = local.client("ecs").describe_services(cluster=local.cluster, services=["shop"])["services"][0]
    live_one = local.client("ecs").describe_task_definition(taskDefinition=described["taskDefinition"])["taskDefinition"]
    container = live_one["containerDefinitions"][0]
    assert container["image"] == f"{shop['uri']}@{digest}"
    # Only the image changed.
    before = task_definition("shop")["containerDefinitions"][0]
    assert {k: container[k] for k in before if k != "image"} == {k: v for k, v in before.items() if k != "image"}


def test_a_multi_arch_image_is_deployed_by_its_index(local, shop, tmp_path):
    digest = push(tmp_path / "image", local, "shop", "1.2.0", architectures=("amd64", "arm64"))
    live(local, "/shop/", digest)


def test_a_service_from_a_spec_comes_up_with_its_route(local, tmp_path):
    local.client("ecr").create_repository(repositoryName="hello")
    (tmp_path / "hello.yaml").write_text(HELLO)
    windlass(local, "apply", str(tmp_path / "hello.yaml"))
    digest = push(tmp_path / "image", local, "hello", "v1")
    assert live(local, "/hello/world", digest)["service"] == "hello"


def test_a_service_from_labels_alone_comes_up_with_its_route(local, tmp_path):
    local.client("ecr").create_repository(repositoryName="labelled")
    labels = {
        "windlass.path": "/labelled/*",
        "windlass.port": "8080",
        "windlass.cpu": "64",
        "windlass.memory": "64",
        "windlass.health": "/labelled/health",
        "windlass.health_interval": "5",
        "windlass.health_timeout": "2",
    }
    digest = push(tmp_path / "image", local, "labelled", "latest", labels)
    assert live(local, "/labelled/x", digest)["service"] == "labelled"


def test_a_spec_is_imported_of_what_runs(local, shop, tmp_path):
    text = windlass(local, "import", "main/shop")
    assert "repository: shop\n" in text, text
    (tmp_path / "shop.yaml").write_text(text)
    checked = windlass(local, "spec", "check", str(tmp_path / "shop.yaml"))
    assert "main/shop runs shop:" in checked, checked


def counted(world):
    """What the deploy function's log has in CloudWatch's embedded metric format: each metric's values."""
    log = urllib.request.urlopen(f"{world.endpoint}/_windlass/functions/{world.function}/log").read().decode()
    values = {}
    for line in log.splitlines():
        at = line.find('{"')
        if at < 0 or '"_aws"' not in line:
            continue
        told = json.loads(line[at:])
        for metric in told["_aws"]["CloudWatchMetrics"][0]["Metrics"]:
            value = told[metric["Name"]]
            values.setdefault(metric["Name"], []).extend(value if isinstance(value, list) else [value])
    return values


def test_the_function_counts_what_it_does(local, shop):
    eventually("a release is counted", lambda: counted(local).get("ReleasesLive"), 60, lambda: counted(local))
    values = counted(local)
    assert sum(values["RolloutsBegun"]) >= 1, values
    assert sum(values["Calls"]) > sum(values["Passes"]) > 0, values
    # Virtual seconds, ten to a real one.
    assert all(0 < seconds < 1800 for seconds in values["PushToLive"]), values
    assert "MalformedEvents" not in values, values


def test_a_child_manifest_rings_nothing_and_is_no_tag(local, shop, tmp_path):
    push(tmp_path / "image", local, "shop", "0.1.0", architectures=("amd64", "arm64"))
    images = local.client("ecr").describe_images(repositoryName="shop")["imageDetails"]
    assert any("imageTags" not in image for image in images)


def aws(world, *arguments):
    """The AWS CLI as a user has it, its endpoint by option."""
    program = str(pathlib.Path(sys.executable).parent / "aws")
    command = [program, "--endpoint-url", world.endpoint, "--output", "json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env={**os.environ, **CREDENTIALS})
    assert done.returncode == 0, f"{command}:\n{done.stderr}"
    return json.loads(done.stdout)


def test_the_aws_cli_describes_what_is_there(local, shop):
    described = aws(local, "ecs", "describe-services", "--cluster", "main", "--services", "shop")["services"][0]
    assert (described["serviceName"], described["status"], described["desiredCount"]) == ("shop", "ACTIVE", 2)
    definition = aws(local, "ecs", "describe-task-definition", "--task-definition", described["taskDefinition"])
    assert definition["taskDefinition"]["family"] == "shop"
    rules = aws(local, "elbv2", "describe-rules", "--listener-arn", local.listener)["Rules"]
    assert {"/shop/*"} in [set(v for c in rule["Conditions"] for v in c.get("Values", [])) for rule in rules]
    health = aws(local, "elbv2", "describe-target-health", "--target-group-arn", shop["group"])
    assert "healthy" in [target["TargetHealth"]["State"] for target in health["TargetHealthDescriptions"]]
    images = aws(local, "ecr", "describe-images", "--repository-name", "shop")["imageDetails"]
    assert "1.0.0" in [tag for image in images for tag in image.get("imageTags", [])]
    aws(local, "ssm", "put-parameter", "--name", "/cli/one", "--value", "1", "--type", "String")
    assert aws(local, "ssm", "get-parameter", "--name", "/cli/one")["Parameter"]["Value"] == "1"


def test_boto3s_paginators_see_everything_once(local, shop):
    ecs, ecr, elb, ssm = (local.client(s) for s in ("ecs", "ecr", "elbv2", "ssm"))
    for n in range(12):
        ecs.register_task_definition(**task_definition(f"page-{n}"))
        ssm.put_parameter(Name=f"/page/{n}", Value="x", Type="String", Overwrite=True)

    def pages(client, operation, key, size, **arguments):
        found = client.get_paginator(operation).paginate(**arguments, PaginationConfig={"PageSize": size})
        answers = [page[key] for page in found]
        items = [json.dumps(item, default=str) for page in answers for item in page]
        assert len(items) == len(set(items)), f"{operation} says things twice"
        assert all(len(page) <= size for page in answers), f"{operation} gives more than a page"
        return items

    assert len(pages(ecs, "list_task_definitions", "taskDefinitionArns", 5)) >= 12
    assert len(pages(ecs, "list_services", "serviceArns", 1, cluster="main")) >= 1
    assert len(pages(ecs, "list_container_instances", "containerInstanceArns", 1, cluster="main")) == 2
    assert len(pages(ecs, "list_tasks", "taskArns", 1, cluster="main")) >= 2
    assert len(pages(ecr, "describe_images", "imageDetails", 1, repositoryName="shop")) >= 1
    assert len(pages(elb, "describe_rules", "Rules", 1, ListenerArn=local.listener)) >= 2
    assert len(pages(elb, "describe_target_groups", "TargetGroups", 1)) >= 1
    assert len(pages(ssm, "get_parameters_by_path", "Parameters", 5, Path="/page")) == 12
