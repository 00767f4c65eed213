//! One daemon that is killed, looked at, and started again.

use std::{collections::BTreeSet, fs, path::PathBuf, process::Command, thread, time::Duration};

use anyhow::{Context as _, Result, anyhow, ensure};
use bytes::Bytes;
use larder_tests::rig::{
    Rig,
    disks::store,
    images::{Blob, Image},
    larder::Daemon,
    line::Line,
    readers::{Reader, Received},
    until, until_true,
};

use super::{
    ledger::{Life, TALK},
    random::Random,
};

const MIB: u64 = 1 << 20;
/// Clients of every blob.
const HERD: usize = 3;
/// The most that comes of a download in a life, on average, before it is killed: some pieces of 4 MiB.
const SHARE: u64 = 20 * MIB;
/// What may lie beside blobs and downloads: lists, pieces, what is about to be removed.
const BESIDE: u64 = 4 * MIB;

/// See the module.
pub(crate) struct Patient<'a> {
    pub(crate) rig: &'a Rig,
    pub(crate) image: &'a Image,
    /// The blobs of the image and their bytes.
    pub(crate) content: &'a [(Blob, Bytes)],
    pub(crate) line: &'a Line,
    pub(crate) daemon: Daemon,
    pub(crate) folder: PathBuf,
}

impl Patient<'_> {
    /// Waits until it asks its source. An agent does not while it has not heard of its hub.
    pub(crate) fn is_ready(&self) -> Result<()> {
        until("it to ask its source", Duration::from_secs(10), || {
            let alive = self.daemon.metrics()?.get("larder_hub_alive", &[]);
            Ok((alive.is_none_or(|alive| alive == 1.0)).then_some(()))
        })
    }

    /// The blobs that are not kept.
    fn missing(&self) -> Result<Vec<&Blob>> {
        let kept: BTreeSet<String> = store::verified(&self.folder)?.into_iter().collect();
        Ok(self.image.blobs().into_iter().filter(|blob| !kept.contains(blob.digest())).collect())
    }

    /// A herd pulls, `missing` blobs of which are not kept, and at some moment it is killed.
    pub(crate) fn live_and_die(&self, missing: usize, random: &mut Random) -> Result<Life> {
        let flights = missing as u64;
        let before = self.line.passed();
        self.line.limit(random.one_of(&[0, 24, 48, 96]) * MIB);
        // By what has come and not by time: a busy machine gets as far with its downloads as an idle one.
        let moment = before + flights * random.between(0, SHARE);
        let readers = self.herd(HERD)?;
        let received = thread::scope(|scope| -> Result<Vec<Received>> {
            let pulling = scope.spawn(|| self.rig.read_all(readers));
            let is_time = || self.line.passed() >= moment || pulling.is_finished();
            until_true("the moment to kill it", Duration::from_secs(60), is_time)?;
            self.daemon.kill()?;
            pulling.join().map_err(|_| anyhow!("a client panicked"))?
        })?;
        for received in received {
            ensure!(received.is_harmless(), "{received:?}");
        }
        store::verified(&self.folder)?;
        Ok(Life { flights, received: self.line.passed() - before, killed: true })
    }

    /// It starts again, and everything is looked at before anybody asks. Gives how many blobs are not kept.
    pub(crate) fn rises(&self) -> Result<usize> {
        self.daemon.start()?;
        self.is_ready()?;
        let missing = self.missing()?;
        let left = store::beside(&self.folder)?;
        let taken: u64 = left.iter().map(|file| file.taken).sum();
        let most: u64 = missing.iter().map(|blob| blob.size()).sum::<u64>() + BESIDE;
        ensure!(taken <= most, "{} MiB lie there, and {} MiB may: {left:#?}", taken / MIB, most / MIB);
        let partials = self.partials()?;
        let belongs =
            |path: &str| missing.iter().any(|blob| path.contains(blob.digest().trim_start_matches("sha256:")));
        let stray: Vec<_> = partials.iter().filter(|file| !belongs(&file.path)).collect();
        ensure!(stray.is_empty(), "of no download: {stray:#?}");
        ensure!(partials.len() <= 2 * missing.len(), "too many for {} downloads: {partials:#?}", missing.len());
        Ok(missing.len())
    }

    /// Nobody kills it any more: all pulls end well, and all is kept.
    pub(crate) fn recovers(&self, missing: usize) -> Result<Life> {
        let flights = missing as u64;
        let before = self.line.passed();
        self.line.limit(0);
        for received in self.rig.read_all(self.herd(1)?)? {
            ensure!(received.is_right(), "{received:?}");
        }
        let kept = || self.missing().is_ok_and(|missing| missing.is_empty());
        until_true("all to be kept", Duration::from_secs(20), kept)?;
        until("no download to be left", Duration::from_secs(20), || Ok(self.partials()?.is_empty().then_some(())))?;
        Ok(Life { flights, received: self.line.passed() - before, killed: false })
    }

    /// Begins again with a copy of what `dead` left, and finishes what that one had begun.
    pub(crate) fn inherits(&self, dead: &Self) -> Result<Life> {
        self.daemon.kill()?;
        fs::remove_dir_all(&self.folder).context("removing its folder")?;
        let copied = Command::new("cp").args(["-a", "--sparse=always"]).args([&dead.folder, &self.folder]).status()?;
        ensure!(copied.success(), "cannot copy {}", dead.folder.display());
        let missing = self.rises()?;
        let needed: u64 = self.missing()?.iter().map(|blob| blob.size()).sum();
        let life = self.recovers(missing)?;
        let most = needed + TALK;
        ensure!(life.received <= most, "{} bytes came, and {most} may", life.received);
        Ok(life)
    }

    /// The next one begins with nothing, and the disk is not that large.
    pub(crate) fn bury(self) -> Result<()> {
        self.daemon.kill()?;
        fs::remove_dir_all(&self.folder).context("removing its folder")
    }

    /// What is kept of downloads.
    fn partials(&self) -> Result<Vec<store::Lying>> {
        let mut files = store::beside(&self.folder)?;
        files.retain(|file| file.path.starts_with("partials/"));
        Ok(files)
    }

    /// So many clients of every blob, after one of the manifest.
    fn herd(&self, clients: usize) -> Result<Vec<Reader>> {
        let (repository, manifest) = (self.image.repository(), self.image.manifest_digest());
        let reply = self.daemon.get(&format!("/v2/{repository}/manifests/{manifest}")).send()?.expect(200)?;
        ensure!(reply.digest() == manifest, "the manifest is {}", reply.digest());
        let reader = |(blob, bytes): &(Blob, Bytes)| {
            let url = format!("{}/v2/{repository}/blobs/{}", self.daemon.url(), blob.digest());
            Reader::new(&url, bytes).limit(Duration::from_secs(60))
        };
        let all = self.content.iter().cycle().take(self.content.len() * clients);
        Ok(all.map(reader).collect())
    }
}
