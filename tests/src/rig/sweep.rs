//! Clearing away what a rig left that was killed before it could do so itself.

use std::{path::Path, time::Duration};

use anyhow::Result;
use rustix::process::Signal;

use super::{
    facts::{self, Identity},
    footprint::all_roots,
    poll::until_true,
    process::MARK,
    root,
};

/// Removes every rig whose process is gone. Two test programs may do this at the same time, so what has vanished
/// meanwhile is fine, and what cannot be removed now is left to the next run.
pub(crate) fn sweep() {
    for path in all_roots().into_iter().filter(|p| root::abandoned(p)) {
        if kill_all(&path, root::recorded(&path)).is_ok() {
            // Best effort, as said above.
            let _ = root::remove(&path);
        }
    }
}

/// Ends `known`, and whatever else was started for the rig in `root`: children of programs that were killed.
///
/// # Errors
/// When a process does not end within five seconds.
pub(crate) fn kill_all(root: &Path, known: Vec<Identity>) -> Result<()> {
    let mark = root.to_string_lossy();
    let marked = facts::all().into_iter().filter(|&pid| facts::has_environment(pid, MARK, &mark));
    let processes: Vec<Identity> = marked.filter_map(Identity::of).chain(known).collect();
    for process in &processes {
        process.signal(Signal::KILL);
    }
    let gone = || processes.iter().all(|p| !p.alive());
    until_true("the processes of a rig to end", Duration::from_secs(5), gone)
}
