//! [`Rig`], and the ground that everything in it shares.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU16, AtomicU32, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result};

use super::{
    docker_hub,
    facts::Identity,
    footprint::Footprint,
    net::Net,
    poll::{until, until_true},
    process::{Launch, MARK, Process, tail},
    root::{self, Root},
    sweep,
    tls::Ca,
};

/// How long the programs of a rig may take to end by themselves when the rig is dropped.
const FAREWELL: Duration = Duration::from_secs(2);

/// A temporary folder and a network namespace, and everything that runs in them.
///
/// Dropping it, also by a panic, ends all its programs and takes away everything it made. What was started from it
/// (registries, engines, …) may be kept longer, but is dead then.
pub struct Rig {
    ground: Arc<Ground>,
}

impl Rig {
    /// Makes an empty rig, after clearing away what rigs of dead processes left behind.
    ///
    /// # Errors
    /// Without root, or when there is no disk file system to be had.
    pub fn new() -> Result<Self> {
        sweep::sweep();
        let root = Root::create()?;
        let path = root.path().to_owned();
        let ground = Ground::on(root).inspect_err(|_| drop(root::remove(&path)))?;
        Ok(Self { ground: Arc::new(ground) })
    }

    /// The rig's folder.
    pub fn root(&self) -> &Path {
        self.ground.root.path()
    }

    /// The rig's own certificate authority: every TLS server of the rig is certified by it, and by nothing else.
    pub fn ca(&self) -> &Ca {
        &self.ground.ca
    }

    /// A port nobody in the rig uses. Ports are private to the rig.
    pub fn port(&self) -> u16 {
        self.ground.port()
    }

    /// A free port on 127.0.0.1.
    pub fn address(&self) -> SocketAddr {
        self.ground.address()
    }

    /// Lets `name` stand for `address` in this rig: for engines and agents at once, also those already running, for
    /// every [`Launch`] with the rig's hosts, and for [HTTP clients](Self::http) made afterwards.
    ///
    /// # Errors
    /// When the hosts file cannot be written.
    pub fn add_host(&self, name: &str, address: IpAddr) -> Result<()> {
        self.ground.add_host(name, address)
    }

    /// Prepares a program to run in the rig's network under `name`.
    pub fn command(&self, name: &str, program: impl AsRef<std::ffi::OsStr>) -> Launch {
        Launch::new(Arc::clone(&self.ground), name, program)
    }

    /// Runs `body` on a thread that is in the rig's network: plain sockets work there. A panic goes through.
    ///
    /// # Panics
    /// When the kernel refuses the thread, which it let the rig's own threads do before.
    pub fn inside<T: Send>(&self, body: impl FnOnce() -> T + Send) -> Result<T> {
        Ok(self.ground.net()?.inside(body))
    }

    /// Runs `future` to its end in the rig's network, as well as what it spawns.
    ///
    /// # Errors
    /// Never, unless the rig is being dropped.
    pub fn block_on<F>(&self, future: F) -> Result<F::Output>
    where
        F: Future + Send,
        F::Output: Send,
    {
        Ok(self.ground.net()?.block_on(future))
    }

    /// What to give to `nsenter --net=` to look around in the rig's network while it lives.
    ///
    /// # Errors
    /// Never, unless the rig is being dropped.
    pub fn netns(&self) -> Result<PathBuf> {
        Ok(self.ground.net()?.link().to_owned())
    }

    /// What to look for once the rig is gone.
    ///
    /// # Errors
    /// Never, unless the rig is being dropped.
    pub fn footprint(&self) -> Result<Footprint> {
        Ok(Footprint::new(self.root(), self.ground.net()?.entrance()))
    }

    /// Ends everything of the rig now, from whatever thread: calls of others that are under way fail, and new ones are
    /// refused. Drop the rig once those have returned; that clears away what they left meanwhile.
    pub fn end(&self) {
        self.ground.take_down();
    }

    /// The folder with the logs of everything that runs in the rig, one file each, by name.
    pub fn logs(&self) -> PathBuf {
        self.root().join("logs")
    }

    /// The ends of all logs of the rig, `lines` of each.
    pub fn log_tails(&self, lines: usize) -> String {
        let logs = fs::read_dir(self.logs()).into_iter().flatten().flatten();
        let logs: BTreeMap<_, _> = logs.map(|e| (e.file_name(), e.path())).collect();
        let show = |(name, path): (OsString, PathBuf)| {
            let text = String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned();
            format!("---- {}\n{}\n", name.to_string_lossy(), tail(&text, lines))
        };
        logs.into_iter().map(show).collect()
    }

    pub(crate) fn ground(&self) -> Arc<Ground> {
        Arc::clone(&self.ground)
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.ground.take_down();
    }
}

/// What the parts of a rig share. Parts keep it alive, but only [`Rig`] decides when everything ends.
pub(crate) struct Ground {
    root: Root,
    net: RwLock<Option<Arc<Net>>>,
    ca: Ca,
    next_port: AtomicU16,
    next_scratch: AtomicU32,
    hosts: Mutex<BTreeMap<String, IpAddr>>,
    processes: Mutex<Vec<Process>>,
}

impl Ground {
    fn on(root: Root) -> Result<Self> {
        let ca = Ca::create(&root.path().join("tls"))?;
        let net = RwLock::new(Some(Arc::new(Net::create()?)));
        let ground = Self {
            root,
            net,
            ca,
            // Below the ephemeral range, above everything with a meaning.
            next_port: AtomicU16::new(10_000),
            next_scratch: AtomicU32::new(0),
            hosts: Mutex::new(docker_hub::hosts().collect()),
            processes: Mutex::default(),
        };
        ground.write_hosts(&ground.hosts())?;
        Ok(ground)
    }

    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    pub(crate) fn name(&self) -> &str {
        self.root.name()
    }

    pub(crate) fn ca(&self) -> &Ca {
        &self.ca
    }

    pub(crate) fn net(&self) -> Result<Arc<Net>> {
        let net = self.net.read().unwrap_or_else(PoisonError::into_inner);
        net.clone().context("the rig is already taken down")
    }

    pub(crate) fn port(&self) -> u16 {
        self.next_port.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port()))
    }

    pub(crate) fn add_host(&self, name: &str, address: IpAddr) -> Result<()> {
        let mut hosts = lock(&self.hosts);
        hosts.insert(name.to_owned(), address);
        self.write_hosts(&hosts)
    }

    pub(crate) fn hosts(&self) -> BTreeMap<String, IpAddr> {
        lock(&self.hosts).clone()
    }

    pub(crate) fn hosts_file(&self) -> PathBuf {
        self.root().join("hosts")
    }

    /// Written in place: nodes have this very inode mounted over their `/etc/hosts`.
    fn write_hosts(&self, hosts: &BTreeMap<String, IpAddr>) -> Result<()> {
        let own = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let mut text = format!("127.0.0.1 localhost {}\n::1 localhost\n", own.trim());
        text.extend(hosts.iter().map(|(name, address)| format!("{address} {name}\n")));
        fs::write(self.hosts_file(), text).context("writing the rig's hosts file")
    }

    /// What every program of the rig finds in its environment.
    pub(crate) fn environment(&self) -> Vec<(OsString, OsString)> {
        let path = std::env::var("PATH").unwrap_or_default() + ":/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        let root = self.root().as_os_str();
        vec![
            ("PATH".into(), path.into()),
            ("HOME".into(), root.into()),
            ("LANG".into(), "C.UTF-8".into()),
            (MARK.into(), root.into()),
        ]
    }

    pub(crate) fn log_file(&self, name: &str) -> PathBuf {
        self.root().join("logs").join(format!("{name}.log"))
    }

    pub(crate) fn scratch_files(&self) -> (PathBuf, PathBuf) {
        let n = self.next_scratch.fetch_add(1, Ordering::Relaxed);
        let run = self.root().join("run");
        (run.join(format!("{n}.out")), run.join(format!("{n}.err")))
    }

    pub(crate) fn record(&self, who: Identity, name: &str) -> Result<()> {
        self.root.record(who, name)
    }

    pub(crate) fn adopt(&self, process: Process) {
        lock(&self.processes).push(process);
    }

    pub(crate) fn forget(&self, process: &Process) {
        lock(&self.processes).retain(|p| !p.is(process));
    }

    /// Ends everything, the latest first, and removes every trace. What goes wrong here shows in the footprint.
    fn take_down(&self) {
        let mut processes = std::mem::take(&mut *lock(&self.processes));
        processes.reverse();
        let polite = || processes.iter().filter(|p| p.ends_gracefully());
        polite().for_each(|p| p.signal(rustix::process::Signal::TERM));
        // Whoever does not go in time is killed below.
        let _ = until_true("the rig's programs to end", FAREWELL, || polite().all(|p| p.ended().is_some()));
        for process in &processes {
            let _ = process.kill();
        }
        // Children that a killed program left behind.
        let _ = sweep::kill_all(self.root(), vec![]);
        let net = self.net.write().unwrap_or_else(PoisonError::into_inner).take();
        drop(net);
        // The last of a dying engine may still write into its folder.
        let _ = until("the rig's folder to go", FAREWELL, || Ok(root::remove(self.root()).ok()));
    }
}

/// A poisoned lock here only means that a test panicked while it held it; the teardown must go on.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
