//! Looking at what is on the disk: what was not written down before a crash, or came from somebody else, is found, and
//! what is gone is forgotten.

use std::{
    fs::{self, File},
    io,
    path::Path,
};

use larder_oci::Digest;

use super::{Disk, FETCHED, seconds};
use crate::{durable, index::Facts, layout};

/// So many blobs that are found are taken in together.
const AT_ONCE: usize = 10_000;
/// What a broken download left is kept this long for somebody to go on with, in seconds.
const LEFT_FOR: u64 = 24 * 3600;

impl Disk {
    /// Looks at everything that is on the disk, and mends what is known of it. For the time after a start: what was not
    /// written down before a crash, or came from somebody else, is found; what is gone is forgotten. `rest` is called now
    /// and then; when it gives `false`, it stops.
    pub(crate) fn survey(&self, rest: &mut dyn FnMut() -> bool) -> io::Result<()> {
        let known = self.books().all();
        for digest in known {
            if !rest() {
                return Ok(());
            }
            self.forget_if_gone(&digest);
        }
        let mut found = Vec::new();
        for algorithm in ["sha256", "sha512"] {
            let folder = self.layout.v2().join("blobs").join(algorithm);
            for digest in digests_below(&folder, algorithm) {
                if !rest() {
                    return Ok(());
                }
                if !self.books().knows(&digest)
                    && let Some(facts) = self.look_at(&digest)
                {
                    found.push((facts.used, digest, facts));
                }
                // What is known counts for the bound: not only at the end of a long walk.
                if found.len() == AT_ONCE {
                    self.take_in(&mut found);
                }
            }
        }
        self.take_in(&mut found);
        self.sweep_lists(rest);
        self.sweep(&self.layout.larder(), rest);
        Ok(())
    }

    fn take_in(&self, found: &mut Vec<(u32, Digest, Facts)>) {
        // The order in which they go is made of the order in which they were used.
        found.sort_unstable_by_key(|(used, ..)| *used);
        for (_, digest, facts) in found.drain(..) {
            let mut books = self.books();
            if !books.knows(&digest) {
                books.find(digest, facts);
            }
        }
    }

    /// Removes the lists of pieces whose blobs are gone.
    fn sweep_lists(&self, rest: &mut dyn FnMut() -> bool) {
        for algorithm in ["sha256", "sha512"] {
            for digest in digests_below(&self.layout.larder().join("pieces").join(algorithm), algorithm) {
                if !rest() {
                    return;
                }
                let Some(_files) = self.files.try_of(&digest) else { continue };
                if !self.books().knows(&digest) {
                    let _ = fs::remove_file(self.layout.pieces(&digest));
                }
            }
        }
    }

    /// Removes what writers of small files left that were killed.
    fn sweep(&self, folder: &Path, rest: &mut dyn FnMut() -> bool) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if !rest() {
                return;
            }
            let Ok(data) = entry.metadata() else { continue };
            if data.is_dir() {
                self.sweep(&entry.path(), rest);
                continue;
            }
            let age = data.modified().ok().and_then(|time| time.elapsed().ok()).unwrap_or_default();
            if durable::is_temporary(&entry.file_name()) && age.as_secs() > LEFT_FOR {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// What the file of a blob says of it.
    fn look_at(&self, digest: &Digest) -> Option<Facts> {
        let file = File::open(self.layout.blob(digest)).ok()?;
        let data = file.metadata().ok()?;
        if data.len() == 0 && !digest.matches(b"") {
            return None;
        }
        let used = data.modified().map_or(0, seconds);
        Some(Facts { size: data.len(), fetched: fetched(&file), used, rank: 0 })
    }

    pub(super) fn take_stock_of_partials(&self) -> io::Result<()> {
        for entry in fs::read_dir(self.layout.partials())? {
            let entry = entry?;
            let digest = entry.file_name().to_str().and_then(layout::digest_of_partial);
            let left = digest.and_then(|digest| Some((digest, self.left(&digest)?)));
            let age = entry.metadata()?.modified()?.elapsed().unwrap_or_default();
            match left {
                Some((digest, left)) if age.as_secs() < LEFT_FOR => self.books().leave(digest, left.total),
                _ => {
                    // Nobody goes on with it, and the room it takes is not counted as free.
                    if let Err(error) = fs::remove_file(entry.path()) {
                        tracing::warn!(path = %entry.path().display(), %error, "cannot remove what a download left");
                    }
                }
            }
        }
        Ok(())
    }
}

/// The digests that have something below a folder, in no order.
fn digests_below(folder: &Path, algorithm: &str) -> impl Iterator<Item = Digest> {
    let list = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten();
    list(folder)
        .flat_map(move |prefix| list(&prefix.path()))
        .filter_map(move |blob| format!("{algorithm}:{}", blob.file_name().to_str()?).parse().ok())
}

/// When Larder fetched a file, in seconds since 1970; 0 if it did not.
pub(super) fn fetched(file: &File) -> u32 {
    let mut value = [0; 16];
    let read = rustix::fs::fgetxattr(file, FETCHED, &mut value).unwrap_or(0);
    std::str::from_utf8(&value[..read]).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}
