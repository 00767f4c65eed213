//! The disk is too full for what is pulled: a real one.

use std::time::Duration;

use anyhow::{Result, ensure};
use larder_tests::rig::{story, until_true};

use super::scene::{RECOVERY, Scene, Tier, image};

const MIB: u64 = 1 << 20;

#[test]
fn a_hub_serves_what_its_disk_has_no_room_for() -> Result<()> {
    serves_what_there_is_no_room_for(Tier::Hub)
}

#[test]
fn an_agent_serves_what_its_disk_has_no_room_for() -> Result<()> {
    serves_what_there_is_no_room_for(Tier::Agent)
}

fn serves_what_there_is_no_room_for(tier: Tier) -> Result<()> {
    story(|rig| {
        let upstream = rig.registry("upstream").start()?;
        let (small, one, other) =
            (image("library/small", MIB)?, image("library/one", 64 * MIB)?, image("library/other", 64 * MIB + 1)?);
        for image in [&small, &one, &other] {
            upstream.load(image)?;
        }
        let disk = rig.small_disk("small", 256)?;
        let scene = Scene::start(rig, tier, upstream.url(), Some((disk.mount(), disk.mount().seen())))?;
        let process = scene.daemon().process()?.pid();
        scene.pull(&small)?;
        disk.fill(24 * MIB)?;

        // One after the other, and many at once.
        let layer = &one.layers()[0];
        let manifest = format!("/v2/library/one/manifests/{}", one.manifest_digest());
        scene.daemon().get(&manifest).send()?.expect(200)?;
        let received = scene.read(&one, layer)?;
        ensure!(received.is_right(), "alone: {received:?}");
        for received in rig.read_all(vec![scene.reader(&one, layer)?; 8])? {
            ensure!(received.is_right(), "one of many: {received:?}");
        }
        scene.pull(&other)?;
        ensure!(!scene.has(layer) && !scene.has(&other.layers()[0]), "there was no room for it");
        scene.nothing_wrong_is_visible()?;
        ensure!(disk.free()? <= 24 * MIB, "it made room that was not its own");
        ensure!(scene.daemon().metrics()?.sum("larder_detours_total") > 0.0, "no detour is counted");
        for _ in 0..20 {
            ensure!(scene.complaint()?.is_some(), "nothing tells that the disk is full");
            std::thread::sleep(Duration::from_millis(200));
        }

        // Somebody makes room.
        disk.make_room()?;
        for image in [&one, &other] {
            scene.is_cached_again(image, &image.layers()[0])?;
        }
        scene.no_complaint()?;
        ensure!(scene.daemon().process()?.pid() == process, "it was started again");
        until_true("what was half done to be gone", RECOVERY, || disk.free().is_ok_and(|free| free > 80 * MIB))
    })
}
