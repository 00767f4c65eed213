//! A file of the engine's: found, read, and replaced in one step with its owner and permissions kept. What is in it is
//! not looked at here.

mod error;
mod mount;
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
use mount::Mount;
use resolve::{DeadEnd, Node, Place, resolve};

/// As `apt` and `dnf` install `daemon.json`.
const FILE_MODE: u32 = 0o644;
const FOLDER_MODE: u32 = 0o755;

/// The engine's configuration folder: as dockerd names it, and as this process sees it.
#[derive(Debug, Clone)]
pub(crate) struct ConfigDir {
    host: PathBuf,
    seen: PathBuf,
    /// The folder of the host's that is mounted, where only that is seen.
    mount: Option<Mount>,
}

/// The file that dockerd reads by some name in that folder, all links followed. It need not exist.
#[derive(Debug, Clone)]
pub(super) struct Target {
    /// Its path for dockerd, all links followed.
    pub(super) host: PathBuf,
    /// Its path for this process.
    seen: PathBuf,
    /// Folders that must be created first, by their paths for dockerd, the outermost first.
    pub(super) new_folders: Vec<PathBuf>,
    config: ConfigDir,
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
        Self { host: folder.clone(), seen: folder, mount: None }
    }

    /// For an agent in a container: the host's folder `host` (`/etc/docker`) is seen at `seen` (`/host/etc/docker`),
    /// because it, or a folder above it, is mounted there. Nothing else of the host is seen.
    pub(crate) fn mounted(seen: impl Into<PathBuf>, host: impl Into<PathBuf>) -> Self {
        let (seen, host) = (absolute(seen.into()), absolute(host.into()));
        let mount = Some(Mount::of(&seen, &host));
        Self { host, seen, mount }
    }

    /// The folder as this process sees it.
    pub(crate) fn seen(&self) -> &Path {
        &self.seen
    }

    /// The file called `name`, a relative path, as dockerd names it, links not followed.
    pub(super) fn file(&self, name: &Path) -> PathBuf {
        self.host.join(name)
    }

    /// The names in a folder, if it can be read; `None` if it is not there.
    pub(super) fn list(&self, name: &Path) -> Result<Option<Vec<String>>, TargetError> {
        let folder = self.seen.join(name);
        let entries = match folder.read_dir() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            entries => entries.map_err(|error| TargetError::io("list", &folder, error))?,
        };
        // Names that are no text are none of dockerd's.
        let mut names: Vec<String> =
            entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        Ok(Some(names))
    }

    /// Finds the file called `name`, a relative path.
    pub(super) fn locate(&self, name: &Path) -> Result<Target, TargetError> {
        let file = self.file(name);
        let mount = self.mount.as_ref().map(|mount| mount.host.as_path());
        // The folder itself may be missing, and every one below it.
        let ours = 1 + name.components().count();
        let (host, new_folders) = match resolve(&file, ours, mount, |path| look(&self.see(path))) {
            Ok(Place::File(path)) => (path, Vec::new()),
            Ok(Place::Free(path, new_folders)) => (path, new_folders),
            Ok(Place::NoFolder(folder)) if mount == Some(&folder) => {
                return Err(TargetError::NotMounted { seen: self.see(&folder), host: folder });
            }
            Ok(Place::NoFolder(folder)) => return Err(TargetError::NoFolder(folder)),
            Err(dead_end) => return Err(self.explain(dead_end, file)),
        };
        Ok(Target { seen: self.see(&host), host, new_folders, config: self.clone() })
    }

    /// Removes folders that [`Target::replace`] created (paths for dockerd, the outermost first), if nothing is in them:
    /// dockerd keeps its `key.json` there.
    pub(super) fn remove_empty(&self, disk: &dyn Disk, folders: &[PathBuf]) -> Result<(), TargetError> {
        use io::ErrorKind::{DirectoryNotEmpty, NotFound};
        for folder in folders.iter().rev().map(|folder| self.see(folder)) {
            match disk.remove_folder(&folder) {
                Err(error) if !matches!(error.kind(), DirectoryNotEmpty | NotFound) => {
                    return Err(TargetError::io("remove", &folder, error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn see(&self, path: &Path) -> PathBuf {
        self.mount.as_ref().map_or_else(|| path.to_owned(), |mount| mount.see(path))
    }

    fn explain(&self, dead_end: DeadEnd, file: PathBuf) -> TargetError {
        match dead_end {
            DeadEnd::Loop => TargetError::Loop(file),
            DeadEnd::Outside(target) => {
                let mount = self.mount.as_ref().map_or(&self.host, |mount| &mount.host).clone();
                TargetError::Outside { file, target, mount }
            }
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
        for folder in &self.new_folders {
            let folder = self.config.see(folder);
            match disk.create_folder(&folder, FOLDER_MODE) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                done => done.map_err(|error| TargetError::io("create", &folder, error))?,
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
        if let (Some(folder), Some(own)) = (self.seen.parent(), self.seen.file_name().and_then(|name| name.to_str())) {
            sweep(folder, |name| name == own);
        }
    }

    fn expect(&self, expected: &Snapshot) -> Result<(), ReplaceError> {
        if self.read()? == *expected { Ok(()) } else { Err(ReplaceError::Changed) }
    }

    fn error(&self, doing: &'static str, error: io::Error) -> TargetError {
        TargetError::io(doing, &self.seen, error)
    }
}
