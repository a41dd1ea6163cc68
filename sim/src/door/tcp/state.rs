//! The world on disk: read at the start, written every few seconds and at the end.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::watch;

use super::hub::Hub;
use super::lock;
use crate::world::{Config, World};

/// How often the state is written. What happened since is lost where the process is killed.
const EVERY: Duration = Duration::from_secs(3);

/// Where a world came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// It is empty.
    New,
    /// It came back as it was.
    Restored,
}

/// The state in `dir`, or a new world.
pub(super) async fn open(config: Config, dir: Option<PathBuf>) -> anyhow::Result<(World, Origin)> {
    let Some(dir) = dir else { return Ok((World::new(config), Origin::New)) };
    let opened = tokio::task::spawn_blocking(move || {
        Ok(match World::load(&config, &dir)? {
            Some(world) => (world, Origin::Restored),
            None => (World::new(config), Origin::New),
        })
    });
    opened.await.context("reading the state")?
}

/// Writes the state every few seconds until `closing`.
pub(super) async fn keep(hub: Arc<Hub>, dir: PathBuf, mut closing: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            _ = closing.wait_for(|closing| *closing) => return, // the last save is the caller's
        }
        if let Err(error) = save(Arc::clone(&hub), dir.clone()).await {
            tracing::error!("saving the state: {error:#}");
        }
    }
}

/// Writes the state now, on a thread of its own: files are written under the world's
/// lock, so that they are of one moment.
pub(super) async fn save(hub: Arc<Hub>, dir: PathBuf) -> anyhow::Result<()> {
    tokio::task::spawn_blocking(move || lock(&hub.world).save(&dir)).await.context("saving the state")?
}
