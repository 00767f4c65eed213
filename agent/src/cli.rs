//! The command line.

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

use crate::{
    config::{Options, Settings},
    dockerd, restore, run, status,
};

/// The agent of a Larder cache: one per node. It is a registry mirror on loopback, points the node's Docker engine at
/// itself, serves hot layers from local disk, and fetches the rest from the hub.
#[derive(Debug, Parser)]
#[command(name = "larder-agent", version, max_term_width = 110)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the agent
    ///
    /// Each option can also be given by the environment variable named beside it, or by its name as a key of the YAML
    /// file --config. An option wins over a variable, a variable over the file. SIGTERM stops the agent: running
    /// downloads are let finish, the engine's configuration and the cache stay.
    Run(#[command(flatten)] Arguments),
    /// Take Larder out of the engine's configuration
    ///
    /// Leaves daemon.json as it was before, and the engine without the mirror now. Works beside a running agent, which
    /// then leaves the engine alone until it is started again, and without one.
    Restore(#[command(flatten)] Arguments),
    /// Show how this node stands
    ///
    /// Asks the running agent: engine and configuration, hub, cache, alarms. Exit code 0: nothing is wrong; 1: there are
    /// alarms; 2: the agent could not be asked.
    Status {
        /// For programs
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        arguments: Arguments,
    },
    /// What an agent in a container has done by a container that sees the host's processes
    #[command(hide = true)]
    Dockerd(#[command(flatten)] dockerd::Arguments),
}

#[derive(Debug, Args)]
struct Arguments {
    /// YAML file with any of these options as keys
    #[arg(long, value_name = "FILE", env = "LARDER_CONFIG", hide_env_values = true)]
    config: Option<PathBuf>,
    #[command(flatten)]
    options: Options,
}

/// Runs what was asked for.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "this is where a command answers a person")]
pub(crate) fn run(cli: Cli) -> ExitCode {
    let outcome = match cli.command {
        Command::Status { json, arguments } => {
            return match settings(arguments).and_then(|settings| status::run(&settings, json)) {
                Ok(shown) => {
                    println!("{}", shown.text);
                    if shown.is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
                }
                Err(error) => {
                    eprintln!("larder-agent: {error:#}");
                    ExitCode::from(2)
                }
            };
        }
        Command::Run(arguments) => settings(arguments).and_then(run::run),
        Command::Dockerd(arguments) => dockerd::run(&arguments).map(|said| println!("{said}")),
        Command::Restore(arguments) => {
            settings(arguments).and_then(|settings| restore::run(&settings)).map(|said| println!("{said}"))
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("larder-agent: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn settings(arguments: Arguments) -> anyhow::Result<Settings> {
    let file = arguments.config.as_deref().map(Options::read).transpose()?.unwrap_or_default();
    Settings::new(arguments.options.or(file))
}
