//! The few changes this module makes to a disk, each of them all or nothing and on the platter when it returns.
//!
//! A trait, so that a test can stop the machine before any of them.

use std::{
    fs::{DirBuilder, File, Permissions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _},
    path::Path,
};

use tempfile::NamedTempFile;

/// Who a file belongs to and what its permissions are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Attributes {
    /// Permission bits, `0o7777` at most.
    pub(super) mode: u32,
    /// User and group; `None`: those of this process.
    pub(super) owner: Option<(u32, u32)>,
}

/// What to do with a file that has the name already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Existing {
    /// The new file takes its place.
    Replace,
    /// It stays, and the commit fails with [`io::ErrorKind::AlreadyExists`].
    Keep,
}

/// Changes to a disk.
pub(super) trait Disk: Sync {
    /// Writes `bytes` to a new file beside `path` and syncs it. Dropped, it goes away again.
    fn stage(&self, path: &Path, bytes: &[u8], attributes: Attributes) -> io::Result<NamedTempFile>;
    /// Gives a staged file its name.
    fn commit(&self, staged: NamedTempFile, path: &Path, existing: Existing) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Creates a folder in one that exists.
    fn create_folder(&self, path: &Path, mode: u32) -> io::Result<()>;
    /// Removes a folder, if it is empty.
    fn remove_folder(&self, path: &Path) -> io::Result<()>;
}

/// The disk of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RealDisk;

const STAGED: &str = ".larder-";

/// The beginning of the names of files that are staged for `path`: `.daemon.json.larder-`.
pub(super) fn staged_prefix(path: &Path) -> String {
    format!(".{}{STAGED}", path.file_name().unwrap_or_default().to_string_lossy())
}

/// Removes what an interrupted [`Disk::stage`] left in `folder` for files whose names are ours. Only under the lock:
/// nobody else stages then.
pub(super) fn sweep(folder: &Path, is_ours: impl Fn(&str) -> bool) {
    for entry in folder.read_dir().into_iter().flatten().flatten() {
        let name = entry.file_name();
        let staged_for = |name: &str| Some(name.strip_prefix('.')?.rsplit_once(STAGED)?.0.to_owned());
        let ours = name.to_str().and_then(staged_for).is_some_and(|name| is_ours(&name));
        if ours && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            let swept = std::fs::remove_file(entry.path());
            tracing::info!(file = %entry.path().display(), ?swept, "removed a leftover of an interrupted edit");
        }
    }
}

// === impl RealDisk ===

impl Disk for RealDisk {
    fn stage(&self, path: &Path, bytes: &[u8], attributes: Attributes) -> io::Result<NamedTempFile> {
        let mut staged = tempfile::Builder::new().prefix(&staged_prefix(path)).tempfile_in(folder(path)?)?;
        staged.write_all(bytes)?;
        let file = staged.as_file();
        if let Some((user, group)) = attributes.owner {
            let now = file.metadata()?;
            if (now.uid(), now.gid()) != (user, group) {
                std::os::unix::fs::fchown(file, Some(user), Some(group))?;
            }
        }
        // After the owner: a change of owner takes permission bits away.
        file.set_permissions(Permissions::from_mode(attributes.mode))?;
        file.sync_all()?;
        Ok(staged)
    }

    fn commit(&self, staged: NamedTempFile, path: &Path, existing: Existing) -> io::Result<()> {
        match existing {
            Existing::Replace => staged.persist(path)?,
            Existing::Keep => staged.persist_noclobber(path)?,
        };
        sync_folder(path)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)?;
        sync_folder(path)
    }

    fn create_folder(&self, path: &Path, mode: u32) -> io::Result<()> {
        DirBuilder::new().mode(mode).create(path)?;
        sync_folder(path)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_dir(path)?;
        sync_folder(path)
    }
}

/// Makes a name that was added, replaced or removed last through a power cut.
fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder(path)?)?.sync_all()
}

fn folder(path: &Path) -> io::Result<&Path> {
    path.parent().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a file outside any folder"))
}
