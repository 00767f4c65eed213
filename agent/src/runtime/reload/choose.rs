//! Which of the processes seen is the dockerd to signal. Pure.

use super::process::Process;

/// dockerd's name in `/proc/<pid>/comm`.
pub(super) const COMM: &str = "dockerd";

/// What was seen, by three ways of looking.
#[derive(Debug, Default)]
pub(super) struct Sightings {
    /// The process that listens on the engine's socket. The kernel knows it (`SO_PEERCRED`); but under systemd's socket
    /// activation it is systemd, and from another PID namespace it is nobody.
    pub(super) listener: Option<Process>,
    /// The process that the pid file names. The file may be stale, and its number may be another's by now.
    pub(super) pid_file: Option<Process>,
    /// Every process that goes by the name of dockerd.
    pub(super) named: Vec<Process>,
    /// The user of this process.
    pub(super) own_user: u32,
}

/// How dockerd was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FoundBy {
    /// It listens on the socket.
    Socket,
    /// The pid file names it.
    PidFile,
    /// It is the only one of its name.
    Name,
}

/// Why no process is signalled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FindError {
    /// None is seen. A helper container in the host's PID namespace sees it.
    #[error(
        "no dockerd is visible from this PID namespace, so it cannot be told to reload: run the agent on the host, or in \
         the host's PID namespace"
    )]
    NotVisible,
    /// Several are seen, and nothing tells which one is meant.
    #[error("several dockerd are running (pid {}) and none could be told to be the one: give the agent its pid file", join(.0))]
    Several(Vec<i32>),
}

/// Chooses.
pub(super) fn choose(seen: &Sightings) -> Result<(&Process, FoundBy), FindError> {
    if let Some(listener) = seen.listener.as_ref().filter(|process| process.comm == COMM) {
        return Ok((listener, FoundBy::Socket));
    }
    // Any user may run a program of this name; only root's, or our own user's (rootless), can be the engine.
    let trusted = |process: &&Process| process.comm == COMM && (process.user == 0 || process.user == seen.own_user);
    if let Some(process) = seen.pid_file.as_ref().filter(trusted) {
        return Ok((process, FoundBy::PidFile));
    }
    let named: Vec<&Process> = seen.named.iter().filter(trusted).collect();
    // Between fork and exec, a child that dockerd starts bears its name too.
    let is_fork = |process: &&&Process| named.iter().any(|other| other.pid == process.parent);
    match named.iter().filter(|process| !is_fork(process)).collect::<Vec<_>>().as_slice() {
        [] => Err(FindError::NotVisible),
        [only] => Ok((only, FoundBy::Name)),
        several => Err(FindError::Several(several.iter().map(|process| process.pid).collect())),
    }
}

fn join(pids: &[i32]) -> String {
    pids.iter().map(i32::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: i32, comm: &str, user: u32) -> Process {
        Process { pid, parent: 1, comm: comm.to_owned(), user, started: 7 }
    }

    fn ask(
        listener: Option<Process>,
        pid_file: Option<Process>,
        named: &[Process],
    ) -> Result<(i32, FoundBy), FindError> {
        let seen = Sightings { listener, pid_file, named: named.to_vec(), own_user: 1000 };
        choose(&seen).map(|(process, by)| (process.pid, by))
    }

    #[test]
    fn the_listener_is_believed_first() {
        let listener = Some(process(10, COMM, 0));
        assert_eq!(
            ask(listener, Some(process(20, COMM, 0)), &[process(10, COMM, 0), process(20, COMM, 0)]),
            Ok((10, FoundBy::Socket))
        );
        assert_eq!(ask(Some(process(11, COMM, 4242)), None, &[]), Ok((11, FoundBy::Socket)), "whoever it runs as");
    }

    #[test]
    fn behind_systemd_the_pid_file_counts() {
        let systemd = Some(process(1, "systemd", 0));
        assert_eq!(
            ask(systemd, Some(process(20, COMM, 0)), &[process(20, COMM, 0), process(30, COMM, 0)]),
            Ok((20, FoundBy::PidFile))
        );
    }

    #[test]
    fn a_stale_pid_file_does_not() {
        let named = [process(30, COMM, 0)];
        assert_eq!(ask(None, Some(process(20, "nginx", 0)), &named), Ok((30, FoundBy::Name)));
        assert_eq!(ask(None, Some(process(20, "dockerd-x", 0)), &named), Ok((30, FoundBy::Name)));
        assert_eq!(ask(None, Some(process(20, COMM, 4242)), &named), Ok((30, FoundBy::Name)), "of another user");
    }

    #[test]
    fn by_its_name_there_must_be_one() {
        assert_eq!(ask(None, None, &[]), Err(FindError::NotVisible));
        assert_eq!(ask(None, None, &[process(30, COMM, 0)]), Ok((30, FoundBy::Name)));
        assert_eq!(ask(None, None, &[process(30, COMM, 1000)]), Ok((30, FoundBy::Name)), "rootless, of our own user");
        assert_eq!(ask(None, None, &[process(30, COMM, 4242)]), Err(FindError::NotVisible));
        let two = ask(None, None, &[process(30, COMM, 0), process(40, COMM, 0)]);
        assert_eq!(two, Err(FindError::Several(vec![30, 40])));
        assert!(two.unwrap_err().to_string().contains("pid 30, 40"));
    }

    #[test]
    fn a_child_that_dockerd_is_about_to_start_is_no_second_one() {
        let child = Process { parent: 30, ..process(31, COMM, 0) };
        assert_eq!(ask(None, None, &[process(30, COMM, 0), child]), Ok((30, FoundBy::Name)));
    }
}
