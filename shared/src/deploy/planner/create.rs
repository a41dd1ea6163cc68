//! A service that is wanted and not there: revision, target group, parked rule, service.

use super::native::rolling;
use super::room::{Steps, Surge};
use super::{Planner, Stop};
use crate::deploy::plan::{
    CreateLoadBalancer, CreateServiceSpec, Made, Part, RuleAction, Step, TargetGroupSpec,
};
use crate::deploy::report::Note;
use crate::deploy::wanted::Wanted;
use crate::deploy::{desired, route};
use crate::facts::{RouteFacts, Rule};
use crate::id::{TargetGroupArn, TaskDefinitionArn};
use crate::image::Candidate;
use crate::ledger::Manner;
use crate::names;
use crate::spec::{NetworkMode, RouteSpec, TaskSpec};
use crate::task_definition::TaskDefinition;

impl<'a> Planner<'a> {
    pub(super) fn create(&mut self, wanted: &Wanted, chosen: &Candidate) -> Result<(), Stop> {
        let spec = &wanted.spec;
        let Some(task) = &spec.task else {
            return self
                .not_creatable("the spec has no `task` section; add one, or create the service yourself");
        };
        if task.network_mode == NetworkMode::Awsvpc && spec.network.is_none() {
            return self.not_creatable("its network mode is awsvpc and the spec has no `network` section");
        }
        self.may_begin(wanted, &chosen.digest)?;
        let Some(repository) = self.need(&self.facts.repository, "the repository")? else {
            return self.refuse(Note::RepositoryMissing { repository: spec.image.repository.clone() });
        };
        let image = format!("{}@{}", repository.uri, chosen.digest);
        // The route's refusals come before anything is made.
        let making = self.route_steps(spec.route.as_ref(), task)?;
        let desired = self.first_definition(task, &image);
        let surge = Surge { tasks: spec.desired, steps: Steps::OneByOne };
        if let Err(waits) = self.room(wanted, &chosen.digest, &desired, surge) {
            let revision = self.first_revision(desired, chosen)?;
            return self.want_room(waits, revision);
        }
        let before = self.pre_deploy(wanted, &chosen.digest, &desired)?;
        let task_definition = self.first_revision(desired, chosen)?;
        if let Some(before) = before {
            return self.run_pre_deploy(wanted, &chosen.digest, before, task_definition);
        }
        self.steps.extend(making.steps);
        self.begin(wanted, chosen, None, Manner::Rolling);
        let rollout = spec.rollout_or_default();
        self.steps.push(Step::CreateService(Box::new(CreateServiceSpec {
            part: Part::Main,
            task_definition,
            desired: spec.desired,
            load_balancer: making.load_balancer,
            settings: rolling(&rollout),
            grace_secs: rollout.grace_secs,
            network: spec.network.clone(),
            tags: self.created_tags(wanted),
        })));
        Ok(())
    }

    fn not_creatable<T>(&mut self, reason: &str) -> Result<T, Stop> {
        self.refuse(Note::NotCreatable { reason: reason.to_owned() })
    }

    fn created_tags(&self, wanted: &Wanted) -> std::collections::BTreeMap<String, String> {
        let mut tags = desired::tags(&self.facts.key);
        tags.insert("windlass:repository".into(), wanted.spec.image.repository.to_string());
        tags
    }

    fn first_definition(&self, task: &TaskSpec, image: &str) -> TaskDefinition {
        let key = &self.facts.key;
        // A leftover of ours is edited, like a live one; a stranger's family is not cloned.
        let base = self.facts.newest_revision.known().filter(|revision| is_ours(revision, &key.to_string()));
        desired::from_spec(base, key, task, image, &self.settings.region)
    }

    fn first_revision(
        &mut self,
        desired: TaskDefinition,
        chosen: &Candidate,
    ) -> Result<Made<TaskDefinitionArn>, Stop> {
        if let Some(found) = self.leftover(&desired)? {
            return Ok(Made::Already(found));
        }
        let family = desired.family().unwrap_or_else(|| desired::family(&self.facts.key));
        self.steps.push(Step::RegisterTaskDefinition {
            family: family.clone(),
            content: Box::new(desired),
            digest: chosen.digest.clone(),
            replaces: None,
        });
        Ok(Made::ByThisPlan(family.to_string()))
    }

    /// The target group and the parked rule, where the spec has a route.
    fn route_steps(&mut self, route: Option<&RouteSpec>, task: &TaskSpec) -> Result<RouteSteps, Stop> {
        let Some(route) = route else { return Ok(RouteSteps::default()) };
        let Some(port) = task.port else {
            return self.not_creatable("the spec has a route and its `task` has no port");
        };
        let facts = self.route_facts(route)?;
        let wanted = route::wanted_rules(route);
        self.no_rival(&wanted, facts)?;
        let group = self.target_group(route, task, port, facts)?;
        let own = match &group.made {
            Made::Already(arn) => route::own_rules(&facts.rules, arn, &self.facts.key),
            Made::ByThisPlan(_) => Vec::new(),
        };
        let matched = route::matched(wanted, &own);
        let new = matched.pairs.iter().filter(|(_, rule)| rule.is_none()).count();
        self.there_is_room(facts, new, usize::from(group.step.is_some()))?;
        let mut steps: Vec<Step> = group.step.into_iter().collect();
        steps.extend(self.parked_rules(facts, matched.pairs, &group.made)?);
        let container = desired::container(&self.facts.key, task).to_string();
        let load_balancer = CreateLoadBalancer { target_group: group.made, container, port };
        Ok(RouteSteps { steps, load_balancer: Some(load_balancer) })
    }

    fn target_group(
        &mut self,
        route: &RouteSpec,
        task: &TaskSpec,
        port: u16,
        facts: &RouteFacts,
    ) -> Result<Group, Stop> {
        let key = self.facts.key.to_string();
        match facts.target_group.known() {
            Some(there) if there.tags.get("windlass:service") == Some(&key) => {
                return Ok(Group { made: Made::Already(there.arn.clone()), step: None });
            }
            Some(there) => {
                let reason = format!(
                    "a target group named {} exists and is not Windlass's; rename or remove it",
                    there.name
                );
                return self.not_creatable(&reason);
            }
            None => {}
        }
        if let crate::facts::Fact::Unreadable(what) = &facts.target_group {
            return self.refuse(Note::Unreadable { what: what.clone() });
        }
        let spec = TargetGroupSpec {
            name: names::target_group(&self.facts.key),
            vpc: facts.vpc.clone(),
            target_type: if task.network_mode == NetworkMode::Awsvpc { "ip" } else { "instance" }.into(),
            port,
            health: route.health.clone(),
            deregistration_delay_secs: route.deregistration_delay_secs,
            tags: desired::tags(&self.facts.key),
        };
        Ok(Group { made: Made::ByThisPlan(spec.name.clone()), step: Some(Step::CreateTargetGroup(spec)) })
    }

    /// The rules that are not there yet, parked; those that are, a dead pass made.
    fn parked_rules(
        &mut self,
        facts: &'a RouteFacts,
        pairs: Vec<(route::WantedRule, Option<&'a Rule>)>,
        group: &Made<TargetGroupArn>,
    ) -> Result<Vec<Step>, Stop> {
        let (placed, moves) = self.place(facts, pairs)?;
        let mut steps = Vec::new();
        if !moves.is_empty() {
            steps.push(Step::SetPriorities { listener: facts.listener.clone(), moves });
        }
        steps.extend(placed.iter().filter(|placed| placed.rule.is_none()).map(|placed| Step::CreateRule {
            name: placed.wanted.name.clone(),
            listener: facts.listener.clone(),
            priority: placed.priority,
            conditions: route::parked(&self.facts.key),
            action: RuleAction::to(group.clone()),
            rewrites: placed.wanted.rewrites.clone(),
            parked: true,
            tags: placed.wanted.tags(&self.facts.key),
        }));
        Ok(steps)
    }
}

#[derive(Default)]
struct RouteSteps {
    steps: Vec<Step>,
    load_balancer: Option<CreateLoadBalancer>,
}

struct Group {
    made: Made<TargetGroupArn>,
    step: Option<Step>,
}

fn is_ours(revision: &TaskDefinition, key: &str) -> bool {
    let tags = revision.content.get("tags").and_then(serde_json::Value::as_array);
    tags.into_iter().flatten().any(|tag| tag["key"] == "windlass:service" && tag["value"] == key)
}
