//! Tells dockerd to read `daemon.json` again: finds its process, and sends it SIGHUP through a pidfd, so that a number
//! that has become another process' is never signalled. There is no API for it (moby, `daemon/reload.go`).

mod choose;
mod flags;
mod process;

#[cfg(test)]
mod tests;

use std::{
    fmt, io,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::{
    io::Errno,
    process::{Pid, PidfdFlags, Signal, getuid, pidfd_open, pidfd_send_signal},
};
use serde::{Deserialize, Serialize};
use tokio::{net::UnixStream, time::timeout};

use super::engine::MirrorFlag;
pub(crate) use choose::FindError;
use choose::{FoundBy, Sightings, choose};
use flags::Flags;
use process::Process;

const PID_FILE: &str = "/var/run/docker.pid";
const PROC: &str = "/proc";
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);

/// Where to look for dockerd.
#[derive(Debug, Clone)]
pub(crate) struct Reloader {
    socket: PathBuf,
    pid_file: PathBuf,
    proc: PathBuf,
}

/// A dockerd that was found.
#[derive(Debug, Clone)]
pub(crate) struct Dockerd {
    process: Process,
    proc: PathBuf,
    found_by: FoundBy,
    flags: Option<Flags>,
}

/// How a dockerd was started, as one who sees it tells one who does not.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Seen {
    pid: i32,
    /// `--registry-mirror` is given.
    pub(crate) registry_mirror: bool,
    /// The value of `--config-file`.
    pub(crate) config_file: Option<PathBuf>,
}

/// Why dockerd was not signalled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SignalError {
    /// It ended since it was found.
    #[error("dockerd (pid {0}) has ended meanwhile")]
    Gone(i32),
    /// This process may not.
    #[error(
        "no permission to send SIGHUP to dockerd (pid {0}): run the agent as root, with the capability KILL and without \
         an AppArmor or SELinux profile that forbids signals"
    )]
    Denied(i32),
    /// The kernel cannot do it safely.
    #[error(
        "this kernel has no pidfd_open (Linux 5.3): send SIGHUP to dockerd (pid {0}) yourself, for example by `systemctl reload docker`"
    )]
    OldKernel(i32),
    /// Anything else.
    #[error("cannot send SIGHUP to dockerd (pid {pid}): {source}")]
    Io {
        /// The process.
        pid: i32,
        /// What the system said.
        source: io::Error,
    },
}

// === impl Reloader ===

impl Reloader {
    /// For the engine behind `socket`.
    pub(crate) fn new(socket: impl Into<PathBuf>) -> Self {
        Self { socket: socket.into(), pid_file: PID_FILE.into(), proc: PROC.into() }
    }

    /// With dockerd's pid file somewhere else than at its default, `/var/run/docker.pid`.
    pub(crate) fn with_pid_file(self, pid_file: impl Into<PathBuf>) -> Self {
        Self { pid_file: pid_file.into(), ..self }
    }

    /// Looks for dockerd, anew each time: it may have been restarted.
    pub(crate) async fn find(&self) -> Result<Dockerd, FindError> {
        let see = |pid: i32| Process::read(&self.proc, pid).ok().flatten();
        let sightings = Sightings {
            listener: listener(&self.socket).await.and_then(see),
            pid_file: read_pid(&self.pid_file).and_then(see),
            named: Process::all_dockerd(&self.proc).unwrap_or_default(),
            own_user: getuid().as_raw(),
        };
        let (process, found_by) = choose(&sightings)?;
        let flags = process.arguments(&self.proc).map(Flags::parse);
        Ok(Dockerd { process: process.clone(), proc: self.proc.clone(), found_by, flags })
    }
}

/// The pid that listens on a Unix socket. Not by rustix: its type has no room for the 0 that stands for a process of
/// another PID namespace.
async fn listener(socket: &Path) -> Option<i32> {
    let stream = timeout(CONNECT_DEADLINE, UnixStream::connect(socket)).await.ok()?.ok()?;
    stream.peer_cred().ok()?.pid().filter(|pid| *pid > 0)
}

fn read_pid(file: &Path) -> Option<i32> {
    std::fs::read_to_string(file).ok()?.trim().parse().ok().filter(|pid| *pid > 0)
}

// === impl Dockerd ===

impl Dockerd {
    /// For [`EngineFacts`](super::engine::EngineFacts).
    pub(crate) fn mirror_flag(&self) -> MirrorFlag {
        match &self.flags {
            None => MirrorFlag::Unknown,
            Some(Flags { registry_mirror: true, .. }) => MirrorFlag::Present,
            Some(_) => MirrorFlag::Absent,
        }
    }

    /// For [`EngineFacts`](super::engine::EngineFacts).
    pub(crate) fn config_file(&self) -> Option<PathBuf> {
        self.flags.as_ref()?.config_file.clone()
    }

    /// What [`Dockerd::mirror_flag`] and [`Dockerd::config_file`] say; `None` if the command line cannot be read.
    pub(crate) fn seen(&self) -> Option<Seen> {
        let Flags { registry_mirror, config_file } = self.flags.clone()?;
        Some(Seen { pid: self.process.pid, registry_mirror, config_file })
    }

    /// Sends SIGHUP.
    pub(crate) fn hang_up(&self) -> Result<(), SignalError> {
        let pid = self.process.pid;
        let failed = |error: Errno| match error {
            Errno::SRCH => SignalError::Gone(pid),
            Errno::PERM | Errno::ACCESS => SignalError::Denied(pid),
            Errno::NOSYS => SignalError::OldKernel(pid),
            other => SignalError::Io { pid, source: other.into() },
        };
        let number = Pid::from_raw(pid).ok_or(SignalError::Gone(pid))?;
        let pidfd = pidfd_open(number, PidfdFlags::empty()).map_err(failed)?;
        // The number was free to be given away until the line above. Whatever the pidfd holds stays what it is.
        let held = Process::read(&self.proc, pid).map_err(|source| SignalError::Io { pid, source })?;
        if !held.is_some_and(|held| held.is(&self.process)) {
            return Err(SignalError::Gone(pid));
        }
        pidfd_send_signal(&pidfd, Signal::HUP).map_err(failed)?;
        tracing::info!("sent SIGHUP to {self}");
        Ok(())
    }
}

impl fmt::Display for Dockerd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found_by = match self.found_by {
            FoundBy::Socket => "by its socket",
            FoundBy::PidFile => "by its pid file",
            FoundBy::Name => "by its name",
        };
        write!(f, "dockerd (pid {}, found {found_by})", self.process.pid)
    }
}
