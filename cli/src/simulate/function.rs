//! The stack's functions in this process: the scale function as it is deployed, over the in-process door.
//! The others sleep: a trace has no pushes, and instances that leave are empty.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use aws_credential_types::Credentials;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::Value;
use windlass_aws::clients::{Endpoints, Retries, Settings};
use windlass_aws::{Clients, Clock, Invocation};
use windlass_scale::{App, HandleError, handle};
use windlass_shared::deploy::Stack;
use windlass_shared::id::{Region, Timestamp};
use windlass_sim::door::in_process::InProcess;
use windlass_sim::lambda::access_key;
use windlass_sim::template;

/// The function's name in template.yaml.
const SCALE: &str = "ScaleFunction";

/// Registers the functions of an installed stack.
pub(super) fn register(door: &InProcess, stack: &template::Stack) -> anyhow::Result<()> {
    for (logical, name) in &stack.functions {
        if logical == SCALE {
            scale(door, name)?;
        } else {
            door.register(name, |_| async { Ok(Value::Null) });
        }
    }
    Ok(())
}

fn scale(door: &InProcess, name: &str) -> anyhow::Result<()> {
    let app = app(door, name)?;
    // Sandboxes: one invocation at a time in each, kept warm.
    let idle = Arc::new(Mutex::new(Vec::<App>::new()));
    door.register(name, move |invocation| {
        let (idle, make) = (Arc::clone(&idle), app.clone());
        async move {
            let warm = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let app = warm.unwrap_or_else(|| make());
            let (id, deadline) = (&invocation.request_id, invocation.deadline.0);
            let called = Invocation::new(id, deadline, &app.clock, app.stack.timeout);
            let ended = pass(&app, invocation.payload.to_string().as_bytes(), &called).await;
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(app);
            ended.map_err(|error| error.to_string())
        }
    });
    Ok(())
}

/// Boxed where all borrows have one lifetime: the compiler proves `Send` only there.
fn pass<'a>(
    app: &'a App,
    event: &'a [u8],
    invocation: &'a Invocation,
) -> BoxFuture<'a, Result<Value, HandleError>> {
    handle(app, event, invocation).boxed()
}

/// What makes an [`App`] as Lambda's environment would.
fn app(door: &InProcess, name: &str) -> anyhow::Result<Arc<dyn Fn() -> App + Send + Sync>> {
    let (environment, region) = door
        .with(|world| {
            let function = world.lambda.function(name)?;
            Some((function.environment.clone(), world.config.region.clone()))
        })
        .with_context(|| format!("the stack has no function {name}"))?;
    let stack = Stack::read(|variable| match variable {
        "AWS_REGION" => Some(region.clone()),
        "AWS_LAMBDA_FUNCTION_NAME" => Some(name.to_owned()),
        other => environment.get(other).cloned(),
    })
    .context("reading the template's environment")?;
    let settings = Settings {
        region: Region::new(region),
        credentials: Credentials::new(access_key(name), "secret", None, None, "simulate"),
        endpoints: Endpoints::default(),
        // The SDK's retry quota is the process's, and runs must repeat themselves.
        retries: Retries::Off,
    };
    let clients = Clients::new(door.connector(), &settings);
    let clock = door.clock();
    let clock = Clock::given(move || {
        let at = i64::try_from(clock.now().0).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
        at.unwrap_or(Timestamp::MAX)
    });
    Ok(Arc::new(move || App::new(clients.clone(), clock.clone(), stack.clone())))
}
