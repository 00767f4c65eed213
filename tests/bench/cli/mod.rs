//! The command line.

mod by_hand;
mod run;

use std::io::Write as _;

use anyhow::Result;
use clap::{Parser, Subcommand};

use by_hand::{Blob, Get};
use run::Run;

/// Measures how fast a registry serves.
#[derive(Parser)]
#[command(name = "larder-bench", disable_help_subcommand = true)]
struct Line {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Starts Larder and its rivals, measures all of them side by side, and writes a page. Needs root.
    Run(Run),
    /// Downloads one large body with many clients; the kernel drops the bytes.
    Blob(Blob),
    /// Asks for small things over many connections.
    Get(Get),
}

pub(crate) fn main() -> Result<()> {
    match Line::parse().what {
        What::Run(run) => run.run(),
        What::Blob(blob) => blob.run(),
        What::Get(get) => get.run(),
    }
}

/// Writes a line. A terminal that is gone is no reason to stop measuring.
pub(crate) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}

/// Writes a line to standard error.
pub(crate) fn complain(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
