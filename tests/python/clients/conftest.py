"""The two worlds that the tests beside this file talk to, each started once."""

import json
import pathlib
import sys
import urllib.request

import pytest

from processes import CREDENTIALS, free_port, running
from world import World, windlass_local


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
