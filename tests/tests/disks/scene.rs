//! A hub, or a hub and an agent, of which the one that matters keeps its content where a story wants it.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, Result, ensure};
use larder_tests::rig::{
    Rig,
    disks::{Mount, store},
    images::{Blob, Image, ImageSpec, LayerSpec},
    larder::Daemon,
    readers::{Reader, Received},
    until,
};

/// How long a daemon may take to find out that its disk works again.
pub(crate) const RECOVERY: Duration = Duration::from_secs(30);

/// Whose disk it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tier {
    /// The hub's; clients ask the hub.
    Hub,
    /// The agent's; clients ask the agent, and it asks a hub whose disk is well.
    Agent,
}

/// See the module.
pub(crate) struct Scene<'a> {
    rig: &'a Rig,
    tier: Tier,
    hub: Daemon,
    agent: Option<Daemon>,
    /// Where the content of the tier lies, as the test sees it.
    pub(crate) folder: PathBuf,
}

/// An image with one layer of so many bytes.
pub(crate) fn image(repository: &str, size: u64) -> Result<Image> {
    let seed = repository.bytes().fold(size, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    ImageSpec::new(repository, "1").layer(LayerSpec::random("data", seed, size)).without_index().build()
}

impl<'a> Scene<'a> {
    /// Starts what the tier needs before the registry at `upstream`. Its disk is `disk`, which the test sees at `folder`;
    /// or the rig's own, which is well.
    pub(crate) fn start(rig: &'a Rig, tier: Tier, upstream: &str, disk: Option<(&Mount, PathBuf)>) -> Result<Self> {
        let hub = rig.hub("hub").remote(upstream);
        let hub = hub.adjust(|config| config["larder"]["registry"] = serde_json::json!("docker.io"));
        let agent = |hub: &Daemon| rig.agent("agent", &hub.url()).arg("--engine").arg("none");
        let (hub, agent, folder) = match (tier, disk) {
            (Tier::Hub, None) => (hub.start()?, None, rig.root().join("hub/data")),
            (Tier::Hub, Some((disk, folder))) => (hub.on_disk(disk)?.start()?, None, folder),
            (Tier::Agent, None) => {
                let hub = hub.start()?;
                let agent = agent(&hub).start()?;
                (hub, Some(agent), rig.root().join("agent/cache"))
            }
            (Tier::Agent, Some((disk, folder))) => {
                let hub = hub.start()?;
                let agent = agent(&hub).on_disk(disk)?.start()?;
                (hub, Some(agent), folder)
            }
        };
        let scene = Self { rig, tier, hub, agent, folder };
        scene.sees_its_source()?;
        Ok(scene)
    }

    /// The daemon whose disk it is about.
    pub(crate) fn daemon(&self) -> &Daemon {
        self.agent.as_ref().unwrap_or(&self.hub)
    }

    /// Starts the daemon again after it was stopped.
    pub(crate) fn start_again(&self) -> Result<()> {
        self.daemon().start()?;
        self.sees_its_source()
    }

    /// A client of this blob of the image.
    pub(crate) fn reader(&self, image: &Image, blob: &Blob) -> Result<Reader> {
        let path = format!("/v2/{}/blobs/{}", image.repository(), blob.digest());
        Ok(Reader::new(&format!("{}{path}", self.daemon().url()), &blob.bytes()?))
    }

    /// One client reads this blob.
    pub(crate) fn read(&self, image: &Image, blob: &Blob) -> Result<Received> {
        let received = self.rig.read_all(vec![self.reader(image, blob)?])?;
        received.into_iter().next().context("there was one reader")
    }

    /// As an engine pulls: the tag, the manifest, then everything in it, three at a time.
    pub(crate) fn pull(&self, image: &Image) -> Result<()> {
        let manifests = format!("/v2/{}/manifests", image.repository());
        let tag = self.daemon().get(&format!("{manifests}/{}", image.tag())).send()?.expect(200)?;
        ensure!(tag.digest() == image.digest(), "the tag is {}", tag.digest());
        self.daemon().get(&format!("{manifests}/{}", image.manifest_digest())).send()?.expect(200)?;
        for blobs in image.blobs().chunks(3) {
            let readers = blobs.iter().map(|blob| self.reader(image, blob)).collect::<Result<_>>()?;
            for received in self.rig.read_all(readers)? {
                ensure!(received.is_right(), "in a pull: {received:?}");
            }
        }
        Ok(())
    }

    /// Bytes that the daemon has got from its source so far.
    pub(crate) fn fetched(&self) -> Result<f64> {
        Ok(self.daemon().metrics()?.sum("registry_proxy_pulled_bytes_total"))
    }

    /// Whether the blob is on the disk under its digest. That it is the right one is for [`store::verified`] to say.
    pub(crate) fn has(&self, blob: &Blob) -> bool {
        store::blob(&self.folder, blob.digest()).exists()
    }

    /// Everything under a digest is what the digest names.
    pub(crate) fn nothing_wrong_is_visible(&self) -> Result<()> {
        store::verified(&self.folder).map(drop)
    }

    /// How the daemon tells that its disk is not well, if it does.
    pub(crate) fn complaint(&self) -> Result<Option<String>> {
        let metrics = self.daemon().metrics()?;
        if metrics.sum("larder_disk_failing") == 1.0 {
            return Ok(Some("larder_disk_failing is 1".to_owned()));
        }
        let ready = self.daemon().observe("/readyz").send()?;
        let text = ready.text();
        let storage = text.lines().find(|line| line.starts_with("[-] storage"));
        Ok(storage.map(|line| format!("readyz: {line}")))
    }

    /// Waits until it tells of nothing wrong, and is ready.
    pub(crate) fn no_complaint(&self) -> Result<()> {
        until("the daemon to say that its disk is well again", RECOVERY, || {
            Ok((self.complaint()?.is_none() && self.daemon().is_ready()).then_some(()))
        })
    }

    /// Waits until the blob is kept again, every client on the way there being served well; and then another one without
    /// asking anybody.
    pub(crate) fn is_cached_again(&self, image: &Image, blob: &Blob) -> Result<()> {
        until("the blob to be kept", RECOVERY, || {
            let received = self.read(image, blob)?;
            ensure!(received.is_right(), "on a disk that is well: {received:?}");
            Ok(self.has(blob).then_some(()))
        })?;
        self.nothing_wrong_is_visible()?;
        let before = self.fetched()?;
        let received = self.read(image, blob)?;
        ensure!(received.is_right(), "from the disk: {received:?}");
        let fetched = self.fetched()? - before;
        ensure!(fetched == 0.0, "{fetched} bytes were fetched of what is kept");
        Ok(())
    }

    fn sees_its_source(&self) -> Result<()> {
        if self.tier == Tier::Hub {
            return Ok(());
        }
        until("the agent to hear of its hub", Duration::from_secs(10), || {
            Ok((self.daemon().metrics()?.sum("larder_hub_alive") == 1.0).then_some(()))
        })
    }
}
