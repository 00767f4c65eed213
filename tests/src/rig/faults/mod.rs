//! A registry that fails on demand.
//!
//! It serves images as they are until a [`Fault`] is set for a kind of request, and notes every request with all its
//! headers. It writes HTTP itself, byte by byte: a proper library refuses to send the lies wanted here, such as a
//! `Content-Length` that is not the body's.

mod content;
mod fault;
mod head;
mod wire;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::Result;

use super::{
    Rig,
    access::{AccessLog, Recorder},
    docker_hub,
    ground::Ground,
    images::Image,
    serve::Server,
};
use content::Content;
use fault::Plan;

pub use fault::{Ending, Fault, When};

/// The one token a [`FaultyUpstreamBuilder::bearer`] upstream gives and takes.
pub const TOKEN: &str = "the-token-of-the-rig";

/// A faulty upstream about to be started.
#[must_use = "nothing runs before start"]
pub struct FaultyUpstreamBuilder {
    ground: Arc<Ground>,
    name: String,
    listen: SocketAddr,
    names: Vec<String>,
    tls: bool,
    bearer: bool,
    images: Vec<Image>,
}

impl Rig {
    /// Prepares a faulty upstream called `name` on a free port of the rig.
    pub fn faulty_upstream(&self, name: &str) -> FaultyUpstreamBuilder {
        FaultyUpstreamBuilder {
            ground: self.ground(),
            name: name.to_owned(),
            listen: self.address(),
            names: vec![],
            tls: false,
            bearer: false,
            images: vec![],
        }
    }
}

impl FaultyUpstreamBuilder {
    /// Where to listen, instead of a free port on 127.0.0.1.
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// A name it is reached by in this rig. The first one stands in its URL.
    pub fn named(mut self, name: &str) -> Self {
        self.names.push(name.to_owned());
        self
    }

    /// Serves TLS, certified by the rig's authority.
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// Stands where engines look for Docker Hub.
    pub fn as_docker_hub(self) -> Self {
        docker_hub::NAMES.into_iter().fold(self.listen(docker_hub::ADDRESS).tls(), Self::named)
    }

    /// Wants [`TOKEN`] for everything, and gives it to everybody at `/token`.
    pub fn bearer(mut self) -> Self {
        self.bearer = true;
        self
    }

    /// Serves this image; may be said for several.
    pub fn image(mut self, image: &Image) -> Self {
        self.images.push(image.clone());
        self
    }

    /// Starts it, without any fault.
    ///
    /// # Errors
    /// When the address is taken.
    pub fn start(self) -> Result<FaultyUpstream> {
        for name in &self.names {
            self.ground.add_host(name, self.listen.ip())?;
        }
        let ip = self.listen.ip().to_string();
        let host = self.names.first().unwrap_or(&ip);
        let scheme = if self.tls { "https" } else { "http" };
        let url = format!("{scheme}://{host}:{}", self.listen.port());
        let names: Vec<&str> = self.names.iter().chain([&ip]).map(String::as_str).collect();
        let tls = if self.tls { Some(self.ground.ca().certify(&self.name, &names)?) } else { None };
        let realm = self.bearer.then(|| format!("{url}/token"));
        let shared = Arc::new(Shared {
            content: Content { images: self.images, realm },
            plan: Mutex::default(),
            recorder: Recorder::default(),
        });
        let serving = Arc::clone(&shared);
        let handler: super::serve::Handler = Arc::new(move |wire| {
            let shared = Arc::clone(&serving);
            Box::pin(wire::serve(wire, shared))
        });
        let server = Server::start(self.ground, self.listen, tls.as_ref(), handler)?;
        Ok(FaultyUpstream { url, server, shared })
    }
}

/// A registry that fails on demand.
pub struct FaultyUpstream {
    url: String,
    server: Server,
    shared: Arc<Shared>,
}

/// What the upstream and its connections share.
pub(crate) struct Shared {
    content: Content,
    plan: Mutex<Plan>,
    recorder: Recorder,
}

impl Shared {
    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FaultyUpstream {
    /// `http://HOST:PORT` or `https://HOST:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// From now on fails this way, when a request is like that. Where several faults fit, the last one set counts.
    pub fn fault(&self, when: impl Into<When>, fault: Fault) {
        self.shared.plan().add(when.into(), fault);
    }

    /// Behaves again. A port closed by [`Self::refuse`] stays closed.
    pub fn heal(&self) {
        *self.shared.plan() = Plan::default();
    }

    /// Closes the port: connecting is refused from now on, and all connections are cut.
    pub fn refuse(&self) {
        self.server.refuse();
    }

    /// Listens again after [`Self::refuse`].
    ///
    /// # Errors
    /// When the port is taken meanwhile.
    pub fn listen(&self) -> Result<()> {
        self.server.listen()
    }

    /// What it was asked, with all headers, including what it never answered (status 0).
    pub fn log(&self) -> AccessLog {
        self.shared.recorder.log()
    }

    /// Forgets what it was asked.
    pub fn reset_log(&self) {
        self.shared.recorder.reset();
    }
}
