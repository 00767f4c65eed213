//! Garbage on the admin socket, and who may open it.

use std::{
    io::Write as _,
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _},
        net::UnixStream,
    },
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result};
use larder_tests::rig::Rig;

use crate::{
    report::Report,
    wire::{self, To, request},
    world::World,
};

const SOON: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) fn garbage(rig: &Rig, report: &mut Report) -> Result<()> {
    let world = World::start(rig, "admin", "http://127.0.0.1:9", |hub| hub)?;
    let socket = rig.root().join("admin-agent/admin.sock");
    let meta = std::fs::metadata(&socket)?;
    let mode = meta.permissions().mode() & 0o777;
    report.holds((mode, meta.uid()) == (0o600, 0), format!("the socket is {mode:o} of user {}", meta.uid()));

    let to = To::Unix(socket.clone());
    let half = thread::scope(|scope| {
        let half = scope.spawn(|| wire::send(rig, &to, b"GET /health HTTP/1.1\r\nHo", PATIENCE + SOON));
        for (what, bytes, expected) in requests() {
            let reply = wire::send(rig, &to, &bytes, SOON)?;
            let status = reply.first().map_or(0, |answer| answer.status);
            let right = expected.contains(&status) && (status > 0 || reply.ended);
            let wrong = (!right).then(|| format!("{}, where it may be {expected:?}", reply.brief()));
            report.row(format!("admin socket: {what}"), "agent", reply.brief(), reply.took, wrong);
        }
        half.join().ok().context("a thread panicked")?
    })?;
    let late = !half.ended || half.took > PATIENCE;
    let got = if half.ended { "closed" } else { "still open" };
    let wrong = late.then(|| format!("not closed within {PATIENCE:?}"));
    report.row("admin socket: half a request", "agent", got, half.took, wrong);

    // One that is half way when the agent is told to end does not keep it.
    let mut rest = UnixStream::connect(&socket)?;
    rest.write_all(b"GET /health HTTP/1.1\r\nHo")?;
    report.wrongs(world.farewell()?);
    Ok(())
}

#[rustfmt::skip]
fn requests() -> Vec<(&'static str, Vec<u8>, &'static [u16])> {
    let of = |line: &str| request(line, &[], b"");
    vec![
        ("health", of("GET /health"), &[200]),
        ("no such path", of("GET /nothing"), &[404]),
        ("../../etc/passwd", of("GET /../../../etc/passwd"), &[404]),
        ("restore, no engine", of("POST /restore"), &[409]),
        ("restore by GET", of("GET /restore"), &[404]),
        ("DELETE", of("DELETE /health"), &[404, 405]),
        ("restore with 10 MB", request("POST /restore", &["Content-Length: 10485760"], &vec![b'x'; 10 << 20]), &[409, 413]),
        ("restore with 100 GB, announced", request("POST /restore", &["Content-Length: 107374182400"], b"x"), &[409, 413]),
        ("a URL of 1 MB", of(&format!("GET /{}", "a".repeat(1 << 20))), &[400, 414, 431, 0]),
        ("a header of 1 MB", request("GET /health", &[&format!("X-Long: {}", "x".repeat(1 << 20))], b""), &[400, 431, 0]),
        ("1000 headers", request("GET /health", &["X-A: b"; 1000], b""), &[400, 431]),
        ("zeros", vec![0; 4096], &[400, 0]),
        ("an HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), &[400, 505, 0]),
        ("no HTTP at all", b"restore please\r\n\r\n".to_vec(), &[400, 0]),
    ]
}
