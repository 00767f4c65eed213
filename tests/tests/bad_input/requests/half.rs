//! Clients that do not come to the point.

use std::{
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use larder_tests::rig::{Rig, images::Image};
use serde_json::json;

use crate::{
    report::Report,
    wire::{self, To, request},
    world::{TIERS, World},
};

/// For what is answered at once.
const SOON: Duration = Duration::from_secs(5);
/// A client has 15 s to say what it wants.
const PATIENCE: Duration = Duration::from_secs(20);

/// Clients that never come to the point are shown out, and nobody waits for them.
pub(super) fn half_sent(rig: &Rig, world: &World<'_>, image: &Image, report: &mut Report) -> Result<()> {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let settings = [PREFACE, &[0, 0, 0, 4, 0, 0, 0, 0, 0]].concat();
    // HEADERS of stream 1 without END_HEADERS: more is to come.
    let half_headers = [&settings[..], &[0, 0, 1, 1, 0, 0, 0, 0, 1, 0x82]].concat();
    let whole = request("GET /v2/library/tiny/manifests/1", &[&format!("X-Long: {}", "y".repeat(400))], b"");
    let first = b"GET /v2/ HTTP/1.1\r\nHost: larder\r\n\r\n";
    let half = [
        ("nothing at all", vec![]),
        ("one byte", b"G".to_vec()),
        ("half a request line", b"GET /v2/library/ti".to_vec()),
        ("half a request", b"GET /v2/ HTTP/1.1\r\nHost: larder\r\nX-".to_vec()),
        ("a request and no more", first.to_vec()),
        ("a request and a half", [&first[..], b"GET /v2/ HT"].concat()),
        ("half an HTTP/2 preface", PREFACE[..12].to_vec()),
        ("an HTTP/2 preface", PREFACE.to_vec()),
        ("HTTP/2 settings", settings),
        ("half HTTP/2 headers", half_headers),
    ];
    let blob = format!("/v2/library/tiny/blobs/{}", image.layers()[0].digest());
    let replies = thread::scope(|scope| {
        let mut tries = Vec::new();
        for tier in TIERS {
            let to = To::Tcp(world.address(tier));
            for (what, bytes) in &half {
                let to = to.clone();
                tries.push((*what, tier, scope.spawn(move || wire::send(rig, &to, bytes, PATIENCE + SOON))));
            }
            let (whole, to) = (&whole, to.clone());
            let slowly = scope.spawn(move || wire::trickle(rig, &to, whole, PATIENCE + SOON));
            tries.push(("two bytes a second", tier, slowly));
        }
        // Meanwhile.
        let start = Instant::now();
        let mut slowest = Duration::ZERO;
        while start.elapsed() < Duration::from_secs(10) {
            for tier in TIERS {
                let reply = world.tier(tier).get(&blob).limit(SOON).send()?.expect(200)?;
                slowest = slowest.max(reply.elapsed);
            }
        }
        let wrong = (slowest > Duration::from_secs(2)).then(|| "it takes too long".to_owned());
        report.row("a layer, meanwhile, at the slowest", "both", "200", slowest, wrong);
        let joined = tries.into_iter().map(|(what, tier, reply)| {
            let reply = reply.join().ok().context("a thread panicked")??;
            anyhow::Ok((what, tier, reply))
        });
        joined.collect::<Result<Vec<_>>>()
    })?;
    let (hub, agent) = replies.split_at(replies.len() / 2);
    for (what, tier, reply) in hub.iter().zip(agent).flat_map(|(hub, agent)| [hub, agent]) {
        let late = !reply.ended || reply.took > PATIENCE;
        let wrong = late.then(|| format!("not closed within {PATIENCE:?}"));
        let got = if reply.ended { "closed" } else { "still open" };
        report.row(format!("half sent: {what}"), tier, got, reply.took, wrong);
    }
    Ok(())
}

/// Clients of a port with TLS that do not get to their first request.
pub(super) fn no_handshake(rig: &Rig, report: &mut Report) -> Result<()> {
    let own = rig.ca().certify("tls-hub", &["127.0.0.1"])?;
    let hub = rig.hub("tls-hub").remote("http://127.0.0.1:9");
    let tls = json!({ "certificate": own.cert_file, "key": own.key_file });
    let hub = hub.adjust(|config| config["http"]["tls"] = tls).start()?;
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec();
    let half = [
        ("nothing at all", vec![]),
        ("HTTP without TLS", request("GET /v2/", &[], b"")),
        ("zeros", vec![0; 4096]),
        ("half a ClientHello", hello),
    ];
    let replies = thread::scope(|scope| {
        let to = To::Tcp(hub.address());
        let tries: Vec<_> = half
            .iter()
            .map(|(_, bytes)| {
                scope.spawn({
                    let to = to.clone();
                    move || wire::send(rig, &to, bytes, PATIENCE + SOON)
                })
            })
            .collect();
        tries.into_iter().map(|reply| reply.join().ok().context("a thread panicked")?).collect::<Result<Vec<_>>>()
    })?;
    for ((what, _), reply) in half.iter().zip(replies) {
        let wrong = (!reply.ended || reply.took > PATIENCE).then(|| format!("not closed within {PATIENCE:?}"));
        report.row(
            format!("no handshake: {what}"),
            "hub",
            if reply.ended { "closed" } else { "still open" },
            reply.took,
            wrong,
        );
    }
    let silent = rig.inside(|| TcpStream::connect(hub.address()))??;
    let start = Instant::now();
    let ended = hub.stop(PATIENCE)?;
    let wrong = (start.elapsed() > SOON).then(|| "it takes too long".to_owned());
    report.row("SIGTERM, and no handshake", "hub", "ended", start.elapsed(), wrong);
    drop(silent);
    report.holds(ended.code() == Some(0), format!("the hub with TLS ended with {ended}"));
    Ok(())
}
