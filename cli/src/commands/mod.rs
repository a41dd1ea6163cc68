//! One file for each command.

mod event;
mod files;
mod local;
mod spec;

use crate::args::{Command, Global, Spec};
use crate::exit::Exit;
use crate::failure::Result;
use crate::output::Output;

/// Runs the command.
pub(crate) fn run(command: Command, _global: &Global, output: Output) -> Result<Exit> {
    match command {
        Command::Spec(Spec::Check { files }) => spec::check(&files, output),
        Command::Spec(Spec::Schema) => spec::schema(output),
        Command::Event { files } => event::event(&files, output),
        Command::Local(args) => local::local(args, output),
    }
}
