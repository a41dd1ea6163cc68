//! `windlass simulate`: load traces on the embedded AWS, under two policies.
//!
//! | file | holds |
//! |---|---|
//! | [`trace`] | the format of a trace |
//! | `account` | the account that it is replayed in, the same for both policies |
//! | `function` | the scale function in this process, as it is deployed |
//! | [`replay`] | one trace under one policy |
//! | [`measure`] | what is summed up on the way |
//! | [`report`] | tables and ratios |
//! | [`plot`] | pictures |
//!
//! `windlass` is the real function over the real SDK clients; `ecs` is the simulator's implementation of the
//! documented algorithm. Nothing here decides how either scales.

mod account;
mod function;
mod measure;
mod plot;
mod replay;
mod report;
mod svg;
mod trace;

use std::fmt;
use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;

use crate::args::{Policies, Simulate};
use crate::exit::Exit;
use crate::failure::{HintExt as _, Result};
use crate::output::{Output, talk};
use replay::Run;
use trace::Trace;

/// Who looks after the instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Policy {
    /// Windlass's scale function.
    Windlass,
    /// ECS's managed scaling, target capacity 100.
    Ecs,
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Windlass => "windlass",
            Self::Ecs => "ecs",
        })
    }
}

impl Policies {
    fn list(self) -> &'static [Policy] {
        match self {
            Self::Windlass => &[Policy::Windlass],
            Self::Ecs => &[Policy::Ecs],
            Self::Both => &[Policy::Windlass, Policy::Ecs],
        }
    }
}

/// A trace and what each policy made of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Outcome {
    pub(crate) trace: String,
    pub(crate) about: String,
    pub(crate) hours: u32,
    pub(crate) runs: Vec<Run>,
}

impl Outcome {
    pub(crate) fn of(&self, policy: Policy) -> Option<&Run> {
        self.runs.iter().find(|run| run.policy == policy)
    }
}

/// Runs the command.
pub(crate) fn simulate(args: &Simulate, output: Output) -> Result<Exit> {
    let mut outcomes = Vec::new();
    for path in &args.traces {
        let outcome = outcome(path, args.policy.list(), args.seed)?;
        if let Some(dir) = &args.svg {
            std::fs::create_dir_all(dir).with_context(|| format!("making {}", dir.display()))?;
            let file = dir.join(format!("capacity-{}.svg", outcome.trace));
            std::fs::write(&file, plot::draw(&outcome))
                .with_context(|| format!("writing {}", file.display()))?;
        }
        outcomes.push(outcome);
    }
    output.data(&outcomes, || report::text(&outcomes))?;
    if let Some(file) = &args.docs {
        let text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        let text = report::into_docs(&text, &outcomes).context("this file has no markers for the table")?;
        std::fs::write(file, text).with_context(|| format!("writing {}", file.display()))?;
    }
    Ok(Exit::Ok)
}

fn outcome(path: &Path, policies: &[Policy], seed: u64) -> Result<Outcome> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("reading {}", path.display()))
        .hint("a trace is a YAML file; those of the repository are in benches/traces")?;
    let trace = Trace::parse(&text)
        .with_context(|| format!("{} is no trace", path.display()))
        .hint("docs/capacity.md shows the format")?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let mut runs = Vec::new();
    for policy in policies {
        talk(format!("{name}: {} hours with {policy}", trace.hours));
        runs.push(replay::replay(&trace, *policy, seed)?);
    }
    let about = trace.about.split_whitespace().collect::<Vec<_>>().join(" ");
    Ok(Outcome { trace: name, about, hours: trace.hours, runs })
}
