//! Small things that the server has: manifests by tag and by digest, and blobs of 100 KB, over 1, 32 and 256
//! connections.

use std::time::Duration;

use anyhow::Result;

use super::{Lineup, quiet::undisturbed};
use crate::{
    cli::say,
    corpus::{blob_path, manifest_path},
    load::{self, Target},
    measure::Cpu,
    plan::{Plan, size},
    report::{Column, Relation, Sample, Table},
    servers::{Kind, Server},
    stage::{Stage, settle_disk},
    units::milliseconds,
};

pub(crate) const CONNECTIONS: [usize; 3] = [1, 32, 256];

pub(crate) const RATE: &str = "requests/s";

const COLUMNS: &[Column] = &[
    Column::new(RATE, 0, Relation::Ratio),
    Column::new("p50 ms", 2, Relation::None),
    Column::new("p99 ms", 2, Relation::None),
    Column::new("CPU us/request", 1, Relation::Ratio),
    Column::new("peak RSS MiB", 1, Relation::None),
    Column::new("client us/request", 1, Relation::None),
];

/// What is asked for: address and digest of the right answer.
type Wanted = Vec<(String, String)>;

/// The case of manifests by tag, or by digest.
pub(crate) fn manifest_case(by: &str, connections: usize) -> String {
    format!("by {by}, {connections}")
}

pub(super) fn manifests(plan: &Plan, stage: &Stage) -> Result<Table> {
    let manifests = &stage.corpus.manifests;
    let by_tag = manifests.iter().map(|(tag, blob)| (manifest_path(tag), blob.digest.clone())).collect();
    let by_digest = manifests.iter().map(|(_, blob)| (manifest_path(&blob.digest), blob.digest.clone())).collect();
    let how = format!(
        "{} different ones, of {} bytes, asked for in turn by one thread that keeps all connections busy. Tags are \
         within their freshness; distribution has none and asks its upstream each time.",
        manifests.len(),
        manifests.first().map_or(0, |(_, blob)| blob.size),
    );
    let mut table = Table::new("Warm manifests", how, "GET, connections", Kind::Nginx, COLUMNS);
    // Tags first: they are fresh for a minute.
    let cases = [(by_tag, "tag"), (by_digest, "digest")];
    run(plan, stage, &mut table, &cases, manifest_case)?;
    Ok(table)
}

pub(super) fn small(plan: &Plan, stage: &Stage) -> Result<Table> {
    let blobs = &stage.corpus.small;
    let wanted = blobs.iter().map(|blob| (blob_path(blob), blob.digest.clone())).collect();
    let how = format!("{} different ones, asked for as the manifests.", blobs.len());
    let title = format!("Warm blobs of {}", size(Plan::SMALL.1));
    let mut table = Table::new(title, how, "connections", Kind::Nginx, COLUMNS);
    run(plan, stage, &mut table, &[(wanted, "blob")], |_, connections| connections.to_string())?;
    Ok(table)
}

fn run(
    plan: &Plan,
    stage: &Stage,
    table: &mut Table,
    cases: &[(Wanted, &str)],
    name: impl Fn(&str, usize) -> String,
) -> Result<()> {
    for round in 0..plan.rounds {
        let lineup = Lineup::start(stage)?;
        for (wanted, by) in cases {
            // The slowest first, so that the tags of the others are the freshest.
            for server in lineup.0.iter().rev() {
                for (path, digest) in wanted {
                    stage.check(&server.target(path)?, digest)?;
                }
            }
            settle_disk();
            say(&format!("{by}, round {}: all servers have the right bytes", round + 1));
            for connections in CONNECTIONS {
                for server in lineup.in_turn(round) {
                    let sample = undisturbed(plan, || measure(stage, server, wanted, connections, plan.window))?;
                    say(&table.take(&name(by, connections), server.kind, sample));
                }
            }
        }
    }
    Ok(())
}

fn measure(stage: &Stage, server: &Server, wanted: &Wanted, connections: usize, window: Duration) -> Result<Sample> {
    let targets: Vec<Target> = wanted.iter().map(|(path, _)| server.target(path)).collect::<Result<_>>()?;
    let trees = server.trees();
    trees.reset_peaks();
    let load = || load::ask(&targets, connections, 1, window, || Cpu::now(trees));
    let (answers, before, after) = stage.run(load)?;
    let spent = after.since(&before);
    #[expect(clippy::cast_precision_loss, reason = "a count of requests")]
    let count = answers.count as f64;
    Ok(Sample {
        figures: vec![
            count / answers.wall.as_secs_f64(),
            milliseconds(answers.latencies.quantile(0.5)),
            milliseconds(answers.latencies.quantile(0.99)),
            spent.server / count * 1e6,
            trees.peak_mib(),
            spent.client / count * 1e6,
        ],
        others: spent.others_busy(),
    })
}
