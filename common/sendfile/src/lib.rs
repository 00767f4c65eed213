//! Lets the bytes of a file leave by `sendfile(2)`, from under an HTTP server that knows nothing of it.
//!
//! hyper takes a body as buffers and hands them to the connection as they are. So a body gives it a **stand-in**: a buffer
//! of the right length at an address that is known, whose content nobody reads. With it goes a note to the connection of
//! which bytes of which file are meant. The connection, asked to write from that address, has the kernel send those
//! bytes, from the page cache to the socket, without a copy.
//!
//! This holds as long as the server does not copy what it is given. hyper's HTTP/1 does not if vectored writes are forced
//! (`writev(true)`): it queues buffers and writes them by `writev`. HTTP/2 and TLS do copy, so they must never be given a
//! stand-in: a connection lends its [`Outbox`] to requests of HTTP/1 only, and only a plain TCP connection has one.

mod memory;
mod outbox;
mod stream;

pub use memory::holds;
pub use outbox::{MOST, Outbox};
pub use stream::SendfileStream;
