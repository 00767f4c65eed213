//! How a test tells the file system of a [`FaultyDisk`](super::FaultyDisk) what to do: one JSON document a line, and one
//! back, over a Unix socket. Once the answer is there, what was asked holds for every call that begins afterwards.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    os::unix::net::{UnixListener, UnixStream},
    path::Path,
    time::Duration,
};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::fault::{Fault, When};

/// The other side answers at once, if it is there at all.
const LIMIT: Duration = Duration::from_secs(10);

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Fails like this from now on.
    Fail(When, Fault),
    /// No fault any more; the room is told as it is.
    Heal,
    /// Says that so many bytes are free.
    Free(u64),
    /// Only tells.
    Tell,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Told {
    /// Calls that were spoiled so far.
    pub(crate) spoiled: u64,
}

/// Gives an order.
pub(crate) fn give(socket: &Path, order: &Order) -> Result<Told> {
    let mut stream = UnixStream::connect(socket).context("reaching the file system")?;
    stream.set_read_timeout(Some(LIMIT))?;
    let mut line = serde_json::to_string(order)?;
    line.push('\n');
    stream.write_all(line.as_bytes())?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    serde_json::from_str(&answer).with_context(|| format!("no answer to {order:?}: {answer:?}"))
}

/// Takes orders, one after the other, for as long as the process lives.
pub(crate) fn take(listener: &UnixListener, obey: impl Fn(Order) -> Told) {
    for stream in listener.incoming().flatten() {
        // Whoever breaks off in the middle has given no order.
        let _ = answer(stream, &obey);
    }
}

fn answer(mut stream: UnixStream, obey: impl Fn(Order) -> Told) -> Result<()> {
    stream.set_read_timeout(Some(LIMIT))?;
    let mut line = String::new();
    BufReader::new(stream.try_clone()?).read_line(&mut line)?;
    let told = obey(serde_json::from_str(&line)?);
    writeln!(stream, "{}", serde_json::to_string(&told)?)?;
    Ok(())
}
