//! `larder-agent`: one per node, a registry mirror on loopback and the keeper of the node's Docker engine.

mod admin;
mod cli;
mod config;
mod disk;
mod dockerd;
mod engine;
mod facts;
mod hub;
mod keeper;
mod mirror;
mod mounts;
mod restore;
mod run;
mod runtime;
mod status;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    larder_identity::tls::install_provider();
    cli::run(cli::Cli::parse())
}
