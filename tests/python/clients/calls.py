"""The calls that both worlds get, in order: each uses what those before it made.

A call is `name: function of (clients, seen)`; `seen` holds the answers so far, by name.
"""


def task_definition(family="static", image="static:v1", **changes):
    container = {
        "name": "web",
        "image": image,
        "essential": True,
        "cpu": 64,
        "memory": 64,
        "portMappings": [{"containerPort": 80, "hostPort": 0, "protocol": "tcp"}],
        "environment": [{"name": "A", "value": "b"}],
        "dockerLabels": {"team": "x"},
    }
    return {"family": family, "networkMode": "bridge", "containerDefinitions": [container]} | changes


def target_group(world, name="static"):
    return {
        "Name": name,
        "Protocol": "HTTP",
        "Port": 80,
        "VpcId": world.vpc,
        "TargetType": "instance",
        "HealthCheckPath": "/",
        "HealthCheckIntervalSeconds": 10,
        "HealthCheckTimeoutSeconds": 5,
        "HealthyThresholdCount": 2,
        "UnhealthyThresholdCount": 2,
        "Matcher": {"HttpCode": "200-399"},
        "Tags": [{"Key": "team", "Value": "x"}],
    }


def paths(*values):
    return [{"Field": "path-pattern", "PathPatternConfig": {"Values": list(values)}}]


def forward(*groups):
    weighted = [{"TargetGroupArn": group, "Weight": 1} for group in groups]
    return [{"Type": "forward", "ForwardConfig": {"TargetGroups": weighted}}]


def group_arn(seen):
    return seen["elbv2.create_target_group"]["TargetGroups"][0]["TargetGroupArn"]


def rule_arn(seen):
    return seen["elbv2.create_rule"]["Rules"][0]["RuleArn"]


def service(world, seen, name="static", **changes):
    return {
        "cluster": world.cluster,
        "serviceName": name,
        "taskDefinition": "static",
        "desiredCount": 1,
        "launchType": "EC2",
        "deploymentConfiguration": {
            "minimumHealthyPercent": 100,
            "maximumPercent": 200,
            "deploymentCircuitBreaker": {"enable": True, "rollback": True},
        },
        "tags": [{"key": "team", "value": "x"}],
    } | changes


CALLS = {
    # ELBv2
    "elbv2.describe_load_balancers": lambda w, c, s: c.elbv2.describe_load_balancers(LoadBalancerArns=[w.load_balancer]),
    "elbv2.describe_listeners": lambda w, c, s: c.elbv2.describe_listeners(ListenerArns=[w.listener]),
    "elbv2.create_target_group": lambda w, c, s: c.elbv2.create_target_group(**target_group(w)),
    "elbv2.describe_target_groups": lambda w, c, s: c.elbv2.describe_target_groups(Names=["static"]),
    "elbv2.describe_target_group_attributes": lambda w, c, s: c.elbv2.describe_target_group_attributes(TargetGroupArn=group_arn(s)),
    "elbv2.modify_target_group_attributes": lambda w, c, s: c.elbv2.modify_target_group_attributes(
        TargetGroupArn=group_arn(s), Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "5"}]
    ),
    "elbv2.create_rule": lambda w, c, s: c.elbv2.create_rule(
        ListenerArn=w.listener, Priority=4100, Conditions=paths("/static/*"), Actions=forward(group_arn(s)),
        Tags=[{"Key": "team", "Value": "x"}],
    ),
    "elbv2.describe_rules": lambda w, c, s: c.elbv2.describe_rules(RuleArns=[rule_arn(s)]),
    "elbv2.modify_rule": lambda w, c, s: c.elbv2.modify_rule(RuleArn=rule_arn(s), Conditions=paths("/static/*", "/static")),
    "elbv2.describe_tags": lambda w, c, s: c.elbv2.describe_tags(ResourceArns=[group_arn(s)]),
    "elbv2.describe_target_health (empty)": lambda w, c, s: c.elbv2.describe_target_health(TargetGroupArn=group_arn(s)),
    # ECR
    "ecr.create_repository": lambda w, c, s: c.ecr.create_repository(repositoryName="static", tags=[{"Key": "team", "Value": "x"}]),
    "ecr.describe_repositories": lambda w, c, s: c.ecr.describe_repositories(repositoryNames=["static"]),
    "ecr.list_tags_for_resource": lambda w, c, s: c.ecr.list_tags_for_resource(
        resourceArn=s["ecr.create_repository"]["repository"]["repositoryArn"]
    ),
    "ecr.list_images (empty)": lambda w, c, s: c.ecr.list_images(repositoryName="static"),
    "ecr.describe_images (empty)": lambda w, c, s: c.ecr.describe_images(repositoryName="static"),
    "ecr.get_authorization_token": lambda w, c, s: c.ecr.get_authorization_token(),
    # Parameter Store
    "ssm.put_parameter": lambda w, c, s: c.ssm.put_parameter(
        Name="/static/one", Value="1", Type="String", Description="one", Tags=[{"Key": "team", "Value": "x"}]
    ),
    "ssm.put_parameter (overwrite)": lambda w, c, s: c.ssm.put_parameter(Name="/static/one", Value="2", Type="String", Overwrite=True),
    "ssm.get_parameter": lambda w, c, s: c.ssm.get_parameter(Name="/static/one"),
    "ssm.get_parameters": lambda w, c, s: c.ssm.get_parameters(Names=["/static/one", "/static/none"]),
    "ssm.get_parameters_by_path": lambda w, c, s: c.ssm.get_parameters_by_path(Path="/static", Recursive=True),
    "ssm.get_parameter_history": lambda w, c, s: c.ssm.get_parameter_history(Name="/static/one"),
    "ssm.delete_parameter": lambda w, c, s: c.ssm.delete_parameter(Name="/static/one"),
    # ECS
    "ecs.describe_clusters": lambda w, c, s: c.ecs.describe_clusters(clusters=[w.cluster]),
    "ecs.list_container_instances": lambda w, c, s: c.ecs.list_container_instances(cluster=w.cluster),
    "ecs.describe_container_instances": lambda w, c, s: c.ecs.describe_container_instances(
        cluster=w.cluster, containerInstances=s["ecs.list_container_instances"]["containerInstanceArns"]
    ),
    "ecs.register_task_definition": lambda w, c, s: c.ecs.register_task_definition(
        **task_definition(tags=[{"key": "team", "value": "x"}])
    ),
    "ecs.describe_task_definition": lambda w, c, s: c.ecs.describe_task_definition(taskDefinition="static", include=["TAGS"]),
    "ecs.list_task_definitions": lambda w, c, s: c.ecs.list_task_definitions(familyPrefix="static"),
    "ecs.create_service": lambda w, c, s: c.ecs.create_service(
        **service(
            w, s, desiredCount=0,
            loadBalancers=[{"targetGroupArn": group_arn(s), "containerName": "web", "containerPort": 80}],
        )
    ),
    "ecs.describe_services": lambda w, c, s: c.ecs.describe_services(cluster=w.cluster, services=["static"], include=["TAGS"]),
    "ecs.describe_services (none such)": lambda w, c, s: c.ecs.describe_services(cluster=w.cluster, services=["none"]),
    "ecs.list_services": lambda w, c, s: c.ecs.list_services(cluster=w.cluster),
    "ecs.update_service": lambda w, c, s: c.ecs.update_service(cluster=w.cluster, service="static", desiredCount=0),
    "ecs.list_tags_for_resource": lambda w, c, s: c.ecs.list_tags_for_resource(
        resourceArn=s["ecs.create_service"]["service"]["serviceArn"]
    ),
    "ecs.list_tasks": lambda w, c, s: c.ecs.list_tasks(cluster=w.cluster, serviceName="static"),
}

UNKNOWN = "0123456789abcdef"


def unknown(arn):
    """An ARN of the same sort that nothing has."""
    return arn.rsplit("/", 1)[0] + "/" + UNKNOWN


# Mistakes, after the calls above: the code that AWS answers with, and the call. The first are testing.md's
# list of what emulators hide.
MISTAKES = {
    "an unknown cluster": (
        "ClusterNotFoundException",
        lambda w, c, s: c.ecs.create_service(**service(w, s, name="other", cluster="nowhere")),
    ),
    "services of an unknown cluster": (
        "ClusterNotFoundException",
        lambda w, c, s: c.ecs.describe_services(cluster="nowhere", services=["static"]),
    ),
    "an unknown task definition": (
        "ClientException",
        lambda w, c, s: c.ecs.create_service(**service(w, s, name="other", taskDefinition="nothing:1")),
    ),
    "describing an unknown task definition": (
        "ClientException",
        lambda w, c, s: c.ecs.describe_task_definition(taskDefinition="nothing"),
    ),
    "updating to an unknown task definition": (
        "ClientException",
        lambda w, c, s: c.ecs.update_service(cluster=w.cluster, service="static", taskDefinition="nothing:1"),
    ),
    "a second service of the same name": (
        "InvalidParameterException",
        lambda w, c, s: c.ecs.create_service(**service(w, s)),
    ),
    "updating an unknown service": (
        "ServiceNotFoundException",
        lambda w, c, s: c.ecs.update_service(cluster=w.cluster, service="none", desiredCount=1),
    ),
    "a service on an unknown target group": (
        "InvalidParameterException",
        lambda w, c, s: c.ecs.create_service(
            **service(
                w, s, name="other",
                loadBalancers=[{"targetGroupArn": unknown(group_arn(s)), "containerName": "web", "containerPort": 80}],
            )
        ),
    ),
    "a service whose container does not exist": (
        "InvalidParameterException",
        lambda w, c, s: c.ecs.create_service(
            **service(w, s, name="other", loadBalancers=[{"targetGroupArn": group_arn(s), "containerName": "nobody", "containerPort": 80}])
        ),
    ),
    "a task definition without a container": (
        "ClientException",
        lambda w, c, s: c.ecs.register_task_definition(family="static", containerDefinitions=[]),
    ),
    "a priority that is taken": (
        "PriorityInUse",
        lambda w, c, s: c.elbv2.create_rule(
            ListenerArn=w.listener, Priority=4100, Conditions=paths("/other/*"), Actions=forward(group_arn(s))
        ),
    ),
    "a target group deleted while in use": (
        "ResourceInUse",
        lambda w, c, s: c.elbv2.delete_target_group(TargetGroupArn=group_arn(s)),
    ),
    "a target group's name taken by another one": (
        "DuplicateTargetGroupName",
        lambda w, c, s: c.elbv2.create_target_group(**target_group(w) | {"Port": 81}),
    ),
    "a target group's name of 33 characters": (
        "ValidationError",
        lambda w, c, s: c.elbv2.create_target_group(**target_group(w, name="x" * 33)),
    ),
    "an unknown target group": (
        "TargetGroupNotFound",
        lambda w, c, s: c.elbv2.describe_target_groups(Names=["none"]),
    ),
    "a rule to an unknown target group": (
        "TargetGroupNotFound",
        lambda w, c, s: c.elbv2.create_rule(
            ListenerArn=w.listener, Priority=4101, Conditions=paths("/other/*"), Actions=forward(unknown(group_arn(s)))
        ),
    ),
    "a rule on an unknown listener": (
        "ListenerNotFound",
        lambda w, c, s: c.elbv2.create_rule(
            ListenerArn=unknown(w.listener), Priority=4101, Conditions=paths("/other/*"), Actions=forward(group_arn(s))
        ),
    ),
    "an unknown rule": ("RuleNotFound", lambda w, c, s: c.elbv2.modify_rule(RuleArn=unknown(rule_arn(s)), Conditions=paths("/x"))),
    "an unknown repository": ("RepositoryNotFoundException", lambda w, c, s: c.ecr.describe_images(repositoryName="none")),
    "a second repository of the same name": (
        "RepositoryAlreadyExistsException",
        lambda w, c, s: c.ecr.create_repository(repositoryName="static"),
    ),
    "an unknown image": (
        "ImageNotFoundException",
        lambda w, c, s: c.ecr.describe_images(repositoryName="static", imageIds=[{"imageTag": "none"}]),
    ),
    "an unknown parameter": ("ParameterNotFound", lambda w, c, s: c.ssm.get_parameter(Name="/static/none")),
    "a parameter that exists, without overwrite": (
        "ParameterAlreadyExists",
        lambda w, c, s: [c.ssm.put_parameter(Name="/static/two", Value="1", Type="String") for _ in range(2)],
    ),
}


def same_id_twice(world, clients, seen):
    """Targets are keyed by id and port: one instance on two ports is two targets."""
    instances = seen["ecs.describe_container_instances"]["containerInstances"]
    target = instances[0]["ec2InstanceId"]
    targets = [{"Id": target, "Port": 40001}, {"Id": target, "Port": 40002}]
    clients.elbv2.register_targets(TargetGroupArn=group_arn(seen), Targets=targets)
    answer = clients.elbv2.describe_target_health(TargetGroupArn=group_arn(seen))
    return sorted(d["Target"]["Port"] for d in answer["TargetHealthDescriptions"])


# The spec of a service that comes up on its first push.
HELLO = """\
cluster: main
service: hello
image:
  repository: hello
  policy: newest
task:
  cpu: 64
  memory: 64
  port: 8080
route:
  paths: ["/hello/*"]
  health: { path: /hello/health, interval_secs: 5, timeout_secs: 2 }
"""
