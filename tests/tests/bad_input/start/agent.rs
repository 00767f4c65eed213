//! An agent that cannot start.

use std::{fs, path::Path};

use anyhow::Result;
use larder_tests::rig::{Launch, binaries};

use super::Bad;
use crate::report::Report;

/// A folder that only root can make.
const ROOTS: &str = "/var/lib/larder-of-root";

pub(super) fn refuses(bad: &Bad<'_>, report: &mut Report) -> Result<()> {
    let agent = binaries::find("larder-agent")?;
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let fresh = |name: &str| text(&bad.folder.join(name));
    let free = || format!("127.0.0.1:{}", bad.rig.port());
    let root = || bad.rig.command("bad-agent", &agent).arg("run");
    let nobody = || bad.nobody(&agent).arg("run");
    // What is given later counts.
    let with = |launch: Launch, changes: &[(&str, &str)]| {
        let mut options = vec![
            ("--hub", "http://127.0.0.1:9".to_owned()),
            ("--engine", "none".to_owned()),
            ("--listen", free()),
            ("--metrics", free()),
            ("--cache-dir", fresh("cache")),
            ("--state-dir", fresh("state")),
            ("--admin-socket", fresh("admin.sock")),
        ];
        for (name, value) in changes {
            options.retain(|(known, _)| known != name);
            options.push((name, (*value).to_owned()));
        }
        options.into_iter().fold(launch, |launch, (name, value)| launch.arg(name).arg(value))
    };
    let (file, folder) = (text(&bad.file), text(&bad.folder));
    let below = format!("{file}/cache");
    let (used, taken) = (text(&bad.world.folder("agent")), bad.world.agent.address().to_string());
    let live = text(&bad.rig.root().join("first-agent/admin.sock"));
    let precious = fresh("daemon.json");
    fs::write(&precious, "{}\n")?;
    let long = format!("{folder}/{}/admin.sock", "d".repeat(120));
    let unknown = fresh("unknown.yml");
    fs::write(&unknown, "hubb: http://127.0.0.1:9\n")?;
    let noise = fresh("noise.yml");
    fs::write(&noise, [0; 4096])?;
    let [file, below, used, taken, live] = [&file, &below, &used, &taken, &live].map(String::as_str);
    let [folder, precious, long, unknown, noise] = [&folder, &precious, &long, &unknown, &noise].map(String::as_str);
    #[rustfmt::skip]
    let rows: Vec<(&str, Launch, Vec<&str>)> = vec![
        ("cache: is a file", with(root(), &[("--cache-dir", file)]), vec![file]),
        ("cache: below a file", with(root(), &[("--cache-dir", below)]), vec![below]),
        ("cache: not ours to write", with(nobody(), &[("--cache-dir", ROOTS)]), vec![ROOTS, "ermission denied"]),
        ("cache: of another process", with(root(), &[("--cache-dir", used)]), vec![used, "in use"]),
        ("port: taken", with(root(), &[("--listen", taken)]), vec![taken, "another process"]),
        ("metrics port: taken", with(root(), &[("--metrics", taken)]), vec![taken, "another process"]),
        ("port: below 1024, as nobody", with(nobody(), &[("--listen", "127.0.0.1:797")]), vec!["127.0.0.1:797", "1024"]),
        ("port: open to all", with(root(), &[("--listen", "0.0.0.0:797")]), vec!["loopback"]),
        ("admin socket: of another agent", with(root(), &[("--admin-socket", live)]), vec![live, "another daemon"]),
        ("admin socket: is a folder", with(root(), &[("--admin-socket", folder)]), vec![folder]),
        ("admin socket: is a file", with(root(), &[("--admin-socket", precious)]), vec![precious]),
        ("admin socket: path too long", with(root(), &[("--admin-socket", long)]), vec!["admin socket"]),
        ("hub: no URL", with(root(), &[("--hub", "the hub")]), vec!["hub"]),
        ("hub: not encrypted, far away", with(root(), &[("--hub", "http://192.0.2.1:5000")]), vec!["--insecure-hub"]),
        ("hub: with a password", with(root(), &[("--hub", "https://ann:s3cret-of-the-hub@127.0.0.1:9")]), vec!["hub"]),
        ("configuration: not there", with(root(), &[("--config", "/nowhere/agent.yml")]), vec!["/nowhere/agent.yml"]),
        ("configuration: an unknown key", with(root(), &[("--config", unknown)]), vec!["hubb"]),
        ("configuration: zeros", with(root(), &[("--config", noise)]), vec![noise]),
        ("configuration: a folder", with(root(), &[("--config", folder)]), vec![folder]),
    ];
    for (what, launch, says) in rows {
        bad.refused(report, "agent", what, launch, &says)?;
    }
    report.holds(
        fs::read_to_string(precious).is_ok_and(|text| text == "{}\n"),
        "admin socket: a file that was there is gone",
    );
    Ok(())
}
