//! How a test is told: a rig, a body, and a look around afterwards.

use std::{
    io::Write as _,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::Path,
    time::Instant,
};

use anyhow::{Result, ensure};

use super::ground::Rig;

/// What a rig cannot do without, as (program, Debian package).
const PROGRAMS: [(&str, &str); 9] = [
    ("unshare", "util-linux"),
    ("nsenter", "util-linux"),
    ("setpriv", "util-linux"),
    ("ip", "iproute2"),
    ("busybox", "busybox-static"),
    ("docker-registry", "docker-registry"),
    ("htpasswd", "apache2-utils"),
    ("dockerd", "docker.io"),
    ("docker", "docker.io"),
];

/// Runs a test in a rig of its own.
///
/// Tells how long it took; on failure shows the ends of the rig's logs; and fails when anything of the rig is left on
/// the machine, however the body ended.
///
/// # Errors
/// The body's, or a list of what was left behind, or what this machine lacks.
///
/// # Panics
/// When the body does.
pub fn story(body: impl FnOnce(&Rig) -> Result<()>) -> Result<()> {
    let missing = needs();
    ensure!(missing.is_empty(), "this test needs {}; tests/install.sh brings it", missing.join(", "));
    let start = Instant::now();
    let rig = Rig::new()?;
    let footprint = rig.footprint()?;
    let outcome = catch_unwind(AssertUnwindSafe(|| body(&rig)));
    if !matches!(outcome, Ok(Ok(()))) {
        show(&rig.log_tails(30));
    }
    drop(rig);
    let gone = footprint.assert_gone();
    let thread = std::thread::current();
    tell(&format!("story {}: {:.1} s\n", thread.name().unwrap_or("?"), start.elapsed().as_secs_f64()));
    outcome.unwrap_or_else(|panic| resume_unwind(panic))?;
    gone
}

/// What this machine lacks for a rig: root, or packages by name. Empty when all is there.
pub fn needs() -> Vec<String> {
    let mut missing: Vec<String> = Vec::new();
    if !rustix::process::geteuid().is_root() {
        missing.push("root".to_owned());
    }
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    for (program, package) in PROGRAMS {
        if !path.split(':').any(|folder| Path::new(folder).join(program).exists()) {
            missing.push(package.to_owned());
        }
    }
    missing.dedup();
    missing
}

/// By way of the test harness, which shows it when the test fails.
#[expect(clippy::print_stderr, reason = "the harness captures what these macros print, and nothing else")]
fn show(text: &str) {
    eprintln!("{text}");
}

/// Straight to standard error: the test harness keeps to itself what a passing test prints, and times are wanted then.
fn tell(text: &str) {
    // A closed standard error is no reason to fail a test.
    let _ = std::io::stderr().write_all(text.as_bytes());
}
