//! Reads processes from `/proc` (`man 5 proc`).

use std::{fs::read_to_string, io, path::Path};

use super::choose::COMM;

/// A process, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: i32,
    pub(super) parent: i32,
    /// The program's name, at most 15 bytes of it.
    pub(super) comm: String,
    /// The real user.
    pub(super) user: u32,
    /// Clock ticks from boot to its start.
    pub(super) started: u64,
}

impl Process {
    /// The process with this number; `None` if there is none, or it ends while we look.
    pub(super) fn read(proc: &Path, pid: i32) -> io::Result<Option<Self>> {
        let folder = proc.join(pid.to_string());
        let gone = |error: &io::Error| {
            error.kind() == io::ErrorKind::NotFound
                || error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error())
        };
        let files = || Ok((read_to_string(folder.join("stat"))?, read_to_string(folder.join("status"))?));
        match files() {
            Err(error) if gone(&error) => Ok(None),
            Err(error) => Err(error),
            Ok((stat, status)) => {
                let process = parse(pid, &stat, &status);
                process.map(Some).ok_or_else(|| {
                    io::Error::new(io::ErrorKind::InvalidData, format!("{} is not as expected", folder.display()))
                })
            }
        }
    }

    /// Whether both are one process: a number comes back, with the same start time it does not. (Its parent may change,
    /// when that one ends.)
    pub(super) fn is(&self, other: &Self) -> bool {
        (self.pid, self.started, &self.comm) == (other.pid, other.started, &other.comm)
    }

    /// Every dockerd.
    pub(super) fn all_dockerd(proc: &Path) -> io::Result<Vec<Self>> {
        let mut found = Vec::new();
        for entry in proc.read_dir()? {
            let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            // A process that cannot be read is none that we could signal.
            if let Ok(Some(process)) = Self::read(proc, pid)
                && process.comm == COMM
            {
                found.push(process);
            }
        }
        found.sort_by_key(|process| process.pid);
        Ok(found)
    }

    /// Its arguments, without the program's name; `None` if they cannot be read.
    pub(super) fn arguments(&self, proc: &Path) -> Option<Vec<String>> {
        let line = std::fs::read(proc.join(self.pid.to_string()).join("cmdline")).ok()?;
        let line = line.strip_suffix(b"\0")?;
        Some(
            line.split(|byte| *byte == 0)
                .skip(1)
                .map(|argument| String::from_utf8_lossy(argument).into_owned())
                .collect(),
        )
    }
}

/// `stat` is `pid (comm) state ppid …`, the start time its 22nd field; a name may hold blanks and parentheses.
fn parse(pid: i32, stat: &str, status: &str) -> Option<Process> {
    let (head, tail) = stat.rsplit_once(')')?;
    let (_, comm) = head.split_once('(')?;
    let fields: Vec<&str> = tail.split_whitespace().collect();
    let user = status.lines().find_map(|line| line.strip_prefix("Uid:"))?.split_whitespace().next()?;
    Some(Process {
        pid,
        parent: fields.get(1)?.parse().ok()?,
        comm: comm.to_owned(),
        user: user.parse().ok()?,
        started: fields.get(19)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "4242 (a) b (c) S 17 4242 4242 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 12 0 987654 1 2 3\n";
    const STATUS: &str = "Name:\tx\nUid:\t1000\t0\t0\t0\nGid:\t1\t1\t1\t1\n";

    #[test]
    fn a_name_may_hold_anything() {
        let process = parse(4242, STAT, STATUS).unwrap();
        assert_eq!(process, Process { pid: 4242, parent: 17, comm: "a) b (c".into(), user: 1000, started: 987_654 });
        assert_eq!(parse(1, "1 (x", STATUS), None);
        assert_eq!(parse(1, "", ""), None);
    }

    #[test]
    fn this_process_is_found_and_a_missing_one_is_not() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let this = Process::read(Path::new("/proc"), pid).unwrap().unwrap();
        assert_eq!(this.user, rustix::process::getuid().as_raw());
        assert_eq!(Process::read(Path::new("/proc"), i32::MAX).unwrap(), None);
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        assert_eq!(this.arguments(Path::new("/proc")), Some(arguments));
    }
}
