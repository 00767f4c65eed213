//! A network namespace that belongs to this process's threads.
//!
//! It has no name and no mount: it lives as long as one of our threads, one of our children or our file descriptor
//! does, and the kernel takes it back however the test ends, SIGKILL included. `setns` moves the calling *thread*
//! only, and [`rustix`] offers it as a safe call, so test code gets into the namespace in three ways: a closure on a
//! thread of its own ([`Net::inside`]), a future on such a thread ([`Net::block_on`]), and tasks of the runtime, all
//! of whose threads enter when they start.

use std::{
    fs::File,
    os::fd::AsFd as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow, ensure};
use rustix::thread::{LinkNameSpaceType, gettid, move_into_link_name_space};
use tokio::runtime::{Builder, Handle, Runtime};

use super::{facts, poll::until};

type Job = Box<dyn FnOnce() + Send>;

/// The namespace of one rig, with loopback up and nothing else.
pub(crate) struct Net {
    entrance: Arc<File>,
    link: PathBuf,
    hand: Option<(mpsc::Sender<Job>, JoinHandle<()>)>,
    runtime: Option<Runtime>,
}

impl Net {
    /// Makes the namespace; needs root.
    pub(crate) fn create() -> Result<Self> {
        let entrance = Arc::new(new_namespace().context("making a network namespace (are we root?)")?);
        let (jobs, work) = mpsc::channel::<Job>();
        let (tell, told) = mpsc::channel();
        let door = Arc::clone(&entrance);
        let hand = thread::Builder::new().name("rig-hand".to_owned()).spawn(move || {
            let entered = enter(&door).and_then(|()| loopback_up());
            let own = PathBuf::from(format!("/proc/{}/task/{}/ns/net", std::process::id(), gettid().as_raw_nonzero()));
            let go_on = entered.is_ok();
            // The other side waits for exactly this message; it can only be gone if its thread panicked.
            let _ = tell.send(entered.map(|()| own));
            if go_on {
                work.into_iter().for_each(|job| job());
            }
        })?;
        let link = told.recv().context("the rig's thread ended early")??;
        let door = Arc::clone(&entrance);
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("rig-async")
            .on_thread_start(move || enter(&door).expect("another thread has just entered the same namespace"))
            .enable_all()
            .build()?;
        Ok(Self { entrance, link, hand: Some((jobs, hand)), runtime: Some(runtime) })
    }

    /// Runs `job` on the one thread that lives as long as the rig. Children are started there: a parent-death signal
    /// is sent when the *thread* that started the child ends, and a test's own thread may end before the rig does.
    pub(crate) fn by_hand<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let (tell, told) = mpsc::channel();
        let (jobs, _) = self.hand.as_ref().context("the rig is already taken down")?;
        // Nobody listens any more only if this very call was unwound.
        let wrapped: Job = Box::new(move || drop(tell.send(job())));
        jobs.send(wrapped).map_err(|_| anyhow!("the rig's thread is gone"))?;
        told.recv().context("the rig's thread panicked")
    }

    /// Runs `body` on a thread of its own inside the namespace and hands back what it returns. A panic goes through.
    pub(crate) fn inside<T: Send>(&self, body: impl FnOnce() -> T + Send) -> T {
        let run = || {
            enter(&self.entrance).expect("the rig's own threads have entered the same namespace");
            body()
        };
        thread::scope(|scope| scope.spawn(run).join()).unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// Runs `future` to its end inside the namespace.
    pub(crate) fn block_on<F>(&self, future: F) -> F::Output
    where
        F: Future + Send,
        F::Output: Send,
    {
        let handle = self.runtime();
        self.inside(move || handle.block_on(future))
    }

    /// The runtime whose threads are in the namespace.
    pub(crate) fn runtime(&self) -> Handle {
        self.runtime.as_ref().expect("only taken away on drop").handle().clone()
    }

    /// What a person gives to `nsenter --net=` to look around; stays good while the rig lives.
    pub(crate) fn link(&self) -> &Path {
        &self.link
    }

    /// The namespace itself, as a file that keeps it alive.
    pub(crate) fn entrance(&self) -> Arc<File> {
        Arc::clone(&self.entrance)
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(2));
        }
        if let Some((jobs, hand)) = self.hand.take() {
            drop(jobs);
            // A job that panicked was reported to whoever asked for it.
            let _ = hand.join();
        }
    }
}

/// Moves the calling thread, and no other, into the namespace.
pub(crate) fn enter(entrance: &File) -> Result<()> {
    move_into_link_name_space(entrance.as_fd(), Some(LinkNameSpaceType::Network)).context("setns")
}

/// A fresh namespace, held by the returned file alone. util-linux makes it: `unshare(2)` itself is no safe call. The
/// helper reads from a pipe of ours, so it ends with us whatever happens.
fn new_namespace() -> Result<File> {
    let mut helper = Command::new("unshare")
        .args(["--net", "cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .context("starting unshare")?;
    let link = PathBuf::from(format!("/proc/{}/ns/net", helper.id()));
    let ours = facts::namespace_inode(Path::new("/proc/self/ns/net"));
    let opened = until("unshare --net", Duration::from_secs(5), || {
        ensure!(helper.try_wait()?.is_none(), "unshare --net was refused");
        match facts::namespace_inode(&link) {
            Some(inode) if Some(inode) != ours => Ok(Some(File::open(&link)?)),
            _ => Ok(None),
        }
    });
    drop(helper.stdin.take());
    helper.wait()?;
    opened
}

fn loopback_up() -> Result<()> {
    let status = Command::new("ip").args(["link", "set", "lo", "up"]).status().context("starting ip (iproute2)")?;
    ensure!(status.success(), "ip link set lo up: {status}");
    Ok(())
}
