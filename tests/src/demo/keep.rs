//! `KEEP=1`: everything stays up, and a person is told how to use it.

use std::{path::Path, sync::mpsc::Receiver};

use anyhow::Result;

use super::{
    cluster::Cluster,
    interrupt::Event,
    screen::{Done, Screen},
};
use crate::rig::engine::docker_program;

/// Puts things as they were before the story stopped the hub and took Larder out, and says how to use them.
pub(super) fn set_up(screen: &Screen, cluster: &Cluster) -> Result<()> {
    screen.tell("\n");
    screen.step("hub and agents start again", "hub", |_| {
        cluster.begin_again()?;
        Ok(Done::with(()).saying("and both engines are empty"))
    })?;
    screen.tell(&manual(screen, cluster)?);
    Ok(())
}

/// Waits for Ctrl-C.
pub(super) fn wait(screen: &Screen, _alive: &Cluster, next: &Receiver<Event>) {
    screen.say(&screen.paint().bold("Ctrl-C here ends it and cleans up."));
    // Nobody is left to say anything else; if even signals cannot be heard, waiting is over as well.
    let _ = next.recv();
    screen.say("");
}

/// `docker`, if that is what a shell takes for it.
fn by_name(program: &str) -> &str {
    let path = std::env::var("PATH").unwrap_or_default();
    let found = path.split(':').map(|folder| format!("{folder}/docker")).find(|path| Path::new(path).exists());
    if found.is_some_and(|found| found == program) { "docker" } else { program }
}

/// Commands for another shell, each on one line to be copied.
fn manual(screen: &Screen, cluster: &Cluster) -> Result<String> {
    let paint = screen.paint();
    let sudo = if std::env::var_os("SUDO_USER").is_some() { "sudo " } else { "" };
    let mut text = String::new();
    let mut section = |title: &str, lines: &[String]| {
        text.push_str(&format!("\n  {}\n", paint.bold(title)));
        text.extend(lines.iter().map(|line| format!("    {line}\n")));
    };
    let docker = by_name(docker_program());
    let docker = |index: usize, rest: &str| {
        let engine = &cluster.nodes[index].engine;
        format!("{sudo}{docker} -H {} {rest}", engine.host())
    };
    let (main, other) = (&cluster.names.main, &cluster.names.other);
    section(
        "Pull through Larder",
        &[docker(0, &format!("pull {main}")), docker(1, &format!("pull {other}")), docker(1, "images")],
    );

    let open = |address| cluster.gate.door(address);
    let hub = open(cluster.hub.observed_at())?;
    let agent = open(cluster.nodes[0].agent.observed_at())?;
    section(
        "What the hub and the agent of node-1 have counted",
        &[
            format!("curl -s http://{hub}/metrics | grep bytes_total"),
            format!("curl -s http://{agent}/metrics | grep bytes_total"),
        ],
    );
    let repository = main.split(':').next().unwrap_or(main);
    let tag = main.split(':').nth(1).unwrap_or("latest");
    let registry = open(cluster.hub.address())?;
    section(
        "The hub speaks the registry protocol",
        &[format!("curl -s http://{registry}/v2/library/{repository}/manifests/{tag}")],
    );
    let config = cluster.nodes[0].engine.config_folder().join("daemon.json");
    section(
        "What they write",
        &[format!("{sudo}cat {}", config.display()), format!("{sudo}tail -f {}/*.log", cluster.rig.logs().display())],
    );
    Ok(text)
}
