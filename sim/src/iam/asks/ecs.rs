//! Amazon ECS. Where the reference lists a service beside a service deployment or revision, both are
//! asked for.

use serde_json::Value;

use super::{input_tags, pass_role, text, texts, with_request_tags};
use crate::ecs;
use crate::iam::Ask;
use crate::world::World;

/// What tasks' roles are handed to, and ECS's own (load balancers, hooks, volumes).
const TASKS: &str = "ecs-tasks.amazonaws.com";
const ECS: &str = "ecs.amazonaws.com";

pub(super) fn asks(world: &World, operation: &str, input: &Value) -> Option<Vec<Ask>> {
    let ecs = Ecs { world, operation, input };
    Some(match operation {
        "DescribeTaskDefinition" | "DeregisterTaskDefinition" | "ListTaskDefinitions" => {
            vec![ecs.ask("*")]
        }
        "ListServices" => vec![ecs.in_cluster("*")],
        // IAM sees an instance only where one is named ("on resource: *", cdklabs/construct-hub#1207).
        "ListTasks" => match text(input, "containerInstance") {
            Some(instance) => vec![ecs.child("container-instance", instance)],
            None => vec![ecs.in_cluster("*")],
        },
        "ListContainerInstances" => vec![ecs.tagged(&ecs.cluster())],
        "DescribeClusters" => ecs.clusters(),
        "DescribeCapacityProviders" => ecs.providers(),
        "DescribeServices" => ecs.children("service", "services"),
        "ListServiceDeployments" => ecs.children("service", "service"),
        "DescribeTasks" | "GetTaskProtection" => ecs.children("task", "tasks"),
        "StopTask" => ecs.children("task", "task"),
        "DescribeContainerInstances" | "UpdateContainerInstancesState" => {
            ecs.children("container-instance", "containerInstances")
        }
        "PutAttributes" | "DeleteAttributes" => ecs.attributes(),
        "DescribeServiceDeployments" => ecs.of_a_service("serviceDeploymentArns"),
        "StopServiceDeployment" | "ContinueServiceDeployment" => ecs.of_a_service("serviceDeploymentArn"),
        "DescribeServiceRevisions" => ecs.of_a_service("serviceRevisionArns"),
        "RegisterTaskDefinition" => ecs.register(),
        "CreateService" => ecs.create(),
        "UpdateService" => ecs.update("service"),
        "RunTask" => ecs.run(),
        _ => return None,
    })
}

struct Ecs<'a> {
    world: &'a World,
    operation: &'a str,
    input: &'a Value,
}

impl Ecs<'_> {
    fn ask(&self, resource: &str) -> Ask {
        Ask::new(format!("ecs:{}", self.operation), resource)
    }

    /// With the tags that the resource has.
    fn tagged(&self, arn: &str) -> Ask {
        let tags = ecs::tags_of(self.world, arn).into_iter().flatten();
        self.ask(arn).tags("aws:ResourceTag", tags.map(|(key, value)| (key.as_str(), value.as_str())))
    }

    fn cluster_name(&self) -> &str {
        last(text(self.input, "cluster").unwrap_or("default"))
    }

    fn cluster(&self) -> String {
        self.world.arn("ecs", &format!("cluster/{}", self.cluster_name()))
    }

    fn in_cluster(&self, resource: &str) -> Ask {
        self.tagged(resource).key("ecs:cluster", self.cluster())
    }

    /// The ARN of what `reference` names in the call's cluster.
    fn arn(&self, kind: &str, reference: &str) -> String {
        if reference.starts_with("arn:") {
            return reference.to_owned();
        }
        self.world.arn("ecs", &format!("{kind}/{}/{}", self.cluster_name(), last(reference)))
    }

    fn child(&self, kind: &str, reference: &str) -> Ask {
        self.in_cluster(&self.arn(kind, reference))
    }

    fn children(&self, kind: &str, member: &str) -> Vec<Ask> {
        texts(self.input, member).into_iter().map(|reference| self.child(kind, reference)).collect()
    }

    fn clusters(&self) -> Vec<Ask> {
        let arn = |name: &str| self.world.arn("ecs", &format!("cluster/{}", last(name)));
        let named = texts(self.input, "clusters");
        let named = if named.is_empty() { vec!["default"] } else { named };
        named.into_iter().map(|name| self.tagged(&arn(name))).collect()
    }

    fn providers(&self) -> Vec<Ask> {
        let named = texts(self.input, "capacityProviders");
        let named = if named.is_empty() { vec!["*"] } else { named };
        let arn = |name: &str| self.world.arn("ecs", &format!("capacity-provider/{}", last(name)));
        named.into_iter().map(|name| self.ask(&arn(name))).collect()
    }

    fn attributes(&self) -> Vec<Ask> {
        let attributes = self.input["attributes"].as_array().into_iter().flatten();
        attributes
            .filter_map(|it| text(it, "targetId"))
            .map(|id| self.child("container-instance", id))
            .collect()
    }

    /// A service deployment's or revision's ARN, and the service that it says.
    fn of_a_service(&self, member: &str) -> Vec<Ask> {
        let both = |arn: &str| {
            let Some((cluster, service)) = service_of(arn) else { return vec![self.ask(arn)] };
            let asked = |ask: Ask| ask.key("ecs:cluster", &cluster);
            vec![asked(self.tagged(&service)), asked(self.tagged(arn).key("ecs:service", &service))]
        };
        texts(self.input, member).into_iter().flat_map(both).collect()
    }

    /// The tags of what is made, and the right to give them.
    fn with_tags(&self, ask: Ask, made: &str) -> Vec<Ask> {
        let tags = input_tags(self.input, "tags");
        if tags.is_empty() {
            return vec![ask];
        }
        let tagging = Ask::new("ecs:TagResource", made).key("ecs:CreateAction", self.operation);
        vec![with_request_tags(ask, &tags), with_request_tags(tagging, &tags)]
    }

    fn register(&self) -> Vec<Ask> {
        let family = text(self.input, "family").unwrap_or_default();
        let arn = self.world.arn("ecs", &format!("task-definition/{family}:*"));
        let mut asks = self.with_tags(self.ask(&arn), &arn);
        asks.extend(self.task_roles(self.input));
        asks
    }

    /// The roles that a task definition, or what overrides it, names.
    fn task_roles(&self, content: &Value) -> Vec<Ask> {
        let roles = ["taskRoleArn", "executionRoleArn"].iter().filter_map(|member| text(content, member));
        roles.map(|role| pass_role(role, &self.world.config.account, TASKS)).collect()
    }

    fn create(&self) -> Vec<Ask> {
        let mut asks = self.update("serviceName");
        let made = self.arn("service", text(self.input, "serviceName").unwrap_or_default());
        let own = asks.remove(0);
        self.with_tags(own, &made).into_iter().chain(asks).collect()
    }

    /// The service, and the roles that ECS itself is given for it.
    fn update(&self, member: &str) -> Vec<Ask> {
        let mut own = self.child("service", text(self.input, member).unwrap_or_default());
        if let Some(reference) = text(self.input, "taskDefinition") {
            own = own.key("ecs:task-definition", self.task_definition(reference));
        }
        let balancers = self.input["loadBalancers"].as_array().into_iter().flatten();
        let balancers = balancers.filter_map(|it| text(&it["advancedConfiguration"], "roleArn"));
        let hooks = self.input["deploymentConfiguration"]["lifecycleHooks"].as_array().into_iter().flatten();
        let hooks = hooks.filter_map(|it| text(it, "roleArn"));
        let volumes = self.input["volumeConfigurations"].as_array().into_iter().flatten();
        let volumes = volumes.filter_map(|it| text(&it["managedEBSVolume"], "roleArn"));
        let mut roles: Vec<&str> =
            text(self.input, "role").into_iter().chain(balancers).chain(hooks).chain(volumes).collect();
        roles.sort_unstable();
        roles.dedup();
        let account = &self.world.config.account;
        std::iter::once(own).chain(roles.into_iter().map(|role| pass_role(role, account, ECS))).collect()
    }

    /// The ARN of the revision that `family`, `family:revision` or an ARN names.
    fn task_definition(&self, reference: &str) -> String {
        let found = ecs::task_definition(self.world, reference);
        found.map_or_else(
            || self.world.arn("ecs", &format!("task-definition/{}", last(reference))),
            |(arn, _)| arn.to_owned(),
        )
    }

    /// A task gets its definition's roles, or those that the call says instead.
    fn run(&self) -> Vec<Ask> {
        let reference = text(self.input, "taskDefinition").unwrap_or_default();
        let made = self.world.arn("ecs", &format!("task/{}/*", self.cluster_name()));
        let mut asks = self.with_tags(self.in_cluster(&self.task_definition(reference)), &made);
        if let Some((_, record)) = ecs::task_definition(self.world, reference) {
            asks.extend(self.task_roles(record));
        }
        asks.extend(self.task_roles(&self.input["overrides"]));
        asks
    }
}

/// `arn:…:service-deployment/<cluster>/<service>/<id>` as the ARNs of its cluster and its service.
fn service_of(arn: &str) -> Option<(String, String)> {
    let (head, resource) = arn.rsplit_once(':')?;
    let mut parts = resource.split('/').skip(1);
    let (cluster, service) = (parts.next()?, parts.next()?);
    Some((format!("{head}:cluster/{cluster}"), format!("{head}:service/{cluster}/{service}")))
}

fn last(reference: &str) -> &str {
    reference.rsplit('/').next().unwrap_or(reference)
}
