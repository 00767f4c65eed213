//! Who is measured, and how each is set up: as its makers ship it, with access logs off, in a folder of its own that
//! is empty at first and goes with it.

mod larder;
mod nginx;
mod registry;

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result};
use larder_tests::rig::{Process, larder::Daemon};

use crate::{load::Target, measure::Trees, stage::Stage};

pub(crate) use larder::hub_of;
pub(crate) use registry::{Settings, registry};

/// A server that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nobody stands between client and upstream.
    Direct,
    /// Static files.
    Nginx,
    /// The same once more: how far two that are alike differ.
    NginxAgain,
    /// Ours, one a cluster.
    Hub,
    /// Ours, one a node, in front of a hub.
    Agent,
    /// CNCF distribution as a pull-through cache.
    Proxy,
    /// CNCF distribution with everything in its own store.
    Registry,
    /// `proxy_cache` with a lock.
    NginxCache,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Nginx => "nginx static",
            Self::NginxAgain => "nginx static, again",
            Self::Hub => "larder-hub",
            Self::Agent => "larder-agent",
            Self::Proxy => "docker-registry proxy",
            Self::Registry => "docker-registry",
            Self::NginxCache => "nginx proxy_cache",
        }
    }
}

/// A running server. Dropping it ends it and removes what it stored.
pub(crate) struct Server {
    pub(crate) kind: Kind,
    url: String,
    trees: Trees,
    parts: Vec<Part>,
    folders: Vec<PathBuf>,
}

enum Part {
    Daemon(Daemon),
    Process(Process),
}

impl Server {
    /// Starts one that fetches from `upstream` (an agent: from that hub) what it does not have, and waits until it is
    /// ready.
    ///
    /// # Errors
    /// When it does not start.
    pub(crate) fn start(stage: &Stage, kind: Kind, upstream: &str) -> Result<Self> {
        let server = match kind {
            Kind::Direct => Ok(Self::of(kind, upstream.to_owned(), vec![], vec![])),
            Kind::Hub => larder::hub(stage, upstream),
            Kind::Agent => larder::agent(stage, upstream),
            Kind::Nginx | Kind::NginxAgain | Kind::NginxCache => nginx::start(stage, kind, upstream),
            Kind::Proxy => registry::start(stage, kind, Some(upstream)),
            Kind::Registry => registry::start(stage, kind, None),
        };
        server.with_context(|| format!("starting {}", kind.name()))
    }

    fn of(kind: Kind, url: String, parts: Vec<Part>, folders: Vec<PathBuf>) -> Self {
        let pid = |part: &Part| match part {
            Part::Daemon(daemon) => daemon.process().ok().map(|process| process.pid()),
            Part::Process(process) => Some(process.pid()),
        };
        let pids: Vec<i32> = parts.iter().filter_map(pid).collect();
        Self { kind, url, trees: Trees::of(&pids), parts, folders }
    }

    /// `http://HOST:PORT`.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Its processes.
    pub(crate) fn trees(&self) -> &Trees {
        &self.trees
    }

    /// What to ask it for.
    ///
    /// # Errors
    /// Never: its address is a number.
    pub(crate) fn target(&self, path: &str) -> Result<Target> {
        Target::get(&format!("{}{path}", self.url))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        for part in self.parts.drain(..).rev() {
            // What does not go here goes with the rig.
            match part {
                Part::Daemon(daemon) => drop(daemon.kill()),
                Part::Process(process) => drop(process.kill()),
            }
        }
        for folder in &self.folders {
            let _ = fs::remove_dir_all(folder);
        }
    }
}

/// All that stands between a client and the upstream: one server, or an agent and its hub.
pub(crate) struct Route {
    servers: Vec<Server>,
    pub(crate) trees: Trees,
}

impl Route {
    /// Starts it with nothing stored.
    ///
    /// # Errors
    /// When a server does not start.
    pub(crate) fn start(stage: &Stage, kind: Kind, upstream: &str) -> Result<Self> {
        let mut servers = Vec::new();
        if kind == Kind::Agent {
            servers.push(Server::start(stage, Kind::Hub, upstream)?);
        }
        let next = servers.last().map_or(upstream, Server::url).to_owned();
        servers.push(Server::start(stage, kind, &next)?);
        let trees = servers.iter().map(Server::trees).fold(Trees::default(), Trees::and);
        Ok(Self { servers, trees })
    }

    /// What to ask for at the near end.
    ///
    /// # Errors
    /// Never: there is a near end, and its address is a number.
    pub(crate) fn target(&self, path: &str) -> Result<Target> {
        self.servers.last().context("a route has an end")?.target(path)
    }
}

impl Drop for Route {
    fn drop(&mut self) {
        // The near end first: an agent need not notice that its hub is gone.
        while self.servers.pop().is_some() {}
    }
}
