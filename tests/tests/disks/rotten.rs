//! Bits change on the disk while the daemon is down. Whoever asks afterwards gets the right bytes, and the disk does too.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use larder_tests::rig::{
    disks::store,
    faults::FaultyUpstream,
    images::{Image, ImageSpec, LayerSpec},
    story, until, until_true,
};

use super::scene::{RECOVERY, Scene, Tier};

const MIB: u64 = 1 << 20;
/// Many pieces of 4 MiB, and a layer that is one.
const SIZES: [u64; 2] = [24 * MIB, 100_000];

#[test]
fn a_rotten_blob_of_a_hub_is_mended() -> Result<()> {
    story(|rig| Rotten::set(rig, Tier::Hub)?.is_mended())
}

#[test]
fn a_rotten_blob_of_an_agent_is_mended() -> Result<()> {
    story(|rig| Rotten::set(rig, Tier::Agent)?.is_mended())
}

#[test]
fn a_rotten_range_of_a_hub_is_not_given_out() -> Result<()> {
    story(|rig| Rotten::set(rig, Tier::Hub)?.no_range_of_it_is_given_out())
}

#[test]
fn a_rotten_range_of_an_agent_is_not_given_out() -> Result<()> {
    story(|rig| Rotten::set(rig, Tier::Agent)?.no_range_of_it_is_given_out())
}

#[test]
fn a_rotten_manifest_of_a_hub_is_mended() -> Result<()> {
    story(|rig| Rotten::set(rig, Tier::Hub)?.its_manifest_is_mended())
}

#[test]
fn a_rotten_manifest_of_an_agent_is_mended() -> Result<()> {
    story(|rig| Rotten::set(rig, Tier::Agent)?.its_manifest_is_mended())
}

#[test]
fn a_rotten_blob_of_a_hub_with_nobody_to_ask_is_not_given_out() -> Result<()> {
    story(|rig| Rotten::set(rig, Tier::Hub)?.is_not_given_out_alone())
}

/// A daemon that was started on a disk where every layer and the manifest have one wrong bit.
struct Rotten<'a> {
    scene: Scene<'a>,
    image: Image,
    upstream: FaultyUpstream,
}

impl<'a> Rotten<'a> {
    fn set(rig: &'a larder_tests::rig::Rig, tier: Tier) -> Result<Self> {
        let layers = SIZES.iter().map(|size| LayerSpec::random("data", *size, *size));
        let spec = ImageSpec::new("library/app", "1").without_index();
        let image = layers.fold(spec, ImageSpec::layer).build()?;
        let upstream = rig.faulty_upstream("upstream").image(&image).start()?;
        let scene = Scene::start(rig, tier, upstream.url(), None)?;
        scene.pull(&image)?;
        let kept = || image.layers().iter().all(|layer| scene.has(layer));
        until_true("all to be kept", RECOVERY, kept)?;
        scene.nothing_wrong_is_visible()?;
        let status = scene.daemon().stop(Duration::from_secs(20))?;
        ensure!(status.success(), "it ended with {status}");
        for layer in image.layers() {
            store::rot(&store::blob(&scene.folder, layer.digest()), layer.size() / 2)?;
        }
        let manifest = store::blob(&scene.folder, image.manifest_digest());
        store::rot(&manifest, std::fs::metadata(&manifest).context("the manifest is kept")?.len() / 2)?;
        ensure!(store::verified(&scene.folder).is_err(), "nothing is rotten");
        scene.start_again()?;
        Ok(Self { scene, image, upstream })
    }

    fn is_mended(&self) -> Result<()> {
        for layer in self.image.layers() {
            let size = layer.size();
            let mut received = self.scene.read(&self.image, layer)?;
            if received.is_not_found() {
                received = self.scene.read(&self.image, layer)?;
            }
            ensure!(received.is_right(), "of {size} bytes: {received:?}");
            let again = self.scene.read(&self.image, layer)?;
            ensure!(again.is_right(), "of {size} bytes, again: {again:?}");
        }
        self.disk_is_mended()?;
        self.damage_is_counted(SIZES.len() as f64)
    }

    fn no_range_of_it_is_given_out(&self) -> Result<()> {
        for layer in self.image.layers() {
            let bytes = layer.bytes()?;
            let from = bytes.len() / 2 - 1000;
            let path = format!("/v2/library/app/blobs/{}", layer.digest());
            let ask =
                || self.scene.daemon().get(&path).header("range", &format!("bytes={from}-{}", from + 1999)).send();
            let mut reply = ask()?;
            if reply.status == 404 && reply.broken.is_none() {
                reply = ask()?;
            }
            let reply = reply.expect(206)?;
            ensure!(reply.body == bytes.slice(from..from + 2000), "a range of {} bytes is wrong", bytes.len());
        }
        self.damage_is_counted(SIZES.len() as f64)
    }

    fn its_manifest_is_mended(&self) -> Result<()> {
        let path = format!("/v2/library/app/manifests/{}", self.image.manifest_digest());
        let ask = || self.scene.daemon().get(&path).send();
        let mut reply = ask()?;
        if reply.status == 404 {
            reply = ask()?;
        }
        let reply = reply.expect(200)?;
        ensure!(reply.digest() == self.image.manifest_digest(), "wrong bytes: {}", reply.text());
        self.damage_is_counted(1.0)
    }

    fn is_not_given_out_alone(&self) -> Result<()> {
        self.upstream.refuse();
        for layer in self.image.layers() {
            for _ in 0..2 {
                let received = self.scene.read(&self.image, layer)?;
                ensure!(received.is_harmless(), "of {} bytes: {received:?}", layer.size());
            }
        }
        self.upstream.listen()?;
        for layer in self.image.layers() {
            until("its bytes to come again", RECOVERY, || {
                let received = self.scene.read(&self.image, layer)?;
                ensure!(received.is_harmless(), "of {} bytes: {received:?}", layer.size());
                Ok(received.is_right().then_some(()))
            })?;
        }
        self.disk_is_mended()?;
        self.image.layers().iter().try_for_each(|layer| self.scene.is_cached_again(&self.image, layer))
    }

    /// Once everything was asked for, also the manifest, the disk has it all as it should be.
    fn disk_is_mended(&self) -> Result<()> {
        let manifest = format!("/v2/library/app/manifests/{}", self.image.manifest_digest());
        self.scene.daemon().get(&manifest).send()?;
        let mended = || {
            self.image.layers().iter().all(|layer| self.scene.has(layer))
                && self.scene.nothing_wrong_is_visible().is_ok()
        };
        until_true("the disk to be right again", RECOVERY, mended)
    }

    fn damage_is_counted(&self, at_least: f64) -> Result<()> {
        let counted = self.scene.daemon().metrics()?.sum("larder_blobs_damaged_total");
        ensure!(counted >= at_least, "larder_blobs_damaged_total is {counted}");
        Ok(())
    }
}
