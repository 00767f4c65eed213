//! Small requests over many connections, all served by one thread: each connection sends its next request as soon as
//! its answer is there, and goes round all addresses.
//!
//! Why not `wrk`: this one takes less of the cores that the server needs (measured beside it, on nginx: 17, 11 and 12
//! microseconds a request at 1, 32 and 256 connections, wrk 19, 14 and 15), counts the same window as the server's CPU
//! time, and fails on the first answer that is not 200.

use std::{
    os::fd::OwnedFd,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use rustix::{
    event::{Timespec, epoll},
    io::Errno,
    net::{RecvFlags, SendFlags, recv, send},
};

use super::{connection::Connection, latency::Latencies, target::Target, window::Window};

/// Takes the head of any answer, and a manifest whole. What is more is dropped by the kernel.
const BUFFER: usize = 8 << 10;

/// At most so much is dropped in one call.
const DROP: usize = 1 << 20;

/// No answer on any connection for so long is a failure.
const SILENCE: Timespec = Timespec { tv_sec: 30, tv_nsec: 0 };

/// What came, and how fast.
#[derive(Clone, Debug)]
pub(crate) struct Answers {
    pub(crate) wall: Duration,
    /// Whole answers in that time.
    pub(crate) count: u64,
    /// From sending the request to the last byte of the answer.
    pub(crate) latencies: Latencies,
}

/// Asks for `targets`, all of one server, over `connections` on `threads` for `length`. `probe` is looked at when the
/// measuring starts and ends.
///
/// # Errors
/// The first answer that is no whole 200, or silence.
pub(crate) fn ask<P>(
    targets: &[Target],
    connections: usize,
    threads: usize,
    length: Duration,
    mut probe: impl FnMut() -> P,
) -> Result<(Answers, P, P)> {
    let server = targets.first().context("nothing to ask for")?.address();
    ensure!(targets.iter().all(|target| target.address() == server), "the addresses are of more than one server");
    let threads = threads.clamp(1, connections.max(1));
    let share = |thread: usize| connections / threads + usize::from(thread < connections % threads);
    let lanes: Vec<Lane<'_>> = (0..threads)
        .map(|thread| Lane::connect(targets, share(thread), thread * targets.len() / threads))
        .collect::<Result<_>>()?;
    let counted = AtomicU64::new(0);
    let window = Window::after_run_up(length);
    thread::scope(|scope| {
        let counted = &counted;
        let lanes: Vec<_> = lanes.into_iter().map(|lane| scope.spawn(move || lane.run(window, counted))).collect();
        let count = || counted.load(Ordering::Relaxed);
        let ((first, before), (last, after), wall) = window.watch(|| (count(), probe()));
        let mut latencies = Latencies::default();
        for lane in lanes {
            latencies.extend(lane.join().map_err(|_| anyhow!("a client panicked"))??);
        }
        Ok((Answers { wall, count: last - first, latencies }, before, after))
    })
}

/// A thread's connections.
struct Lane<'a> {
    targets: &'a [Target],
    next: usize,
    poll: OwnedFd,
    connections: Vec<Connection>,
    buffer: Vec<u8>,
    /// Only its length counts.
    nothing: Vec<u8>,
}

impl<'a> Lane<'a> {
    fn connect(targets: &'a [Target], connections: usize, next: usize) -> Result<Self> {
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let connections = (0..connections).map(|_| Connection::open(&targets[0])).collect::<Result<Vec<_>>>()?;
        for (index, connection) in connections.iter().enumerate() {
            watch(&poll, index, connection)?;
        }
        Ok(Self { targets, next, poll, connections, buffer: vec![0; BUFFER], nothing: vec![0; DROP] })
    }

    fn run(mut self, window: Window, counted: &AtomicU64) -> Result<Latencies> {
        let mut latencies = Latencies::default();
        for index in 0..self.connections.len() {
            self.send(index)?;
        }
        let mut events = Vec::with_capacity(self.connections.len().max(1));
        loop {
            events.clear();
            match epoll::wait(&self.poll, rustix::buffer::spare_capacity(&mut events), Some(&SILENCE)) {
                Ok(0) => bail!("no answer within {} s", SILENCE.tv_sec),
                Ok(_) | Err(Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
            for event in &events {
                let data = event.data;
                let index = usize::try_from(data.u64())?;
                if !self.receive(index)? {
                    continue;
                }
                let now = Instant::now();
                counted.fetch_add(1, Ordering::Relaxed);
                let connection = &self.connections[index];
                if window.contains(now) {
                    latencies.note(now - connection.sent);
                }
                if window.is_over(now) {
                    return Ok(latencies);
                }
                self.send(index)?;
            }
        }
    }

    fn send(&mut self, index: usize) -> Result<()> {
        self.connections[index].target = self.next;
        self.next = (self.next + 1) % self.targets.len();
        self.ask(index)
    }

    fn ask(&mut self, index: usize) -> Result<()> {
        let connection = &mut self.connections[index];
        let request = self.targets[connection.target].request();
        connection.sent = Instant::now();
        match send(&connection.stream, request, SendFlags::NOSIGNAL) {
            Ok(count) => ensure!(count == request.len(), "a request does not fit into an idle connection"),
            // Closed while idle: seen, and mended, when it is read.
            Err(Errno::PIPE | Errno::CONNRESET) => {}
            Err(e) => return Err(e).context("sending a request"),
        }
        Ok(())
    }

    /// Takes what there is; whether the answer is whole now.
    fn receive(&mut self, index: usize) -> Result<bool> {
        let connection = &mut self.connections[index];
        let url = self.targets[connection.target].url();
        let received = match connection.is_in_body() {
            true => recv(&connection.stream, &mut self.nothing[..], RecvFlags::TRUNC),
            false => recv(&connection.stream, &mut self.buffer[..], RecvFlags::empty()),
        };
        let count = match received {
            Ok((_, count)) => count,
            Err(Errno::AGAIN | Errno::INTR) => return Ok(false),
            Err(Errno::CONNRESET) => 0,
            Err(e) => return Err(e).context("reading an answer"),
        };
        if count == 0 {
            ensure!(connection.is_idle(), "{url}: the connection was closed instead of an answer");
            self.reopen(index)?;
            self.ask(index)?;
            return Ok(false);
        }
        let done = connection.take(&self.buffer[..count.min(BUFFER)], count as u64).with_context(|| url.to_owned())?;
        if done.is_some_and(|closes| closes) {
            self.reopen(index)?;
        }
        Ok(done.is_some())
    }

    /// Replaces a connection that the server has closed; the request it has is kept in mind.
    fn reopen(&mut self, index: usize) -> Result<()> {
        let old = &self.connections[index];
        let mut new = Connection::open(&self.targets[0])?;
        (new.target, new.sent) = (old.target, old.sent);
        watch(&self.poll, index, &new)?;
        self.connections[index] = new;
        Ok(())
    }
}

fn watch(poll: &OwnedFd, index: usize, connection: &Connection) -> Result<()> {
    epoll::add(poll, &connection.stream, epoll::EventData::new_u64(index as u64), epoll::EventFlags::IN)?;
    Ok(())
}
