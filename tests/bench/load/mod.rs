//! The load: clients of our own that ask over plain HTTP/1.1 and cost little, so that on a machine with few cores the
//! figures are the server's.
//!
//! [`blob`] downloads large bodies, a thread a client, and lets the kernel drop the bytes (`MSG_TRUNC`): nothing is
//! copied. [`requests`] asks for small things, one thread for all its connections.

mod blob;
mod check;
mod connection;
mod head;
mod latency;
mod reader;
mod requests;
mod target;
mod window;

pub(crate) use blob::{Downloads, SLOW, download, download_beside, stream};
pub(crate) use check::check;
pub(crate) use latency::quantile;
pub(crate) use requests::ask;
pub(crate) use target::Target;
