//! The deploy function as Lambda runs it: one thread, one set of clients for all
//! invocations of a sandbox.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::value::RawValue;
use windlass_deploy::{App, handle};
use windlass_shared::deploy::Stack;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    windlass_deploy::log::init();
    let stack = Stack::read(|name| std::env::var(name).ok())?;
    let app = App::from_lambda_env(stack)?;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Box<RawValue>>| {
        let app = &app;
        async move {
            let invocation = app.invocation(&event.context.request_id, event.context.deadline);
            let ended = handle(app, event.payload.get().as_bytes(), &invocation).await.map_err(Error::from);
            app.clients.meter.print(&event.context.env_config.function_name, app.clock.now());
            ended
        }
    }))
    .await
}
