//! One client of large bodies: a connection that is kept, and a buffer that is never written to.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    ops::ControlFlow,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::net::{RecvFlags, recv};

use super::{head, target::Target};

/// The head of an answer and the first of its body.
const HEAD: usize = 16 << 10;

/// At most so much is dropped in one call.
const DROP: usize = 4 << 20;

/// At most so much is taken in one call by who takes little at a time.
const SIP: usize = 64 << 10;

/// At most so much is read in one call, where bytes are read.
const COPY: usize = 256 << 10;

pub(crate) struct Reader<'a> {
    target: &'a Target,
    stream: TcpStream,
    head: Vec<u8>,
    /// Takes what is taken in one call. Only its length counts, where the kernel drops what would have gone into it.
    nothing: Vec<u8>,
    is_used: bool,
}

/// A body that was read, or left in the middle.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Body {
    /// From the request to the first byte of the body.
    pub(crate) first_byte: Duration,
    /// From the request to the last.
    pub(crate) took: Duration,
    pub(crate) bytes: u64,
    /// All of it came.
    pub(crate) is_whole: bool,
}

impl<'a> Reader<'a> {
    pub(crate) fn connect(target: &'a Target) -> Result<Self> {
        let stream = target.connect()?;
        Ok(Self { target, stream, head: vec![0; HEAD], nothing: vec![0; DROP], is_used: false })
    }

    /// Takes little at a time.
    pub(crate) fn sipping(mut self) -> Self {
        self.nothing.truncate(SIP);
        self
    }

    /// Asks once and reads to the end, or until `progress`, which is told the bytes of the body as they come, breaks
    /// off.
    ///
    /// # Errors
    /// When the server answers anything but 200, or closes early.
    pub(crate) fn read(&mut self, mut progress: impl FnMut(u64) -> ControlFlow<()>) -> Result<Body> {
        let start = Instant::now();
        let (head, mut bytes) = self.ask()?;
        let mut first_byte = (bytes > 0).then(|| start.elapsed());
        let mut flow = progress(bytes);
        while bytes < head.length && flow.is_continue() {
            let most = usize::try_from(head.length - bytes).unwrap_or(usize::MAX).min(self.nothing.len());
            let count = self.take_some(most)?;
            ensure!(count > 0, "the body broke off after {bytes} of {} bytes", head.length);
            first_byte.get_or_insert_with(|| start.elapsed());
            bytes += count;
            flow = progress(count);
        }
        let is_whole = bytes == head.length;
        ensure!(bytes <= head.length, "{bytes} bytes instead of {}", head.length);
        if head.closes && is_whole {
            self.again()?;
        }
        let first_byte = first_byte.unwrap_or_default();
        Ok(Body { first_byte, took: start.elapsed(), bytes, is_whole })
    }

    /// Sends the request and reads the head; also hands back how many bytes of the body came with it.
    fn ask(&mut self) -> Result<(head::Head, u64)> {
        loop {
            let sent = self.stream.write_all(self.target.request());
            let mut filled = 0;
            while sent.is_ok() && filled < self.head.len() {
                let Ok(count) = self.stream.read(&mut self.head[filled..]) else { break };
                if count == 0 {
                    break;
                }
                filled += count;
                if let Some(head) = head::parse(&self.head[..filled])? {
                    return Ok((head, (filled - head.size) as u64));
                }
            }
            // A server may close a connection that it has answered on, at any moment.
            if filled > 0 || !std::mem::take(&mut self.is_used) {
                bail!("{} closed the connection instead of answering", self.target.address());
            }
            self.again()?;
        }
    }

    fn take_some(&mut self, most: usize) -> Result<u64> {
        self.is_used = true;
        let (most, flags) = match self.target.copies() {
            true => (most.min(COPY), RecvFlags::empty()),
            false => (most, RecvFlags::TRUNC),
        };
        loop {
            match recv(&self.stream, &mut self.nothing[..most], flags) {
                Ok((_, count)) => return Ok(count as u64),
                Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(e).context("reading a body"),
            }
        }
    }

    fn again(&mut self) -> Result<()> {
        self.stream = self.target.connect()?;
        Ok(())
    }
}
