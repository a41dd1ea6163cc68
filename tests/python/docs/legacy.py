"""A service `shop` that somebody made without Windlass: with its target group and rule, at image 1.0.0."""

import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "clients"))

from calls import forward, paths, service, target_group, task_definition  # noqa: E402
from world import World  # noqa: E402

world = World("sim", os.environ["AWS_ENDPOINT_URL"])
ecr, ecs, elb = world.client("ecr"), world.client("ecs"), world.client("elbv2")
balancer = elb.describe_load_balancers()["LoadBalancers"][0]
world.vpc = balancer["VpcId"]
listener = elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"][0]["ListenerArn"]
uri = ecr.create_repository(repositoryName="shop")["repository"]["repositoryUri"]
subprocess.run([str(pathlib.Path(__file__).parent / "bin/push"), "shop", "1.0.0"], check=True)
group = elb.create_target_group(**target_group(world, "shop"))["TargetGroups"][0]["TargetGroupArn"]
elb.create_rule(ListenerArn=listener, Priority=100, Conditions=paths("/shop/*"), Actions=forward(group))
ecs.register_task_definition(**task_definition("shop", f"{uri}:1.0.0"))
balanced = [{"targetGroupArn": group, "containerName": "web", "containerPort": 80}]
ecs.create_service(**service(world, {}, name="shop", taskDefinition="shop", desiredCount=2, loadBalancers=balanced))
ecs.get_waiter("services_stable").wait(cluster="main", services=["shop"], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
