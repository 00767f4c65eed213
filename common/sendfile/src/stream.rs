//! A TCP connection that sends from files where it is given stand-ins.

use std::{
    io::{self, IoSlice},
    os::fd::{AsFd as _, BorrowedFd},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use rustix::{
    io::Errno,
    net::{SendAncillaryBuffer, SendFlags},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::TcpStream,
    task::JoinHandle,
};

use crate::{
    memory,
    outbox::{Next, Outbox, is_stand_in},
};

/// Most bytes that one connection sends while others wait for their turn. A socket whose client is quick never fills up:
/// without an end, 16 clients got 0.1 to 1.7 GB each of the same server in the same time, now 0.5 to 1.0. Shorter turns
/// cost more: with 512 KiB, 64 clients took 1.24 and 1.48 × nginx's CPU per GB (hub, agent), with this 0.84 and 1.07 ×.
const TURN: usize = 2 << 20;

/// See the module.
#[derive(Debug)]
pub struct SendfileStream {
    tcp: TcpStream,
    outbox: Outbox,
    /// Bytes sent since others had their turn.
    turn: usize,
    /// Bringing so many of the bytes to send next to memory.
    bringing: Option<(JoinHandle<io::Result<()>>, usize)>,
}

impl SendfileStream {
    /// Wraps a connection.
    pub fn new(tcp: TcpStream) -> Self {
        Self { tcp, outbox: Outbox::default(), turn: 0, bringing: None }
    }

    /// What it is to send from files.
    pub fn outbox(&self) -> Outbox {
        self.outbox.clone()
    }

    /// Writes what stands before a stand-in, and tells the kernel that more comes at once: so that the head of an answer and
    /// the first of its body leave together.
    fn poll_write_before(&self, context: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.tcp.poll_write_ready(context))?;
            let sent = self.tcp.try_io(Interest::WRITABLE, || {
                let flags = SendFlags::MORE | SendFlags::NOSIGNAL;
                Ok(rustix::net::sendmsg(&self.tcp, slices, &mut SendAncillaryBuffer::default(), flags)?)
            });
            match sent {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                outcome => return Poll::Ready(outcome),
            }
        }
    }

    fn poll_send(&mut self, context: &mut Context<'_>, most: usize) -> Poll<io::Result<usize>> {
        if self.turn >= TURN {
            self.turn = 0;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        loop {
            let Some(next) = self.outbox.next() else {
                return Poll::Ready(Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "a stand-in that stands for nothing",
                )));
            };
            let length = next.length.min(most).min(TURN - self.turn);
            // Before looking: what is in memory now need not be when the client takes more.
            let ready = self.tcp.poll_write_ready(context)?;
            if ready.is_pending() {
                self.turn = 0;
                return Poll::Pending;
            }
            let length = length.min(ready!(self.poll_memory(context, &next, length))?);
            let Next { file, offset, .. } = next;
            let sent = self.tcp.try_io(Interest::WRITABLE, || send_from(&self.tcp, file.as_fd(), offset, length));
            match sent {
                Ok(0) => {
                    let error = io::Error::new(io::ErrorKind::UnexpectedEof, "a file became shorter while it was sent");
                    return Poll::Ready(Err(error));
                }
                Ok(sent) => {
                    self.turn += sent;
                    self.outbox.sent(sent);
                    return Poll::Ready(Ok(sent));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Waits until some of these bytes, the next to send, are in memory, and gives how many: all who share this thread would
    /// wait for the disk with a connection that sends what is not. That still happens with a page that goes, or is missed,
    /// between two looks, and where the file system must read to find out where a file's bytes are.
    fn poll_memory(&mut self, context: &mut Context<'_>, next: &Next, length: usize) -> Poll<io::Result<usize>> {
        let Next { file, offset, in_memory, .. } = next;
        if self.bringing.is_none() {
            if *in_memory > 0 {
                return Poll::Ready(Ok(*in_memory));
            }
            if memory::holds(file.as_fd(), *offset, length) {
                self.outbox.found(length);
                return Poll::Ready(Ok(length));
            }
        }
        let (task, length) =
            self.bringing.get_or_insert_with(|| (memory::bring(Arc::clone(file), *offset, length), length));
        let brought = ready!(Pin::new(task).poll(context));
        let length = *length;
        self.bringing = None;
        brought.map_err(io::Error::other).flatten()?;
        self.outbox.found(length);
        Poll::Ready(Ok(length))
    }
}

fn send_from(tcp: &TcpStream, file: BorrowedFd<'_>, offset: u64, length: usize) -> io::Result<usize> {
    let mut at = offset;
    match rustix::fs::sendfile(tcp, file, Some(&mut at), length) {
        // A file system that cannot: by way of a buffer then.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            let mut buffer = vec![0; length.min(64 * 1024)];
            let read = rustix::io::pread(file, &mut buffer, offset)?;
            if read == 0 { Ok(0) } else { Ok(rustix::io::write(tcp, &buffer[..read])?) }
        }
        sent => Ok(sent?),
    }
}

impl AsyncRead for SendfileStream {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_read(context, into)
    }
}

impl AsyncWrite for SendfileStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if is_stand_in(bytes) {
            return self.poll_send(context, bytes.len());
        }
        Pin::new(&mut self.tcp).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let first = slices.iter().position(|slice| !slice.is_empty()).unwrap_or(0);
        let slices = &slices[first..];
        match slices.iter().position(|slice| is_stand_in(slice)) {
            Some(0) => self.poll_send(context, slices[0].len()),
            Some(before) => self.poll_write_before(context, &slices[..before]),
            None => Pin::new(&mut self.tcp).poll_write_vectored(context, slices),
        }
    }

    /// Or a server would copy small buffers, stand-ins among them, into one.
    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests;
