//! Larder itself in a rig: `larder-hub` and `larder-agent`, started as their operators start them.

mod agent;
mod hub;
mod metrics;

use std::{
    net::SocketAddr,
    process::ExitStatus,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, Result};

use super::{
    ground::Ground,
    http::Http,
    poll::until,
    process::{Launch, Process},
};

pub use agent::AgentBuilder;
pub use hub::HubBuilder;
pub use metrics::Metrics;

/// A daemon is ready within a second; this is for machines that are busy with something else.
const READY: Duration = Duration::from_secs(30);

type Recipe = Box<dyn Fn() -> Launch + Send + Sync>;

/// A running `larder-hub` or `larder-agent`. Dropping it kills it; [`Self::stop`] lets it end properly.
pub struct Daemon {
    ground: Arc<Ground>,
    name: String,
    address: SocketAddr,
    observed_at: SocketAddr,
    http: Http,
    recipe: Recipe,
    process: Mutex<Option<Process>>,
}

impl Daemon {
    fn start_new(
        ground: Arc<Ground>,
        name: String,
        address: SocketAddr,
        observed_at: SocketAddr,
        recipe: Recipe,
    ) -> Result<Self> {
        let http = Http::new(Arc::clone(&ground))?;
        let daemon = Self { ground, name, address, observed_at, http, recipe, process: Mutex::default() };
        daemon.start()?;
        Ok(daemon)
    }

    /// What it was called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it speaks the registry protocol, as `http://HOST:PORT`: what a client, an agent or an engine's mirror
    /// setting needs.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The address in [`Self::url`].
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it tells operators how it is: `/readyz`, `/metrics`, ….
    pub fn observed_at(&self) -> SocketAddr {
        self.observed_at
    }

    /// Prepares a GET of `path` (from `/v2/` on).
    pub fn get(&self, path: &str) -> super::http::Request {
        self.http.get(format!("{}{path}", self.url()))
    }

    /// Prepares a GET of `path` at the address for operators: `/readyz`, `/metrics`, ….
    pub fn observe(&self, path: &str) -> super::http::Request {
        self.http.get(format!("http://{}{path}", self.observed_at))
    }

    /// Its metrics as they are now.
    ///
    /// # Errors
    /// When it does not answer, or in no form that Prometheus takes.
    pub fn metrics(&self) -> Result<Metrics> {
        Metrics::parse(&self.observe("/metrics").send()?.expect(200)?.text())
    }

    /// Whether it says that it is ready.
    pub fn is_ready(&self) -> bool {
        self.observe("/readyz").limit(Duration::from_secs(2)).send().is_ok_and(|reply| reply.status == 200)
    }

    /// What it has logged so far.
    pub fn logs(&self) -> String {
        std::fs::read_to_string(self.ground.log_file(&self.name)).unwrap_or_default()
    }

    /// The program itself, for signals.
    ///
    /// # Errors
    /// When it is stopped.
    pub fn process(&self) -> Result<Process> {
        let process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        process.clone().with_context(|| format!("{} is stopped", self.name))
    }

    /// Starts it (after [`Self::stop`] or [`Self::kill`]) with the same arguments, and waits until it is ready.
    ///
    /// # Errors
    /// When it ends or does not get ready; the message has the end of its log.
    pub fn start(&self) -> Result<()> {
        self.start_within(READY)
    }

    /// As [`Self::start`], for a folder that takes longer to be read.
    ///
    /// # Errors
    /// As there, after `limit`.
    pub fn start_within(&self, limit: Duration) -> Result<()> {
        let process = (self.recipe)().start()?;
        *self.process.lock().unwrap_or_else(PoisonError::into_inner) = Some(process.clone());
        until(&format!("{} to be ready", self.name), limit, || {
            process.still_running()?;
            Ok(self.is_ready().then_some(()))
        })
    }

    /// Asks it to end (SIGTERM) and hands back how it did; 0 is how it should.
    ///
    /// # Errors
    /// When it does not end within `limit`.
    pub fn stop(&self, limit: Duration) -> Result<ExitStatus> {
        let process = self.process()?;
        let status = process.terminate(limit)?;
        self.forget(&process);
        Ok(status)
    }

    /// Lets it crash (SIGKILL).
    ///
    /// # Errors
    /// When it is stopped already.
    pub fn kill(&self) -> Result<()> {
        let process = self.process()?;
        process.kill()?;
        self.forget(&process);
        Ok(())
    }

    fn forget(&self, process: &Process) {
        self.ground.forget(process);
        *self.process.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Stopped already, or the rig is gone.
        let _ = self.kill();
    }
}
