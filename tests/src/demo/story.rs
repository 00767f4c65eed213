//! The story itself, told in order.

use std::{sync::Arc, time::Duration};

use anyhow::Result;

use super::{
    cluster::Cluster,
    keep,
    meter::Reading,
    node::Node,
    options::Options,
    pulls::{From, Plan, Pull},
    screen::{Done, Line, Screen, bytes, diff, seconds, table},
    stage::Stage,
    trouble,
    upstream::{DockerHubFailed, Place, docker_hub_answers},
};

const TITLE: &str = "Larder: a hub and two nodes, on Docker engines apart from everything else here";

/// Tells it. What was set up is handed back, to be looked at or to be dropped.
pub(super) fn tell(screen: &Screen, stage: &Stage, options: Options) -> Result<Box<Cluster>> {
    screen.tell(&format!("{}\n\n", screen.paint().bold(TITLE)));
    if !options.local && look_for_docker_hub(screen)? {
        match act(screen, stage, options, Place::DockerHub) {
            Err(error) if error.downcast_ref::<DockerHubFailed>().is_some() => {
                let advice = "Again from the start, with a local registry in its place:";
                screen.tell(&format!("\n  {}\n  {advice}\n\n", trouble::reason(&error)));
            }
            told => return told,
        }
    }
    act(screen, stage, options, Place::Local)
}

fn look_for_docker_hub(screen: &Screen) -> Result<bool> {
    screen.step("looking for Docker Hub", "", |_| {
        let answers = docker_hub_answers();
        let (what, outcome) = match answers {
            true => ("Docker Hub is within reach", ""),
            false => ("Docker Hub is out of reach", "a local registry instead"),
        };
        Ok(Done::with(answers).called(what).saying(outcome))
    })
}

fn act(screen: &Screen, stage: &Stage, options: Options, place: Place) -> Result<Box<Cluster>> {
    let rig = stage.raise()?;
    let cluster = Box::new(Cluster::set_up(screen, Arc::clone(&rig), place)?);
    show_daemon_json(screen, &cluster.nodes[0]);
    let pulls = pull_everything(screen, &cluster)?;
    screen.step("Larder is taken out of both nodes", cluster.nodes[0].agent.name(), |_| {
        cluster.nodes.iter().try_for_each(|node| node.restore(&rig))?;
        Ok(Done::with(()).saying("no trace left"))
    })?;
    let note = "daemon.json is byte for byte what it was, and the engines have no mirror.";
    screen.tell(&format!("\n    {}\n\n", screen.paint().dim(note)));
    screen.tell(&table(&pulls, cluster.upstream.name(), screen.paint()));
    screen.tell(&format!("\n{}", closing(&pulls, cluster.upstream.in_words())));
    if options.keep {
        keep::set_up(screen, &cluster)?;
    }
    Ok(cluster)
}

fn show_daemon_json(screen: &Screen, node: &Node) {
    let paint = screen.paint();
    let (before, after) = node.daemon_json();
    let heading = format!("/etc/docker/daemon.json of {}", node.name);
    let confirmed = format!("confirmed by the engine in {}", seconds(node.confirmed_in));
    screen.tell(&format!("\n    {}, {confirmed}:\n\n", paint.bold(&heading)));
    for line in diff(before, &after) {
        screen.tell(&match line {
            Line::Same(text) => format!("      {text}"),
            Line::Gone(text) => paint.red(&format!("    - {text}")),
            Line::New(text) => paint.green(&format!("    + {text}")),
        });
    }
    screen.tell("\n");
}

fn pull_everything(screen: &Screen, cluster: &Cluster) -> Result<Vec<Pull>> {
    let (main, other) = (cluster.names.main.as_str(), cluster.names.other.as_str());
    let [one, two] = cluster.nodes.as_slice() else { anyhow::bail!("the story is of two nodes") };
    let nothing = || Ok(());

    let plan = Plan { node: one, reference: main, label: format!("node-1  {main}"), from: From::Upstream };
    let first = cluster.pull(screen, &format!("node-1 pulls {main}"), plan, nothing)?;
    let digest = cluster.by_digest(one, main)?;

    let plan = Plan { node: one, reference: main, label: format!("node-1  {main}, again"), from: From::Disk };
    let again = cluster.pull(screen, "node-1 removes it and pulls it again", plan, || one.forget(main))?;

    let plan = Plan { node: two, reference: main, label: format!("node-2  {main}"), from: From::Hub };
    let second = cluster.pull(screen, &format!("node-2 pulls {main}"), plan, nothing)?;

    one.forget(main)?;
    screen.step("the hub is stopped", "hub", |_| {
        cluster.stop_hub()?;
        Ok(Done::with(()))
    })?;

    let label = format!("node-1  {main}, hub stopped");
    let plan = Plan { node: one, reference: &digest, label, from: From::Disk };
    let without_hub = cluster.pull(screen, &format!("node-1 pulls {main} by digest"), plan, nothing)?;

    let label = format!("node-2  {other}, hub stopped");
    let plan = Plan { node: two, reference: other, label, from: From::PastLarder };
    let past = cluster.pull(screen, &format!("node-2 pulls {other}, not cached"), plan, nothing)?;
    Ok(vec![first, again, second, without_hub, past])
}

/// What all this was good for.
fn closing(pulls: &[Pull], upstream: &str) -> String {
    let sum = pulls.iter().map(|pull| pull.moved).fold(Reading::default(), |sum, moved| sum + moved);
    let saved = sum.delivered.saturating_sub(sum.upstream);
    let percent = (saved * 100).checked_div(sum.delivered).unwrap_or_default();
    let slowest = pulls.iter().map(|pull| pull.took).max().unwrap_or(Duration::ZERO);
    format!(
        "{} pulls, {} in all, of which {} came from {upstream}: {} ({percent} %) saved.\n\
         None failed while the hub was stopped; the longest took {}.",
        pulls.len(),
        bytes(sum.delivered),
        bytes(sum.upstream),
        bytes(saved),
        seconds(slowest),
    )
}
