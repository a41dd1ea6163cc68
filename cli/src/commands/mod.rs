//! One file for each command.

mod apply;
mod bars;
pub(crate) mod capacity;
mod circle;
mod event;
mod explain;
mod files;
mod history;
mod images;
mod import;
mod instances;
pub(crate) mod local;
mod look;
mod people;
mod plan;
mod progress;
mod retire;
mod rival;
mod rollback;
mod spec;
mod status;
mod stop;

use std::future::Future;

use anyhow::Context as _;

use crate::account::Account;
use crate::args::{Command, Global, Spec};
use crate::demo;
use crate::exit::Exit;
use crate::failure::Result;
use crate::output::Output;
use crate::simulate;

/// Runs the command.
pub(crate) fn run(command: Command, global: &Global, output: Output) -> Result<Exit> {
    match command {
        Command::Spec(Spec::Check { files }) => spec::check(&files, output),
        Command::Spec(Spec::Schema { of }) => spec::schema(of),
        Command::Event { files } => event::event(&files, output),
        Command::Simulate(args) => simulate::simulate(&args, output),
        Command::Import { ecspresso: Some(path), container, .. } => {
            import::ecspresso(&path, container.as_deref(), output)
        }
        Command::Local(args) => wait(local::local(args, output)),
        Command::Demo(args) => wait(demo::demo(&args, output)),
        other => wait(async {
            let account = Account::open(global).await?;
            Box::pin(with_account(other, &account, output)).await
        }),
    }
}

async fn with_account(command: Command, account: &Account, output: Output) -> Result<Exit> {
    match command {
        Command::Plan { services, check } => plan::plan(account, &services, check, output).await,
        Command::Apply { files } => apply::apply(account, &files, output).await,
        Command::Status { services } => status::status(account, &services, output).await,
        Command::History { service: Some(service), instance: _, limit } => {
            history::history(account, &service, limit, output).await
        }
        Command::History { service: None, instance, limit } => {
            let cluster = account.cluster_or_default(None)?;
            match instance {
                Some(instance) => history::of_instance(account, &cluster, &instance, limit, output).await,
                None => history::of_cluster(account, &cluster, limit, output).await,
            }
        }
        Command::Explain { service } => explain::explain(account, &service, output).await,
        Command::Ring { service: None, reason, force: _ } => {
            let cluster = account.cluster_or_default(None)?;
            instances::ring(account, &cluster, reason, output).await
        }
        Command::Ring { service: Some(service), reason, force: false } => {
            people::ring(account, &service, reason, output).await
        }
        Command::Ring { service: Some(service), reason, force: true } => {
            stop::force(account, &service, reason.unwrap_or_default(), output).await
        }
        Command::Capacity { clusters } => {
            let clusters = account.clusters(&clusters)?;
            Box::pin(capacity::capacity(account, &clusters, output)).await
        }
        Command::Scale { service, tasks, reason } => {
            Box::pin(instances::scale(account, &service, tasks, reason, output)).await
        }
        Command::Drain { instance, replace, undo, reason } => {
            let manner = match (replace, undo) {
                (true, _) => instances::Manner::Replace,
                (false, true) => instances::Manner::TakeBack,
                (false, false) => instances::Manner::Keep,
            };
            let cluster = account.cluster_or_default(None)?;
            Box::pin(instances::drain(account, &cluster, &instance, manner, reason, output)).await
        }
        Command::Rotate { name, reason } => {
            let cluster = account.cluster_or_default(name)?;
            instances::rotate(account, &cluster, reason, output).await
        }
        Command::Stop { everywhere, reason } => stop::stop(account, everywhere, reason, output).await,
        Command::Start { everywhere } => stop::start(account, everywhere, output).await,
        Command::Hold { service, reason } => people::hold(account, &service, reason, output).await,
        Command::Resume { service, reason } => people::resume(account, &service, reason, output).await,
        Command::Release { service, digest } => people::release(account, &service, &digest, output).await,
        Command::Rollback { service, to, reason } => {
            Box::pin(rollback::roll_back(account, &service, &to, reason, output)).await
        }
        Command::Approve { service, reason } => {
            rollback::answer(account, &service, true, reason, output).await
        }
        Command::Reject { service, reason } => {
            rollback::answer(account, &service, false, reason, output).await
        }
        Command::Images { services, in_use: _ } => images::images(account, &services, output).await,
        Command::Import { service: Some(service), container, .. } => {
            import::live(account, &service, container.as_deref(), output).await
        }
        Command::Retire { service, yes } => Box::pin(retire::retire(account, &service, yes, output)).await,
        // Run above, without an account.
        Command::Spec(_)
        | Command::Event { .. }
        | Command::Import { .. }
        | Command::Local(_)
        | Command::Demo(_)
        | Command::Simulate(_) => Ok(Exit::Usage),
    }
}

fn wait(work: impl Future<Output = Result<Exit>>) -> Result<Exit> {
    tokio::runtime::Runtime::new().context("starting the runtime")?.block_on(work)
}
