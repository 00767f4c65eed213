//! The agent's other sides: its admin socket, and a hub that is none.

mod admin;
mod hubs;

use std::thread;

use anyhow::{Context as _, Result};
use larder_tests::rig::story;

use crate::report::Report;

#[test]
fn the_agent_by_its_other_sides() -> Result<()> {
    story(|rig| {
        let title = "the agent by its other sides";
        let (mut report, mut other) = (Report::new(title), Report::new(title));
        thread::scope(|scope| {
            let hubs = scope.spawn(|| hubs::none_of_them_is_one(rig, &mut other));
            admin::garbage(rig, &mut report)?;
            hubs.join().ok().context("a thread panicked")?
        })?;
        report.append(other);
        report.finish()
    })
}
