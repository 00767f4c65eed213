//! What listens where the hub should be is none: it says nothing, or garbage, or gRPC of its own kind. The agent tells
//! its engine 404, and soon.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use larder_tests::rig::{Rig, faults::Fault, faults::When, until};

use crate::{report::Report, world::log_is_clean};

/// A hub that says nothing is given up after 1.5 s.
const SOON: Duration = Duration::from_secs(3);
const LONG: Duration = Duration::from_secs(7);

/// What a listener does with a connection.
type Manner = fn(TcpStream);

const MANNERS: &[(&str, Manner)] = &[
    ("says nothing", |mut stream| drop(stream.read_to_end(&mut Vec::new()))),
    ("hangs up", drop),
    ("says garbage", |stream| say(stream, &[0xab; 100_000])),
    ("says it is SSH", |stream| say(stream, b"SSH-2.0-OpenSSH_9.2p1\r\n")),
    ("answers HTML to HTTP/2", |stream| {
        say(stream, b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<h1>Log in</h1>");
    }),
    ("announces a frame of 16 MB", |stream| say(stream, &[0xff, 0xff, 0xff, 4, 0, 0, 0, 0, 0, 1, 2, 3])),
    ("goes away at once", |stream| say(stream, &[&SETTINGS[..], &[0, 0, 8, 7, 0, 0, 0, 0, 0], &[0; 8]].concat())),
    ("says 404 to the session", |stream| say(stream, &[&SETTINGS[..], &[0, 0, 1, 1, 5, 0, 0, 0, 1, 0x8d]].concat())),
    ("welcomes with 2 GiB", |stream| grpc(stream, &[0, 0x80, 0, 0, 0, 1, 2, 3])),
    ("welcomes with noise", |stream| grpc(stream, &[0, 0, 0, 0, 4, 0xff, 0xff, 0xff, 0xff])),
    // Welcome { heartbeat_interval_ms: 0, hub_version: "\n\x1b[2J" }
    ("welcomes, wants beats all the time, answers none", |stream| {
        grpc(stream, &[0, 0, 0, 0, 11, 0x0a, 9, 0x0a, 5, b'\n', 0x1b, b'[', b'2', b'J', 0x10, 0]);
    }),
    // HeartbeatReply { sequence: 1 }
    ("does not welcome", |stream| grpc(stream, &[0, 0, 0, 0, 4, 0x12, 2, 0x08, 1])),
];

/// An empty SETTINGS frame, and one that confirms the client's.
const SETTINGS: [u8; 18] = [0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0];

pub(super) fn none_of_them_is_one(rig: &Rig, report: &mut Report) -> Result<()> {
    let portal = rig.faulty_upstream("portal").start()?;
    portal.fault(When::always(), Fault::Html(200));
    let mut hubs = vec![("is a login page".to_owned(), portal.address())];
    for (what, manner) in MANNERS {
        hubs.push(((*what).to_owned(), listen(rig, *manner)?));
    }
    let outcomes = thread::scope(|scope| {
        let tries: Vec<_> =
            hubs.iter().enumerate().map(|(n, (_, address))| scope.spawn(move || try_one(rig, n, *address))).collect();
        tries.into_iter().map(|one| one.join().ok().context("a thread panicked")?).collect::<Result<Vec<_>>>()
    })?;
    for ((what, _), (slowest, wrong)) in hubs.iter().zip(outcomes) {
        let got = if wrong.is_none() { "404, each time" } else { "" };
        report.row(format!("a hub that {what}"), "agent", got, slowest, wrong);
    }
    Ok(())
}

/// An agent of that hub: the slowest of its answers, and what is wrong.
fn try_one(rig: &Rig, n: usize, hub: SocketAddr) -> Result<(Duration, Option<String>)> {
    let agent = rig.agent(&format!("lost-{n}"), &format!("http://{hub}")).arg("--engine").arg("none").start()?;
    let (start, mut slowest) = (Instant::now(), Duration::ZERO);
    let digest = format!("sha256:{:064}", 1);
    let paths = [format!("manifests/{digest}"), "manifests/1".to_owned(), format!("blobs/{digest}")];
    // Long enough for the agent to try its hub a second time.
    until("the agent's answers", LONG * 2, || {
        for path in &paths {
            let reply = agent.get(&format!("/v2/library/tiny/{path}")).limit(LONG).send()?;
            slowest = slowest.max(reply.elapsed);
            ensure!(reply.status == 404, "{} {} for {path}", reply.status, reply.text());
        }
        Ok((start.elapsed() > LONG).then_some(()))
    })?;
    let mut wrong = (slowest > SOON).then(|| format!("it took {slowest:?} instead of {SOON:?}"));
    let status = agent.stop(Duration::from_secs(10))?;
    if status.code() != Some(0) {
        wrong = Some(format!("it ended with {status}"));
    }
    if let Some(line) = log_is_clean(&agent.logs()).next() {
        wrong = Some(format!("it logged {line}"));
    }
    Ok((slowest, wrong))
}

/// Listens in the rig for as long as it lives.
fn listen(rig: &Rig, manner: Manner) -> Result<SocketAddr> {
    let address = rig.address();
    let listener = rig.inside(|| TcpListener::bind(address))??;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || manner(stream));
        }
    });
    Ok(address)
}

/// Says this, and then listens until the other side ends it.
fn say(mut stream: TcpStream, bytes: &[u8]) {
    // A client that went away has heard enough.
    let _ = stream.write_all(bytes).and_then(|()| stream.read_to_end(&mut Vec::new()).map(drop));
}

/// Answers the session, once it is asked for, by 200 and this in its body.
fn grpc(mut stream: TcpStream, message: &[u8]) {
    let mut asked = Vec::new();
    let mut part = [0; 4096];
    // The preface, settings, and the headers of the first stream.
    while asked.len() < 150 {
        match stream.read(&mut part) {
            Ok(0) | Err(_) => return,
            Ok(n) => asked.extend_from_slice(&part[..n]),
        }
    }
    // `:status: 200` and `content-type: application/grpc`, by RFC 7541.
    let headers = [&[0x88, 0x0f, 0x10, 16][..], b"application/grpc"].concat();
    let frame = |kind: u8, flags: u8, payload: &[u8]| {
        [&[0, (payload.len() >> 8) as u8, payload.len() as u8, kind, flags, 0, 0, 0, 1], payload].concat()
    };
    say(stream, &[&SETTINGS[..], &frame(1, 4, &headers), &frame(0, 0, message)].concat());
}
