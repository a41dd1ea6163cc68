//! The scale function as Lambda runs it: one thread, one set of clients for all invocations of a
//! sandbox.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::value::RawValue;
use windlass_aws::Invocation;
use windlass_scale::{App, handle};
use windlass_shared::deploy::Stack;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    windlass_scale::log::init();
    let stack = Stack::read(|name| std::env::var(name).ok())?;
    let app = App::from_lambda_env(stack)?;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Box<RawValue>>| {
        let app = &app;
        async move {
            let (id, deadline) = (&event.context.request_id, event.context.deadline);
            let invocation = Invocation::new(id, deadline, &app.clock, app.stack.timeout);
            let ended = handle(app, event.payload.get().as_bytes(), &invocation).await.map_err(Error::from);
            app.clients.meter.print(&event.context.env_config.function_name, app.clock.now());
            ended
        }
    }))
    .await
}
