//! The `windlass` command: words, colours and exit codes.
//!
//! | room | holds |
//! |---|---|
//! | `account` | the stack in an AWS account, by the usual variables and profiles |
//! | `stack` | which stack is meant, and what it says of itself |
//! | `args` | what can be typed |
//! | `exit` | the exit codes, a contract |
//! | `failure` | an error and its hint |
//! | `output` | data to stdout, talk to stderr, colours where they are wanted |
//! | `table` `words` | columns, times, images as people read them |
//! | `commands` | one file for each command |
//! | `demo` | the README's main command: a story told while it happens |
//! | `ready` | the embedded AWS with a cluster, a load balancer and the stack in it |
//! | `simulate` | load traces on the embedded AWS, the scale function beside ECS's own managed scaling |
//!
//! It decides nothing: decisions are `windlass-shared`'s, calls `windlass-aws`'s, the
//! embedded AWS `windlass-sim`'s.

mod account;
mod args;
mod commands;
mod demo;
mod exit;
mod failure;
mod output;
mod ready;
mod simulate;
mod stack;
mod table;
mod words;

use clap::Parser as _;

use args::Args;
use exit::Exit;
use output::Output;

fn main() -> std::process::ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(refusal) => return usage(&refusal).into(),
    };
    let output = Output { json: args.json };
    let exit = match commands::run(args.command, &args.global, output) {
        Ok(exit) => exit,
        Err(failure) => {
            output.failure(&failure);
            Exit::Failed
        }
    };
    exit.into()
}

/// clap's own words, with our exit code: its 2 is `plan --check`'s "something is pending".
fn usage(refusal: &clap::Error) -> Exit {
    // Nothing can be said about a terminal that takes no words.
    let _ = refusal.print();
    if refusal.use_stderr() { Exit::Usage } else { Exit::Ok }
}
