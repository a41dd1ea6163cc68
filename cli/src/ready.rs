//! The embedded AWS, ready: a cluster on an Auto Scaling group of two instances, a load balancer with a listener,
//! the stack of `template.yaml`, and the functions' real binaries.
//!
//! What `windlass local` and `windlass demo` both stand on. It knows how an account is set
//! up before Windlass comes to it, and nothing of what Windlass does then.

mod binary;
mod world;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use serde_json::Value;
use windlass_sim::door::tcp::{FunctionProcess, Local, LocalConfig};
use windlass_sim::{Config, ServiceId, Time};

use crate::failure::Result;

pub(crate) use world::{CLUSTER, GROUP, call};

/// What it is started with.
#[derive(Debug, Clone)]
pub(crate) struct Start {
    /// The port of every AWS API and of the registry; 0 takes a free one.
    pub(crate) port: u16,
    /// The load balancer's port; 0 takes a free one.
    pub(crate) alb_port: u16,
    /// Virtual seconds in a real one.
    pub(crate) speed: f64,
    /// Where the state is kept.
    pub(crate) state: Option<PathBuf>,
}

/// A running embedded AWS with the stack in it.
pub(crate) struct Ready {
    /// The AWS.
    pub(crate) local: Local,
    /// The deploy function's name.
    pub(crate) function: String,
    /// The scale function's name.
    scale: String,
}

impl Ready {
    /// Starts it.
    pub(crate) async fn start(start: Start) -> Result<Self> {
        let world = Config { start: before(), ..Config::default() };
        let function = world::function_name(&world, world::DEPLOY)?;
        let verify = world::function_name(&world, world::VERIFY)?;
        let scale = world::function_name(&world, world::SCALE)?;
        let drain = world::function_name(&world, world::DRAIN)?;
        let config = LocalConfig {
            port: start.port,
            alb_port: start.alb_port,
            speed: start.speed,
            state_dir: start.state,
            functions: vec![
                FunctionProcess::new(&function, binary::of("deploy")?),
                FunctionProcess::new(verify, binary::of("verify")?),
                FunctionProcess::new(&scale, binary::of("scale")?),
                FunctionProcess::new(drain, binary::of("drain")?),
            ],
            world,
        };
        let local = Local::start_with(config, world::prepare).await.context("starting the embedded AWS")?;
        Ok(Self { local, function, scale })
    }

    /// One AWS call, as a person's.
    pub(crate) fn call(&self, service: ServiceId, operation: &str, input: Value) -> Result<Value> {
        Ok(self.local.with(|world| world::call(world, service, operation, input))?)
    }

    /// What a shell, an SDK and the `windlass` command need to find it.
    pub(crate) fn variables(&self) -> BTreeMap<String, String> {
        let (region, stack) = self.local.with(|world| {
            // Of each function what a person needs, too: the scale function has the prices.
            let environment = |name: &str| world.lambda.function(name).map(|it| it.environment.clone());
            let all = [&self.function, &self.scale].into_iter().filter_map(|name| environment(name));
            (world.config.region.clone(), all.flatten().collect::<BTreeMap<_, _>>())
        });
        let ours = stack.into_iter().filter(|(name, value)| is_for_people(name) && !value.is_empty());
        let mut variables: BTreeMap<String, String> = ours.collect();
        for (name, value) in [
            ("AWS_ENDPOINT_URL", self.local.endpoint()),
            ("AWS_REGION", region.clone()),
            ("AWS_DEFAULT_REGION", region),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
            ("WINDLASS_CLOCK", self.local.clock().env()),
            ("WINDLASS_ALB_ENDPOINT", self.local.alb_url()),
        ] {
            variables.insert(name.to_owned(), value);
        }
        variables
    }
}

/// A function's own timeout is not a person's.
fn is_for_people(name: &str) -> bool {
    name.starts_with("WINDLASS_") && name != "WINDLASS_TIMEOUT_SECS"
}

/// The world is made so long ago that its clock then starts at the real time: its dates read as today's.
fn before() -> Time {
    let since =
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().saturating_sub(world::BEFORE);
    Time(u64::try_from(since.as_millis()).unwrap_or(0))
}
