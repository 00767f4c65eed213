//! The file behind `daemon.json`: found, read, and replaced in one step with its owner and permissions kept. What is in
//! it is not looked at here.

mod error;
mod resolve;

#[cfg(test)]
mod tests;

use std::{
    fs::{File, Metadata},
    io::{self, Read as _},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use super::{
    daemon_json::MAX_BYTES,
    disk::{Attributes, Disk, Existing, sweep},
};
pub(crate) use error::{ReplaceError, TargetError};
use resolve::{DeadEnd, Node, Place, resolve};

const NAME: &str = "daemon.json";
/// As `apt` and `dnf` install it.
const FILE_MODE: u32 = 0o644;
const FOLDER_MODE: u32 = 0o755;

/// The engine's configuration folder: as dockerd names it, and as this process sees it.
#[derive(Debug, Clone)]
pub(crate) struct ConfigDir {
    host: PathBuf,
    seen: PathBuf,
    mounted: bool,
}

/// The file that dockerd reads when it reads `daemon.json`. It need not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// Its path for dockerd, all links followed.
    pub(super) host: PathBuf,
    /// Its path for this process.
    seen: PathBuf,
    /// Its folder, if that must be created first.
    pub(super) new_folder: Option<PathBuf>,
}

/// What the file was when it was looked at. Two equal snapshots: nobody touched it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Snapshot {
    /// Its bytes, at most one more than [`MAX_BYTES`]; `None`: there is no file.
    pub(super) bytes: Option<Vec<u8>>,
    pub(super) attributes: Option<Attributes>,
}

// === impl ConfigDir ===

impl ConfigDir {
    /// For an agent that runs on the host: links may lead anywhere, and the folder is created if it is missing.
    pub(crate) fn on_host(folder: impl Into<PathBuf>) -> Self {
        let folder = absolute(folder.into());
        Self { host: folder.clone(), seen: folder, mounted: false }
    }

    /// For an agent in a container: the host's folder `host` (`/etc/docker`) is mounted at `seen`
    /// (`/host/etc/docker`), and nothing else of the host is seen.
    pub(crate) fn mounted(seen: impl Into<PathBuf>, host: impl Into<PathBuf>) -> Self {
        Self { host: absolute(host.into()), seen: absolute(seen.into()), mounted: true }
    }

    /// `daemon.json` as dockerd names it, links not followed.
    pub(super) fn file(&self) -> PathBuf {
        self.host.join(NAME)
    }

    /// Finds the file.
    pub(super) fn locate(&self) -> Result<Target, TargetError> {
        let mount = self.mounted.then_some(self.host.as_path());
        let place = resolve(&self.file(), mount, |path| look(&self.see(path)));
        let (host, new_folder) = match place {
            Ok(Place::File(path) | Place::Free(path)) => (path, None),
            Ok(Place::NoFolder(folder)) if folder != self.host => return Err(TargetError::NoFolder(folder)),
            Ok(Place::NoFolder(_)) if self.mounted => {
                return Err(TargetError::NotMounted { seen: self.seen.clone(), host: self.host.clone() });
            }
            Ok(Place::NoFolder(folder)) => (folder.join(NAME), Some(folder)),
            Err(dead_end) => return Err(self.explain(dead_end)),
        };
        Ok(Target { seen: self.see(&host), host, new_folder })
    }

    fn see(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.host).map_or_else(|_| path.to_owned(), |rest| self.seen.join(rest))
    }

    fn explain(&self, dead_end: DeadEnd) -> TargetError {
        match dead_end {
            DeadEnd::Loop => TargetError::Loop(self.file()),
            DeadEnd::Outside(target) => TargetError::Outside { file: self.file(), target, mount: self.host.clone() },
            DeadEnd::NotAFile(path, what) => TargetError::NotAFile { path, what },
            DeadEnd::Io(path, error) => TargetError::io("look at", &path, error),
        }
    }
}

fn absolute(folder: PathBuf) -> PathBuf {
    std::path::absolute(&folder).unwrap_or(folder)
}

fn look(path: &Path) -> io::Result<Node> {
    match path.symlink_metadata() {
        Ok(found) if found.is_symlink() => path.read_link().map(Node::Link),
        Ok(found) if found.is_dir() => Ok(Node::Folder),
        Ok(found) if found.is_file() => Ok(Node::File),
        Ok(_) => Ok(Node::Special),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Node::Missing),
        Err(error) => Err(error),
    }
}

// === impl Target ===

impl Target {
    /// Reads the file.
    pub(super) fn read(&self) -> Result<Snapshot, TargetError> {
        let read = || -> io::Result<(Vec<u8>, Metadata)> {
            let file = File::open(&self.seen)?;
            let metadata = file.metadata()?;
            let mut bytes = Vec::new();
            file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
            Ok((bytes, metadata))
        };
        match read() {
            Ok((bytes, metadata)) => {
                let mode = metadata.permissions().mode() & 0o7777;
                let attributes = Attributes { mode, owner: Some((metadata.uid(), metadata.gid())) };
                Ok(Snapshot { bytes: Some(bytes), attributes: Some(attributes) })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Snapshot { bytes: None, attributes: None }),
            Err(error) => Err(TargetError::io("read", &self.seen, error)),
        }
    }

    /// Makes `bytes` the content of the file (`None`: there is no file), unless it is not as `expected` any more.
    /// A reader sees the old bytes or the new, and so does a machine after a power cut.
    ///
    /// Between the last look and the rename lies an instant in which an edit of somebody else would be lost: no
    /// system call compares and renames.
    pub(super) fn replace(
        &self,
        disk: &dyn Disk,
        expected: &Snapshot,
        bytes: Option<&[u8]>,
    ) -> Result<(), ReplaceError> {
        if expected.bytes.as_deref() == bytes {
            return Ok(());
        }
        let Some(bytes) = bytes else {
            self.expect(expected)?;
            return disk.remove(&self.seen).map_err(|error| self.error("remove", error).into());
        };
        if let Some(folder) = &self.new_folder {
            match disk.create_folder(folder, FOLDER_MODE) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                done => done.map_err(|error| TargetError::io("create", folder, error))?,
            }
        }
        let attributes = expected.attributes.unwrap_or(Attributes { mode: FILE_MODE, owner: None });
        let staged = disk.stage(&self.seen, bytes, attributes).map_err(|error| self.error("write beside", error))?;
        self.expect(expected)?;
        let existing = if expected.bytes.is_some() { Existing::Replace } else { Existing::Keep };
        disk.commit(staged, &self.seen, existing).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => ReplaceError::Changed,
            _ => self.error("replace", error).into(),
        })
    }

    /// Removes what an interrupted replacement left.
    pub(super) fn sweep(&self) {
        sweep(&self.seen);
    }

    fn expect(&self, expected: &Snapshot) -> Result<(), ReplaceError> {
        if self.read()? == *expected { Ok(()) } else { Err(ReplaceError::Changed) }
    }

    fn error(&self, doing: &'static str, error: io::Error) -> TargetError {
        TargetError::io(doing, &self.seen, error)
    }
}

/// Removes a folder that [`Target::replace`] created, if nothing is in it: dockerd keeps its `key.json` there.
pub(super) fn remove_empty_folder(disk: &dyn Disk, folder: &Path) -> Result<(), TargetError> {
    use io::ErrorKind::{DirectoryNotEmpty, NotFound};
    match disk.remove_folder(folder) {
        Err(error) if !matches!(error.kind(), DirectoryNotEmpty | NotFound) => {
            Err(TargetError::io("remove", folder, error))
        }
        _ => Ok(()),
    }
}
