//! One client, one blob that only the upstream has, over a link of 20 and 200 MB/s and over one without a limit.

use anyhow::{Context as _, Result};

use super::quiet::undisturbed;
use crate::{
    cli::say,
    corpus::{Blob, blob_path},
    load::{self, Downloads},
    measure::{Cpu, Spent},
    plan::{Plan, size},
    report::{Column, Relation, Sample, Table},
    servers::{Kind, Route},
    stage::{Site, Stage, settle_disk},
    units::{gigabytes, milliseconds},
};

pub(crate) const SECONDS: &str = "s";
pub(crate) const FIRST: &str = "first byte ms";
pub(crate) const CPU: &str = "CPU-s/GB";

const COLUMNS: &[Column] = &[
    Column::new(SECONDS, 2, Relation::Ratio),
    Column::new(FIRST, 1, Relation::Difference),
    Column::new(CPU, 2, Relation::None),
    Column::new("peak RSS MiB", 1, Relation::None),
    Column::new("upstream GETs", 0, Relation::None),
    Column::new("blob over link", 2, Relation::None),
];

const HOW: &str = "\
The upstream is a docker-registry in a network of its own behind a link that the kernel shapes (tbf). Every download
finds its servers just started, with nothing stored. CPU is that of all servers on the way but for the upstream, until
the link is idle again; the client reads what it gets, as an engine does. RSS is that of the largest of them. `blob over link`: what came over the link, as a multiple of
the blob.

Without a limit the two cores are the limit, which client, upstream and servers share. Of the hub's CPU (`perf`), 26 % are
SHA-256 of every byte (0.57 CPU-s/GB: alone it takes longer than the whole download straight from the upstream), 20 %
sending, 15 % receiving, 12 % writing, 9 % BLAKE3 of the pieces, 10 % waking threads. nginx verifies nothing, and
docker-registry downloads twice, on both cores at once.";

const ROUTES: [Kind; 5] = [Kind::Direct, Kind::Hub, Kind::Agent, Kind::Proxy, Kind::NginxCache];

/// The case of a link and a blob.
pub(crate) fn case(link: Option<u64>, bytes: u64) -> String {
    match link {
        Some(rate) => format!("{} at {} MB/s", size(bytes), rate / 1_000_000),
        None => format!("{}, no limit", size(bytes)),
    }
}

/// The links, and what is downloaded over each.
pub(crate) fn links(plan: &Plan) -> [(Option<u64>, u64); 3] {
    [(Some(20_000_000), plan.medium), (Some(200_000_000), plan.large), (None, plan.large)]
}

pub(super) fn run(plan: &Plan, stage: &Stage, site: &Site) -> Result<Table> {
    let mut table = Table::new("Cold blob, one client", HOW, "blob and link", Kind::Direct, COLUMNS);
    site.link.cap(None)?;
    for kind in ROUTES {
        let (route, blob) = (Route::start(stage, kind, &site.url())?, &stage.corpus.medium);
        for which in ["cold", "warm"] {
            let checked = stage.check(&route.target(&blob_path(blob))?, &blob.digest);
            checked.with_context(|| format!("{}, {which}", kind.name()))?;
        }
    }
    say("cold: all servers gave the right bytes");
    for round in 0..plan.rounds {
        for (link, bytes) in links(plan) {
            site.link.cap(link)?;
            let blob = if bytes == stage.corpus.large.size { &stage.corpus.large } else { &stage.corpus.medium };
            for kind in (0..ROUTES.len()).map(|index| ROUTES[(index + round) % ROUTES.len()]) {
                let sample = undisturbed(plan, || Ok(fetch(stage, site, kind, blob, 1)?.sample()))?;
                say(&table.take(&case(link, bytes), kind, sample));
            }
        }
    }
    Ok(table)
}

/// What it took to get a blob that nobody had.
pub(super) struct Fetch {
    pub(super) downloads: Downloads,
    pub(super) spent: Spent,
    /// CPU of the servers until the link was idle again.
    pub(super) cpu: Option<f64>,
    pub(super) peak_mib: Option<f64>,
    pub(super) gets: f64,
    /// Multiples of the blob that came over the link.
    pub(super) copies: f64,
    pub(super) size: u64,
}

/// Lets `clients` download `blob` at once by a way on which nothing is stored. One reads the bytes, as an engine does;
/// many would take the cores from the server by that.
pub(super) fn fetch(stage: &Stage, site: &Site, kind: Kind, blob: &Blob, clients: usize) -> Result<Fetch> {
    fetch_beside(stage, site, kind, blob, (clients, 0))
}

/// The same, with so many slow clients beside the others.
pub(super) fn fetch_beside(
    stage: &Stage,
    site: &Site,
    kind: Kind,
    blob: &Blob,
    (clients, slow): (usize, usize),
) -> Result<Fetch> {
    let route = Route::start(stage, kind, &site.url())?;
    let target = route.target(&blob_path(blob))?.copying(clients == 1);
    settle_disk();
    route.trees.reset_peaks();
    let (gets, received) = (site.gets()?, site.link.received()?);
    let load = || load::download_beside(&target, clients, slow, || Cpu::now(&route.trees));
    let (downloads, before, after) = stage.run(load)?;
    site.settle()?;
    let is_somebody = kind != Kind::Direct;
    Ok(Fetch {
        spent: after.since(&before),
        cpu: is_somebody.then(|| Cpu::now(&route.trees).since(&before).server),
        peak_mib: is_somebody.then(|| route.trees.peak_mib()),
        gets: site.gets()? - gets,
        copies: gigabytes(site.link.received()? - received) / gigabytes(blob.size),
        size: blob.size,
        downloads,
    })
}

impl Fetch {
    fn sample(&self) -> Sample {
        let gb = gigabytes(self.size);
        Sample {
            figures: vec![
                self.downloads.wall.as_secs_f64(),
                milliseconds(self.downloads.first_bytes.first().copied().unwrap_or_default()),
                self.cpu.map_or(f64::NAN, |cpu| cpu / gb),
                self.peak_mib.unwrap_or(f64::NAN),
                self.gets,
                self.copies,
            ],
            others: self.spent.others_busy(),
        }
    }
}
