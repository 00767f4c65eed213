//! Hub and agent are started, watched and ended as they should be. Stand-ins play their parts, so that this tests the
//! rig and not Larder.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Result;
use larder_tests::rig::story;

/// A script that takes the arguments of either program, and answers at the address for operators.
fn stand_in() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rig/stand-in.sh")
}

#[test]
fn a_hub_is_configured_awaited_read_and_ended() -> Result<()> {
    story(|rig| {
        let upstream = rig.registry("upstream").tls().named("registry.example").htpasswd("ann", "secret").start()?;
        let hub = rig.hub("hub").upstream(&upstream).binary(&stand_in()).start()?;
        let config: serde_json::Value = serde_json::from_slice(&fs::read(rig.root().join("hub/config.yml"))?)?;
        assert_eq!(config["proxy"]["remoteurl"], upstream.url());
        assert_eq!(config["proxy"]["password"], "secret");
        assert_eq!(config["larder"]["ca"][0], serde_json::json!(rig.ca().file()));
        assert_eq!(hub.metrics()?.sum("larder_things"), 5.0);
        assert_eq!(hub.metrics()?.get("larder_things", &[("kind", "b")]), Some(3.0));
        assert!(hub.logs().contains("knows 1"), "{}", hub.logs());
        assert_eq!(hub.stop(Duration::from_secs(5))?.code(), Some(0));
        assert!(!hub.is_ready());
        hub.start()?;
        hub.kill()
    })
}

#[test]
fn an_agent_runs_on_the_node_of_its_engine() -> Result<()> {
    story(|rig| {
        let engine = rig.engine("node").start()?;
        let agent = rig.agent("agent", "http://127.0.0.1:1").on(&engine).binary(&stand_in()).start()?;
        let inside =
            engine.command("pid", "cat").arg("/run/docker.pid").finish(Duration::from_secs(5))?.success()?.stdout;
        assert!(agent.logs().contains(&format!("sees {inside},")), "{}", agent.logs());
        assert_eq!(agent.stop(Duration::from_secs(5))?.code(), Some(0));
        Ok(())
    })
}
