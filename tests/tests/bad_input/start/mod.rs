//! A machine, or a configuration, that is not as it should be when a daemon starts: it ends with 1 and one message that
//! says what to mend, or says so and leaves the engine alone.

mod agent;
mod disk;
mod engine;
mod hub;

use std::{path::PathBuf, time::Duration};

use anyhow::Result;
use larder_tests::rig::{Finished, Launch, Rig, story};

use crate::{report::Report, world::World};

/// A daemon that cannot start says so at once.
const SOON: Duration = Duration::from_secs(10);

#[test]
fn a_bad_start() -> Result<()> {
    story(|rig| {
        let mut report = Report::new("a bad start");
        let world = World::start(rig, "first", "http://127.0.0.1:9", |hub| hub)?;
        let bad = Bad { rig, world: &world, file: rig.root().join("file"), folder: rig.root().join("bad") };
        std::fs::write(&bad.file, "not a folder\n")?;
        std::fs::create_dir(&bad.folder)?;
        hub::refuses(&bad, &mut report)?;
        agent::refuses(&bad, &mut report)?;
        disk::in_the_way(&bad, &mut report)?;
        engine::is_left_alone(rig, &mut report)?;
        report.wrongs(world.farewell()?);
        report.finish()
    })
}

/// What is there to run into.
struct Bad<'a> {
    rig: &'a Rig,
    /// A hub and an agent that run, and have ports and folders.
    world: &'a World<'a>,
    /// A file where a folder is wanted.
    file: PathBuf,
    /// For configurations.
    folder: PathBuf,
}

impl Bad<'_> {
    /// Runs a daemon that should refuse to, and say these words.
    fn refused(
        &self,
        report: &mut Report,
        tier: &'static str,
        what: &str,
        launch: Launch,
        says: &[&str],
    ) -> Result<()> {
        let launch = launch.env("RUST_BACKTRACE", "1");
        let (got, took, wrong) = match launch.finish(SOON) {
            Err(error) => ("did not end".to_owned(), SOON, Some(format!("{error:#}"))),
            Ok(ended) => {
                // The first line of a configuration's message says no more than that there is one.
                let lines = ended.stderr.lines().filter(|line| !line.trim().is_empty());
                let mut lines = lines.filter(|line| !line.contains(" INFO ") && !line.contains("cannot be used: "));
                let line = lines.next().unwrap_or_default().replace(&*self.rig.root().to_string_lossy(), "…");
                (line.chars().take(100).collect(), ended.elapsed, judge(&ended, says))
            }
        };
        report.row(what, tier, got, took, wrong);
        Ok(())
    }

    /// Prepares a program that runs as nobody.
    fn nobody(&self, program: &std::path::Path) -> Launch {
        let launch = self.rig.command("nobody", "setpriv");
        launch.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]).arg(program)
    }
}

fn judge(ended: &Finished, says: &[&str]) -> Option<String> {
    let Finished { stderr, stdout, status, .. } = ended;
    let all = format!("{stdout}{stderr}");
    let missing = says.iter().find(|word| !stderr.contains(**word));
    // A configuration's message shows a few of its lines; anything longer is a dump.
    let long = stderr.lines().count() > 25 || stderr.len() > 4000;
    let dump = ["panicked", "s3cret", "stack backtrace", "   0: "].iter().find(|text| all.contains(**text));
    if status.code() != Some(1) {
        Some(format!("{status}: {stderr}"))
    } else if let Some(word) = missing {
        Some(format!("does not say {word:?}: {stderr}"))
    } else if long || dump.is_some() {
        Some(format!("says too much: {stderr}"))
    } else {
        None
    }
}
