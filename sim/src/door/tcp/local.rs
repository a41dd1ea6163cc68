//! The embedded AWS on loopback ports, started and ended.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use anyhow::ensure;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::alb::Alb;
use super::clock::Clock;
use super::endpoint::Endpoint;
use super::function::{self, FunctionProcess, Functions, Surroundings};
use super::http::{bind, serve};
use super::hub::Hub;
use super::state::{self, Origin};
use crate::lambda::Stretch;
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
    alb: Arc<Alb>,
    endpoint: SocketAddr,
    alb_address: SocketAddr,
    origin: Origin,
    state_dir: Option<PathBuf>,
    closing: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Local {
    /// Binds the ports, starts the clock and the functions.
    pub async fn start(config: LocalConfig) -> anyhow::Result<Self> {
        Self::start_with(config, |_, _| Ok(())).await
    }

    /// The same, with something to do with the world before its clock and its functions
    /// run: install them, make a cluster. It is told whether the state was there before.
    pub async fn start_with(
        config: LocalConfig,
        prepare: impl FnOnce(&mut World, Origin) -> anyhow::Result<()>,
    ) -> anyhow::Result<Self> {
        ensure!(
            config.speed.is_finite() && config.speed > 0.0,
            "speed {} is not a positive number: 1 is real time",
            config.speed
        );
        let alb_listener = bind(config.alb_port)?;
        let listener = bind(config.port)?;
        let (endpoint, first) = (listener.local_addr()?, alb_listener.local_addr()?);
        let mut settings = config.world;
        settings.registry = format!("localhost:{}", endpoint.port());
        let surroundings = Surroundings {
            endpoint: format!("http://{endpoint}"),
            balancer: format!("http://{first}"),
            region: settings.region.clone(),
            account: settings.account.clone(),
        };
        let functions = Functions::new(config.functions, surroundings, config.speed)?;
        let (mut world, origin) = state::open(settings, config.state_dir.clone()).await?;
        // A process works in real time: at ten times the speed it needs ten times as long.
        world.lambda.stretch = Stretch(config.speed.max(1.0));
        prepare(&mut world, origin)?;
        let clock = Clock::start(world.now(), config.speed);
        let hub = Arc::new(Hub::new(world, clock, functions));
        let (closing, closed) = watch::channel(false);
        let alb = Arc::new(Alb::new(Arc::clone(&hub), first, config.alb_port != 0));
        let pages = Arc::new(Endpoint { hub: Arc::clone(&hub), alb: Arc::clone(&alb), address: endpoint });
        let mut tasks = vec![
            tokio::spawn(Arc::clone(&hub).drive(closed.clone())),
            tokio::spawn(function::supervise(Arc::clone(&hub), closed.clone())),
            tokio::spawn(Arc::clone(&alb).run(alb_listener, closed.clone())),
            tokio::spawn(serve(listener, closed.clone(), move |request, _| {
                Arc::clone(&pages).answer(request)
            })),
        ];
        if let Some(dir) = config.state_dir.clone() {
            tasks.push(tokio::spawn(state::keep(Arc::clone(&hub), dir, closed)));
        }
        Ok(Self {
            hub,
            alb,
            endpoint,
            alb_address: first,
            origin,
            state_dir: config.state_dir,
            closing,
            tasks,
        })
    }

    /// `http://127.0.0.1:<port>`: `AWS_ENDPOINT_URL`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.endpoint)
    }

    /// `localhost:<port>`: the registry in image names.
    pub fn registry(&self) -> String {
        format!("localhost:{}", self.endpoint.port())
    }

    /// Where the load balancer's port 80 (or its lowest) really is.
    pub fn alb_url(&self) -> String {
        format!("http://{}", self.alb_address)
    }

    /// Each listener's port in AWS and where it really is.
    pub fn alb_urls(&self) -> BTreeMap<u16, String> {
        self.alb.addresses().into_iter().map(|(port, at)| (port, format!("http://{at}"))).collect()
    }

    /// Whether the state was there before.
    pub fn origin(&self) -> Origin {
        self.origin
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
        match self.state_dir {
            Some(dir) => state::save(self.hub, dir).await,
            None => Ok(()),
        }
    }
}

/// Resolves at the first SIGINT or SIGTERM: the time to call [`Local::shutdown`].
pub async fn told_to_end() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}
