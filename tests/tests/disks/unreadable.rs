//! What was stored cannot be read any more. No pull is spoiled by it, and the next one is right.

use anyhow::{Result, ensure};
use larder_tests::rig::{
    disks::{Call, Fault, When},
    story, until_true,
};

use super::scene::{RECOVERY, Scene, Tier, image};

const MIB: u64 = 1 << 20;

macro_rules! stories {
    ($($name:ident: $tier:ident, $good:expr, $stays:expr;)*) => { $(
        #[test]
        fn $name() -> Result<()> {
            spoils_no_pull(Tier::$tier, $good, $stays)
        }
    )* };
}

stories! {
    a_blob_of_a_hub_that_cannot_be_read: Hub, 0, false;
    a_blob_of_an_agent_that_cannot_be_read: Agent, 0, false;
    a_blob_of_a_hub_whose_middle_cannot_be_read: Hub, 10 * MIB, false;
    a_blob_of_an_agent_whose_middle_cannot_be_read: Agent, 10 * MIB, false;
    a_place_of_a_hub_that_can_never_be_read: Hub, 0, true;
    a_place_of_an_agent_that_can_never_be_read: Agent, 0, true;
}

/// After `good` bytes reading the blob fails; where it `stays` so, whatever is written there again.
fn spoils_no_pull(tier: Tier, good: u64, stays: bool) -> Result<()> {
    story(|rig| {
        let image = image("library/app", 24 * MIB)?;
        let layer = &image.layers()[0];
        let upstream = rig.faulty_upstream("upstream").image(&image).start()?;
        let disk = rig.faulty_disk("disk").start()?;
        let scene = Scene::start(rig, tier, upstream.url(), Some((disk.mount(), disk.content().to_owned())))?;
        scene.pull(&image)?;
        until_true("the layer to be kept", RECOVERY, || scene.has(layer))?;

        let hex = layer.digest().trim_start_matches("sha256:");
        let place = When::from(Call::Read).on(&format!("{hex}/data"));
        disk.fault(place.after_bytes(good), Fault::IO)?;
        let first = scene.read(&image, layer)?;
        ensure!(first.is_harmless(), "the first: {first:?}");
        ensure!(disk.spoiled()? > 0, "the disk did not fail");
        if !stays {
            disk.heal()?;
        }
        let next = scene.read(&image, layer)?;
        ensure!(next.is_right(), "the next: {next:?}");
        for received in rig.read_all(vec![scene.reader(&image, layer)?; 4])? {
            ensure!(received.is_right(), "many: {received:?}");
        }
        scene.nothing_wrong_is_visible()?;
        disk.heal()?;
        scene.is_cached_again(&image, layer)?;
        scene.no_complaint()
    })
}
