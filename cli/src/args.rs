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
#[command(next_help_heading = "Which Windlass")]
pub(crate) struct Global {
    /// AWS profile; without it the environment counts, as everywhere
    #[arg(long, global = true)]
    pub(crate) profile: Option<String>,
    /// AWS Region
    #[arg(long, global = true)]
    pub(crate) region: Option<String>,
    /// CloudFormation stack of Windlass [env: WINDLASS_STACK] [default: the one that the Region has]
    #[arg(long, global = true, value_name = "NAME", conflicts_with = "table")]
    pub(crate) stack: Option<String>,
    /// The stack's table, its output `Table`: all other settings are then the environment's [env: WINDLASS_TABLE]
    #[arg(long, global = true)]
    pub(crate) table: Option<String>,
    /// Cluster of services that are named without one [default: the stack's first]
    #[arg(long, global = true)]
    pub(crate) cluster: Option<String>,
}

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
    /// Show what the function would do now, and why: the very plan that it would apply
    Plan {
        /// `cluster/service`, or `service`; all that Windlass knows where none is named
        #[arg(value_name = "SERVICE")]
        services: Vec<String>,
        /// Exit with 2 if something is pending
        #[arg(long)]
        check: bool,
    },
    /// Write spec files to Parameter Store; the change rings the function
    Apply {
        /// Spec files (YAML or JSON); `-` reads stdin
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Show every service: its image, its state, its tasks
    Status {
        /// These services only
        #[arg(value_name = "SERVICE")]
        services: Vec<String>,
    },
    /// Show what passes did to a service, or with --cluster alone to a cluster's capacity, newest first
    History {
        /// `cluster/service`, or `service`
        #[arg(required_unless_present_any = ["cluster", "instance"])]
        service: Option<String>,
        /// What was done to an instance that left: EC2's id
        #[arg(long, conflicts_with = "service")]
        instance: Option<String>,
        /// How many passes
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// Say why a service deployed, waits, or failed
    Explain {
        /// `cluster/service`, or `service`
        service: String,
    },
    /// Ring a doorbell by hand: a service's, or with --cluster alone a cluster's; the function looks at it now
    Ring {
        /// `cluster/service`, or `service`
        #[arg(required_unless_present = "cluster")]
        service: Option<String>,
        /// Why; kept in the history
        #[arg(long, required_if_eq("force", "true"))]
        reason: Option<String>,
        /// The next rollout begun within an hour passes by stops, freeze windows and ringing
        /// alarms; who and why stands in the release
        #[arg(long)]
        force: bool,
    },
    /// Show clusters' instances and what is on them; what waits, what would come or go, and why
    Capacity {
        /// Clusters by their short names [default: the stack's]
        #[arg(value_name = "CLUSTER")]
        clusters: Vec<String>,
    },
    /// Set a service's number of tasks, within the limits of its `scaling`; the instances follow
    Scale {
        /// `cluster/service`, or `service`
        service: String,
        /// How many tasks
        tasks: u32,
        /// Why; kept in the history
        #[arg(long)]
        reason: String,
    },
    /// Empty an instance: its tasks move to others, and nothing starts on it
    Drain {
        /// EC2's id (or its beginning), or ECS's ARN (or its end)
        instance: String,
        /// Terminate it once it is empty; its group brings another one
        #[arg(long, conflicts_with = "undo")]
        replace: bool,
        /// Let it take tasks again
        #[arg(long)]
        undo: bool,
        /// Why; kept in the history
        #[arg(long)]
        reason: String,
    },
    /// Replace all instances of a cluster, a few at a time: for a new AMI or launch template
    Rotate {
        /// The cluster's short name [default: the stack's first]
        #[arg(value_name = "CLUSTER")]
        name: Option<String>,
        /// Why; kept in the history
        #[arg(long)]
        reason: String,
    },
    /// Hold a service: nothing is rolled out until `resume`
    Hold {
        /// `cluster/service`, or `service`
        service: String,
        /// Why; everybody sees it in status, plan and explain
        #[arg(long)]
        reason: String,
    },
    /// End a hold
    Resume {
        /// `cluster/service`, or `service`
        service: String,
        /// Why; kept in the history
        #[arg(long)]
        reason: Option<String>,
    },
    /// Stop the line: no rollout begins, everywhere or in one cluster, until `start`
    Stop {
        /// Every service of every cluster; else name one with --cluster
        #[arg(long)]
        everywhere: bool,
        /// Why; everybody sees it in status, plan and explain
        #[arg(long)]
        reason: String,
    },
    /// End a stop
    Start {
        /// Every service of every cluster; else name one with --cluster
        #[arg(long)]
        everywhere: bool,
    },
    /// End a digest's quarantine: it may be deployed again
    Release {
        /// `cluster/service`, or `service`
        service: String,
        /// The digest, or enough of its first digits
        digest: String,
    },
    /// Go back to what ran before, now: it holds until something newer than what it leaves is pushed
    Rollback {
        /// `cluster/service`, or `service`
        service: String,
        /// `previous`, a digest (or its beginning), or a revision: `family:7`
        #[arg(long, default_value = "previous", value_name = "TARGET")]
        to: String,
        /// Why; everybody sees it in status, explain and history
        #[arg(long)]
        reason: String,
    },
    /// Say yes to what waits for a person
    Approve {
        /// `cluster/service`, or `service`
        service: String,
        /// Why; kept in the history
        #[arg(long)]
        reason: Option<String>,
    },
    /// Say no to what waits for a person
    Reject {
        /// `cluster/service`, or `service`
        service: String,
        /// Why; kept in the history
        #[arg(long)]
        reason: Option<String>,
    },
    /// List the images that a registry must keep: live, rolling out, or to go back to
    Images {
        /// These services only
        #[arg(value_name = "SERVICE")]
        services: Vec<String>,
        /// Those in use (the only list there is)
        #[arg(long, required = true)]
        in_use: bool,
    },
    /// Take away a service that nobody wants any more: its spec, rules, ECS service, target groups.
    /// Only what Windlass made; without --yes it only shows what would go
    Retire {
        /// `cluster/service`, or `service`
        service: String,
        /// Do it
        #[arg(long)]
        yes: bool,
    },
    /// Print a spec for a service that is there already: of what runs, or of ecspresso's configuration
    Import {
        /// `cluster/service`, or `service`
        #[arg(required_unless_present = "ecspresso")]
        service: Option<String>,
        /// ecspresso's configuration, in the service's place
        #[arg(long, value_name = "FILE", conflicts_with = "service")]
        ecspresso: Option<PathBuf>,
        /// The container to track, where several run images of ECR
        #[arg(long, value_name = "NAME")]
        container: Option<String>,
    },
    /// Show all of it: two applications on two instances, pushes under traffic, a broken release
    Demo(Demo),
    /// Replay load traces on the embedded AWS, and compare how instances follow: Windlass's scale
    /// function, and ECS's managed scaling as AWS documents it. Virtual time: a day takes seconds
    Simulate(Simulate),
    /// Run the embedded AWS with Windlass in it, until Ctrl-C; prints what to export
    Local(Local),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Demo {
    /// Virtual seconds in a real one
    #[arg(long, default_value_t = 10.0, value_name = "N")]
    pub(crate) speed: f64,
    /// Leave it running for curl and the AWS CLI, and print how
    #[arg(long)]
    pub(crate) keep: bool,
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

#[derive(Debug, clap::Args)]
pub(crate) struct Simulate {
    /// Traces (YAML); those of the repository are in benches/traces
    #[arg(required = true, value_name = "TRACE")]
    pub(crate) traces: Vec<PathBuf>,
    /// Who looks after the instances
    #[arg(long, value_enum, default_value_t = Policies::Both)]
    pub(crate) policy: Policies,
    /// Seeds latencies and launch times; the same seed gives the same numbers
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Draw each trace into this directory
    #[arg(long, value_name = "DIR")]
    pub(crate) svg: Option<PathBuf>,
    /// Put the table of both policies between this file's markers
    #[arg(long, value_name = "FILE", hide = true)]
    pub(crate) docs: Option<PathBuf>,
}

/// Who looks after the instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Policies {
    /// Windlass's scale function
    Windlass,
    /// ECS's managed scaling
    Ecs,
    /// One after the other
    Both,
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
    Schema {
        /// Of whose spec
        #[arg(value_enum, default_value_t = SpecOf::Service)]
        of: SpecOf,
    },
}

/// Whose spec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum SpecOf {
    /// A service's
    Service,
    /// A cluster's: freeze windows, capacity
    Cluster,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Args::command().debug_assert();
    }
}
