//! Garbage and giants on the hub's port by HTTP/2: the hub answers with a gRPC status or shows the client out, and
//! meanwhile serves everybody else, in no more memory.

mod calls;
mod client;
mod frames;
mod sessions;

use std::{
    fs,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use larder_tests::rig::{Rig, images, story, until};

use crate::{
    report::Report,
    wire::{self, To},
    world::{TIERS, World},
};
use calls::{DEADLINE, OK, SESSION};
use client::{Outcome, call, request};
use sessions::{agents, session};

const SOON: Duration = Duration::from_secs(5);
/// A session without a hello is given up after 15 s.
const NO_HELLO: Duration = Duration::from_secs(20);
/// And so is, some time after that, one that takes no answers.
const DEAF: Duration = Duration::from_secs(40);
/// So much may memory grow from one round of all this to the next, in MiB: allocators keep some for later.
const GROWTH: u64 = 16;

#[test]
fn garbage_and_giants_by_grpc() -> Result<()> {
    story(|rig| {
        let image = images::busybox("library/tiny", "1").build()?;
        let upstream = rig.registry("upstream").start()?;
        upstream.load(&image)?;
        let world = World::start(rig, "grpc", upstream.url(), |hub| hub)?;
        world.agent.get("/v2/library/tiny/manifests/1").send()?.expect(200)?;
        let mut report = Report::new("garbage and giants by gRPC");

        let late = rig.block_on(async {
            let silent = request(SESSION, &[], vec![], true)?;
            anyhow::Ok(tokio::spawn(call(world.hub.address(), silent, NO_HELLO)))
        })??;
        let (start, deaf) =
            (Instant::now(), rig.block_on(session(world.hub.address(), "deaf".to_owned(), Some(100)))??);
        round(rig, &world, &mut report)?;
        let after_one = memory(&world)?;
        // The same again, out of sight: what is left behind each time would add up.
        let mut again = Report::new("the same again");
        round(rig, &world, &mut again)?;
        let after_two = memory(&world)?;
        report.holds(
            after_two <= after_one + GROWTH,
            format!("the hub has {after_two} MiB after two rounds, {after_one} MiB after one"),
        );
        let outcome = rig.block_on(late)?.context("the call does not panic")?;
        row(&mut report, "no hello", &outcome, &[DEADLINE], 0);
        let gone = until("the hub to end it", DEAF.saturating_sub(start.elapsed()), || {
            Ok((agents(&world)? == 1.0).then_some(()))
        });
        report.row(
            "a session that never reads",
            "hub",
            "",
            start.elapsed(),
            gone.err().map(|error| format!("{error:#}")),
        );
        drop(deaf);

        let silent: Vec<String> =
            world.agent.logs().lines().filter(|line| line.contains("is silent")).map(str::to_owned).collect();
        report.holds(silent.is_empty(), format!("the agent's own session did not live through it: {silent:?}"));
        report.wrongs(world.farewell()?);
        report.finish()
    })
}

/// Everything once.
fn round(rig: &Rig, world: &World<'_>, report: &mut Report) -> Result<()> {
    let address = world.hub.address();
    for one in calls::all() {
        let request = request(one.path, &one.headers, one.body, false)?;
        let outcome = rig.block_on(call(address, request, SOON))?;
        row(report, one.what, &outcome, one.may_be, one.replies);
    }
    let outcome =
        rig.block_on(call(address, request(SESSION, &[("x-long", &"y".repeat(1 << 20))], vec![], false)?, SOON))?;
    let wrong = (outcome.status == Some(OK)).then(|| outcome.brief());
    report.row("metadata of 1 MB", "hub", outcome.brief(), outcome.took, wrong);
    for (what, bytes) in frames::attacks() {
        // The mirror knows the same protocols.
        for tier in TIERS {
            let reply = wire::send(rig, &To::Tcp(world.address(tier)), &bytes, Duration::from_secs(1))?;
            let got = if reply.ended { "closed" } else { "still open" };
            report.row(what, tier, got, reply.took, serves(world, tier).err().map(|error| format!("{error:#}")));
        }
    }
    sessions::many(rig, world, report)?;
    sessions::never_reads(rig, world, report)
}

fn row(report: &mut Report, what: &str, outcome: &Outcome, expected: &[u16], replies: usize) {
    let right = outcome.status.is_some_and(|status| expected.contains(&status)) && outcome.bytes >= replies;
    let wrong =
        (!right).then(|| format!("{} and {} bytes, where it may be {expected:?}", outcome.brief(), outcome.bytes));
    report.row(what, "hub", outcome.brief(), outcome.took, wrong);
}

fn serves(world: &World<'_>, tier: &str) -> Result<()> {
    let reply =
        world.tier(tier).get("/v2/library/tiny/manifests/1").limit(Duration::from_secs(2)).send()?.expect(200)?;
    anyhow::ensure!(reply.elapsed < Duration::from_secs(2));
    Ok(())
}

/// What the hub has in memory, in MiB.
fn memory(world: &World<'_>) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", world.hub.process()?.pid()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("a process has a size")?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes >> 10)
}
