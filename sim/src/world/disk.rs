//! The world to a directory and back.
//!
//! | file | holds |
//! |---|---|
//! | `world.json` | the clock, the timers, every service's state |
//! | `dynamodb.sqlite` | the tables |
//! | `ecr/` | the registry, with its blobs |
//!
//! What is not kept: the log of calls, API rates' buckets, faults (a test's handles), and
//! uploads under way. Invocations that were running fail at their deadline and are tried
//! again, as if the machine under them had died.

use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Config, Timer, World};
use crate::time::Time;

/// Raised when an older state cannot be read any more.
const FORMAT: u32 = 1;

/// `world.json`.
#[derive(Deserialize)]
struct Saved {
    format: u32,
    config: Config,
    now: Time,
    sequence: u64,
    rng: rand_chacha::ChaCha8Rng,
    timers: Vec<Timer>,
    ecs: crate::ecs::Ecs,
    elb: crate::elb::Elb,
    ssm: crate::ssm::Ssm,
    bus: crate::bus::Bus,
    lambda: crate::lambda::Lambda,
    #[serde(default)] // a state from before there was one
    cloudwatch: crate::cloudwatch::CloudWatch,
    #[serde(default)]
    load: crate::load::Load,
    #[serde(default)] // as above
    ec2: crate::ec2::Ec2,
    #[serde(default)] // as above
    autoscaling: crate::autoscaling::AutoScaling,
    #[serde(default)]
    scalable: crate::scalable::Scalable,
}

/// The same, borrowed.
#[derive(Serialize)]
struct Saving<'a> {
    format: u32,
    config: &'a Config,
    now: Time,
    sequence: u64,
    rng: &'a rand_chacha::ChaCha8Rng,
    timers: Vec<&'a Timer>,
    ecs: &'a crate::ecs::Ecs,
    elb: &'a crate::elb::Elb,
    ssm: &'a crate::ssm::Ssm,
    bus: &'a crate::bus::Bus,
    lambda: &'a crate::lambda::Lambda,
    cloudwatch: &'a crate::cloudwatch::CloudWatch,
    load: &'a crate::load::Load,
    ec2: &'a crate::ec2::Ec2,
    autoscaling: &'a crate::autoscaling::AutoScaling,
    scalable: &'a crate::scalable::Scalable,
}

impl World {
    /// The whole state as JSON, the registry's blobs and the tables' items aside: for
    /// reading, and for a file.
    pub fn dump(&self) -> serde_json::Result<Value> {
        let mut dump = serde_json::to_value(self.saving())?;
        dump["ecr"] = serde_json::to_value(&self.ecr)?;
        dump["effects"] = json!(self.effects.len());
        Ok(dump)
    }

    /// Writes the state into `dir`, each file in one step: a crash leaves the old or the
    /// new one.
    pub fn save(&self, dir: &Path) -> anyhow::Result<()> {
        fs::create_dir_all(dir).with_context(|| format!("creating {}", dir.display()))?;
        self.ecr.save(&dir.join("ecr"))?;
        let tables = dir.join("dynamodb.sqlite");
        let partial = tables.with_extension("partial");
        let _ = fs::remove_file(&partial); // a crash's leftover; that there is none is no error
        self.dynamo.save(&partial)?;
        replace(&partial, &tables)?;
        let path = dir.join("world.json");
        let partial = path.with_extension("partial");
        fs::write(&partial, serde_json::to_vec(&self.saving())?)
            .with_context(|| format!("writing {}", partial.display()))?;
        replace(&partial, &path)
    }

    /// Reads what [`World::save`] wrote; `None` where there is nothing yet. Of `config`
    /// only the registry's address counts, which is this process's own. The containers
    /// that run are put into [`World::effects`].
    pub fn load(config: &Config, dir: &Path) -> anyhow::Result<Option<Self>> {
        let path = dir.join("world.json");
        if !path.exists() {
            return Ok(None);
        }
        let text = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        let saved: Saved = serde_json::from_slice(&text).with_context(|| {
            format!("reading {}: move {} away to begin anew", path.display(), dir.display())
        })?;
        ensure!(
            saved.format == FORMAT,
            "{} has the format {}, and this program reads {FORMAT}: move {} away to begin anew",
            path.display(),
            saved.format,
            dir.display()
        );
        let mut world = Self::new(Config { registry: config.registry.clone(), ..saved.config.clone() });
        world.fill(saved);
        world.ecr = crate::ecr::Ecr::load(&dir.join("ecr"))?;
        world.dynamo.restore(&dir.join("dynamodb.sqlite"))?;
        crate::ecs::restart(&mut world);
        Ok(Some(world))
    }

    fn fill(&mut self, saved: Saved) {
        let Saved {
            format: _,
            config: _,
            now,
            sequence,
            rng,
            timers,
            ecs,
            elb,
            ssm,
            bus,
            lambda,
            cloudwatch,
            load,
            ec2,
            autoscaling,
            scalable,
        } = saved;
        (self.now, self.sequence, self.rng) = (now, sequence, rng);
        self.timers = timers.into_iter().map(std::cmp::Reverse).collect();
        (self.ecs, self.elb, self.ssm, self.bus) = (ecs, elb, ssm, bus);
        for function in lambda.functions().cloned().collect::<Vec<_>>() {
            crate::lambda::install(self, function); // so that the gate knows its role
        }
        (self.lambda, self.cloudwatch, self.load) = (lambda, cloudwatch, load);
        (self.ec2, self.autoscaling) = (ec2, autoscaling);
        self.scalable = scalable;
    }

    fn saving(&self) -> Saving<'_> {
        let mut timers: Vec<&Timer> = self.timers.iter().map(|timer| &timer.0).collect();
        timers.sort();
        Saving {
            format: FORMAT,
            config: &self.config,
            now: self.now,
            sequence: self.sequence,
            rng: &self.rng,
            timers,
            ecs: &self.ecs,
            elb: &self.elb,
            ssm: &self.ssm,
            bus: &self.bus,
            lambda: &self.lambda,
            cloudwatch: &self.cloudwatch,
            load: &self.load,
            ec2: &self.ec2,
            autoscaling: &self.autoscaling,
            scalable: &self.scalable,
        }
    }
}

fn replace(partial: &Path, path: &Path) -> anyhow::Result<()> {
    fs::rename(partial, path).with_context(|| format!("replacing {}", path.display()))
}
