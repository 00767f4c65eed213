//! Readers of whom half are slow: the other half is as fast as if it were alone, and memory is what it was.

use anyhow::Result;

use super::{cold::fetch_beside, herd::LINK, quiet::undisturbed};
use crate::{
    cli::say,
    corpus::blob_path,
    load::{self, SLOW},
    measure::Cpu,
    plan::{Plan, size},
    report::{Column, Relation, Sample, Table},
    servers::{Kind, Route, Server},
    stage::{Site, Stage, settle_disk},
    units::gigabytes,
};

/// Readers of a blob that the server has: fast ones, and slow ones beside them.
const WARM: [(usize, usize); 2] = [(32, 0), (32, 32)];
/// Of one that only the upstream has.
const COLD: [(usize, usize); 2] = [(32, 0), (16, 16)];

const SERVERS: [Kind; 2] = [Kind::Hub, Kind::Agent];

const COLUMNS: &[Column] = &[
    Column::new("fast ones done s", 2, Relation::None),
    Column::new("CPU-s/GB", 2, Relation::None),
    Column::new("peak RSS MiB", 1, Relation::None),
    Column::new("upstream GETs", 0, Relation::None),
];

fn case(what: &str, (fast, slow): (usize, usize)) -> String {
    format!("{what}, {fast} fast, {slow} slow")
}

pub(super) fn run(plan: &Plan, stage: &Stage, site: &Site) -> Result<Table> {
    let blob = &stage.corpus.medium;
    let how = format!(
        "All start together; a slow one takes {} MB/s and is still there when the fast ones are done, which is what is \
         measured. The link of the cold blob has {} MB/s. CPU is per GB that the fast ones got, in that time; RSS is that of \
         the largest server on the way.",
        SLOW / 1_000_000,
        LINK / 1_000_000
    );
    let title = format!("Half of the readers are slow, {}", size(blob.size));
    let mut table = Table::new(title, how, "readers", Kind::Hub, COLUMNS);
    for _ in 0..plan.rounds {
        let upstream = Server::start(stage, Kind::Registry, "")?;
        for kind in SERVERS {
            let route = Route::start(stage, kind, upstream.url())?;
            // The first download fetches it, the second may be the first from the disk.
            for _ in 0..2 {
                stage.check(&route.target(&blob_path(blob))?, &blob.digest)?;
            }
            settle_disk();
            for readers in WARM {
                let sample = undisturbed(plan, || warm(stage, &route, readers))?;
                say(&table.take(&case("warm", readers), kind, sample));
            }
        }
        drop(upstream);
        site.link.cap(Some(LINK))?;
        for kind in SERVERS {
            for readers in COLD {
                let sample = undisturbed(plan, || cold(stage, site, kind, readers))?;
                say(&table.take(&case("cold", readers), kind, sample));
            }
        }
    }
    Ok(table)
}

fn warm(stage: &Stage, route: &Route, (fast, slow): (usize, usize)) -> Result<Sample> {
    let target = route.target(&blob_path(&stage.corpus.medium))?;
    route.trees.reset_peaks();
    let load = || load::download_beside(&target, fast, slow, || Cpu::now(&route.trees));
    let (downloads, before, after) = stage.run(load)?;
    let spent = after.since(&before);
    let cpu = spent.server / gigabytes(downloads.bytes);
    let figures = vec![downloads.wall.as_secs_f64(), cpu, route.trees.peak_mib(), f64::NAN];
    Ok(Sample { figures, others: spent.others_busy() })
}

fn cold(stage: &Stage, site: &Site, kind: Kind, readers: (usize, usize)) -> Result<Sample> {
    let fetch = fetch_beside(stage, site, kind, &stage.corpus.medium, readers)?;
    let cpu = fetch.spent.server / gigabytes(fetch.downloads.bytes);
    let figures = vec![fetch.downloads.wall.as_secs_f64(), cpu, fetch.peak_mib.unwrap_or(f64::NAN), fetch.gets];
    Ok(Sample { figures, others: fetch.spent.others_busy() })
}
