//! What lies in the folder of a hub or of an agent's cache, looked at from outside.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use aws_lc_rs::digest::{Context, SHA256, SHA512};

/// A file, by its path below the folder.
#[derive(Clone, Debug)]
pub struct Lying {
    /// The path from the folder on.
    pub path: String,
    /// Bytes that it takes on the disk; a sparse file takes less than its length.
    pub taken: u64,
}

/// Where the content of `digest` lies once it is complete: as in a folder of CNCF distribution.
pub fn blob(folder: &Path, digest: &str) -> PathBuf {
    let (algorithm, hex) = digest.split_once(':').unwrap_or_default();
    let first = hex.get(..2).unwrap_or_default();
    folder.join("docker/registry/v2/blobs").join(algorithm).join(first).join(hex).join("data")
}

/// Hashes every file that is there as the content of a digest, and hands back the digests. A file that goes away
/// meanwhile is not there.
///
/// # Errors
/// When one is not what its name says; the message has them all.
pub fn verified(folder: &Path) -> Result<Vec<String>> {
    let blobs = folder.join("docker/registry/v2/blobs");
    let (mut right, mut wrong) = (Vec::new(), Vec::new());
    for file in below(&blobs)?.into_iter().filter(|file| file.path.ends_with("/data")) {
        let mut names = file.path.split('/');
        let (algorithm, hex) = (names.next().unwrap_or_default(), names.nth(1).unwrap_or_default());
        match hash(&blobs.join(&file.path), algorithm)? {
            Some(found) if found == hex => right.push(format!("{algorithm}:{hex}")),
            Some(found) => wrong.push(format!("{} is {found}", file.path)),
            None => {}
        }
    }
    if !wrong.is_empty() {
        bail!("under a digest there is something else:\n  {}", wrong.join("\n  "));
    }
    Ok(right)
}

/// What is kept beside the blobs and their links: downloads in progress, lists.
///
/// # Errors
/// When the folder cannot be read.
pub fn beside(folder: &Path) -> Result<Vec<Lying>> {
    let mut files = below(&folder.join("larder"))?;
    files.retain(|file| !file.path.starts_with("registries/"));
    Ok(files)
}

/// Changes one bit of a file at this offset, as a disk does that rots: its times stay as they were.
///
/// # Errors
/// When it has no such byte.
pub fn rot(file: &Path, offset: u64) -> Result<()> {
    use std::os::unix::fs::FileExt as _;
    let open = File::options().read(true).write(true).open(file).with_context(|| file.display().to_string())?;
    let before = open.metadata()?;
    let mut byte = [0];
    open.read_exact_at(&mut byte, offset).with_context(|| format!("{} is shorter", file.display()))?;
    open.write_all_at(&[byte[0] ^ 0x10], offset)?;
    let times = fs::FileTimes::new().set_accessed(before.accessed()?).set_modified(before.modified()?);
    Ok(open.set_times(times)?)
}

/// Every file below a folder, which need not exist.
fn below(folder: &Path) -> Result<Vec<Lying>> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        let entries = match fs::read_dir(&next) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error).with_context(|| next.display().to_string()),
        };
        for entry in entries {
            let entry = entry?;
            match entry.metadata() {
                Ok(meta) if meta.is_dir() => folders.push(entry.path()),
                Ok(meta) => {
                    let path = entry.path().strip_prefix(folder)?.to_string_lossy().into_owned();
                    found.push(Lying { path, taken: meta.blocks() * 512 });
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

fn hash(file: &Path, algorithm: &str) -> Result<Option<String>> {
    let mut open = match File::open(file) {
        Ok(open) => open,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| file.display().to_string()),
    };
    let mut context = Context::new(if algorithm == "sha512" { &SHA512 } else { &SHA256 });
    let mut part = vec![0; 1 << 20];
    loop {
        match open.read(&mut part)? {
            0 => return Ok(Some(hex::encode(context.finish().as_ref()))),
            n => context.update(&part[..n]),
        }
    }
}
