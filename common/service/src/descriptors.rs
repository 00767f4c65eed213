//! How many files and connections the process may have open at a time.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What is kept for everything but clients: listeners, logs, the index, connections to others.
const RESERVED: u64 = 64;
/// Descriptors of a client: its connection, the file it reads, one that is being opened. Who starts a download takes more;
/// most do not.
const EACH: u64 = 3;
/// No limit leaves fewer connections than this.
const FEWEST: u64 = 16;

/// Takes all descriptors that the process may have. The limit it starts with is low for the sake of programs that wait by
/// select(2) (systemd.exec(5) on `LimitNOFILE=`), which this is not.
pub fn take_all() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return;
    }
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(?current, ?maximum, %error, "cannot raise the limit of open files");
    }
}

/// How many connections may be open at a time, so that there are descriptors for what they ask for.
pub(crate) fn connections() -> usize {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let most = (limit.saturating_sub(RESERVED) / EACH).max(FEWEST);
    usize::try_from(most).unwrap_or(usize::MAX)
}
