//! The functions on the stage: what Lambda does around their `handle`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::Value;
use windlass_aws::clients::{Endpoints, Retries, Settings};
use windlass_aws::{Clients, Clock};
use windlass_deploy::{App, HandleError, Invocation, handle};
use windlass_shared::deploy::Stack;
use windlass_shared::id::{Region, Timestamp};
use windlass_sim::door::in_process::InProcess;
use windlass_sim::lambda;

/// Clients over the in-process door that sign as `access_key`.
pub fn clients(connector: SharedHttpConnector, region: &str, access_key: &str, retries: Retries) -> Clients {
    let settings = Settings {
        region: Region::new(region),
        credentials: Credentials::new(access_key, "secret", None, None, "stage"),
        endpoints: Endpoints::default(),
        retries,
    };
    Clients::new(connector, &settings)
}

/// The world's clock, for code that asks what time it is.
pub fn clock(door: &InProcess) -> Clock {
    let clock = door.clock();
    Clock::given(move || timestamp(clock.now()))
}

/// The world's instant as the project writes it.
pub fn timestamp(at: windlass_sim::Time) -> Timestamp {
    i64::try_from(at.0).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or(Timestamp::MAX)
}

/// Registers the deploy function under its `name` in the stack: its environment is the one
/// that `template.yaml` gave it.
pub fn register(door: &InProcess, name: &str, retries: Retries) {
    let (clients, clock, stack) = surroundings(door, name, retries);
    let sandboxes = Sandboxes::new(move || App::new(clients.clone(), clock.clone(), stack.clone()));
    door.register(name, move |invocation| {
        let sandboxes = Arc::clone(&sandboxes);
        async move {
            // One that is killed or times out never gives its sandbox back: Lambda starts a
            // new one, with nothing kept.
            let app = sandboxes.take();
            let called = app.invocation(&invocation.request_id, invocation.deadline.0);
            let ended = begin(&app, invocation.payload.to_string().as_bytes(), &called).await;
            sandboxes.give_back(app);
            ended.map_err(|error| error.to_string())
        }
    });
}

/// Registers the scale function.
pub fn register_scale(door: &InProcess, name: &str, retries: Retries) {
    let (clients, clock, stack) = surroundings(door, name, retries);
    let make = move || windlass_scale::App::new(clients.clone(), clock.clone(), stack.clone());
    let sandboxes = Sandboxes::new(make);
    door.register(name, move |invocation| {
        let sandboxes = Arc::clone(&sandboxes);
        async move {
            let app = sandboxes.take();
            let (id, deadline) = (&invocation.request_id, invocation.deadline.0);
            let called = windlass_aws::Invocation::new(id, deadline, &app.clock, app.stack.timeout);
            let ended = scale(&app, invocation.payload.to_string().as_bytes(), &called).await;
            sandboxes.give_back(app);
            ended.map_err(|error| error.to_string())
        }
    });
}

/// Registers the drain function.
pub fn register_drain(door: &InProcess, name: &str, retries: Retries) {
    let (clients, clock, stack) = surroundings(door, name, retries);
    let make = move || windlass_drain::App::new(clients.clone(), clock.clone(), stack.clone());
    let sandboxes = Sandboxes::new(make);
    door.register(name, move |invocation| {
        let sandboxes = Arc::clone(&sandboxes);
        async move {
            let app = sandboxes.take();
            let (id, deadline) = (&invocation.request_id, invocation.deadline.0);
            let called = windlass_aws::Invocation::new(id, deadline, &app.clock, app.stack.timeout);
            let ended = drain(&app, invocation.payload.to_string().as_bytes(), &called).await;
            sandboxes.give_back(app);
            ended.map_err(|error| error.to_string())
        }
    });
}

fn drain<'a>(
    app: &'a windlass_drain::App,
    event: &'a [u8],
    invocation: &'a windlass_aws::Invocation,
) -> BoxFuture<'a, Result<Value, windlass_drain::HandleError>> {
    windlass_drain::handle(app, event, invocation).boxed()
}

/// Registers a function of the stack that sleeps through whatever rings it: of a scenario that is not
/// about it.
pub fn register_asleep(door: &InProcess, name: &str) {
    door.register(name, |_| async { Ok(Value::Null) });
}

fn scale<'a>(
    app: &'a windlass_scale::App,
    event: &'a [u8],
    invocation: &'a windlass_aws::Invocation,
) -> BoxFuture<'a, Result<Value, windlass_scale::HandleError>> {
    windlass_scale::handle(app, event, invocation).boxed()
}

/// Registers the verify function.
pub fn register_verify(door: &InProcess, name: &str, retries: Retries) {
    let (clients, clock, stack) = surroundings(door, name, retries);
    let make = move || windlass_verify::App::new(clients.clone(), clock.clone(), stack.clone(), None);
    let sandboxes = Sandboxes::new(make);
    door.register(name, move |invocation| {
        let sandboxes = Arc::clone(&sandboxes);
        async move {
            let app = sandboxes.take();
            let ended = verify(&app, invocation.payload.to_string().as_bytes()).await;
            sandboxes.give_back(app);
            ended.map_err(|error| error.to_string())
        }
    });
}

fn verify<'a>(
    app: &'a windlass_verify::App,
    event: &'a [u8],
) -> BoxFuture<'a, Result<Value, windlass_verify::HandleError>> {
    windlass_verify::handle(app, event).boxed()
}

/// Boxed where all borrows have one lifetime: the compiler proves `Send` only there.
fn begin<'a>(
    app: &'a App,
    event: &'a [u8],
    invocation: &'a Invocation,
) -> BoxFuture<'a, Result<Value, HandleError>> {
    handle(app, event, invocation).boxed()
}

/// The settings as the function reads them from Lambda's environment.
pub fn stack(function: &str, region: &str, environment: &BTreeMap<String, String>) -> Stack {
    let read = Stack::read(|variable| match variable {
        "AWS_REGION" => Some(region.to_owned()),
        "AWS_LAMBDA_FUNCTION_NAME" => Some(function.to_owned()),
        other => environment.get(other).cloned(),
    });
    read.unwrap_or_else(|error| panic!("the template's environment: {error}"))
}

/// What a function of the stack is given: its environment is the one that `template.yaml`
/// gave it.
fn surroundings(door: &InProcess, name: &str, retries: Retries) -> (Clients, Clock, Stack) {
    let (environment, region) = door.with(|world| {
        let function =
            world.lambda.function(name).unwrap_or_else(|| panic!("the stack has no function {name}"));
        (function.environment.clone(), world.config.region.clone())
    });
    let clients = clients(door.connector(), &region, &lambda::access_key(name), retries);
    (clients, clock(door), stack(name, &region, &environment))
}

/// Lambda's sandboxes: one invocation at a time in each, kept warm between them.
struct Sandboxes<A> {
    idle: Mutex<Vec<A>>,
    make: Box<dyn Fn() -> A + Send + Sync>,
}

impl<A> Sandboxes<A> {
    fn new(make: impl Fn() -> A + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { idle: Mutex::new(Vec::new()), make: Box::new(make) })
    }

    fn take(&self) -> A {
        let warm = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        warm.unwrap_or_else(|| (self.make)())
    }

    fn give_back(&self, app: A) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(app);
    }
}
