//! Who waits for a slow disk waits alone: what needs no disk is answered as ever, and downloads and sessions go on.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow, ensure};
use larder_tests::rig::{
    Rig,
    disks::{Call, Fault, FaultyDisk, When},
    images::Image,
    larder::Daemon,
    line::Line,
    registry::Registry,
    story, until,
};

use super::scene::{Scene, Tier, image};

const MIB: u64 = 1 << 20;

/// What the disk takes for a call that it is slow at.
const SLOW: Duration = Duration::from_secs(3);
/// No answer that needs no disk takes longer.
const SOON: Duration = Duration::from_secs(1);
const LIMIT: Duration = Duration::from_secs(60);
/// As many clients as stall every thread for connections, if one can.
const CLIENTS: usize = 4;

/// A daemon that has an image on a disk which can be slow, and nothing of it in memory.
struct Stage<'a> {
    rig: &'a Rig,
    disk: FaultyDisk,
    scene: Scene<'a>,
    image: Image,
    upstream: Registry,
    line: Line,
}

impl<'a> Stage<'a> {
    fn start(rig: &'a Rig, tier: Tier) -> Result<Self> {
        let (upstream, image) = (rig.registry("upstream").start()?, image("library/app", 8 * MIB)?);
        upstream.load(&image)?;
        let line = rig.line(upstream.address())?;
        let disk = rig.faulty_disk("disk").page_cache().start()?;
        let scene = Scene::start(rig, tier, &line.url(), Some((disk.mount(), disk.content().to_owned())))?;
        scene.pull(&image)?;
        scene.daemon().stop(LIMIT)?;
        scene.start_again()?;
        Ok(Self { rig, disk, scene, image, upstream, line })
    }

    fn slow(&self, call: Call, part_of_path: &str) -> Result<()> {
        self.disk.fault(When::from(call).on(part_of_path), Fault::Slow(SLOW))
    }

    /// Many clients read the layer.
    fn read(&self) -> Result<()> {
        self.read_of(&self.image, CLIENTS)
    }

    fn read_of(&self, image: &Image, clients: usize) -> Result<()> {
        for received in self.rig.read_all(vec![self.scene.reader(image, &image.layers()[0])?; clients])? {
            ensure!(received.is_right(), "{received:?}");
        }
        Ok(())
    }

    fn get(&self, path: &str) -> Result<()> {
        self.scene.daemon().get(path).send()?.expect(200).map(drop)
    }

    /// What needs no disk is answered soon.
    fn answers(&self, path: &str) -> Result<()> {
        let start = Instant::now();
        self.get(path)?;
        let took = start.elapsed();
        ensure!(took < SOON, "GET {path}, which needs no disk, took {took:?}");
        Ok(())
    }
}

/// Does `work`, which has to wait for the disk, and `look`s again and again meanwhile.
fn meanwhile(work: impl FnOnce() -> Result<()> + Send, mut look: impl FnMut() -> Result<()>) -> Result<()> {
    thread::scope(|scope| {
        let start = Instant::now();
        let working = scope.spawn(move || work().map(|()| start.elapsed()));
        until("those who wait for the disk", LIMIT, || {
            look()?;
            Ok(working.is_finished().then_some(()))
        })?;
        let took = working.join().map_err(|_| anyhow!("who waited for the disk panicked"))??;
        ensure!(took >= SLOW, "nobody waited for the disk: {took:?}");
        Ok(())
    })
}

fn opening_stalls_nobody(tier: Tier, part_of_path: &str) -> Result<()> {
    story(|rig| {
        let stage = Stage::start(rig, tier)?;
        stage.slow(Call::Open, part_of_path)?;
        meanwhile(|| stage.read(), || stage.answers("/v2/"))
    })
}

#[test]
fn of_a_hub_a_link_that_opens_slowly_stalls_nobody_else() -> Result<()> {
    opening_stalls_nobody(Tier::Hub, "_layers/")
}

#[test]
fn of_an_agent_a_link_that_opens_slowly_stalls_nobody_else() -> Result<()> {
    opening_stalls_nobody(Tier::Agent, "_layers/")
}

#[test]
fn of_a_hub_a_blob_that_opens_slowly_stalls_nobody_else() -> Result<()> {
    opening_stalls_nobody(Tier::Hub, "/data")
}

#[test]
fn of_an_agent_a_blob_that_opens_slowly_stalls_nobody_else() -> Result<()> {
    opening_stalls_nobody(Tier::Agent, "/data")
}

#[test]
fn a_tag_that_opens_slowly_stalls_nobody_else() -> Result<()> {
    story(|rig| {
        let stage = Stage::start(rig, Tier::Hub)?;
        stage.slow(Call::Open, "_manifests/")?;
        let ask = || stage.get(&format!("/v2/{}/manifests/1", stage.image.repository()));
        let ask_often = || {
            thread::scope(|scope| {
                let asking: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(ask)).collect();
                asking.into_iter().try_for_each(|one| one.join().map_err(|_| anyhow!("a client panicked"))?)
            })
        };
        meanwhile(ask_often, || stage.answers("/v2/"))
    })
}

/// A blob that gets its name on a disk that is slow at that keeps nobody waiting who asks for what is in memory.
fn naming_stalls_nobody(call: Call) -> Result<()> {
    story(|rig| {
        let stage = Stage::start(rig, Tier::Hub)?;
        let other = image("library/other", MIB)?;
        stage.upstream.load(&other)?;
        let manifest = |image: &Image| format!("/v2/{}/manifests/{}", image.repository(), image.manifest_digest());
        let in_memory = manifest(&stage.image);
        for path in [&in_memory, &manifest(&other)] {
            stage.get(path)?;
        }
        stage.slow(call, "blobs/")?;
        let fetch = || {
            // Its reader has all of it before it has its name.
            stage.read_of(&other, 1)?;
            until("the blob to be kept", LIMIT, || Ok(stage.scene.has(&other.layers()[0]).then_some(())))
        };
        meanwhile(fetch, || stage.answers(&in_memory))
    })
}

#[test]
fn a_blob_that_is_renamed_slowly_stalls_nobody_else() -> Result<()> {
    naming_stalls_nobody(Call::Rename)
}

#[test]
fn a_folder_that_is_made_slowly_stalls_nobody_else() -> Result<()> {
    naming_stalls_nobody(Call::Folder)
}

#[test]
fn a_hub_that_opens_files_slowly_is_not_silent_to_its_agents() -> Result<()> {
    story(|rig| {
        let stage = Stage::start(rig, Tier::Hub)?;
        let agent = rig.agent("agent", &stage.scene.daemon().url()).arg("--engine").arg("none").start()?;
        let hears = |agent: &Daemon| Ok::<_, anyhow::Error>(agent.metrics()?.sum("larder_hub_alive") == 1.0);
        until("the agent to hear of its hub", LIMIT, || Ok(hears(&agent)?.then_some(())))?;
        stage.slow(Call::Open, "/data")?;
        let alive = || {
            ensure!(hears(&agent)?, "the agent takes its hub for dead");
            Ok(())
        };
        meanwhile(|| stage.read(), alive)
    })
}

/// A disk that hangs for good, as far as any client is concerned.
#[test]
fn what_is_in_memory_is_had_while_the_disk_hangs() -> Result<()> {
    story(|rig| {
        let stage = Stage::start(rig, Tier::Hub)?;
        let config = format!("/v2/{}/blobs/{}", stage.image.repository(), stage.image.config_digest());
        let tag = format!("/v2/{}/manifests/1", stage.image.repository());
        for path in [&config, &tag] {
            stage.get(path)?;
        }
        for call in [Call::Open, Call::OpenToWrite, Call::Create] {
            stage.disk.fault(When::from(call).on("/"), Fault::Slow(2 * LIMIT))?;
        }
        // Longer than a link is believed without a look at the disk.
        let start = Instant::now();
        let outcome = until("the time that links are believed", LIMIT, || {
            for path in [&config, &tag] {
                let asked = Instant::now();
                stage.get(path)?;
                ensure!(asked.elapsed() < 2 * SLOW, "GET {path} took {:?}", asked.elapsed());
            }
            Ok((start.elapsed() > 4 * SLOW).then_some(()))
        });
        stage.disk.heal()?;
        outcome
    })
}

/// It does not run where connections are served, nor does its connection to the upstream.
#[test]
fn a_download_goes_on_while_files_open_slowly() -> Result<()> {
    story(|rig| {
        let stage = Stage::start(rig, Tier::Hub)?;
        let cold = image("library/cold", 64 * MIB)?;
        stage.upstream.load(&cold)?;
        stage.line.limit(4 * MIB);
        // The download goes on over the connection that this makes.
        stage.get(&format!("/v2/{}/manifests/{}", cold.repository(), cold.manifest_digest()))?;
        thread::scope(|scope| {
            let downloading = scope.spawn(|| stage.read_of(&cold, 1));
            let begin = stage.line.passed();
            until("the download to begin", LIMIT, || Ok((stage.line.passed() > begin + MIB).then_some(())))?;
            stage.slow(Call::Open, stage.image.layers()[0].digest().trim_start_matches("sha256:"))?;
            let (mut last, mut moved) = (stage.line.passed(), Instant::now());
            let goes_on = || {
                let passed = stage.line.passed();
                if passed > last {
                    (last, moved) = (passed, Instant::now());
                }
                ensure!(moved.elapsed() < SOON, "nothing came of the download for {:?}", moved.elapsed());
                Ok(())
            };
            let outcome = meanwhile(|| stage.read(), goes_on);
            stage.line.limit(0);
            downloading.join().map_err(|_| anyhow!("a client panicked"))??;
            outcome
        })
    })
}
