//! Why the file cannot be used, and what to do about it.

use std::{
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

/// The file or its folder is not as it must be. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TargetError {
    /// The folder is not there, though it should be mounted.
    #[error("{} is not there: mount the host's {} on it", seen.display(), host.display())]
    NotMounted {
        /// Where the mount should be.
        seen: PathBuf,
        /// What should be mounted.
        host: PathBuf,
    },
    /// A link leads out of the mounted folder.
    #[error(
        "{} is a link to {}, outside the mounted folder: put the file itself into {}, or run the agent on the host",
        file.display(), target.display(), mount.display()
    )]
    Outside {
        /// The link.
        file: PathBuf,
        /// Where it leads.
        target: PathBuf,
        /// The folder that is mounted.
        mount: PathBuf,
    },
    /// Links lead in a circle.
    #[error("{} is a link that leads in a circle; dockerd cannot read it either: replace it", .0.display())]
    Loop(PathBuf),
    /// Something else than a regular file.
    #[error("{} is {what}; it must be a regular file", path.display())]
    NotAFile {
        /// Where.
        path: PathBuf,
        /// What is there.
        what: &'static str,
    },
    /// A folder on the way to the file is missing and not ours to create.
    #[error("the folder {} does not exist: create it, or correct the link to it", .0.display())]
    NoFolder(PathBuf),
    /// The file itself is a mount point.
    #[error("{} is mounted by itself, so it cannot be replaced: mount its folder, {}, instead", .0.display(), .0.parent().unwrap_or(.0).display())]
    Busy(PathBuf),
    /// The file system is mounted read-only.
    #[error("{} is on a read-only file system: mount its folder writable (without :ro)", .0.display())]
    ReadOnly(PathBuf),
    /// This process may not.
    #[error("no permission to {doing} {}: run the agent as root, or as the owner of that folder", path.display())]
    Denied {
        /// What was tried.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
    },
    /// Anything else.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Why the file was not replaced.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplaceError {
    /// Somebody else changed it since it was read: plan again.
    #[error("somebody else changed the file meanwhile")]
    Changed,
    /// It cannot be written.
    #[error(transparent)]
    Target(#[from] TargetError),
}

impl TargetError {
    pub(super) fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            ErrorKind::ResourceBusy => Self::Busy(path),
            ErrorKind::ReadOnlyFilesystem => Self::ReadOnly(path),
            ErrorKind::PermissionDenied => Self::Denied { doing, path },
            _ => Self::Io { doing, path, source },
        }
    }
}
