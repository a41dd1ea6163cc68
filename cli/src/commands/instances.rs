//! What people do to a cluster's capacity by hand: set a number of tasks, empty an instance, replace all.
//! Each makes its one step with the person's own rights, records it, and rings the cluster.

use anyhow::{Context as _, anyhow};
use serde_json::json;
use windlass_aws::by_hand;
use windlass_aws::capacity::apply;
use windlass_shared::deploy::plan::StepOutcome;
use windlass_shared::event::ClusterDoorbell;
use windlass_shared::facts::Fact;
use windlass_shared::id::{ClusterName, ServiceName};
use windlass_shared::ledger::{Order, WhyItLeaves};
use windlass_shared::scale::facts::{LiveInstance, ServiceOfCluster};
use windlass_shared::scale::{CapacityPlan, Step, record};
use windlass_shared::spec::ServiceSpec;

use super::capacity::ClusterLook;
use super::people::rung_after;
use crate::account::Account;
use crate::exit::Exit;
use crate::failure::{HintExt as _, Result};
use crate::output::{GOOD, Output, STRONG, paint, talk};

/// Rings a cluster's doorbell: the scale function looks at it now.
pub(super) async fn ring(
    account: &Account,
    cluster: &ClusterName,
    reason: Option<String>,
    output: Output,
) -> Result<Exit> {
    bell(account, cluster, reason).await?;
    output.data(&json!({ "cluster": cluster, "rung": true }), || {
        format!("{}: {}", paint(STRONG, cluster), paint(GOOD, "rung"))
    })?;
    talk(format!("`windlass capacity {cluster}` tells what is to be done"));
    Ok(Exit::Ok)
}

/// Sets a service's number of tasks, within the limits of its spec.
pub(super) async fn scale(
    account: &Account,
    typed: &str,
    tasks: u32,
    reason: String,
    output: Output,
) -> Result<Exit> {
    let key = account.key(typed)?;
    let look = Box::pin(ClusterLook::at(account, &key.cluster)).await?;
    let service = service(&look, &key.service)?;
    allowed(&look, &key.service, service, tasks)?;
    if service.live.desired == tasks {
        output.data(&json!({ "service": key.to_string(), "desired": tasks, "changed": false }), || {
            format!("{}: {tasks} tasks already", paint(STRONG, &key))
        })?;
        return Ok(Exit::Ok);
    }
    let step = Step::SetDesired {
        service: key.service.clone(),
        from: service.live.desired,
        to: tasks,
        why: reason.clone(),
    };
    by_person(account, &look, step, &reason, output).await
}

/// Empties an instance, takes it back, or has it replaced.
pub(super) async fn drain(
    account: &Account,
    cluster: &ClusterName,
    typed: &str,
    manner: Manner,
    reason: String,
    output: Output,
) -> Result<Exit> {
    let look = Box::pin(ClusterLook::at(account, cluster)).await?;
    let it = instance(&look, typed)?;
    let Some(ec2) = it.ec2.clone() else {
        return Err(anyhow!("{typed} is no EC2 instance, but an external one"))
            .hint("set it DRAINING with `aws ecs update-container-instances-state`");
    };
    let instance = it.arn.clone();
    let step = match manner {
        Manner::Keep => Step::Empty { instance, ec2, why: WhyItLeaves::Person },
        Manner::Replace => Step::Empty { instance, ec2, why: WhyItLeaves::Rotation },
        Manner::TakeBack => Step::TakeBack { instance, ec2, why: reason.clone() },
    };
    by_person(account, &look, step, &reason, output).await
}

/// What becomes of the instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// It stays, empty.
    Keep,
    /// It is terminated once it is empty, and its group brings another one.
    Replace,
    /// It takes tasks again.
    TakeBack,
}

/// Orders that all instances that are there now are replaced.
pub(super) async fn rotate(
    account: &Account,
    cluster: &ClusterName,
    reason: String,
    output: Output,
) -> Result<Exit> {
    let order = Order { by: account.actor().clone(), reason, at: account.clock.now() };
    account.ledger.order_rotation(cluster, &order).await.context("ordering the rotation")?;
    let why = Some(format!("a rotation was ordered: {}", order.reason));
    rung_after(bell(account, cluster, why).await, "it is ordered")?;
    output.data(&json!({ "cluster": cluster, "rotation": order }), || {
        format!(
            "{}: {}",
            paint(STRONG, cluster),
            paint(GOOD, "its instances will be replaced, a few at a time")
        )
    })?;
    talk(format!(
        "`capacity.rotation.max_instances` of the cluster's spec says how many; `windlass capacity {cluster}` shows them go"
    ));
    Ok(Exit::Ok)
}

/// Makes the step, records it, rings.
async fn by_person(
    account: &Account,
    look: &ClusterLook,
    step: Step,
    reason: &str,
    output: Output,
) -> Result<Exit> {
    let cluster = look.plan.cluster.clone();
    let now = account.clock.now();
    let plan = CapacityPlan {
        cluster: cluster.clone(),
        steps: vec![step],
        report: Vec::new(),
        state: look.row.state.clone(),
    };
    let outcomes = Box::pin(apply(&account.clients, &plan, account.actor(), now)).await;
    let context = record::Context {
        now,
        token: look.row.token,
        cause: format!("by hand: {reason}"),
        by: account.actor().clone(),
    };
    if let Some(record) = record::pass(&plan, (&look.row.state, &look.row.state), &outcomes, &context) {
        account.ledger.record_of_cluster(&record).await.context("recording it")?;
    }
    let step = plan.steps.first().map(ToString::to_string).unwrap_or_default();
    let Some(outcome) = outcomes.first() else { return Ok(Exit::Ok) };
    if !outcome.goes_on() {
        let hint = match outcome {
            StepOutcome::Stale { .. } | StepOutcome::Waiting { .. } => {
                "somebody else changed it; look, and try again"
            }
            _ => "`windlass capacity` shows how it is now",
        };
        return Err(anyhow!("{step}: {outcome}")).hint(hint);
    }
    let done = Some(format!("{step}, by hand"));
    rung_after(bell(account, &cluster, done).await, "it is done")?;
    output.data(&json!({ "cluster": cluster, "step": plan.steps.first(), "outcome": outcome }), || {
        format!("{}: {} {}", paint(STRONG, &cluster), step, paint(GOOD, outcome))
    })?;
    talk(format!("`windlass capacity {cluster}` shows what follows"));
    Ok(Exit::Ok)
}

async fn bell(account: &Account, cluster: &ClusterName, reason: Option<String>) -> Result<()> {
    let bell = ClusterDoorbell { cluster: cluster.clone(), reason, by: Some(account.actor().clone()) };
    let rung = by_hand::ring_cluster(&account.clients.events, &bell).await;
    Ok(rung.with_context(|| format!("ringing the cluster {cluster}"))?)
}

fn service<'a>(look: &'a ClusterLook, name: &ServiceName) -> Result<&'a ServiceOfCluster> {
    let services = look.facts.services.known();
    if let Some(service) = services.and_then(|services| services.get(name)) {
        return Ok(service);
    }
    let cluster = &look.plan.cluster;
    let there: Vec<String> = services.into_iter().flat_map(|it| it.keys()).map(ToString::to_string).collect();
    let hint = match there.as_slice() {
        [] => format!("the cluster {cluster} has no service"),
        there => format!("the cluster {cluster} has: {}", there.join(", ")),
    };
    Err(anyhow!("there is no service {name} in the cluster {cluster}")).hint(hint)
}

/// Whether a person may set that number: somebody else's service is left alone, and limits are limits.
fn allowed(look: &ClusterLook, name: &ServiceName, service: &ServiceOfCluster, tasks: u32) -> Result<()> {
    if service.placement.scheduling == "DAEMON" {
        return Err(anyhow!("{name} is a daemon service: it has one task on every instance"))
            .hint("its number follows the instances");
    }
    if look.facts.owned_elsewhere.known().is_some_and(|owned| owned.contains(name)) {
        return Err(anyhow!("AWS's Application Auto Scaling owns the number of tasks of {name}"))
            .hint("change its scalable target, or deregister that");
    }
    let Fact::Known(parameter) = &service.parameter else { return Ok(()) };
    let spec = ServiceSpec::parse(&parameter.text).with_context(|| format!("reading the spec of {name}"))?;
    let Some(scaling) = spec.scaling else { return Ok(()) };
    if (scaling.min..=scaling.max).contains(&tasks) {
        return Ok(());
    }
    Err(anyhow!(
        "{tasks} tasks of {name} are not within its scaling limits, {} to {}",
        scaling.min,
        scaling.max
    ))
    .hint("the next pass would undo it; change `scaling` of its spec, and `windlass apply` it")
}

/// The instance that is meant: EC2's id or ECS's ARN, or enough of its beginning or end.
fn instance<'a>(look: &'a ClusterLook, typed: &str) -> Result<&'a LiveInstance> {
    let all: Vec<&LiveInstance> = look.facts.instances.known().into_iter().flatten().collect();
    let fits = |it: &&&LiveInstance| {
        it.arn.as_str().ends_with(typed) || it.ec2.as_ref().is_some_and(|id| id.as_str().starts_with(typed))
    };
    let found: Vec<&&LiveInstance> = all.iter().filter(fits).collect();
    match found.as_slice() {
        [one] => Ok(one),
        [] => {
            let there: Vec<&str> = all.iter().filter_map(|it| Some(it.ec2.as_ref()?.as_str())).collect();
            Err(anyhow!("{typed} is no instance of the cluster {}", look.plan.cluster)).hint(
                match there.as_slice() {
                    [] => "it has none".to_owned(),
                    there => format!("it has: {}", there.join(", ")),
                },
            )
        }
        several => Err(anyhow!("{typed} means {} instances", several.len())).hint("give more of its id"),
    }
}
