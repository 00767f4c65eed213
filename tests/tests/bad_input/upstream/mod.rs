//! The upstream fails in every way it can, for manifests and blobs; hub and agent say so, in the way that engines
//! bear best, keep nothing of it, and serve the same things once it is well again.

mod after;
mod cases;
mod rows;
mod tokens;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use futures_util::{FutureExt as _, StreamExt as _, future, stream};
use larder_tests::rig::{
    access::Kind,
    faults::{Fault, When},
    story,
};

use crate::{
    answer::{self, Answer},
    report::Report,
    world::{TIERS, World},
};
use cases::{QUICK, SLOW, Setting};
use rows::{Row, Target};

/// So many quick rows at once: all at once would make the machine itself the fault.
const AT_ONCE: usize = 6;

#[test]
fn the_upstream_fails() -> Result<()> {
    story(|rig| {
        let rows = plan()?;
        let images = || rows.iter().map(|row| &row.image);
        let upstream = images().fold(rig.faulty_upstream("upstream"), |builder, image| builder.image(image)).start()?;
        let other = images().fold(rig.faulty_upstream("other"), |builder, image| builder.image(image)).start()?;
        let setting = Setting { own: upstream.url().to_owned(), other: other.url().to_owned() };
        let world = World::start(rig, "up", upstream.url(), |hub| hub)?;
        for row in &rows {
            let when = When::from(row.kind()).saying(&format!("/{}/", row.repository()));
            upstream.fault(when, (row.case.fault)(&setting, row));
        }
        upstream.fault(Kind::Ping, Fault::Hang);

        let mut report = Report::new("the upstream fails");
        base(&world, &mut report)?;
        let answers = ask_all(&world, &rows)?;
        for (row, answer) in rows.iter().zip(&answers) {
            report.row(row.name(), row.tier, answer.brief(), answer.elapsed, row.judge(answer));
        }
        over_and_over(&world, &rows, &mut report)?;
        report.wrongs(after::logged(&world, &rows, &answers));
        report.wrongs(after::kept(&world, &rows, &answers)?);
        upstream.heal();
        report.wrongs(after::healed(&world, &rows, &answers)?);
        report.wrongs(after::refused(rig, &world, &upstream, &rows)?);
        report.wrongs(world.farewell()?);
        report.finish()
    })
}

/// Whether this is a registry does not depend on the upstream, which does not answer that question.
fn base(world: &World<'_>, report: &mut Report) -> Result<()> {
    for tier in TIERS {
        let reply = world.tier(tier).get("/v2/").send()?;
        let wrong = (reply.status != 200 || reply.elapsed > Duration::from_secs(2)).then(|| reply.status.to_string());
        report.row("Ping: hangs before headers", tier, reply.status.to_string(), reply.elapsed, wrong);
    }
    Ok(())
}

/// Blobs that are wrong, which engines ask for again and again: that says nothing of whether the hub lives.
fn over_and_over(world: &World<'_>, rows: &[Row], report: &mut Report) -> Result<()> {
    let client = world.rig.http()?.client().clone();
    for (target, case) in [(Target::Config, "one bit flipped"), (Target::Blob, "body cut in the middle (FIN)")] {
        let row = rows.iter().find(|row| row.target == target && row.case.name == case);
        let row = row.context("there is such a row")?;
        for tier in TIERS {
            let url = format!("{}{}", world.tier(tier).url(), row.path());
            let start = Instant::now();
            let asks = (0..300).map(|_| answer::ask(&client, http::Method::GET, &url));
            let answers = world.rig.block_on(stream::iter(asks).then(|ask| ask).collect::<Vec<_>>())?;
            let without = answers.iter().filter(|answer| answer.status.is_none()).count();
            // To an agent a hub that hangs up is a hub that has gone.
            let wrong = (without > 0).then(|| format!("{without} times the connection was closed without an answer"));
            report.row(
                format!("{}, 300 times", row.name()),
                tier,
                format!("{without} without an answer"),
                start.elapsed(),
                wrong,
            );
        }
    }
    // If that made the agent doubt, its log tells.
    world.agent_sees_hub()
}

/// Every case, on all it can befall, at both tiers.
fn plan() -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for case in SLOW.iter().chain(QUICK) {
        for target in case.on {
            for tier in TIERS {
                rows.push(Row::new(case, rows.len(), *target, tier)?);
            }
        }
    }
    Ok(rows)
}

/// Whether it is slow by what it is named; the others show at once.
fn is_slow(row: &Row) -> bool {
    row.case.name.contains("hangs") || row.case.name.contains("drips")
}

/// Asks everything once. The slow ones wait all at the same time.
fn ask_all(world: &World<'_>, rows: &[Row]) -> Result<Vec<Answer>> {
    let client = world.rig.http()?.client().clone();
    let (mut slow, mut quick) = (Vec::new(), Vec::new());
    for (n, row) in rows.iter().enumerate() {
        let client = &client;
        let asked = async move { (n, ask(client, world, row).await) }.boxed();
        if is_slow(row) { slow.push(asked) } else { quick.push(asked) }
    }
    let mut answers = world.rig.block_on(async {
        let quick = stream::iter(quick).buffer_unordered(AT_ONCE).collect::<Vec<_>>();
        let (slow, quick) = future::join(future::join_all(slow), quick).await;
        [slow, quick].concat()
    })?;
    answers.sort_by_key(|(n, _)| *n);
    Ok(answers.into_iter().map(|(_, answer)| answer).collect())
}

async fn ask(client: &reqwest::Client, world: &World<'_>, row: &Row) -> Answer {
    let base = world.tier(row.tier).url();
    if let Some(first) = row.first() {
        let manifest = answer::ask(client, http::Method::GET, &format!("{base}{first}")).await;
        if !manifest.is_content(row.image.digest()) {
            return manifest;
        }
    }
    answer::ask(client, row.method(), &format!("{base}{}", row.path())).await
}
