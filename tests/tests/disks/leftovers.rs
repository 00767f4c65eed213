//! Nothing is left of the disks of a test that is killed.

use std::{
    fs::{self, File},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result};
use larder_tests::rig::{
    Footprint, Rig,
    disks::{Call, Fault},
    story, until, until_true,
};

/// Tells the test that is to be killed where to note its footprint.
const NOTE: &str = "LARDER_DISKS_FOOTPRINT";

/// Mounts and the programs that use them end with it; what cannot end by itself is cleared away by the next rig.
#[test]
fn a_killed_test_leaves_nothing_once_the_next_rig_is_made() -> Result<()> {
    let note = std::env::temp_dir().join(format!("larder-disks-{}", std::process::id()));
    let mut victim = Command::new(std::env::current_exe()?)
        .args(["--ignored", "--exact", "leftovers::waits_to_be_killed"])
        .env(NOTE, &note)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let root = format!("larder-rig-{}-0", victim.id());
    let read = || Ok(fs::read(&note).ok().and_then(|bytes| serde_json::from_slice::<Footprint>(&bytes).ok()));
    let footprint = until("the other test to have its disks", Duration::from_secs(60), read);
    let devices = loop_files(&root).len();
    victim.kill()?;
    victim.wait()?;
    let footprint = footprint?;
    fs::remove_file(&note)?;
    assert_eq!(devices, 1);
    let no_process = || !footprint.leftovers().iter().any(|left| left.starts_with("process"));
    until_true("all its programs to end", Duration::from_secs(10), no_process)?;
    until_true("its loop device to be free", Duration::from_secs(10), || loop_files(&root).is_empty())?;
    drop(Rig::new()?);
    footprint.assert_gone()
}

#[test]
#[ignore = "the test above runs it in a process of its own, and kills that"]
fn waits_to_be_killed() -> Result<()> {
    let note = std::env::var(NOTE).context("only the test above knows where to note the footprint")?;
    story(|rig| {
        let (small, faulty) = (rig.small_disk("small", 32)?, rig.faulty_disk("faulty").start()?);
        fs::write(small.mount().seen().join("file"), "dirty")?;
        let hub = rig.hub("hub").remote("http://127.0.0.1:1").on_disk(small.mount())?.start()?;
        let agent = rig.agent("agent", "http://127.0.0.1:1").arg("--engine").arg("none");
        let _agent = agent.on_disk(faulty.mount())?.start()?;
        // Somebody waits in the kernel for an answer of the disk, which comes only when it has gone.
        fs::write(faulty.mount().seen().join("file"), "x")?;
        faulty.fault(Call::Read, Fault::Slow(Duration::from_secs(30)))?;
        let cat = rig.command("cat", "cat").arg(faulty.mount().seen().join("file")).start()?;
        until("cat to wait", Duration::from_secs(5), || Ok(waits(cat.pid()).then_some(())))?;
        let part = Path::new(&note).with_extension("part");
        serde_json::to_writer(File::create(&part)?, &rig.footprint()?)?;
        fs::rename(part, note)?;
        until_true("being killed", Duration::from_secs(60), || hub.process().is_err())
    })
}

/// Whether the process sleeps where no signal wakes it.
fn waits(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/wchan")).is_ok_and(|place| place.contains("request_wait_answer"))
        || fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(" (cat) D "))
}

/// The files behind loop devices that have this in their path.
pub(crate) fn loop_files(part: &str) -> Vec<String> {
    let devices = fs::read_dir("/sys/block").into_iter().flatten().flatten();
    let files = devices.filter_map(|device| fs::read_to_string(device.path().join("loop/backing_file")).ok());
    files.filter(|file| file.contains(part)).collect()
}
