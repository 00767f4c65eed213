//! Real registries: Debian's `docker-registry` (CNCF distribution 2.8), open or behind a lock, with or without TLS.

mod builder;
mod config;
mod log;
mod login;
mod rules;
mod token;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result};

use super::{
    access::AccessLog,
    ground::Ground,
    http::{Http, Request},
    images::{Image, push},
    poll::{until, until_true},
    process::{Launch, Process},
};

pub use builder::RegistryBuilder;
pub(crate) use login::authorize;
pub use rules::Rules;
pub use token::{TokenRequest, TokenServer};

/// A registry is up within half a second; this is for machines that are busy with something else.
const READY: Duration = Duration::from_secs(20);

/// Marks the requests by which [`Registry::log`] finds the end of the log.
const SENTINEL: &str = "/v2/?larder-rig-mark=";

/// A user name and a password.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The name.
    pub user: String,
    /// The password.
    pub password: String,
}

/// A registry that runs in the rig.
pub struct Registry {
    ground: Arc<Ground>,
    name: String,
    url: String,
    address: SocketAddr,
    folder: PathBuf,
    ca_file: Option<PathBuf>,
    credentials: Option<Credentials>,
    token_server: Option<TokenServer>,
    http: Http,
    process: Mutex<Option<Process>>,
    log_start: AtomicU64,
    marks: AtomicU64,
}

impl Registry {
    /// `http://HOST:PORT` or `https://HOST:PORT`, as a client in the rig needs it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// `HOST:PORT`, as it stands before a repository in an image reference.
    pub fn host(&self) -> &str {
        self.url.split_once("//").map_or("", |(_, host)| host)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The certificate authority a client has to trust; `None` without TLS.
    pub fn ca_file(&self) -> Option<&Path> {
        self.ca_file.as_deref()
    }

    /// A user who may do everything here; `None` if the registry asks nobody.
    pub fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }

    /// The server its tokens come from, if it wants tokens.
    pub fn token_server(&self) -> Option<&TokenServer> {
        self.token_server.as_ref()
    }

    /// The `rootdirectory` of its storage.
    pub fn storage(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Pushes an image over HTTP, as [`Self::credentials`] if need be.
    ///
    /// # Errors
    /// When the registry refuses.
    pub fn push(&self, image: &Image) -> Result<()> {
        push(&self.http, &self.url, self.credentials.as_ref(), image)
    }

    /// Puts an image into its storage without asking it; a running registry serves it from then on.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn load(&self, image: &Image) -> Result<()> {
        image.write_storage(&self.storage())
    }

    /// Prepares a GET of `path` (from `/v2/` on), without credentials.
    pub fn get(&self, path: &str) -> Request {
        self.http.get(format!("{}{path}", self.url))
    }

    /// Prepares a GET of `path` as this user, or anonymously, by whatever challenge the registry makes.
    ///
    /// # Errors
    /// When the registry or its token server refuses to let that user in at all.
    pub fn get_as(&self, who: Option<&Credentials>, repository: &str, path: &str) -> Result<Request> {
        let pass = authorize(&self.http, &self.url, who, repository, "pull")?;
        let request = self.get(path);
        Ok(match pass {
            Some(pass) => request.header("authorization", &pass),
            None => request,
        })
    }

    /// What it was asked since the start or the last [`Self::reset_log`], by its own access log.
    ///
    /// The registry writes a line after the last byte of the answer, so the client may know first. To get a whole log
    /// this sends a request of its own and waits for its line; that request is not in the result.
    ///
    /// # Errors
    /// When the registry runs and does not log.
    pub fn log(&self) -> Result<AccessLog> {
        let text = self.whole_log()?;
        let start = usize::try_from(self.log_start.load(Ordering::Relaxed))?;
        let mut entries = log::parse(text.get(start..).unwrap_or_default());
        entries.0.retain(|e| !e.path.starts_with(SENTINEL));
        Ok(entries)
    }

    /// Forgets what it was asked so far.
    ///
    /// # Errors
    /// As [`Self::log`].
    pub fn reset_log(&self) -> Result<()> {
        let end = self.whole_log()?.len();
        self.log_start.store(end as u64, Ordering::Relaxed);
        Ok(())
    }

    /// Starts it (again), on the same port with the same content.
    ///
    /// # Errors
    /// When it does not come up; the message has the end of its log.
    pub fn start(&self) -> Result<()> {
        self.stop()?;
        let config = self.folder.join("config.yml");
        let launch = Launch::new(Arc::clone(&self.ground), &self.name, "docker-registry");
        let process = launch.arg("serve").arg(config).with_rig_hosts().start()?;
        *self.process() = Some(process.clone());
        until(&format!("registry {} to answer", self.name), READY, || {
            process.still_running()?;
            Ok(self.http.get(format!("{}/v2/", self.url)).send().ok())
        })?;
        self.reset_log()
    }

    /// Ends it: connecting is refused from now on, and running answers are cut. Its token server goes on.
    ///
    /// # Errors
    /// When the kernel does not let it go.
    pub fn stop(&self) -> Result<()> {
        match self.process().take() {
            Some(process) => process.kill().map(|_| self.ground.forget(&process)),
            None => Ok(()),
        }
    }

    /// Lets it hang: connections are accepted (by the kernel) and never answered, until [`Self::resume`].
    ///
    /// # Errors
    /// When it does not run.
    pub fn pause(&self) -> Result<()> {
        self.process().as_ref().context("a stopped registry cannot hang")?.pause()
    }

    /// Lets it go on after [`Self::pause`].
    pub fn resume(&self) {
        if let Some(process) = &*self.process() {
            process.resume();
        }
    }

    fn whole_log(&self) -> Result<String> {
        let Some(process) = self.process().clone() else {
            let path = self.ground.log_file(&self.name);
            return std::fs::read_to_string(path).context("reading the log of a stopped registry");
        };
        let mark = format!("{SENTINEL}{}.", self.marks.fetch_add(1, Ordering::Relaxed));
        self.http.get(format!("{}{mark}", self.url)).send().context("marking the end of the log")?;
        let logged = || process.log().contains(&mark);
        until_true("the registry to log a request", READY, logged)?;
        Ok(process.log())
    }

    fn process(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // The rig ends it in any case.
        let _ = self.stop();
    }
}
