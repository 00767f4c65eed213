//! A large blob that the server has: 1, 4, 16 and 64 clients.

use std::time::Duration;

use anyhow::Result;

use super::{
    Lineup,
    many::{AFTER_LOAD, at_rest},
    quiet::undisturbed,
};
use crate::{
    cli::say,
    corpus::blob_path,
    load::{self, quantile},
    measure::Cpu,
    plan::{Plan, size},
    report::{Column, Relation, Sample, Table},
    servers::{Kind, Server},
    stage::{Stage, settle_disk},
    units::{fraction, gigabytes, milliseconds},
};

pub(crate) const CLIENTS: [usize; 4] = [1, 4, 16, 64];

pub(crate) const SPEED: &str = "GB/s";
pub(crate) const CPU: &str = "CPU-s/GB";
pub(crate) const RSS: &str = "peak RSS MiB";

const COLUMNS: &[Column] = &[
    Column::new(SPEED, 2, Relation::Ratio),
    Column::new(CPU, 3, Relation::Ratio),
    Column::new(RSS, 1, Relation::None),
    Column::new("slowest/mean client", 2, Relation::None),
    Column::new("first byte ms", 1, Relation::None),
    Column::new("client CPU-s/GB", 3, Relation::None),
];

const HOW: &str = "\
Every client downloads the blob again and again over a connection it keeps; what is measured is a window of steady load
in the midst of it, in which bytes are dropped by the kernel. `slowest/mean client` tells how evenly the clients were
served in the window (1 is evenly). RSS is the peak in the case.";

/// Also takes the row of `idle` that is of servers after such a load.
pub(super) fn run(plan: &Plan, stage: &Stage, idle: &mut Table) -> Result<Table> {
    let blob = &stage.corpus.large;
    let title = format!("Warm blob, {}", size(blob.size));
    let mut table = Table::new(title, HOW, "clients", Kind::Nginx, COLUMNS);
    for round in 0..plan.rounds {
        let lineup = Lineup::start(stage)?;
        for server in lineup.in_turn(0) {
            // The first download fetches it, the second may be the first from the disk.
            for _ in 0..2 {
                stage.check(&server.target(&blob_path(blob))?, &blob.digest)?;
            }
        }
        settle_disk();
        say(&format!("warm, round {}: all servers have the right bytes", round + 1));
        for clients in CLIENTS {
            for server in lineup.in_turn(round) {
                let sample = undisturbed(plan, || measure(stage, server, clients, plan.window))?;
                say(&table.take(&clients.to_string(), server.kind, sample));
            }
        }
        at_rest(plan, &lineup, AFTER_LOAD, idle);
    }
    Ok(table)
}

fn measure(stage: &Stage, server: &Server, clients: usize, window: Duration) -> Result<Sample> {
    let (target, trees) = (server.target(&blob_path(&stage.corpus.large))?, server.trees());
    trees.reset_peaks();
    let load = || load::stream(&target, clients, window, || Cpu::now(trees));
    let (downloads, before, after) = stage.run(load)?;
    let (spent, gb) = (after.since(&before), gigabytes(downloads.bytes));
    let slowest = downloads.by_client.first().copied().unwrap_or_default();
    let first = quantile(&downloads.first_bytes, 0.5).copied().unwrap_or_default();
    Ok(Sample {
        figures: vec![
            gb / downloads.wall.as_secs_f64(),
            spent.server / gb,
            trees.peak_mib(),
            gigabytes(slowest) / gb * fraction(clients),
            milliseconds(first),
            spent.client / gb,
        ],
        others: spent.others_busy(),
    })
}
