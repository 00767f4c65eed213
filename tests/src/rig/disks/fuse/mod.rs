//! The file system of a [`FaultyDisk`](super::FaultyDisk), and the program that is it.
//!
//! It passes every call on to a plain folder, after asking the `Plan` what is to become of it. It runs in a process of
//! its own: a program that both serves a file system and uses it can wait for itself in the kernel, where no signal ends
//! it.

mod attributes;
mod bytes;
mod calls;
mod names;
mod nodes;

use std::{
    collections::HashMap,
    os::{fd::OwnedFd, unix::net::UnixListener},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result};
use fuser::{Config, FileHandle, MountOption, Session, SessionACL};
use rustix::{
    io::Errno,
    process::{Resource, Rlimit, getrlimit, setrlimit},
};

use super::{
    control::{self, Order, Told},
    fault::{Call, Plan, Verdict},
};
use nodes::{Node, Nodes};

/// Calls that are served at the same time; a slow one holds its place.
const AT_ONCE: usize = 32;

/// The folder that is passed on, with what is open in it.
struct Faulty {
    nodes: Nodes,
    orders: Arc<Orders>,
    open: Mutex<HashMap<u64, Arc<Open>>>,
    next_handle: AtomicU64,
    /// Whether the kernel may keep pages: a read that it answers from them does not come here, and cannot fail.
    page_cache: bool,
}

/// A file or folder that a program has open.
struct Open {
    handle: OwnedFd,
    node: Arc<Node>,
    /// Of a folder: its entries, as they were when it was opened.
    entries: Vec<names::Entry>,
}

/// What the test has ordered so far.
#[derive(Default)]
struct Orders {
    plan: Mutex<Plan>,
    free: Mutex<Option<u64>>,
}

/// `larder-faulty-disk SOURCE MOUNTPOINT SOCKET [page-cache]`: serves until it is killed or unmounted.
///
/// # Errors
/// When the arguments are others, or the kernel refuses (no `/dev/fuse`, not root).
pub fn run(arguments: &[String]) -> Result<()> {
    let (paths, page_cache) = match arguments {
        [paths @ .., last] if last == "page-cache" => (paths, true),
        paths => (paths, false),
    };
    let [source, mountpoint, socket] = paths else {
        anyhow::bail!("usage: larder-faulty-disk SOURCE MOUNTPOINT SOCKET [page-cache]");
    };
    // Every file that the kernel knows is held open.
    let most = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most }).context("raising the limit of open files")?;
    let orders = Arc::new(Orders::default());
    let file_system = Faulty {
        nodes: Nodes::new(PathBuf::from(source)).with_context(|| format!("opening {source}"))?,
        orders: Arc::clone(&orders),
        open: Mutex::default(),
        next_handle: AtomicU64::new(0),
        page_cache,
    };
    let mut config = Config::default();
    config.mount_options = vec![MountOption::FSName("larder-faulty-disk".to_owned()), MountOption::NoAtime];
    config.acl = SessionACL::All;
    config.n_threads = Some(AT_ONCE);
    let session = Session::new(file_system, mountpoint, &config).context("mounting")?;
    // Who can reach the socket finds the file system mounted.
    let listener = UnixListener::bind(Path::new(socket)).context("listening for orders")?;
    std::thread::spawn(move || control::take(&listener, |order| orders.obey(order)));
    session.run().context("serving")
}

impl Orders {
    fn obey(&self, order: Order) -> Told {
        let mut plan = lock(&self.plan);
        match order {
            Order::Fail(when, fault) => plan.add(when, fault),
            Order::Heal => {
                plan.heal();
                *lock(&self.free) = None;
            }
            Order::Free(bytes) => *lock(&self.free) = Some(bytes),
            Order::Tell => {}
        }
        Told { spoiled: plan.spoiled() }
    }
}

impl Faulty {
    /// Asks what is to become of a call, waits if that takes time, and fails if it is to fail.
    fn ask(&self, call: Call, bytes: u64, paths: impl Fn() -> Vec<String>) -> rustix::io::Result<Verdict> {
        let verdict = lock(&self.orders.plan).judge(call, bytes, paths);
        if verdict.delay > Duration::ZERO {
            std::thread::sleep(verdict.delay);
        }
        match verdict.error {
            Some(number) => Err(Errno::from_raw_os_error(number)),
            None => Ok(verdict),
        }
    }

    fn keep(&self, open: Open) -> FileHandle {
        let number = self.next_handle.fetch_add(1, Ordering::Relaxed);
        lock(&self.open).insert(number, Arc::new(open));
        FileHandle(number)
    }

    fn opened(&self, handle: FileHandle) -> rustix::io::Result<Arc<Open>> {
        lock(&self.open).get(&handle.0).cloned().ok_or(Errno::BADF)
    }

    fn close(&self, handle: FileHandle) {
        lock(&self.open).remove(&handle.0);
    }
}

/// What was locked is whole between any two statements, so a panic elsewhere has spoiled nothing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
