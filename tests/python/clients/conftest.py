"""The two worlds that the tests beside this file talk to, each started once."""

import contextlib
import dataclasses
import json
import os
import pathlib
import sys
import urllib.request

import boto3
import pytest
from botocore.config import Config

from processes import CREDENTIALS, REGION, ROOT, eventually, free_port, running


@dataclasses.dataclass
class World:
    """An AWS endpoint, and what is there to begin with."""

    name: str
    endpoint: str
    # What `windlass local` tells a shell to export.
    variables: dict = dataclasses.field(default_factory=dict)
    function: str = ""
    alb: str = ""
    cluster: str = "main"
    vpc: str = ""
    load_balancer: str = ""
    listener: str = ""

    def client(self, service):
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            config=Config(retries={"mode": "standard", "max_attempts": 8}),
        )

    @property
    def registry(self):
        return "localhost:" + self.endpoint.rsplit(":", 1)[1]


def binary():
    path = os.environ.get("WINDLASS") or str(ROOT / "target/debug/windlass")
    assert os.access(path, os.X_OK), f"{path} is not there: cargo build -p windlass -p windlass-deploy -p windlass-verify -p windlass-scale -p windlass-drain, or set WINDLASS"
    return path


@contextlib.contextmanager
def windlass_local(directory, speed):
    """`windlass local` on free ports, `speed` times as fast as life. Gives the world and the process."""
    port, alb = free_port(), free_port()
    command = [binary(), "local", "--json", "--port", str(port), "--alb-port", str(alb), "--speed", str(speed)]
    with running(command, f"http://127.0.0.1:{port}/_windlass/health", directory) as child:
        told = eventually("windlass local tells its variables", (directory / "out").read_text)
        told = json.loads(told)
        world = World("sim", f"http://127.0.0.1:{port}", told["variables"], told["function"], alb=f"http://127.0.0.1:{alb}")
        yield world, child


@pytest.fixture(scope="session")
def local(tmp_path_factory):
    directory = tmp_path_factory.mktemp("local")
    with windlass_local(directory, speed=10) as (world, child):
        elb = world.client("elbv2")
        balancer = elb.describe_load_balancers()["LoadBalancers"][0]
        world.load_balancer, world.vpc = balancer["LoadBalancerArn"], balancer["VpcId"]
        world.listener = elb.describe_listeners(LoadBalancerArn=world.load_balancer)["Listeners"][0]["ListenerArn"]
        yield world
        log = urllib.request.urlopen(f"{world.endpoint}/_windlass/functions/{world.function}/log").read().decode()
    print(log[-6000:], (directory / "err").read_text()[-4000:], file=sys.stderr)
    assert child.returncode == 0, f"windlass local ended with {child.returncode} on SIGTERM"


@pytest.fixture(scope="session")
def moto(tmp_path_factory):
    """moto's server, with a cluster, a load balancer and a listener as `windlass local` has them."""
    port = free_port()
    program = str(pathlib.Path(sys.executable).parent / "moto_server")
    endpoint, directory = f"http://127.0.0.1:{port}", tmp_path_factory.mktemp("moto")
    with running([program, "-H", "127.0.0.1", "-p", str(port)], endpoint, directory, CREDENTIALS):
        world = World("moto", endpoint)
        ec2, elb, ecs = world.client("ec2"), world.client("elbv2"), world.client("ecs")
        subnets = ec2.describe_subnets()["Subnets"]
        world.vpc = subnets[0]["VpcId"]
        world.load_balancer = elb.create_load_balancer(
            Name="main", Subnets=[subnet["SubnetId"] for subnet in subnets[:2]], Type="application"
        )["LoadBalancers"][0]["LoadBalancerArn"]
        world.listener = elb.create_listener(
            LoadBalancerArn=world.load_balancer,
            Protocol="HTTP",
            Port=80,
            DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404", "ContentType": "text/plain", "MessageBody": "-"}}],
        )["Listeners"][0]["ListenerArn"]
        ecs.create_cluster(clusterName=world.cluster)
        register_instance(ec2, ecs, world.cluster)
        yield world


def register_instance(ec2, ecs, cluster):
    """moto has no instances that register themselves. Of the document it reads the instance's id only."""
    image = ec2.describe_images()["Images"][0]["ImageId"]
    made = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceType="t3.medium")["Instances"][0]
    document = json.dumps({"instanceId": made["InstanceId"]})
    ecs.register_container_instance(cluster=cluster, instanceIdentityDocument=document)
