//! The rig's folder: where it is, whose it is, and how it goes away again.
//!
//! Its name is `larder-rig-PID-N`, and the same name marks the rig's control groups. Two files in it let a later run
//! clean up after a rig that could not: `owner` (start time and process namespace of the one that made it) and
//! `processes` (number, start time and name of everything it started).

use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use anyhow::{Context as _, Result, bail};
use rustix::mount::{UnmountFlags, unmount};

use super::facts::{self, Identity};

/// First part of the name of every rig's folder and control groups.
pub(crate) const PREFIX: &str = "larder-rig-";

static COUNT: AtomicU32 = AtomicU32::new(0);

pub(crate) struct Root {
    path: PathBuf,
    name: String,
    processes: Mutex<File>,
}

impl Root {
    pub(crate) fn create() -> Result<Self> {
        let base = bases().into_iter().find(|b| on_a_disk(b));
        let Some(base) = base else {
            bail!("no folder on a disk file system for the rig; overlay2 needs one: set TMPDIR or LARDER_RIG_DIR");
        };
        let me = std::process::id();
        let name = format!("{PREFIX}{me}-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let path = base.join(&name);
        let started = Identity::of(me.cast_signed()).context("reading our own start time")?.started;
        let numbers = pid_namespace().context("reading our own process namespace")?;
        fs::DirBuilder::new().mode(0o700).create(&path).with_context(|| format!("creating {}", path.display()))?;
        fs::write(path.join("owner"), format!("{started} {numbers}"))?;
        fs::create_dir(path.join("logs"))?;
        fs::create_dir(path.join("run"))?;
        let processes = OpenOptions::new().create(true).append(true).open(path.join("processes"))?;
        Ok(Self { path, name, processes: Mutex::new(processes) })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Notes a child, so that a later run can end it if we are killed before we do.
    pub(crate) fn record(&self, who: Identity, name: &str) -> Result<()> {
        let mut file = self.processes.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        writeln!(file, "{} {} {name}", who.pid, who.started).context("recording a process")
    }
}

/// Where rigs may be, in the order of preference.
pub(crate) fn bases() -> Vec<PathBuf> {
    let chosen = std::env::var_os("LARDER_RIG_DIR").map(PathBuf::from);
    chosen.into_iter().chain([std::env::temp_dir(), PathBuf::from("/var/tmp")]).collect()
}

/// Whether the engine can keep its data there: overlay2 works on neither tmpfs (no file handles to speak of, and our
/// memory) nor on another overlay.
fn on_a_disk(folder: &Path) -> bool {
    let Ok(real) = folder.canonicalize() else { return false };
    let mounts = facts::mounts("self");
    let under = mounts.iter().filter(|m| real.starts_with(&m.at));
    let nearest = under.max_by_key(|m| m.at.as_os_str().len());
    nearest.is_some_and(|m| !["tmpfs", "ramfs", "overlay"].contains(&m.kind.as_str()))
}

/// Whether the process that made the rig in `path` is no more, by the folder's name and its `owner` file.
pub(crate) fn abandoned(path: &Path) -> bool {
    let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
    let pid = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next()?.parse().ok());
    let Some(pid) = pid else { return false };
    let now = Identity::of(pid).map(|owner| owner.started);
    let noted = fs::read_to_string(path.join("owner")).unwrap_or_default();
    let noted: Vec<u64> = noted.split(' ').filter_map(|number| number.trim().parse().ok()).collect();
    match *noted.as_slice() {
        // A container may share our folder and not our processes: its numbers mean nothing here.
        [_, numbers] if Some(numbers) != pid_namespace() => false,
        [started, _] => now != Some(started),
        // Being made this very moment, or killed in it.
        _ => now.is_none(),
    }
}

fn pid_namespace() -> Option<u64> {
    facts::namespace_inode(Path::new("/proc/self/ns/pid"))
}

/// What the rig in `path` has started, as far as those very processes still run.
pub(crate) fn recorded(path: &Path) -> Vec<Identity> {
    let text = fs::read_to_string(path.join("processes")).unwrap_or_default();
    let parse = |line: &str| {
        let mut fields = line.split(' ');
        Some(Identity { pid: fields.next()?.parse().ok()?, started: fields.next()?.parse().ok()? })
    };
    text.lines().filter_map(parse).filter(|p| p.alive()).collect()
}

/// Takes away the folder and everything mounted in it, then the control groups of the same name. All processes of the
/// rig must have ended.
pub(crate) fn remove(path: &Path) -> Result<()> {
    let inside = facts::mounts("self").into_iter().filter(|m| m.at.starts_with(path));
    for mount in inside.collect::<Vec<_>>().into_iter().rev() {
        unmount(&mount.at, UnmountFlags::DETACH).with_context(|| format!("unmounting {}", mount.at.display()))?;
    }
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            return Err(e).with_context(|| format!("removing {}", path.display()));
        }
        _ => {}
    }
    let name = path.file_name().and_then(|n| n.to_str()).context("a rig's folder has a name")?;
    cgroups(name).iter().try_for_each(|group| remove_cgroup(group))
}

/// The control groups named `name`, one in each hierarchy that is mounted (one in all on version 2).
pub(crate) fn cgroups(name: &str) -> Vec<PathBuf> {
    let hierarchies = facts::mounts("self").into_iter().filter(|m| m.kind.starts_with("cgroup"));
    hierarchies.map(|m| m.at.join(name)).filter(|p| p.is_dir()).collect()
}

/// A control group is removed by `rmdir`, children first; the files in it are not real.
fn remove_cgroup(group: &Path) -> Result<()> {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            remove_cgroup(&entry.path())?;
        }
    }
    fs::remove_dir(group).with_context(|| format!("removing control group {}", group.display()))
}
