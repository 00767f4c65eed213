//! `larder-agent dockerd`: what the agent's helper container does (see `engine/helper`).

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use crate::{config, runtime::reload::Reloader};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// What to do
    #[arg(value_enum)]
    what: What,
    /// The engine's socket
    #[arg(long, value_name = "URL")]
    docker_host: String,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum What {
    /// Tell how dockerd was started
    Look,
    /// Send it SIGHUP
    HangUp,
}

/// Does it, and gives what is to be said.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<String> {
    let socket = config::socket(&arguments.docker_host)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
    let dockerd = runtime.block_on(Reloader::new(socket).find())?;
    match arguments.what {
        What::Look => {
            let seen = dockerd.seen().context("the command line of dockerd cannot be read")?;
            Ok(serde_json::to_string(&seen)?)
        }
        What::HangUp => {
            dockerd.hang_up()?;
            Ok(format!("sent SIGHUP to {dockerd}"))
        }
    }
}
