//! 8, 32 and 64 clients at once, one blob that only the upstream has, over a link of 125 MB/s.

use anyhow::Result;

use super::{
    cold::{Fetch, fetch},
    quiet::undisturbed,
};
use crate::{
    cli::say,
    load::quantile,
    plan::{Plan, size},
    report::{Column, Relation, Sample, Table},
    servers::Kind,
    stage::{Site, Stage},
    units::milliseconds,
};

pub(crate) const CLIENTS: [usize; 3] = [8, 32, 64];

pub(crate) const GETS: &str = "upstream GETs";
pub(crate) const SECONDS: &str = "all done s";
pub(crate) const FIRST: &str = "median first byte ms";
pub(crate) const RSS: &str = "peak RSS MiB";

const COLUMNS: &[Column] = &[
    Column::new(GETS, 0, Relation::None),
    Column::new(SECONDS, 2, Relation::Ratio),
    Column::new(FIRST, 1, Relation::None),
    Column::new("last first byte ms", 1, Relation::None),
    Column::new(RSS, 1, Relation::None),
    Column::new("blob over link", 2, Relation::None),
];

const HOW: &str = "\
As the cold blob, with many clients that start together. `direct` is one client alone, straight from the upstream: what
one copy takes. docker-registry downloads a copy for each client and one for its store, so it is measured in the first
round only.";

/// Bytes a second.
pub(super) const LINK: u64 = 125_000_000;

const ROUTES: [Kind; 4] = [Kind::Hub, Kind::Agent, Kind::Proxy, Kind::NginxCache];

pub(super) fn run(plan: &Plan, stage: &Stage, site: &Site) -> Result<Table> {
    let blob = &stage.corpus.medium;
    let title = format!("Herd on a cold blob, {} at {} MB/s", size(blob.size), LINK / 1_000_000);
    let mut table = Table::new(title, HOW, "clients", Kind::Direct, COLUMNS);
    site.link.cap(Some(LINK))?;
    for round in 0..plan.rounds {
        for clients in CLIENTS {
            let mut take = |kind, clients_of_it| -> Result<()> {
                let measure = || Ok(fetch(stage, site, kind, blob, clients_of_it)?.herd_sample());
                say(&table.take(&clients.to_string(), kind, undisturbed(plan, measure)?));
                Ok(())
            };
            take(Kind::Direct, 1)?;
            for kind in (0..ROUTES.len()).map(|index| ROUTES[(index + round) % ROUTES.len()]) {
                if kind == Kind::Proxy && round > 0 {
                    continue;
                }
                take(kind, clients)?;
            }
        }
    }
    Ok(table)
}

impl Fetch {
    fn herd_sample(&self) -> Sample {
        let first = |fraction| quantile(&self.downloads.first_bytes, fraction).copied().unwrap_or_default();
        Sample {
            figures: vec![
                self.gets,
                self.downloads.wall.as_secs_f64(),
                milliseconds(first(0.5)),
                milliseconds(first(1.0)),
                self.peak_mib.unwrap_or(f64::NAN),
                self.copies,
            ],
            others: self.spent.others_busy(),
        }
    }
}
