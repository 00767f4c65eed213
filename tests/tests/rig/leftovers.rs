//! A rig leaves nothing behind, however its test ends.

use std::{
    fs::{self, File},
    panic::catch_unwind,
    path::Path,
    process::{Command, Stdio},
    sync::Mutex,
    time::Duration,
};

use anyhow::{Context as _, Result};
use larder_tests::rig::{Footprint, Rig, images, story, until, until_true};

const NOTHING: Vec<String> = vec![];
/// Tells the test that is to be killed where to note its footprint.
const NOTE: &str = "LARDER_RIG_FOOTPRINT";

#[test]
fn a_normal_body_leaves_nothing() -> Result<()> {
    let mut seen = None;
    story(|rig| {
        rig.registry("kept").start().map(std::mem::forget)?;
        seen = Some(rig.footprint()?);
        let found = rig.footprint()?.leftovers();
        assert!(found.iter().any(|f| f.contains("docker-registry")), "it would have been found: {found:?}");
        Ok(())
    })?;
    assert_eq!(seen.context("the body ran")?.leftovers(), NOTHING);
    Ok(())
}

#[test]
fn a_panicking_body_leaves_nothing() -> Result<()> {
    let seen = Mutex::new(None::<Footprint>);
    let outcome = catch_unwind(|| {
        story(|rig| {
            *seen.lock().expect("nobody else has it") = Some(rig.footprint()?);
            let engine = engine_with_a_container(rig)?;
            std::mem::forget(engine);
            panic!("as planned")
        })
    });
    assert!(outcome.is_err());
    let footprint = seen.lock().expect("nobody panicked with it").take().context("the body ran")?;
    assert_eq!(footprint.leftovers(), NOTHING);
    Ok(())
}

#[test]
fn a_failing_body_is_an_error_that_says_why() {
    let outcome = story(|_| anyhow::bail!("as planned"));
    assert_eq!(outcome.map_err(|e| e.to_string()), Err("as planned".to_owned()));
}

/// The programs of a killed test end with it, and what cannot end by itself is cleared away by the next rig.
#[test]
fn a_killed_test_leaves_nothing_once_the_next_rig_is_made() -> Result<()> {
    let note = std::env::temp_dir().join(format!("larder-footprint-{}", std::process::id()));
    let mut victim = Command::new(std::env::current_exe()?)
        .args(["--ignored", "--exact", "leftovers::waits_to_be_killed"])
        .env(NOTE, &note)
        .stdout(Stdio::null())
        .spawn()?;
    let read = || Ok(fs::read(&note).ok().and_then(|bytes| serde_json::from_slice::<Footprint>(&bytes).ok()));
    let footprint = until("the other test to have its rig", Duration::from_secs(60), read);
    victim.kill()?;
    victim.wait()?;
    let footprint = footprint?;
    fs::remove_file(&note)?;
    assert!(footprint.leftovers().iter().any(|left| left.starts_with("folder")), "it could not clear up itself");
    let no_process = || !footprint.leftovers().iter().any(|left| left.starts_with("process"));
    until_true("all its programs to end", Duration::from_secs(10), no_process)?;
    drop(Rig::new()?);
    footprint.assert_gone()
}

#[test]
#[ignore = "the test above runs it in a process of its own, and kills that"]
fn waits_to_be_killed() -> Result<()> {
    let note = std::env::var(NOTE).context("only the test above knows where to note the footprint")?;
    story(|rig| {
        rig.registry("left").start().map(std::mem::forget)?;
        let engine = engine_with_a_container(rig)?;
        let part = Path::new(&note).with_extension("part");
        serde_json::to_writer(File::create(&part)?, &rig.footprint()?)?;
        fs::rename(part, note)?;
        until_true("being killed", Duration::from_secs(60), || engine.pid().is_err())
    })
}

fn engine_with_a_container(rig: &Rig) -> Result<larder_tests::rig::engine::Engine> {
    let hub = rig.docker_hub().start()?;
    hub.load(&images::busybox("library/tiny", "1").build()?)?;
    let engine = rig.engine("node").start()?;
    engine.docker(&["run", "--detach", "tiny:1"])?;
    Ok(engine)
}
