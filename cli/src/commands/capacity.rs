//! `windlass capacity`: a cluster's instances and what is on them; what waits, what would come or go, and why.

use anyhow::{Context as _, anyhow};
use serde_json::json;
use windlass_aws::capacity::CapacityObserver;
use windlass_shared::capacity::{Agent, InstanceState, Share, Supply};
use windlass_shared::facts::Fact;
use windlass_shared::id::{ClusterName, Timestamp};
use windlass_shared::ledger::ClusterRow;
use windlass_shared::scale::picture::{GroupPicture, InstancePicture, Picture, SharePicture, Waiting};
use windlass_shared::scale::{self, CapacityFacts, CapacityPlan};

use super::bars::{Bar, Palette};
use crate::account::Account;
use crate::exit::Exit;
use crate::failure::{HintExt as _, Result};
use crate::output::{BAD, FAINT, GOOD, Output, STRONG, WAITS, paint};
use crate::table::table;

/// A cluster as a scale pass would see it now.
pub(crate) struct ClusterLook {
    pub(super) facts: CapacityFacts,
    pub(super) row: ClusterRow,
    pub(super) plan: CapacityPlan,
    pub(super) now: Timestamp,
}

impl ClusterLook {
    /// Looks; nothing is written.
    pub(crate) async fn at(account: &Account, cluster: &ClusterName) -> Result<Self> {
        let row = account.ledger.row(cluster).await.context("reading the cluster's row")?;
        let observer =
            CapacityObserver::new(account.clients.clone(), account.clock.clone(), account.ledger.clone());
        let (facts, plan, now) = Box::pin(observer.plan(cluster, &row, &account.stack.scale)).await;
        if let Fact::Unreadable(why) = &facts.services {
            return Err(anyhow!("{cluster} cannot be looked at: {why}"))
                .hint("is that its short name, and in this Region? `aws ecs list-clusters` lists them");
        }
        Ok(Self { facts, row, plan, now })
    }

    /// Its picture in lines, without what would be done.
    pub(crate) fn drawn(&self, account: &Account) -> Vec<String> {
        self.picture(account).map(|picture| drawn(&self.plan.cluster, &picture)).unwrap_or_default()
    }

    fn picture(&self, account: &Account) -> Option<Picture> {
        scale::picture(&self.facts, &self.plan, &self.row, &account.stack.scale, self.now)
    }
}

/// Prints the picture of each cluster.
pub(super) async fn capacity(account: &Account, clusters: &[ClusterName], output: Output) -> Result<Exit> {
    let mut all = Vec::new();
    for cluster in clusters {
        let look = ClusterLook::at(account, cluster).await?;
        let picture = look.picture(account);
        all.push((look, picture));
    }
    let data: Vec<_> = all
        .iter()
        .map(|(look, picture)| {
            json!({
                "cluster": look.plan.cluster,
                "picture": picture,
                "steps": look.plan.steps,
                "report": look.plan.report.iter().map(ToString::to_string).collect::<Vec<_>>(),
            })
        })
        .collect();
    output.data(&data, || {
        all.iter().map(|(look, picture)| text(look, picture.as_ref())).collect::<Vec<_>>().join("\n\n")
    })?;
    Ok(Exit::Ok)
}

fn text(look: &ClusterLook, picture: Option<&Picture>) -> String {
    let mut lines = Vec::new();
    match picture {
        Some(picture) => lines.extend(drawn(&look.plan.cluster, picture)),
        None => lines.push(paint(STRONG, &look.plan.cluster)),
    }
    for step in &look.plan.steps {
        lines.push(format!("{} {step}", paint(GOOD, "would:  ")));
    }
    for note in &look.plan.report {
        lines.push(format!("{} {note}", paint(FAINT, "because:")));
    }
    lines.join("\n")
}

fn drawn(cluster: &ClusterName, picture: &Picture) -> Vec<String> {
    let mut lines = vec![heading(cluster, picture)];
    lines.extend(picture.groups.iter().map(group));
    if !picture.instances.is_empty() {
        let palette = Palette::of(picture);
        let rows: Vec<_> = picture.instances.iter().map(|it| row(it, &palette)).collect();
        lines.push(String::new());
        lines.push(table(&["INSTANCE", "TYPE", "ZONE", "CPU", "", "MEMORY", "", "TASKS"], &rows));
        lines.push(String::new());
    }
    for waiting in &picture.waiting {
        let Waiting { of, tasks, moving } = waiting;
        if tasks > moving {
            lines.push(format!("{} {} of {of} without a place", paint(WAITS, "waiting:"), tasks - moving));
        }
        if *moving > 0 {
            lines.push(format!("{} {moving} of {of}, off instances that leave", paint(WAITS, "moving: ")));
        }
    }
    lines
}

fn heading(cluster: &ClusterName, picture: &Picture) -> String {
    let instances = match picture.instances.len() {
        1 => "1 instance".to_owned(),
        several => format!("{several} instances"),
    };
    let cents = picture.cents_a_month;
    let priced = picture.instances.len() > picture.unpriced as usize;
    let cost = if priced {
        format!(", ${}.{:02} a month on demand", cents / 100, cents % 100)
    } else {
        String::new()
    };
    let unpriced = match (priced, picture.unpriced) {
        (true, 1..) => format!(" and {} without a price", picture.unpriced),
        _ => String::new(),
    };
    format!("{}: {instances}{cost}{unpriced}", paint(STRONG, cluster))
}

fn group(it: &GroupPicture) -> String {
    let GroupPicture { name, min, max, desired, launching, supply, share } = it;
    let on_their_way = if *launching > 0 { format!(", {launching} on their way") } else { String::new() };
    let whose = match supply {
        Supply::Open => "Windlass sets its capacity",
        Supply::Failing => "Windlass sets its capacity; its last launch failed",
        Supply::ManagedScaling => "ECS's managed scaling sets its capacity",
        Supply::NotOurs => "left alone: no tag windlass:cluster",
    };
    format!(
        "  {} wants {desired} of {min} to {max}{on_their_way}{}; {}",
        paint(STRONG, name),
        share.as_ref().map(shared_out).unwrap_or_default(),
        paint(FAINT, whose)
    )
}

fn shared_out(it: &SharePicture) -> String {
    let SharePicture { of_spec: Share { base, weight }, has, fair } = it;
    let base = if *base > 0 { format!("base {base}, ") } else { String::new() };
    format!("; {base}weight {weight}: has {has}, {fair} by its share")
}

fn row(it: &InstancePicture, palette: &Palette) -> Vec<String> {
    let state = match (it.leaves, it.state, it.agent) {
        (Some(why), ..) => Some(paint(WAITS, format!("leaves: {why}"))),
        (None, InstanceState::Draining, _) => Some(paint(WAITS, "drains, not by Windlass")),
        (None, InstanceState::Other, _) => Some(paint(WAITS, "comes or goes")),
        (None, InstanceState::Active, Agent::Disconnected) => Some(paint(BAD, "its agent is not connected")),
        (None, InstanceState::Active, Agent::Connected) => None,
    };
    let cpu = Bar::new(it.cpu, it.tasks.iter().map(|on| (on.of.as_str(), on.cpu)));
    let memory = Bar::new(it.memory, it.tasks.iter().map(|on| (on.of.as_str(), on.memory)));
    let tasks = it.tasks.iter().map(|on| {
        let leaving = if on.leaving > 0 { format!(" ({} leaving)", on.leaving) } else { String::new() };
        format!("{}×{}{leaving}", paint(palette.style(&on.of), &on.of), on.tasks)
    });
    let said: Vec<String> = tasks.chain(state).collect();
    vec![
        it.name.clone(),
        it.instance_type.clone().unwrap_or_else(|| "-".to_owned()),
        it.zone.clone(),
        cpu.drawn(palette),
        format!("{}/{}", it.cpu.used, it.cpu.total),
        memory.drawn(palette),
        format!("{}/{} GiB", gib(it.memory.used), gib(it.memory.total)),
        if said.is_empty() { paint(FAINT, "empty") } else { said.join(" ") },
    ]
}

/// Tenths of a GiB.
fn gib(mib: u32) -> String {
    let tenths = (u64::from(mib) * 10 + 512) / 1024;
    format!("{}.{}", tenths / 10, tenths % 10)
}
