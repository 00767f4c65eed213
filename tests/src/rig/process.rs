//! Starting, watching and ending the programs of a rig.
//!
//! Every program starts with an empty environment (a proxy variable of the machine must not reach an engine), with
//! its output in a log file of the rig, and with a parent-death signal, so that it does not outlive a test that is
//! killed. `setpriv` sets the signal: doing it between fork and exec ourselves would need unsafe code.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File, OpenOptions},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
pub use rustix::process::Signal;

use super::{
    facts::{self, Identity},
    ground::Ground,
    poll::{until, until_true},
};

/// Set for everything a rig starts, to the rig's folder: how leftovers are found.
pub(crate) const MARK: &str = "LARDER_RIG";

/// What is mounted around a program.
#[derive(Clone, Copy)]
enum Place {
    /// The machine's files, the rig's network.
    Net,
    /// The same, but `/etc/hosts` is the rig's.
    Hosts,
    /// The mounts and process numbers of the node whose first process this is.
    Node(i32),
}

/// A program about to be started; see [`Rig::command`](super::Rig::command).
#[must_use = "nothing runs before start or finish"]
pub struct Launch {
    ground: Arc<Ground>,
    name: String,
    program: OsString,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    place: Place,
    graceful: bool,
}

impl Launch {
    pub(crate) fn new(ground: Arc<Ground>, name: &str, program: impl AsRef<OsStr>) -> Self {
        let program = program.as_ref().to_owned();
        Self { ground, name: name.to_owned(), program, args: vec![], env: vec![], place: Place::Net, graceful: true }
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(|a| a.as_ref().to_owned()));
        self
    }

    /// Sets a variable; the last one of a name counts.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// The program resolves names by the rig's hosts file ([`Rig::add_host`](super::Rig::add_host)).
    pub fn with_rig_hosts(mut self) -> Self {
        self.place = Place::Hosts;
        self
    }

    /// The program runs where the engine whose first process is `init` runs.
    pub(crate) fn in_node(mut self, init: i32) -> Self {
        self.place = Place::Node(init);
        self
    }

    /// Nothing is lost when the program ends without notice.
    pub(crate) fn expendable(mut self) -> Self {
        self.graceful = false;
        self
    }

    /// Starts the program; its output goes to the end of `logs/NAME.log` in the rig.
    ///
    /// # Errors
    /// When it cannot be started at all. A program that ends at once is found out by whoever waits for it.
    pub fn start(self) -> Result<Process> {
        let log = self.ground.log_file(&self.name);
        let out = OpenOptions::new().create(true).append(true).open(&log)?;
        let err = out.try_clone()?;
        self.spawn(log, out, err)
    }

    /// Runs the program to its end.
    ///
    /// # Errors
    /// When it cannot be started or does not end within `limit`; not when it fails: see [`Finished::success`].
    pub fn finish(self, limit: Duration) -> Result<Finished> {
        let (out, err) = self.ground.scratch_files();
        let what = self.describe();
        let ground = Arc::clone(&self.ground);
        let process = self.spawn(out.clone(), File::create(&out)?, File::create(&err)?)?;
        let start = Instant::now();
        let ended = process.wait(limit);
        let elapsed = start.elapsed();
        if ended.is_err() {
            process.kill()?;
        }
        ground.forget(&process);
        let read = |path: &Path| -> Result<String> {
            let text = String::from_utf8_lossy(&fs::read(path)?).into_owned();
            fs::remove_file(path)?;
            Ok(text)
        };
        let (stdout, stderr) = (read(&out)?, read(&err)?);
        let status = ended.with_context(|| format!("{what}\nstdout: {stdout}\nstderr: {stderr}"))?;
        Ok(Finished { what, status, stdout, stderr, elapsed })
    }

    fn describe(&self) -> String {
        let words = std::iter::once(&self.program).chain(&self.args);
        words.map(|w| w.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }

    fn spawn(self, log: PathBuf, out: File, err: File) -> Result<Process> {
        let mut words: Vec<OsString> = ["setpriv", "--pdeathsig", "KILL", "--"].map(OsString::from).into();
        match self.place {
            Place::Net => {}
            Place::Hosts => {
                // Each step replaces itself by the next: the number stays that of the program.
                let steps = r#"mount --bind "$0" /etc/hosts && exec "$@""#;
                words.extend(
                    ["unshare", "--mount", "--propagation", "private", "--", "sh", "-c", steps].map(Into::into),
                );
                words.push(self.ground.hosts_file().into());
            }
            Place::Node(init) => {
                words.extend(["nsenter", "--target", &init.to_string(), "--mount", "--pid", "--"].map(Into::into));
            }
        }
        words.push(self.program);
        words.extend(self.args);
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).env_clear().envs(self.ground.environment()).envs(self.env);
        command.stdin(Stdio::null()).stdout(out).stderr(err).current_dir("/");
        // Ctrl-C at a terminal is for whoever made the rig, and for nobody in it.
        command.process_group(0);
        let child = self.ground.net()?.by_hand(move || command.spawn())?;
        let child = child.with_context(|| format!("starting {}", self.name))?;
        let outer = child.id().cast_signed();
        let outer = Identity::of(outer).context("a child that nobody waited for is still there")?;
        self.ground.record(outer, &self.name)?;
        let child = Mutex::new(child);
        let mut process = Inner { name: self.name, log, target: outer, graceful: self.graceful, child };
        if matches!(self.place, Place::Node(_)) {
            process.target = process.inner_process(outer)?;
            self.ground.record(process.target, &process.name)?;
        }
        let process = Process(Arc::new(process));
        self.ground.adopt(process.clone());
        Ok(process)
    }
}

/// A program of the rig. Cloning gives another handle on the same one; the rig ends it when the rig is dropped.
#[derive(Clone)]
pub struct Process(Arc<Inner>);

struct Inner {
    name: String,
    log: PathBuf,
    /// Who gets the signals: the program itself, also where `nsenter` stands before it.
    target: Identity,
    graceful: bool,
    child: Mutex<Child>,
}

impl Inner {
    /// `nsenter --pid` has to fork to get its program into the other namespace, and passes no signals on.
    fn inner_process(&self, outer: Identity) -> Result<Identity> {
        until(&format!("{} to start in its node", self.name), Duration::from_secs(5), || {
            if let Some(inner) = facts::children_of(outer.pid).first().and_then(|&p| Identity::of(p)) {
                return Ok(Some(inner));
            }
            // It may have come and gone already.
            Ok((!outer.alive()).then_some(outer))
        })
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Process {
    /// The name its log goes by.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The program's number in the machine's own process namespace, whatever namespace it runs in.
    pub fn pid(&self) -> i32 {
        self.0.target.pid
    }

    /// Where its output goes.
    pub fn log_file(&self) -> &Path {
        &self.0.log
    }

    /// Its output so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.0.log).unwrap_or_default()).into_owned()
    }

    /// How it ended; `None` while it runs.
    pub fn ended(&self) -> Option<ExitStatus> {
        self.0.child().try_wait().ok().flatten()
    }

    /// Sends it a signal. To a program that has ended this does nothing.
    pub fn signal(&self, signal: Signal) {
        self.0.target.signal(signal);
    }

    /// Freezes it (SIGSTOP) and waits until it stands still; what it would answer, it answers after
    /// [`Self::resume`].
    ///
    /// # Errors
    /// When it does not stand still within five seconds, for instance because it has ended.
    pub fn pause(&self) -> Result<()> {
        self.signal(Signal::STOP);
        until_true(&format!("{} to stand still", self.0.name), Duration::from_secs(5), || self.0.target.stopped())
    }

    /// Lets it go on after [`Self::pause`].
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When it still runs after `limit`.
    pub fn wait(&self, limit: Duration) -> Result<ExitStatus> {
        until(&format!("{} to end", self.0.name), limit, || Ok(self.ended()))
    }

    /// Asks it to end (SIGTERM) and waits.
    ///
    /// # Errors
    /// When it still runs after `limit`; it is left running then.
    pub fn terminate(&self, limit: Duration) -> Result<ExitStatus> {
        self.signal(Signal::TERM);
        self.wait(limit)
    }

    /// Ends it at once (SIGKILL) and waits until it is gone.
    ///
    /// # Errors
    /// When the kernel does not let it go within ten seconds.
    pub fn kill(&self) -> Result<ExitStatus> {
        self.signal(Signal::KILL);
        self.wait(Duration::from_secs(10))
    }

    /// Fails with the end of its log if it no longer runs: for use in the polls that wait for it to be ready.
    pub(crate) fn still_running(&self) -> Result<()> {
        match self.ended() {
            Some(status) => bail!("{} ended early ({status}):\n{}", self.name(), tail(&self.log(), 15)),
            None => Ok(()),
        }
    }

    pub(crate) fn ends_gracefully(&self) -> bool {
        self.0.graceful
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// A program that has run to its end.
#[derive(Clone, Debug)]
pub struct Finished {
    what: String,
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
    /// From start to end.
    pub elapsed: Duration,
}

impl Finished {
    /// Turns a failure into an error that says what was run and what it wrote.
    ///
    /// # Errors
    /// When the program did not end with 0.
    pub fn success(self) -> Result<Self> {
        if self.status.success() {
            return Ok(self);
        }
        bail!("{} ({}):\n{}{}", self.what, self.status, self.stdout, self.stderr)
    }
}

/// The last `lines` lines of `text`.
pub(crate) fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
