//! The configuration from text to types, and the words a person gets.

mod env;
mod examples;
mod faults;
mod files;
mod properties;
mod report;
mod secrets;
mod table;
mod values;

use super::source::Source;
use super::{ConfigError, Loaded, assemble};

/// What every good file has; tests add to it.
const MINIMAL: &str = "version: 0.1\nproxy:\n  remoteurl: https://registry.example.com\n";

fn load(text: &str, env: &[(&str, &str)]) -> Result<Loaded, ConfigError> {
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    assemble(&Source::of("config.yml", text), env)
}

/// Loads `MINIMAL` and `more`.
fn with(more: &str) -> Result<Loaded, ConfigError> {
    load(&format!("{MINIMAL}{more}"), &[])
}

fn without_file(env: &[(&str, &str)]) -> Result<Loaded, ConfigError> {
    super::load(None, env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

/// The report about a configuration that must not load.
fn fault(text: &str) -> String {
    load(text, &[]).map(|_| ()).unwrap_err().to_string()
}

fn warnings(loaded: &Loaded) -> Vec<String> {
    loaded.warnings.iter().map(ToString::to_string).collect()
}
