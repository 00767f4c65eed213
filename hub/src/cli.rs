//! The command line.

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand, ValueEnum};

use crate::{config, serve};

/// The hub of a Larder cache: a pull-through cache of container images that alone talks to Docker Hub, Mirantis Secure
/// Registry or any other registry.
///
/// Without a configuration it caches Docker Hub in /var/lib/larder, for this machine only.
#[derive(Debug, Parser)]
#[command(name = "larder-hub", version, max_term_width = 110)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the hub
    ///
    /// Every key of the file can be set by an environment variable as well: http.addr by REGISTRY_HTTP_ADDR,
    /// proxy.remoteurl by REGISTRY_PROXY_REMOTEURL, and so on. SIGTERM stops it: running downloads are let finish.
    Serve {
        /// Configuration: a config.yml of CNCF distribution (version 0.1), of its registry:2 and registry:3 images
        /// or of MSR's content cache
        #[arg(long, short, value_name = "FILE", env = FILE_VARIABLE, hide_env_values = true)]
        config: Option<PathBuf>,
        /// Log lines for people ("text") or for machines ("json"), whatever the configuration says
        #[arg(long, value_name = "FORMAT")]
        log_format: Option<LogFormat>,
    },
    /// Look at the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Say whether a file can be used, and what in it deserves a look
    ///
    /// Exits with 0 if the file can be used, with 1 if not. Environment variables count as they do for `serve`.
    Check {
        /// Also list every setting in effect, and where its value comes from
        #[arg(long)]
        explain: bool,
        /// The file; without one, what `serve` would use then
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
}

/// The variable by which distribution's own program is told its file; no key of the configuration.
const FILE_VARIABLE: &str = "REGISTRY_CONFIGURATION_PATH";

/// Runs what was asked for.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "this is where a command answers a person")]
pub(crate) fn run(cli: Cli) -> ExitCode {
    // What is not Unicode names no key of ours.
    let environment = || {
        let variables = std::env::vars_os().filter(|(name, _)| name != FILE_VARIABLE);
        variables.filter_map(|(name, value)| name.into_string().ok().zip(value.into_string().ok()))
    };
    match cli.command {
        Command::Serve { config, log_format } => match config::load(config.as_deref(), environment()) {
            Ok(mut loaded) => {
                match log_format {
                    None => {}
                    Some(LogFormat::Text) => loaded.config.log.formatter = config::Formatter::Text,
                    Some(LogFormat::Json) => loaded.config.log.formatter = config::Formatter::Json,
                }
                match serve::run(loaded) {
                    Ok(()) => ExitCode::SUCCESS,
                    Err(error) => {
                        eprintln!("larder-hub: {error:#}");
                        ExitCode::FAILURE
                    }
                }
            }
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        },
        Command::Config(ConfigCommand::Check { explain, file }) => match config::load(file.as_deref(), environment()) {
            Ok(loaded) => {
                print!("{}", config::check_report(&loaded, explain));
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        },
    }
}
