//! The demo, run as a person runs it. The machine it runs on is a rig: there "the real Docker Hub" is one that tests
//! can fill, break and watch, and what the demo leaves behind is easily seen.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "the files of a rig need not outlive a crash; what a person sees is worth a look"
)]

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use larder_tests::rig::{
    Footprint, Process, Rig, Signal,
    images::{self, LayerSpec},
    registry::{Registry, Rules},
    story, until,
};
use serde_json::json;

/// A demo takes a quarter of a minute; this is for machines that are busy with something else.
const LIMIT: Duration = Duration::from_secs(110);

/// What Docker Hub is asked for by the demo: not the real thing, but as large.
const IMAGES: [(&str, &str, u64); 2] = [("nginx", "1.28", 60), ("alpine", "3.22", 4)];

fn docker_hub(rig: &Rig) -> Result<Registry> {
    rig.docker_hub().tokens(Rules::new().public("library/*")).start()
}

/// A demo that has been started, and where it is.
struct Demo {
    process: Process,
    root: PathBuf,
    footprint: Footprint,
}

impl Demo {
    fn start(rig: &Rig, args: &[&str], env: &[(&str, &str)]) -> Result<Self> {
        let demo = rig.command("demo", env!("CARGO_BIN_EXE_larder-demo")).args(args).with_rig_hosts();
        let demo = demo.env("SSL_CERT_FILE", rig.ca().file());
        let passed_on = ["LARDER_BIN_DIR", "TMPDIR"].map(|name| (name, std::env::var_os(name)));
        let demo = passed_on.into_iter().filter_map(|(n, v)| Some((n, v?))).fold(demo, |demo, (n, v)| {
            // The demo runs in another folder than this test.
            demo.env(n, std::path::absolute(&v).map_or(v, PathBuf::into_os_string))
        });
        let process = env.iter().fold(demo, |demo, (name, value)| demo.env(name, value)).start()?;
        let root = std::env::temp_dir().join(format!("larder-rig-{}-0", process.pid()));
        let footprint = serde_json::from_value(json!({ "root": &root }))?;
        Ok(Self { process, root, footprint })
    }

    /// Waits until it has said this.
    fn has_said(&self, what: &str) -> Result<()> {
        until(&format!("the demo to say {what:?}"), LIMIT, || {
            let said = self.process.log();
            match self.process.ended() {
                _ if said.contains(what) => Ok(Some(())),
                Some(status) => anyhow::bail!("it ended with {status}:\n{said}"),
                None => Ok(None),
            }
        })
    }

    /// Waits for its end and looks around.
    fn ends_with(&self, code: i32) -> Result<String> {
        let status = self.process.wait(LIMIT)?;
        let said = self.process.log();
        println!("{said}");
        ensure!(status.code() == Some(code), "{status}");
        ensure!(said.contains("nothing of the demo is left"));
        self.footprint.assert_gone()?;
        Ok(said)
    }
}

#[test]
fn docker_hub_is_used_where_it_is_within_reach_and_keep_leaves_it_up() -> Result<()> {
    story(|rig| {
        let upstream = docker_hub(rig)?;
        for (name, tag, size) in IMAGES {
            let image = images::busybox(&format!("library/{name}"), tag);
            upstream.load(&image.layer(LayerSpec::random("data/big", size, size << 20)).build()?)?;
        }
        let demo = Demo::start(rig, &[], &[("KEEP", "1")])?;
        demo.has_said("Ctrl-C here ends it")?;
        let said = demo.process.log();
        for expected in ["Docker Hub is within reach", "64 MB from Docker Hub", "4.2 MB from Docker Hub", "saved"] {
            ensure!(said.contains(expected), "{expected} is not in:\n{said}");
        }
        let log = upstream.log()?;
        let by_engines = log.iter().filter(|entry| entry.user_agent.starts_with("docker/"));
        ensure!(by_engines.clone().count() > 0, "one pull goes past Larder");
        ensure!(by_engines.into_iter().all(|entry| entry.path.contains("alpine") || entry.path == "/v2/"));

        // Whatever is printed for another shell works there.
        let commands = said.lines().map(str::trim).filter(|line| {
            ["curl ", "cat ", "docker ", "/usr/bin/docker "].iter().any(|program| line.starts_with(program))
        });
        let commands: Vec<&str> = commands.collect();
        ensure!(commands.len() == 7, "{commands:?}");
        for command in commands {
            let shell = rig.command("shell", "sh").args(["-c", command]).finish(Duration::from_secs(60))?.success()?;
            ensure!(!shell.stdout.trim().is_empty(), "{command} has nothing to say");
        }
        demo.process.signal(Signal::INT);
        demo.ends_with(0).map(drop)
    })
}

#[test]
fn a_docker_hub_that_does_not_deliver_is_done_without() -> Result<()> {
    story(|rig| {
        let _empty = docker_hub(rig)?;
        let said = Demo::start(rig, &[], &[])?.ends_with(0)?;
        ensure!(said.contains("Docker Hub did not deliver: ") && said.contains("68 MB from upstream"), "{said}");
        Ok(())
    })
}

#[test]
fn an_interrupt_in_the_middle_of_a_pull_leaves_nothing() -> Result<()> {
    story(|rig| {
        let demo = Demo::start(rig, &["--local"], &[])?;
        demo.has_said("node-2: the agent")?;
        until("a pull", LIMIT, || Ok(is_pulling("web:1", &demo.root).then_some(())))?;
        demo.process.signal(Signal::INT);
        let said = demo.ends_with(130)?;
        ensure!(said.contains("interrupted") && !said.contains("stopped at"), "{said}");
        Ok(())
    })
}

/// Whether `docker … pull` runs for this image in the rig whose folder is `root`.
fn is_pulling(reference: &str, root: &Path) -> bool {
    let command = format!("unix://{}/node-1/docker.sock\0pull\0{reference}\0", root.display());
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    lines.map(|line| String::from_utf8_lossy(&line).into_owned()).any(|line| line.ends_with(&command))
}

#[test]
fn a_word_it_does_not_know_is_refused_in_two_lines() -> Result<()> {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_larder-demo")).arg("--kep").output()?;
    let said = String::from_utf8(output.stderr).context("text")?;
    ensure!(output.status.code() == Some(1) && said.lines().count() == 2 && said.contains("--help"), "{said}");
    Ok(())
}
