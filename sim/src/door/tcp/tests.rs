//! The door with real sockets and real processes.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};

use super::proxy::client;
use super::{FunctionProcess, Local, LocalConfig};
use crate::behaviour::Behaviour;
use crate::lambda::{Ended, Invocation};
use crate::world::{Effect, RunningContainer};

async fn local(functions: Vec<FunctionProcess>) -> Local {
    let config = LocalConfig { port: 0, alb_port: 0, speed: 50.0, functions, ..LocalConfig::default() };
    Local::start(config).await.unwrap()
}

async fn exchange(request: Request<Full<Bytes>>) -> (http::response::Parts, Bytes) {
    let response: Response<_> = client().request(request).await.unwrap();
    let (parts, body) = response.into_parts();
    (parts, body.collect().await.unwrap().to_bytes())
}

async fn get(url: &str) -> (http::response::Parts, Bytes) {
    exchange(Request::get(url).body(Full::default()).unwrap()).await
}

fn container(local: &Local, host_port: u16, behaviour: Behaviour) -> RunningContainer {
    RunningContainer {
        task_arn: "task/1".into(),
        service: "shop".into(),
        container: "web".into(),
        digest: "sha256:aa".into(),
        image: "localhost:4566/shop:1".into(),
        tags: vec!["1".into()],
        behaviour,
        started: local.with(|world| world.now()),
        instance_id: "i-1".into(),
        ports: vec![(8080, host_port)],
    }
}

mod balancer;
mod containers;
mod endpoint;
mod functions;
mod metrics;
pub(in crate::door) mod rollout;

/// A function's binary: a script that runs this test binary as the fake function.
fn fake(dir: &Path, name: &str) -> FunctionProcess {
    let script: PathBuf = dir.join(name);
    let me = std::env::current_exe().unwrap();
    let words = format!(
        "#!/bin/sh\nexec {} --exact door::tcp::tests::functions::fake_function --ignored --nocapture\n",
        me.display()
    );
    std::fs::write(&script, words).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    FunctionProcess::new(name, script)
}

fn invocation(local: &Local, id: &str, payload: Value, timeout: Duration) -> Invocation {
    Invocation {
        request_id: id.into(),
        function: "echo".into(),
        payload,
        attempt: 1,
        deadline: local.with(|world| world.now() + timeout.mul_f64(world.lambda.stretch.0)),
    }
}

async fn invoke(local: &Local, id: &str, payload: Value, timeout: Duration) -> Ended {
    let invocation = invocation(local, id, payload, timeout);
    let ended = local.with(|world| local.hub.functions.invoke(world, invocation)).unwrap();
    tokio::time::timeout(Duration::from_secs(20), ended).await.unwrap().unwrap()
}
