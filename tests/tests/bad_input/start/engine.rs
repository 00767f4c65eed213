//! The agent's own notes cannot be kept, or cannot be trusted: it serves as a mirror, says what is wrong, and does not
//! touch the engine.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context as _, Result, ensure};
use larder_tests::rig::{Rig, binaries, engine::Engine, until};

use crate::{report::Report, world::log_is_clean};

const SOON: Duration = Duration::from_secs(15);
const DAEMON_JSON: &str = "{\n\t\"debug\": false\n}\n";

/// What is in the place of the journal.
enum Notes {
    /// The state folder is a file.
    NoFolder,
    /// These bytes.
    Bytes(Vec<u8>),
    /// A folder.
    Folder,
}

pub(super) fn is_left_alone(rig: &Rig, report: &mut Report) -> Result<()> {
    let engine = rig.engine("node").start()?;
    fs::write(engine.config_folder().join("daemon.json"), DAEMON_JSON)?;
    let later = br#"{"format":99,"phase":"confirmed","file":"/etc/docker/daemon.json","what":"ever"}"#;
    let rows = [
        ("state: is a file", Notes::NoFolder),
        ("journal: noise", Notes::Bytes(vec![0xa5; 3000])),
        ("journal: empty", Notes::Bytes(vec![])),
        ("journal: half of one", Notes::Bytes(br#"{"format":1,"phase":"confirmed","file":"/etc/docker/dae"#.to_vec())),
        ("journal: of a later version", Notes::Bytes(later.to_vec())),
        ("journal: 40 MB", Notes::Bytes(vec![b' '; 40 << 20])),
        ("journal: a folder", Notes::Folder),
    ];
    for (n, (what, notes)) in rows.iter().enumerate() {
        let start = std::time::Instant::now();
        let outcome = try_one(rig, &engine, n, notes);
        let (got, wrong) = match outcome {
            Ok(said) => (said.chars().take(90).collect(), None),
            Err(error) => (String::new(), Some(format!("{error:#}"))),
        };
        report.row(*what, "agent", got, start.elapsed(), wrong);
    }
    Ok(())
}

/// What the agent said.
fn try_one(rig: &Rig, engine: &Engine, n: usize, notes: &Notes) -> Result<String> {
    let folder = rig.root().join(format!("noted-{n}"));
    let state = folder.join("state");
    fs::create_dir(&folder)?;
    let journal = state.join("runtime/journal/daemon.json");
    match notes {
        Notes::NoFolder => fs::write(&state, "not a folder\n")?,
        Notes::Bytes(bytes) => {
            fs::create_dir_all(state.join("runtime/journal"))?;
            fs::write(&journal, bytes)?;
        }
        Notes::Folder => fs::create_dir_all(&journal)?,
    }
    let (listen, metrics) = (rig.address(), rig.address());
    let common = |launch: larder_tests::rig::Launch| {
        let launch = launch.args(["--docker-host", "unix:///run/docker.sock", "--docker-config-dir", "/etc/docker"]);
        let launch = launch.args(["--docker-pid-file", "/run/docker.pid", "--listen"]).arg(listen.to_string());
        let launch = launch.arg("--state-dir").arg(&state).arg("--admin-socket").arg(folder.join("admin.sock"));
        launch.env("RUST_BACKTRACE", "1")
    };
    let binary = binaries::find("larder-agent")?;
    let run = engine.command(&format!("noted-{n}"), &binary).args(["run", "--hub", "http://127.0.0.1:9", "--metrics"]);
    let run = run.arg(metrics.to_string()).arg("--cache-dir").arg(folder.join("cache"));
    let agent = common(run).start()?;

    let name = if matches!(notes, Notes::NoFolder) { &state } else { &journal };
    let line = until("the agent to say what is wrong", SOON, || {
        let log = agent.log();
        let told = log.lines().find(|line| line.contains(" ERROR ") && line.contains(&*name.to_string_lossy()));
        Ok(told.map(str::to_owned))
    })?;
    let http = rig.http()?;
    let mirror = http.get(format!("http://{listen}/v2/")).send()?.status;
    let ready = http.get(format!("http://{metrics}/readyz")).send()?.status;
    ensure!((mirror, ready) == (200, 503), "the mirror says {mirror}, readiness {ready}");
    let restore = common(engine.command("restore", &binary).arg("restore")).finish(Duration::from_secs(60))?;
    untouched(engine, &journal, notes)?;

    let status = agent.terminate(Duration::from_secs(20))?;
    ensure!(status.code() == Some(0), "it ended with {status}");
    let alone = common(engine.command("restore", &binary).arg("restore")).finish(Duration::from_secs(60))?;
    for (how, restore) in [("beside the agent", restore), ("alone", alone)] {
        let said = format!("{}{}", restore.stdout, restore.stderr);
        ensure!(!restore.status.success(), "restore {how} went well: {said}");
        ensure!(said.contains(&*name.to_string_lossy()), "restore {how} does not name {}: {said}", name.display());
        ensure!(log_is_clean(&said).next().is_none(), "restore {how}: {said}");
    }
    untouched(engine, &journal, notes)?;
    if let Some(bad) = log_is_clean(&agent.log()).next() {
        anyhow::bail!("it logged {bad}");
    }
    let said = line.split(" ERROR ").nth(1).context("it is an error")?;
    Ok(said.replace(&*rig.root().to_string_lossy(), "…"))
}

fn untouched(engine: &Engine, journal: &Path, notes: &Notes) -> Result<()> {
    ensure!(engine.daemon_json().as_deref() == Some(DAEMON_JSON), "daemon.json is now {:?}", engine.daemon_json());
    ensure!(engine.mirrors()?.is_empty(), "the engine's mirrors are {:?}", engine.mirrors()?);
    if let Notes::Bytes(bytes) = notes {
        ensure!(fs::read(journal)? == *bytes, "the journal is not what it was");
    }
    Ok(())
}
