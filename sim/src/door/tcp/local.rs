//! The embedded AWS on loopback ports, started and ended.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use anyhow::ensure;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::clock::Clock;
use super::endpoint::Endpoint;
use super::function::{self, FunctionProcess, Functions, Surroundings};
use super::http::{bind, serve};
use super::hub::Hub;
use crate::world::{Config, World};

/// What a local AWS is started with.
#[derive(Debug, Clone)]
pub struct LocalConfig {
    /// The port of every AWS API and of the registry; 0 takes a free one.
    pub port: u16,
    /// The port that stands for the load balancer's port 80; 0 takes a free one.
    pub alb_port: u16,
    /// Virtual seconds in a real one.
    pub speed: f64,
    /// Where the state is kept; nowhere by default.
    pub state_dir: Option<PathBuf>,
    /// The functions.
    pub functions: Vec<FunctionProcess>,
    /// The world. Its `registry` is set to this endpoint's `localhost:<port>`.
    pub world: Config,
}

impl Default for LocalConfig {
    fn default() -> Self {
        Self {
            port: 4566,
            alb_port: 8080,
            speed: 1.0,
            state_dir: None,
            functions: Vec::new(),
            world: Config::default(),
        }
    }
}

/// A running local AWS. End it with [`Local::shutdown`]; dropped, its tasks go on until
/// the runtime ends.
pub struct Local {
    pub(super) hub: Arc<Hub>,
    endpoint: SocketAddr,
    closing: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Local {
    /// Binds the ports, starts the clock and the functions.
    pub async fn start(config: LocalConfig) -> anyhow::Result<Self> {
        ensure!(
            config.speed.is_finite() && config.speed > 0.0,
            "speed {} is not a positive number: 1 is real time",
            config.speed
        );
        let listener = bind(config.port)?;
        let endpoint = listener.local_addr()?;
        let mut settings = config.world;
        settings.registry = format!("localhost:{}", endpoint.port());
        let surroundings = Surroundings {
            endpoint: format!("http://{endpoint}"),
            region: settings.region.clone(),
            account: settings.account.clone(),
        };
        let world = World::new(settings);
        let clock = Clock::start(world.now(), config.speed);
        let hub = Arc::new(Hub::new(world, clock, Functions::new(config.functions, surroundings)?));
        let (closing, closed) = watch::channel(false);
        let pages = Arc::new(Endpoint { hub: Arc::clone(&hub), address: endpoint });
        let tasks = vec![
            tokio::spawn(Arc::clone(&hub).drive(closed.clone())),
            tokio::spawn(function::supervise(Arc::clone(&hub), closed.clone())),
            tokio::spawn(serve(listener, closed, move |request, _| Arc::clone(&pages).answer(request))),
        ];
        Ok(Self { hub, endpoint, closing, tasks })
    }

    /// `http://127.0.0.1:<port>`: `AWS_ENDPOINT_URL`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.endpoint)
    }

    /// `localhost:<port>`: the registry in image names.
    pub fn registry(&self) -> String {
        format!("localhost:{}", self.endpoint.port())
    }

    /// The world itself. Prefer [`Local::with`], which lets time go on first and carries
    /// out the effects at once.
    pub fn world(&self) -> Arc<Mutex<World>> {
        Arc::clone(&self.hub.world)
    }

    /// Does something with the world as it is now.
    pub fn with<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        self.hub.with(act)
    }

    /// The clock that drives the world.
    pub fn clock(&self) -> &Clock {
        &self.hub.clock
    }

    /// The last lines that a function's processes wrote.
    pub fn function_log(&self, name: &str) -> Vec<String> {
        self.hub.functions.log(name)
    }

    /// The process ids of a function's instances.
    pub fn function_pids(&self, name: &str) -> Vec<u32> {
        self.hub.functions.pids(name)
    }

    /// Kills one instance of a function. Returns whether there was one.
    pub fn kill_function(&self, name: &str, pid: u32) -> bool {
        self.hub.functions.kill(name, pid)
    }

    /// Ends gracefully: the functions' processes are killed and waited for, open requests
    /// have a moment to finish, the state is saved.
    pub async fn shutdown(self) -> anyhow::Result<()> {
        self.closing.send_replace(true);
        for task in self.tasks {
            task.await?;
        }
        self.hub.containers.stop_all();
        Ok(())
    }
}
