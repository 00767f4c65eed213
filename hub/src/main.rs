//! `larder-hub`: one per cluster, the only one that talks to the registries.

mod access;
mod checks;
mod cli;
mod config;
mod disk;
mod fleet;
mod front;
mod serve;
mod sweep;
mod upstream;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    larder_identity::tls::install_provider();
    cli::run(cli::Cli::parse())
}
