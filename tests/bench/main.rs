//! Measures Larder beside its rivals, and any server of plain HTTP: `make bench`, `larder-bench --help`.

#![allow(
    clippy::disallowed_methods,
    missing_docs,
    reason = "a program, not a library; the files of a rig need not outlive a crash"
)]

mod cases;
mod cli;
mod corpus;
mod interrupt;
mod load;
mod measure;
mod plan;
mod report;
mod servers;
mod stage;
mod units;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::main() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            cli::complain(&format!("larder-bench: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
