//! One process of a function, from its spawn to its end, again and again.

use std::collections::BTreeMap;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::process::{Child, Command};
use tokio::sync::{Notify, watch};

use super::super::http::{bind, serve};
use super::super::hub::Hub;
use super::super::lock;
use super::Function;
use super::runtime_api::Session;
use crate::lambda::Ended;

/// Wait between a failed init and the next try: doubled up to [`SLOWEST`].
const FIRST_WAIT: Duration = Duration::from_millis(100);
const SLOWEST: Duration = Duration::from_secs(5);

/// How long the pipes may take to empty once the process has ended.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Runs instances one after another until `closing`.
pub(super) async fn run(hub: Arc<Hub>, function: Arc<Function>, mut closing: watch::Receiver<bool>) {
    let mut wait = FIRST_WAIT;
    while !*closing.borrow() {
        match live(&hub, &function, &mut closing).await {
            Ok(Init::Succeeded) => wait = FIRST_WAIT,
            Ok(Init::Failed) => {}
            Err(error) => fail_one(&hub, &function, &format!("{error:#}")),
        }
        tokio::select! {
            () = tokio::time::sleep(wait) => wait = (wait * 2).min(SLOWEST),
            _ = closing.wait_for(|closing| *closing) => {}
        }
    }
}

/// Whether an instance that has ended had ever asked for work.
enum Init {
    Succeeded,
    Failed,
}

/// How an instance ended.
enum End {
    Exited(std::io::Result<ExitStatus>),
    Killed,
    TimedOut(Duration),
    Closing,
}

async fn live(
    hub: &Arc<Hub>,
    function: &Arc<Function>,
    closing: &mut watch::Receiver<bool>,
) -> anyhow::Result<Init> {
    let listener = bind(0)?;
    let address = listener.local_addr()?;
    let session = Arc::new(Session::new(Arc::clone(hub), Arc::clone(function)));
    let api = Arc::clone(&session);
    let server = tokio::spawn(serve(listener, closing.clone(), move |request, _| {
        let api = Arc::clone(&api);
        async move { Ok(api.answer(request).await) }
    }));
    let mut child = spawn(hub, function, &address.to_string())?;
    let output = follow(function, &mut child);
    let pid = child.id().unwrap_or_default();
    let kill = function.queue.born(pid);
    let end = watch_over(&mut child, &session, &kill, closing).await;
    let _ = child.kill().await; // also waits; an error means that it has ended already
    server.abort();
    let _ = tokio::time::timeout(LAST_WORDS, output).await;
    function.queue.died(pid);
    Ok(report(hub, function, &session, &end))
}

async fn watch_over(
    child: &mut Child,
    session: &Session,
    kill: &Notify,
    closing: &mut watch::Receiver<bool>,
) -> End {
    loop {
        let allowance = session.allowance();
        let timeout = async {
            match allowance {
                Some(allowance) => tokio::time::sleep(allowance).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            status = child.wait() => return End::Exited(status),
            () = kill.notified() => return End::Killed,
            () = timeout => return End::TimedOut(allowance.unwrap_or_default()),
            _ = closing.wait_for(|closing| *closing) => return End::Closing,
            () = session.turned.notified() => {} // another invocation: its own time limit
        }
    }
}

/// Ends the invocation in flight as Lambda would; a failed init ends one that waits.
fn report(hub: &Hub, function: &Function, session: &Session, end: &End) -> Init {
    let words = match end {
        End::Closing => return Init::Succeeded,
        End::Exited(Ok(status)) => format!("Runtime exited with error: {status}"),
        End::Exited(Err(error)) => format!("Runtime exited with error: {error}"),
        End::Killed => "Runtime exited with error: signal: killed".to_owned(),
        End::TimedOut(after) => format!("Task timed out after {:.2} seconds", after.as_secs_f64()),
    };
    let said = session.take_init_error().unwrap_or_else(|| function.log.tail(20));
    function.log.push(format!("[{}] {words}", function.process.name));
    tracing::warn!(function = function.process.name, "{words}; its last words:\n{said}");
    let whole = format!("{words}\n{said}");
    if session.initialised() {
        session.end(Ended::Error(whole));
        return Init::Succeeded;
    }
    fail_one(hub, function, &whole);
    Init::Failed
}

/// An init that fails takes an invocation with it, as in Lambda: otherwise it would wait
/// for ever behind a binary that cannot start.
fn fail_one(hub: &Hub, function: &Function, words: &str) {
    tracing::warn!(function = function.process.name, "init failed: {words}");
    if let Some(job) = function.queue.try_next() {
        function.queue.finished();
        job.end(hub, Ended::Error(words.to_owned()));
    }
}

/// Spawns it in Lambda's environment and nothing else, in a process group of its own, so
/// that a Ctrl-C at the terminal ends it in our order and not the terminal's.
fn spawn(hub: &Hub, function: &Function, runtime_api: &str) -> anyhow::Result<Child> {
    let process = &function.process;
    let surroundings = &hub.functions.surroundings;
    let settings = lock(&hub.world).lambda.function(&process.name).cloned();
    let (memory, environment) = settings.map_or((128, BTreeMap::new()), |it| (it.memory_mib, it.environment));
    Command::new(&process.binary)
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .env("AWS_LAMBDA_RUNTIME_API", runtime_api)
        .env("AWS_LAMBDA_FUNCTION_NAME", &process.name)
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory.to_string())
        .env("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{}", process.name))
        .env("AWS_LAMBDA_LOG_STREAM_NAME", "local")
        .env("AWS_ENDPOINT_URL", &surroundings.endpoint)
        .env("AWS_REGION", &surroundings.region)
        .env("AWS_DEFAULT_REGION", &surroundings.region)
        .env("AWS_ACCESS_KEY_ID", &process.access_key)
        .env("AWS_SECRET_ACCESS_KEY", "local")
        .env("WINDLASS_CLOCK", hub.clock.env())
        .env("WINDLASS_ALB_ENDPOINT", &surroundings.balancer)
        .envs(environment)
        .envs(&process.env)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("function {}: starting {}", process.name, process.binary.display()))
}

/// Copies what it writes into the function's log.
fn follow(function: &Arc<Function>, child: &mut Child) -> tokio::task::JoinHandle<()> {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let function = Arc::clone(function);
    tokio::spawn(async move {
        let out = async {
            if let Some(stdout) = stdout {
                function.log.follow(stdout).await;
            }
        };
        let err = async {
            if let Some(stderr) = stderr {
                function.log.follow(stderr).await;
            }
        };
        tokio::join!(out, err);
    })
}
