//! A TCP connection that sends from files where it is given stand-ins.

use std::{
    io::{self, IoSlice},
    os::fd::BorrowedFd,
    pin::Pin,
    task::{Context, Poll, ready},
};

use rustix::{
    io::Errno,
    net::{SendAncillaryBuffer, SendFlags},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::TcpStream,
};

use crate::outbox::{Outbox, is_stand_in};

/// Most bytes that one connection sends while others wait for their turn. A socket whose client is quick never fills up:
/// without an end, 16 clients got 0.1 to 1.7 GB each of the same server in the same time, now 0.5 to 1.0. Of 256 KiB to
/// 4 MiB none was measurably better than another.
const TURN: usize = 512 * 1024;

/// See the module.
#[derive(Debug)]
pub struct SendfileStream {
    tcp: TcpStream,
    outbox: Outbox,
    /// Bytes sent since others had their turn.
    turn: usize,
}

impl SendfileStream {
    /// Wraps a connection.
    pub fn new(tcp: TcpStream) -> Self {
        Self { tcp, outbox: Outbox::default(), turn: 0 }
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
            let ready = self.tcp.poll_write_ready(context)?;
            if ready.is_pending() {
                self.turn = 0;
                return Poll::Pending;
            }
            let sent = self.tcp.try_io(Interest::WRITABLE, || {
                self.outbox
                    .send(most.min(TURN - self.turn), |file, offset, length| send_from(&self.tcp, file, offset, length))
            });
            match sent {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                outcome => {
                    self.turn += outcome.as_ref().map_or(0, |sent| *sent);
                    return Poll::Ready(outcome);
                }
            }
        }
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
mod tests {
    use std::{
        fs::File,
        io::{Read as _, Write as _},
        sync::Arc,
    };

    use tokio::{io::AsyncWriteExt as _, net::TcpListener};

    use super::*;

    async fn pair() -> (SendfileStream, std::net::TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (SendfileStream::new(listener.accept().await.unwrap().0), client)
    }

    fn file(content: &[u8]) -> Arc<File> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        Arc::new(file)
    }

    #[tokio::test]
    async fn stand_ins_among_other_bytes_are_the_files_bytes() {
        let content: Vec<u8> = (0..3_000_000_u32).map(|i| (i % 251) as u8).collect();
        let (mut stream, mut client) = pair().await;
        let reading = std::thread::spawn(move || {
            let mut all = Vec::new();
            client.read_to_end(&mut all).unwrap();
            all
        });
        let (outbox, file) = (stream.outbox(), file(&content));
        let first = outbox.put(Arc::clone(&file) as _, 100, 900_000);
        let second = outbox.put(file as _, 2_000_000, 1_000_000);
        for bytes in [&b"head"[..], &first, b"between", &second, b"end"] {
            stream.write_all(bytes).await.unwrap();
        }
        drop(stream);
        let expected = [b"head", &content[100..900_100], b"between", &content[2_000_000..], b"end"].concat();
        assert!(reading.join().unwrap() == expected);
    }

    #[tokio::test]
    async fn vectored_writes_stop_where_a_stand_in_begins() {
        let (mut stream, mut client) = pair().await;
        let stand_in = stream.outbox().put(file(b"0123456789") as _, 2, 5);
        let slices = [IoSlice::new(b""), IoSlice::new(b"ab"), IoSlice::new(&stand_in), IoSlice::new(b"cd")];
        assert_eq!(stream.write_vectored(&slices).await.unwrap(), 2);
        assert_eq!(stream.write_vectored(&slices[2..]).await.unwrap(), 5);
        assert_eq!(stream.write_vectored(&slices[3..]).await.unwrap(), 2);
        drop(stream);
        let mut all = String::new();
        client.read_to_string(&mut all).unwrap();
        assert_eq!(all, "ab23456cd");
    }

    #[tokio::test]
    async fn a_file_that_became_shorter_is_an_error() {
        let (mut stream, _client) = pair().await;
        let stand_in = stream.outbox().put(file(b"short") as _, 3, 10);
        assert_eq!(stream.write(&stand_in).await.unwrap(), 2);
        assert_eq!(stream.write(&stand_in[2..]).await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
