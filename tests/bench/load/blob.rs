//! Many clients of one large body at once: a number of times each ([`download`]), once beside slow ones
//! ([`download_beside`]), or all the time ([`stream`]).

use std::{
    ops::ControlFlow,
    sync::{
        Barrier,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow};

use super::{
    reader::{Body, Reader},
    target::Target,
    window::Window,
};

/// Stacks of hundreds of clients should not show.
const STACK: usize = 256 << 10;

/// What a slow client takes, in bytes a second.
pub(crate) const SLOW: u64 = 1_000_000;

/// What came, and how fast.
#[derive(Clone, Debug)]
pub(crate) struct Downloads {
    /// From the start of the first to the end of the last; of a stream, the window.
    pub(crate) wall: Duration,
    /// Bytes of bodies in that time, over all clients.
    pub(crate) bytes: u64,
    /// The same of each client, in ascending order.
    pub(crate) by_client: Vec<u64>,
    /// Of every answer, from the request to the first byte of its body, in ascending order.
    pub(crate) first_bytes: Vec<Duration>,
    /// How long the whole bodies took, in ascending order.
    pub(crate) whole: Vec<Duration>,
}

/// Lets `clients` download the body `times` times each, all starting at once. `probe` is looked at right before and
/// right after.
///
/// # Errors
/// The first failure of any client.
pub(crate) fn download<P>(
    target: &Target,
    clients: usize,
    times: usize,
    probe: impl FnMut() -> P,
) -> Result<(Downloads, P, P)> {
    race(target, clients, 0, times, probe)
}

/// Lets `clients` download the body once, beside `slow` ones that take [`SLOW`] bytes a second each and leave when the
/// others are done. What comes back is of those others.
///
/// # Errors
/// The first failure of any client; that a slow one is cut off is a failure too.
pub(crate) fn download_beside<P>(
    target: &Target,
    clients: usize,
    slow: usize,
    probe: impl FnMut() -> P,
) -> Result<(Downloads, P, P)> {
    race(target, clients, slow, 1, probe)
}

fn race<P>(
    target: &Target,
    quick: usize,
    slow: usize,
    times: usize,
    mut probe: impl FnMut() -> P,
) -> Result<(Downloads, P, P)> {
    let (start, crowd) = (Barrier::new(quick + slow + 1), Crowd::of(quick + slow));
    let client = |index: usize| -> Result<Vec<Body>> {
        let reader = Reader::connect(target);
        // Also by those who could not connect: the others wait for them.
        start.wait();
        let mut reader = reader?;
        if index >= quick {
            return Ok(vec![reader.sipping().read(|count| crowd.linger(index, count))?]);
        }
        (0..times).map(|_| reader.read(|count| crowd.progress(index, count))).collect()
    };
    thread::scope(|scope| {
        let mut clients = crowd.spawn(scope, &client)?;
        let lingering = clients.split_off(quick);
        let before = probe();
        start.wait();
        let begin = Instant::now();
        let bodies = join(clients);
        let (wall, after) = (begin.elapsed(), probe());
        crowd.is_over.store(true, Ordering::Relaxed);
        join(lingering)?;
        let mut by_client = crowd.bytes();
        by_client.truncate(quick);
        Ok((Downloads::of(wall, by_client, &bodies?), before, after))
    })
}

/// Lets `clients` download the body again and again, and measures for `length` in the midst of it; then all hang up.
/// `probe` is looked at right when the measuring starts and ends.
///
/// # Errors
/// The first failure of any client.
pub(crate) fn stream<P>(
    target: &Target,
    clients: usize,
    length: Duration,
    mut probe: impl FnMut() -> P,
) -> Result<(Downloads, P, P)> {
    let crowd = Crowd::of(clients);
    let client = |index: usize| -> Result<Vec<Body>> {
        let (mut reader, mut bodies) = (Reader::connect(target)?, Vec::new());
        while !crowd.is_over.load(Ordering::Relaxed) {
            bodies.push(reader.read(|count| crowd.progress(index, count))?);
        }
        Ok(bodies)
    };
    thread::scope(|scope| {
        let clients = crowd.spawn(scope, &client)?;
        let window = Window::after_run_up(length);
        let ((first, before), (last, after), wall) = window.watch(|| (crowd.bytes(), probe()));
        crowd.is_over.store(true, Ordering::Relaxed);
        let bytes = first.iter().zip(&last).map(|(first, last)| last - first).collect();
        Ok((Downloads::of(wall, bytes, &join(clients)?), before, after))
    })
}

/// What the clients share.
struct Crowd {
    is_over: AtomicBool,
    read: Vec<AtomicU64>,
}

type Client<'scope> = thread::ScopedJoinHandle<'scope, Result<Vec<Body>>>;

impl Crowd {
    fn of(clients: usize) -> Self {
        Self { is_over: AtomicBool::new(false), read: (0..clients).map(|_| AtomicU64::new(0)).collect() }
    }

    fn spawn<'scope, 'env>(
        &'scope self,
        scope: &'scope thread::Scope<'scope, 'env>,
        client: &'scope (impl Fn(usize) -> Result<Vec<Body>> + Sync),
    ) -> Result<Vec<Client<'scope>>> {
        let guarded = move |index| {
            let outcome = client(index);
            // One that failed spoils the figure: the others need not go on.
            if outcome.is_err() {
                self.is_over.store(true, Ordering::Relaxed);
            }
            outcome
        };
        let start = |index| thread::Builder::new().stack_size(STACK).spawn_scoped(scope, move || guarded(index));
        (0..self.read.len()).map(|index| start(index).context("starting a client")).collect()
    }

    fn progress(&self, index: usize, count: u64) -> ControlFlow<()> {
        self.read[index].fetch_add(count, Ordering::Relaxed);
        if self.is_over.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Waits for as long as so many bytes take a slow client, if the others are not done before.
    #[allow(clippy::disallowed_methods, reason = "a slow client is one that lets time pass")]
    fn linger(&self, index: usize, count: u64) -> ControlFlow<()> {
        const STEP: Duration = Duration::from_millis(10);
        let until = Instant::now() + Duration::from_micros(count * 1_000_000 / SLOW);
        while Instant::now() < until && !self.is_over.load(Ordering::Relaxed) {
            thread::sleep(STEP);
        }
        self.progress(index, count)
    }

    fn bytes(&self) -> Vec<u64> {
        self.read.iter().map(|read| read.load(Ordering::Relaxed)).collect()
    }
}

fn join(clients: Vec<Client<'_>>) -> Result<Vec<Body>> {
    let ended: Vec<_> =
        clients.into_iter().map(|client| client.join().map_err(|_| anyhow!("a client panicked"))).collect();
    let mut all = Vec::new();
    for bodies in ended {
        all.extend(bodies??);
    }
    Ok(all)
}

impl Downloads {
    fn of(wall: Duration, mut by_client: Vec<u64>, bodies: &[Body]) -> Self {
        let sorted = |mut times: Vec<Duration>| {
            times.sort_unstable();
            times
        };
        by_client.sort_unstable();
        Self {
            wall,
            bytes: by_client.iter().sum(),
            by_client,
            first_bytes: sorted(bodies.iter().filter(|body| body.bytes > 0).map(|body| body.first_byte).collect()),
            whole: sorted(bodies.iter().filter(|body| body.is_whole).map(|body| body.took).collect()),
        }
    }
}
