//! A file system that is mounted for some programs of a rig, and for nobody else.
//!
//! The mount is in the mount namespace of one process, its holder, and goes when that process and the programs that were
//! sent into the namespace end: also when the test is killed, since the kernel then ends them all. Nothing is ever
//! mounted where the machine sees it.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result};

use crate::rig::{
    ground::Ground,
    poll::until,
    process::{Launch, Process},
};

/// Mounting takes some milliseconds; this is for machines that are busy with something else.
const READY: Duration = Duration::from_secs(20);

/// See the module.
pub struct Mount {
    ground: Arc<Ground>,
    folder: PathBuf,
    holder: Process,
}

/// Makes the folder of a disk called `name`, with `mounted` in it to be mounted on.
pub(super) fn folder(ground: &Ground, name: &str) -> Result<PathBuf> {
    let folder = ground.root().join(format!("disk-{name}"));
    fs::create_dir(&folder).with_context(|| format!("is there a second disk {name}?"))?;
    fs::create_dir(at(&folder))?;
    Ok(folder)
}

/// Where a disk with this folder is mounted.
pub(super) fn at(folder: &Path) -> PathBuf {
    folder.join("mounted")
}

impl Mount {
    /// Starts the holder, which mounts and stays, and waits until `is_there` says that it has.
    pub(super) fn hold(
        ground: Arc<Ground>,
        folder: PathBuf,
        holder: Launch,
        is_there: impl Fn(&Process) -> bool,
    ) -> Result<Self> {
        let holder = holder.with_rig_hosts().expendable().start()?;
        let mount = Self { ground, folder, holder };
        until(&format!("{} to be mounted", mount.path().display()), READY, || {
            mount.holder.still_running()?;
            Ok(is_there(&mount.holder).then_some(()))
        })?;
        Ok(mount)
    }

    /// Where it is mounted, for programs that are sent to it.
    pub fn path(&self) -> PathBuf {
        at(&self.folder)
    }

    /// The same for the test itself, which is not in the namespace.
    pub fn seen(&self) -> PathBuf {
        // The kernel follows this into the namespace of the process.
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.pid()));
        root.join(self.path().strip_prefix("/").unwrap_or(&self.folder))
    }

    /// A program that runs `program` where this is mounted. If `link` is given and nothing is there yet, it leads here.
    pub(super) fn around(&self, program: &Path, link: Option<&Path>) -> Result<PathBuf> {
        let name = program.file_name().context("a program has a name")?.to_string_lossy();
        let script = self.folder.join(format!("run-{name}"));
        let quoted = |path: &Path| format!("'{}'", path.to_string_lossy().replace('\'', r"'\''"));
        let mut text = "#!/bin/sh\nset -e\n".to_owned();
        if let Some(link) = link.map(quoted) {
            text.push_str(&format!("[ -L {link} ] || ln -s {} {link}\n", quoted(&self.path())));
        }
        let namespace = format!("/proc/{}/ns/mnt", self.holder.pid());
        text.push_str(&format!("exec nsenter --mount={namespace} -- {} \"$@\"\n", quoted(program)));
        fs::write(&script, text)?;
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
        Ok(script)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // The rig ends it in any case.
        if self.holder.kill().is_ok() {
            self.ground.forget(&self.holder);
        }
    }
}
