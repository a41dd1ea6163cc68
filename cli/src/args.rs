//! What can be typed.

use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Parser, Subcommand};

use crate::exit;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// Push an image and it is live, nobody interrupted.
#[derive(Debug, Parser)]
#[command(name = "windlass", version, styles = STYLES, after_help = exit::HELP, max_term_width = 100)]
pub(crate) struct Args {
    /// Print data as one JSON document
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Where Windlass is. The usual AWS variables and profiles say which account.
#[derive(Debug, clap::Args)]
pub(crate) struct Global {}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check spec files, or print the JSON Schema of one
    #[command(subcommand)]
    Spec(Spec),
    /// Read events as the functions would: what each is, what it rings, or why it is refused
    Event {
        /// Files of one event each, as EventBridge delivers it; `-` reads stdin
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Run the embedded AWS with Windlass in it, until Ctrl-C; prints what to export
    Local(Local),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Local {
    /// Port of every AWS API and of the registry; 0 takes a free one
    #[arg(long, default_value_t = 4566)]
    pub(crate) port: u16,
    /// Port that stands for the load balancer's port 80; 0 takes a free one
    #[arg(long, default_value_t = 8080)]
    pub(crate) alb_port: u16,
    /// Virtual seconds in a real one
    #[arg(long, default_value_t = 1.0, value_name = "N")]
    pub(crate) speed: f64,
    /// Keep the state in this directory, and come back as it was
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Spec {
    /// Check spec files (YAML or JSON): everything that is wrong, each with its line
    Check {
        /// Spec files; `-` reads stdin
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Print the JSON Schema of a spec
    Schema,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Args::command().debug_assert();
    }
}
