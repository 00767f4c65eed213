//! Requests that are odd, broken, half or never sent: whoever sends them gets an answer or is shown out, and the
//! others are served meanwhile.

mod half;
mod odd;
mod ranges;

use std::{
    io::Write as _,
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use larder_tests::rig::{
    Rig,
    images::{self, Image},
    story,
};

use crate::{
    report::Report,
    wire::{self, Reply, To, request},
    world::{TIERS, World},
};

/// For what is answered at once.
const SOON: Duration = Duration::from_secs(5);
/// A client has 15 s to say what it wants.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn requests_that_are_odd() -> Result<()> {
    story(|rig| {
        let image = images::big("library/tiny", "1", 9).build()?;
        let upstream = rig.registry("upstream").start()?;
        upstream.load(&image)?;
        let world = World::start(rig, "odd", upstream.url(), |hub| hub)?;
        let mut report = Report::new("requests that are odd");
        for tier in TIERS {
            world.tier(tier).get("/v2/library/tiny/manifests/1").send()?.expect(200)?;
            for blob in image.blobs() {
                world.tier(tier).get(&format!("/v2/library/tiny/blobs/{}", blob.digest())).send()?.expect(200)?;
            }
        }
        ranges::all(rig, &world, &image, &mut report)?;
        for (what, bytes, expected) in odd::all(&image) {
            for tier in TIERS {
                let reply = wire::send(rig, &To::Tcp(world.address(tier)), &bytes, SOON)?;
                report.row(what, tier, reply.brief(), reply.took, judge(&reply, expected));
            }
        }
        pipelined(rig, &world, &image, &mut report)?;
        let mut tls = Report::new("");
        thread::scope(|scope| {
            let secure = scope.spawn(|| half::no_handshake(rig, &mut tls));
            half::half_sent(rig, &world, &image, &mut report)?;
            secure.join().ok().context("a thread panicked")?
        })?;
        report.append(tls);

        // Who is half way when the end comes does not keep it for long.
        let silent = silent(rig, &world)?;
        let start = Instant::now();
        report.wrongs(world.farewell()?);
        let wrong = (start.elapsed() > SOON).then(|| "it takes too long".to_owned());
        report.row("SIGTERM, and clients that say nothing", "both", "ended", start.elapsed(), wrong);
        drop(silent);
        report.finish()
    })
}

/// Connections that were opened and not used.
fn silent(rig: &Rig, world: &World<'_>) -> Result<Vec<TcpStream>> {
    let mut open = Vec::new();
    for tier in TIERS {
        for said in [&b""[..], b"GET /v2/ HTTP/1.1\r\nHo", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
            let mut stream = rig.inside(|| TcpStream::connect(world.address(tier)))??;
            stream.write_all(said)?;
            open.push(stream);
        }
    }
    Ok(open)
}

/// What may come of it: a status; or that the connection is closed, if 0 is among them.
fn judge(reply: &Reply, expected: &[u16]) -> Option<String> {
    let first = reply.first();
    let status = first.as_ref().map_or(0, |answer| answer.status);
    if status == 0 && !reply.ended {
        return Some("the client was left without an answer".to_owned());
    }
    if !expected.contains(&status) {
        return Some(format!("{}, where it may be {expected:?}", reply.brief()));
    }
    let answer = first?;
    if status == 405 && (answer.header("allow") != Some("GET, HEAD") || answer.code().as_deref() != Some("UNSUPPORTED"))
    {
        return Some(format!("405 with Allow {:?} and {:?}", answer.header("allow"), answer.code()));
    }
    None
}

/// Several requests in one go are answered in their order.
fn pipelined(rig: &Rig, world: &World<'_>, image: &Image, report: &mut Report) -> Result<()> {
    let paths = ["/v2/", "/v2/library/tiny/manifests/1", "/v2/library/tiny/manifests/absent", "/v2/nothing"];
    let one = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: larder\r\n\r\n");
    let mut bytes: String = (0..100).flat_map(|_| paths.map(one)).collect();
    let blob = format!("/v2/library/tiny/blobs/{}", image.config_digest());
    bytes.push_str(&String::from_utf8(request(&format!("GET {blob}"), &[], b""))?);
    for tier in TIERS {
        let reply = wire::send(rig, &To::Tcp(world.address(tier)), bytes.as_bytes(), PATIENCE)?;
        let answers: Vec<u16> = reply.all().iter().map(|answer| answer.status).collect();
        let wanted: Vec<u16> = (0..100).flat_map(|_| [200, 200, 404, 404]).chain([200]).collect();
        let wrong = (answers != wanted).then(|| format!("{answers:?}"));
        report.row("401 requests in one go", tier, format!("{} answers", answers.len()), reply.took, wrong);
    }
    Ok(())
}
