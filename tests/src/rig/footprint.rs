//! What a rig may leave on the machine, and whether it did.

use std::{
    fs::{self, File},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

use super::{
    facts::{self, Identity},
    poll::until_true,
    process::MARK,
    root,
};

/// Where a rig has been. It outlives the rig, to look whether the rig is really gone; another process may look.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Footprint {
    root: PathBuf,
    /// Held open: the kernel gives the number of a namespace that is gone to the next one, which may be another rig's.
    /// Another process cannot hold it, and does not look for it.
    #[serde(skip)]
    network: Option<Arc<File>>,
}

impl Footprint {
    pub(crate) fn new(root: &Path, network: Arc<File>) -> Self {
        Self { root: root.to_owned(), network: Some(network) }
    }

    /// Everything of the rig that is still there: processes (by environment, control group or network namespace),
    /// mounts in any mount namespace, control groups, folders.
    pub fn leftovers(&self) -> Vec<String> {
        let mut found = Vec::new();
        for pid in facts::all().into_iter().filter(|&pid| Identity::of(pid).is_some_and(Identity::alive)) {
            found.extend(self.trace_of(pid).map(|how| format!("process {pid} ({how}): {}", facts::command_line(pid))));
        }
        found.extend(root::cgroups(&self.name()).iter().map(|p| format!("control group {}", p.display())));
        found.extend(self.root.exists().then(|| format!("folder {}", self.root.display())));
        found
    }

    /// Waits a moment (the kernel takes namespaces apart in its own time), then fails with a list of what is left.
    ///
    /// # Errors
    /// When anything of the rig is left.
    pub fn assert_gone(&self) -> Result<()> {
        if until_true("the rig to be gone", Duration::from_secs(5), || self.leftovers().is_empty()).is_err() {
            bail!("the rig left behind:\n  {}", self.leftovers().join("\n  "));
        }
        Ok(())
    }

    fn trace_of(&self, pid: i32) -> Option<&'static str> {
        let root = self.root.to_str().unwrap_or_default();
        // This process may run other rigs and has mounts of its own; only its threads can be in our network.
        let us = pid == std::process::id().cast_signed();
        let network = self.network.as_ref().and_then(|file| file.metadata().ok()).map(|meta| meta.ino());
        if network.is_some_and(|inode| facts::network_namespaces(pid).contains(&inode)) {
            Some("in its network")
        } else if !us && facts::has_environment(pid, MARK, root) {
            Some("started by it")
        } else if facts::in_cgroup(pid, &self.name()) {
            Some("in its control group")
        } else if facts::mounts(&pid.to_string()).iter().any(|m| m.at.starts_with(&self.root)) {
            Some("has its mounts")
        } else {
            None
        }
    }

    fn name(&self) -> String {
        self.root.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// The rigs, of whatever process, that have a folder on this machine.
pub(crate) fn all_roots() -> Vec<PathBuf> {
    let entries = root::bases().into_iter().filter_map(|base| fs::read_dir(base).ok()).flatten().flatten();
    let ours = entries.filter(|e| e.file_name().to_string_lossy().starts_with(root::PREFIX));
    ours.map(|e| e.path()).collect()
}
