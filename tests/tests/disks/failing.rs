//! The disk fails under a download that eight clients follow, each at its own speed. None of them may notice.

use std::time::Duration;

use anyhow::{Result, ensure};
use larder_tests::rig::{
    access::Kind,
    disks::{Call, Fault, When},
    faults, story, until,
};

use super::scene::{Scene, Tier, image};

const MIB: u64 = 1 << 20;
/// The length of the blob.
const SIZE: u64 = 24 * MIB;
/// How long a daemon may take to tell that its disk is ill.
const TOLD: Duration = Duration::from_secs(15);
/// What the upstream sends in a second on one connection.
const UPSTREAM: usize = 20_000_000;
/// What each client takes in a second; 0 for all there is.
const CLIENTS: [u64; 8] = [0, 0, 40_000_000, 16_000_000, 12_000_000, 10_000_000, 8_000_000, 6_000_000];

/// How the disk fails, and what has to be seen of it.
struct Failure {
    when: When,
    fault: Fault,
    /// Whether bytes are missing on the disk, so that clients have to go on another way.
    loses_bytes: bool,
    /// Whether the disk is so ill that any try to use it shows it.
    is_ill: bool,
}

/// A disk gets full.
fn full() -> Failure {
    let when = When::growing().after_bytes(8 * MIB);
    Failure { when, fault: Fault::NO_SPACE, loses_bytes: true, is_ill: true }
}

/// A disk breaks.
fn broken() -> Failure {
    let when = When::calls(&[Call::Write, Call::Fsync]).after_bytes(8 * MIB);
    Failure { when, fault: Fault::IO, loses_bytes: true, is_ill: true }
}

/// The kernel lets a disk only be read any more, as it does after an error.
fn read_only() -> Failure {
    let when = When::changing().after_bytes(8 * MIB);
    Failure { when, fault: Fault::READ_ONLY, loses_bytes: true, is_ill: true }
}

/// Everything is written, and cannot be forced to the disk.
fn without_fsync() -> Failure {
    Failure { when: Call::Fsync.into(), fault: Fault::IO, loses_bytes: false, is_ill: true }
}

/// Everything is there, and cannot get its name.
fn without_rename() -> Failure {
    let when = When::from(Call::Rename).on("/data");
    Failure { when, fault: Fault::IO, loses_bytes: false, is_ill: false }
}

macro_rules! stories {
    ($($name:ident: $tier:ident, $fault:ident;)*) => { $(
        #[test]
        fn $name() -> Result<()> {
            nobody_notices(Tier::$tier, $fault())
        }
    )* };
}

stories! {
    a_full_disk_under_a_hub: Hub, full;
    a_full_disk_under_an_agent: Agent, full;
    a_broken_disk_under_a_hub: Hub, broken;
    a_broken_disk_under_an_agent: Agent, broken;
    a_read_only_disk_under_a_hub: Hub, read_only;
    a_read_only_disk_under_an_agent: Agent, read_only;
    a_disk_without_fsync_under_a_hub: Hub, without_fsync;
    a_disk_without_fsync_under_an_agent: Agent, without_fsync;
    a_disk_without_rename_under_a_hub: Hub, without_rename;
    a_disk_without_rename_under_an_agent: Agent, without_rename;
}

fn nobody_notices(tier: Tier, failure: Failure) -> Result<()> {
    story(|rig| {
        let image = image("library/app", SIZE)?;
        let layer = &image.layers()[0];
        let upstream = rig.faulty_upstream("upstream").image(&image).start()?;
        let disk = rig.faulty_disk("disk");
        // Both ways in which a kernel reads, each in one tier.
        let disk = if tier == Tier::Hub { disk.start()? } else { disk.page_cache().start()? };
        let scene = Scene::start(rig, tier, upstream.url(), Some((disk.mount(), disk.content().to_owned())))?;
        let process = scene.daemon().process()?.pid();
        scene.daemon().get("/v2/library/app/manifests/1").send()?.expect(200)?;

        upstream.fault(Kind::Blob, faults::Fault::Drip(UPSTREAM));
        disk.fault(failure.when, failure.fault)?;
        let reader = scene.reader(&image, layer)?;
        let at = |rate| if rate == 0 { reader.clone() } else { reader.clone().slowly(rate) };
        let readers = CLIENTS.into_iter().map(at).collect();
        for (received, rate) in rig.read_all(readers)?.iter().zip(CLIENTS) {
            ensure!(received.is_right(), "at {rate} bytes/s: {received:?}");
        }
        ensure!(disk.spoiled()? > 0, "the disk did not fail");
        scene.nothing_wrong_is_visible()?;
        let metrics = scene.daemon().metrics()?;
        let (detours, errors) = (metrics.sum("larder_detours_total"), metrics.sum("larder_disk_errors_total"));
        ensure!(errors > 0.0, "no error of the disk is counted");
        ensure!(detours > 0.0 || !failure.loses_bytes, "no detour is counted");
        if failure.is_ill {
            until("the daemon to tell of its disk", TOLD, || scene.complaint())?;
        }

        disk.heal()?;
        upstream.heal();
        scene.is_cached_again(&image, layer)?;
        scene.no_complaint()?;
        ensure!(scene.daemon().process()?.pid() == process, "it was started again");
        Ok(())
    })
}
