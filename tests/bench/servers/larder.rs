//! Ours.

use std::time::Duration;

use anyhow::Result;
use larder_tests::rig::{larder::HubBuilder, until};
use serde_json::json;

use super::{Kind, Part, Server};
use crate::stage::Stage;

/// For an agent to find its hub.
const MEET: Duration = Duration::from_secs(20);

/// A hub of `upstream`, about to be started.
pub(crate) fn hub_of(stage: &Stage, name: &str, upstream: &str) -> HubBuilder {
    stage.rig.hub(name).remote(upstream).adjust(|config| {
        config["log"] = json!({ "level": "warn", "accesslog": { "disabled": true } });
        // Agents ask for Docker Hub's images.
        config["larder"]["registry"] = json!("docker.io");
        // A tag that is asked for again in the midst of a case would measure the upstream.
        config["larder"]["tagfreshness"] = json!("1h");
    })
}

pub(super) fn hub(stage: &Stage, upstream: &str) -> Result<Server> {
    let name = stage.name("hub");
    let hub = hub_of(stage, &name, upstream).start()?;
    Ok(Server::of(Kind::Hub, hub.url(), vec![Part::Daemon(hub)], vec![stage.rig.root().join(&name)]))
}

pub(super) fn agent(stage: &Stage, hub: &str) -> Result<Server> {
    let name = stage.name("agent");
    let agent = stage.rig.agent(&name, hub).arg("--engine").arg("none").start()?;
    // Until they have met every miss is a 404.
    until("the agent to find its hub", MEET, || Ok((agent.metrics()?.sum("larder_hub_alive") > 0.0).then_some(())))?;
    Ok(Server::of(Kind::Agent, agent.url(), vec![Part::Daemon(agent)], vec![stage.rig.root().join(&name)]))
}
