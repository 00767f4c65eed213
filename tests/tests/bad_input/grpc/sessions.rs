//! Agents by the hundred, and agents that do not listen.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use futures_util::{StreamExt as _, future, stream};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use larder_tests::rig::{Rig, until};

use super::{
    GROWTH, SOON,
    calls::SESSION,
    client::{Connection, beat, connect, hello, streaming},
    memory, serves,
};
use crate::{report::Report, world::World};

/// Two hundred agents at once are welcomed, counted, and gone when they go.
pub(super) fn many(rig: &Rig, world: &World<'_>, report: &mut Report) -> Result<()> {
    let address = world.hub.address();
    let (start, others) = (Instant::now(), agents(world)?);
    let sessions = rig.block_on(async {
        let all = (0..200).map(|n| session(address, format!("node-{n}"), None));
        future::join_all(all).await.into_iter().collect::<Result<Vec<_>>>()
    })??;
    counted(world, others + 200.0)?;
    let served = serves(world, "hub");
    let ended = sessions.len();
    drop(sessions);
    let gone = counted(world, others);
    let wrong = served.and(gone).err().map(|error| format!("{error:#}"));
    report.row("200 sessions at once", "hub", format!("{ended} welcomed"), start.elapsed(), wrong);
    Ok(())
}

/// How many agents the hub says that it has.
pub(super) fn agents(world: &World<'_>) -> Result<f64> {
    Ok(world.hub.metrics()?.sum("larder_agents"))
}

/// Waits until the hub says that it has so many agents.
fn counted(world: &World<'_>, wanted: f64) -> Result<()> {
    let counted = until("the hub to count its agents", SOON, || Ok((agents(world)? == wanted).then_some(())));
    counted.with_context(|| format!("it says {:?}, and there are {wanted}", agents(world)))
}

/// A client that asks for ever more answers and reads none of them.
pub(super) fn never_reads(rig: &Rig, world: &World<'_>, report: &mut Report) -> Result<()> {
    let start = Instant::now();
    let (before, others) = (memory(world)?, agents(world)?);
    let sessions = rig.block_on(async {
        let all = (0..20).map(|n| session(world.hub.address(), format!("deaf-{n}"), Some(100)));
        future::join_all(all).await.into_iter().collect::<Result<Vec<_>>>()
    })??;
    let mut served = Ok(());
    while served.is_ok() && start.elapsed() < Duration::from_secs(3) {
        served = serves(world, "hub");
    }
    let after = memory(world)?;
    drop(sessions);
    let mut wrong = served.and(counted(world, others)).err().map(|error| format!("{error:#}"));
    if after > before + GROWTH {
        wrong = Some(format!("the hub went from {before} to {after} MiB"));
    }
    report.row(
        "20 sessions that never read",
        "hub",
        format!("{} MiB more", after.saturating_sub(before)),
        start.elapsed(),
        wrong,
    );
    Ok(())
}

/// A session of an agent that was welcomed. With a `window`, it goes on to beat as fast as the hub takes it.
pub(super) async fn session(address: SocketAddr, node: String, window: Option<u32>) -> Result<Session> {
    let mut connection = connect(address, window).await?;
    let thousand = Bytes::from(beat(1).repeat(1000));
    let beats = stream::repeat(thousand).take(if window.is_some() { usize::MAX } else { 0 });
    // A stream that never waits would be all that its thread does.
    let beats = beats.then(|beats| async {
        tokio::task::yield_now().await;
        beats
    });
    let up = stream::iter([hello(&node, "host", "1", "28")]).chain(beats).chain(stream::pending());
    let mut down = connection.sender.send_request(streaming(SESSION, &[], up)?).await?.into_body();
    let welcome = down.frame().await.context("no welcome")??;
    ensure!(welcome.is_data(), "{welcome:?}");
    Ok(Session { _connection: connection, _down: down })
}

/// A session under way; it ends when this is dropped.
pub(super) struct Session {
    _connection: Connection,
    _down: Incoming,
}
