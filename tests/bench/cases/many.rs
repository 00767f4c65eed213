//! Servers that do nothing, and a hub with very many blobs: memory, and the time to start.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use larder_tests::rig::{larder::Daemon, until};

use super::Lineup;
use crate::{
    cli::say,
    corpus,
    measure::Trees,
    plan::Plan,
    report::{Column, Relation, Sample, Table, number},
    servers::{Kind, hub_of},
    stage::{Stage, settle_disk},
    units::fraction,
};

/// The hub's index of what is in its folder, below `storage.filesystem.rootdirectory`: what is removed to measure the
/// start without it.
const INDEX: &str = "larder/index";

pub(crate) const RSS: &str = "RSS MiB";
pub(crate) const START: &str = "start to ready s";
pub(crate) const KNOWN: &str = "all known s";

/// Longer than any folder takes that the harness makes.
const PATIENCE: Duration = Duration::from_secs(900);

const IDLE: &[Column] = &[Column::new(RSS, 1, Relation::None)];
const MANY: &[Column] = &[
    Column::new(START, 2, Relation::None),
    Column::new(KNOWN, 2, Relation::None),
    Column::new(RSS, 1, Relation::None),
];

/// The cases in [`idle_table`].
pub(crate) const JUST_STARTED: &str = "just started";
pub(super) const AFTER_LOAD: &str = "after 64 clients";

/// The cases in [`run`]'s table.
pub(crate) fn case(what: Start, blobs: usize) -> String {
    let what = match what {
        Start::Again => "start again",
        Start::IndexLost => "index lost",
    };
    format!("{} blobs, {what}", number(fraction(blobs), 0))
}

#[derive(Clone, Copy)]
pub(crate) enum Start {
    /// After an orderly stop.
    Again,
    /// There is no index.
    IndexLost,
}

/// For a server to have come to rest.
#[allow(
    clippy::disallowed_methods,
    reason = "there is no condition to wait for: being idle for a while is what is measured"
)]
fn rest(plan: &Plan) {
    thread::sleep(Duration::from_secs(if plan.is_quick { 1 } else { 5 }));
}

/// Memory of who does nothing, before anything was measured.
pub(super) fn idle_table() -> Table {
    let how = format!(
        "`{JUST_STARTED}`: five seconds after the start, before any request. `{AFTER_LOAD}`: five seconds after the largest \
         load of the run, with all that came before it, had ended. nginx is the sum of its processes."
    );
    Table::new("Idle", how, "when", Kind::Nginx, IDLE)
}

/// Takes a row of [`idle_table`], once the servers have come to rest.
pub(super) fn at_rest(plan: &Plan, lineup: &Lineup, case: &str, table: &mut Table) {
    rest(plan);
    for server in lineup.in_turn(0) {
        let sample = Sample { figures: vec![server.trees().resident_mib()], others: f64::NAN };
        say(&table.take(case, server.kind, sample));
    }
}

pub(super) fn idle(plan: &Plan, stage: &Stage, table: &mut Table) -> Result<()> {
    for _ in 0..plan.rounds {
        at_rest(plan, &Lineup::start(stage)?, JUST_STARTED, table);
    }
    Ok(())
}

pub(super) fn run(plan: &Plan, stage: &Stage) -> Result<Table> {
    let how = format!(
        "Blobs of a few bytes each, which a hub fetched, on an ext4 of their own, in the kernel's caches. `start again`: \
         after an orderly stop; `index lost`: without `{INDEX}`. Ready is when `/readyz` says so, and blobs are served \
         from then on; `all known` is when each counts again for the cache's bound (the disk is looked at slowly, beside \
         the work). RSS is that of five seconds later."
    );
    let mut table = Table::new("Many blobs", how, "folder", Kind::Hub, MANY);
    for _ in 0..plan.rounds {
        for &blobs in &plan.many {
            folder(plan, stage, blobs, &mut table)?;
        }
    }
    Ok(table)
}

fn folder(plan: &Plan, stage: &Stage, blobs: usize, table: &mut Table) -> Result<()> {
    // On a disk of their own, which goes at once: a disk that is told of every block that gets free takes hours to have
    // a million files removed.
    let disk = stage.rig.small_disk(&stage.name("many"), mebibytes(blobs))?;
    // Started once, for its address; what it puts into its folder is then taken away.
    let hub = hub_of(stage, &stage.name("hub"), "http://127.0.0.1:9").on_disk(disk.mount())?.start()?;
    hub.stop(PATIENCE)?;
    let store = disk.mount().seen();
    for ours in ["larder", "docker"].map(|name| store.join(name)) {
        if ours.exists() {
            fs::remove_dir_all(ours).context("emptying the hub's folder")?;
        }
    }
    corpus::many(&store, blobs)?;
    settle_disk();
    let mut measure = |what: Start| -> Result<()> {
        let begin = Instant::now();
        hub.start_within(PATIENCE)?;
        let took = begin.elapsed();
        let all_known = || Ok((hub.metrics()?.sum("larder_cache_blobs") >= fraction(blobs)).then_some(()));
        until("every blob to be known", PATIENCE, all_known)?;
        let known = begin.elapsed();
        rest(plan);
        let figures = vec![took.as_secs_f64(), known.as_secs_f64(), resident(&hub)?];
        let sample = Sample { figures, others: f64::NAN };
        hub.stop(PATIENCE)?;
        say(&table.take(&case(what, blobs), Kind::Hub, sample));
        Ok(())
    };
    measure(Start::IndexLost)?;
    anyhow::ensure!(store.join(INDEX).exists(), "the hub left no index");
    measure(Start::Again)?;
    let place = disk.mount().path();
    drop((hub, disk));
    fs::remove_dir_all(place.parent().context("a disk has a folder")?).context("removing many blobs")
}

/// ext4 has room for a file in every 16 KiB; a blob is a file in a folder.
fn mebibytes(blobs: usize) -> u64 {
    256 + (blobs as u64 * 2 * 16).div_ceil(1024)
}

fn resident(hub: &Daemon) -> Result<f64> {
    Ok(Trees::of(&[hub.process()?.pid()]).resident_mib())
}
