//! What `/proc` says about processes, mounts and namespaces. Only reads; a process that goes away meanwhile is simply
//! not there.

use std::{
    fs,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// A process that cannot be mistaken for a later one with the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) pid: i32,
    /// Start time in clock ticks since boot, field 22 of `/proc/PID/stat`.
    pub(crate) started: u64,
}

impl Identity {
    /// Who `pid` is now; `None` if there is no such process.
    pub(crate) fn of(pid: i32) -> Option<Self> {
        Some(Self { pid, started: stat(pid)?.started })
    }

    /// Whether that very process still runs. One that ended but was not collected by its parent does not.
    pub(crate) fn alive(self) -> bool {
        stat(self.pid).is_some_and(|s| s.started == self.started && !matches!(s.state, 'Z' | 'X'))
    }

    /// Whether it has been stopped (SIGSTOP) and not continued.
    pub(crate) fn stopped(self) -> bool {
        stat(self.pid).is_some_and(|s| s.started == self.started && s.state == 'T')
    }

    /// Sends `signal` to that very process, or to nobody: the pidfd is opened first and the start time looked at
    /// second, so that the number cannot change hands in between.
    pub(crate) fn signal(self, signal: Signal) -> bool {
        let Some(handle) = self.pidfd() else { return false };
        self.alive() && pidfd_send_signal(handle, signal).is_ok()
    }

    fn pidfd(self) -> Option<OwnedFd> {
        pidfd_open(Pid::from_raw(self.pid)?, PidfdFlags::empty()).ok()
    }
}

struct Stat {
    state: char,
    parent: i32,
    started: u64,
}

fn stat(pid: i32) -> Option<Stat> {
    let line = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the command name in brackets and may itself hold spaces and brackets: count from the last.
    let mut fields = line.rsplit_once(')')?.1.split_whitespace();
    Some(Stat {
        state: fields.next()?.chars().next()?,
        parent: fields.next()?.parse().ok()?,
        started: fields.nth(17)?.parse().ok()?,
    })
}

/// Every process this process can see.
pub(crate) fn all() -> Vec<i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|e| e.file_name().to_str()?.parse().ok()).collect()
}

/// The processes whose parent is `pid`.
pub(crate) fn children_of(pid: i32) -> Vec<i32> {
    all().into_iter().filter(|&p| stat(p).is_some_and(|s| s.parent == pid)).collect()
}

/// The command line of `pid`, for messages.
pub(crate) fn command_line(pid: i32) -> String {
    let raw = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    raw.split(|&b| b == 0).map(String::from_utf8_lossy).collect::<Vec<_>>().join(" ").trim().to_owned()
}

/// Whether `pid` was started with `name=value` in its environment.
pub(crate) fn has_environment(pid: i32, name: &str, value: &str) -> bool {
    let wanted = format!("{name}={value}");
    fs::read(format!("/proc/{pid}/environ")).is_ok_and(|raw| raw.split(|&b| b == 0).any(|v| v == wanted.as_bytes()))
}

/// Whether any control group of `pid` has `part` in its path.
pub(crate) fn in_cgroup(pid: i32, part: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/cgroup")).is_ok_and(|text| text.contains(part))
}

/// The network namespaces, by inode, that the threads of `pid` are in.
pub(crate) fn network_namespaces(pid: i32) -> Vec<u64> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let mut found: Vec<u64> = threads.filter_map(|t| namespace_inode(&t.path().join("ns/net"))).collect();
    found.dedup();
    found
}

/// The inode behind a link such as `/proc/self/ns/net`.
pub(crate) fn namespace_inode(link: &Path) -> Option<u64> {
    let target = fs::read_link(link).ok()?;
    target.to_str()?.split_once('[')?.1.strip_suffix(']')?.parse().ok()
}

/// A line of a `mountinfo` file.
pub(crate) struct Mount {
    pub(crate) at: PathBuf,
    pub(crate) kind: String,
}

/// The mounts that `process` (a number or `self`) sees, in the order they were made.
pub(crate) fn mounts(process: &str) -> Vec<Mount> {
    let text = fs::read_to_string(format!("/proc/{process}/mountinfo")).unwrap_or_default();
    text.lines()
        .filter_map(|line| {
            let (left, right) = line.split_once(" - ")?;
            let at = left.split(' ').nth(4)?.replace("\\040", " ").into();
            Some(Mount { at, kind: right.split(' ').next()?.to_owned() })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_knows_itself_and_no_other_start_time() {
        let me = Identity::of(std::process::id().cast_signed()).expect("this process runs");
        assert!(me.alive());
        assert!(!Identity { started: me.started + 1, ..me }.alive());
    }

    #[test]
    fn the_root_mount_is_listed() {
        assert!(mounts("self").iter().any(|m| m.at == Path::new("/")));
    }
}
