//! The verify function as Lambda runs it: one thread, one set of clients for all
//! invocations of a sandbox.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::value::RawValue;
use windlass_shared::deploy::Stack;
use windlass_verify::{App, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    windlass_verify::log::init();
    let stack = Stack::read(|name| std::env::var(name).ok())?;
    let app = App::from_lambda_env(stack)?;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Box<RawValue>>| {
        let app = &app;
        async move {
            let answer = handle(app, event.payload.get().as_bytes()).await.map_err(Error::from);
            app.clients.meter.print(&event.context.env_config.function_name, app.clock.now());
            answer
        }
    }))
    .await
}
