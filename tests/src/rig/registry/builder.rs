//! Which kind of registry to start.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{Credentials, Registry, Rules, TokenServer, config};
use crate::rig::{Rig, docker_hub as hub, ground::Ground, http::Http, process::Launch};

/// A registry about to be started: open and without TLS, unless told otherwise.
#[must_use = "nothing runs before start"]
pub struct RegistryBuilder {
    ground: Arc<Ground>,
    name: String,
    listen: SocketAddr,
    names: Vec<String>,
    tls: bool,
    lock: Lock,
    tokens_at: Option<(SocketAddr, String)>,
    token_lifetime: Duration,
    adjust: Vec<Adjustment>,
}

/// A change to the configuration file.
type Adjustment = Box<dyn FnOnce(&mut Value)>;

enum Lock {
    Open,
    Basic(Credentials),
    Token(Rules),
}

impl Rig {
    /// Prepares a registry called `name` (in logs and messages) on a free port of the rig.
    pub fn registry(&self, name: &str) -> RegistryBuilder {
        RegistryBuilder {
            ground: self.ground(),
            name: name.to_owned(),
            listen: self.address(),
            names: vec![],
            tls: false,
            lock: Lock::Open,
            tokens_at: None,
            token_lifetime: Duration::from_secs(300),
            adjust: vec![],
        }
    }

    /// Prepares the Docker Hub of this rig: what its engines reach when nothing stands in between. It is TLS by the
    /// rig's authority on 127.0.0.2:443, under Docker Hub's own names; with [`RegistryBuilder::tokens`] its tokens
    /// come from `auth.docker.io`.
    pub fn docker_hub(&self) -> RegistryBuilder {
        let mut hub = self.registry("docker-hub").listen(hub::ADDRESS).tls();
        hub.tokens_at = Some((hub::TOKENS_ADDRESS, hub::TOKENS_NAME.to_owned()));
        hub::NAMES.into_iter().fold(hub, RegistryBuilder::named)
    }
}

impl RegistryBuilder {
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

    /// Wants this user and password (Basic) for everything.
    pub fn htpasswd(mut self, user: &str, password: &str) -> Self {
        self.lock = Lock::Basic(Credentials { user: user.to_owned(), password: password.to_owned() });
        self
    }

    /// Wants tokens from a token server of its own, which goes by `rules`; both with TLS, as an MSR is.
    pub fn tokens(mut self, rules: Rules) -> Self {
        self.lock = Lock::Token(rules);
        self.tls()
    }

    /// How long tokens are good for by what they say; distribution itself allows a minute more.
    pub fn token_lifetime(mut self, lifetime: Duration) -> Self {
        self.token_lifetime = lifetime;
        self
    }

    /// Changes the configuration file, given as JSON (which is YAML), before the start.
    pub fn adjust(mut self, change: impl FnOnce(&mut Value) + 'static) -> Self {
        self.adjust.push(Box::new(change));
        self
    }

    /// Starts it.
    ///
    /// # Errors
    /// When it or its token server does not come up.
    pub fn start(self) -> Result<Registry> {
        let ground = self.ground;
        let folder = ground.root().join(format!("registry-{}", self.name));
        std::fs::create_dir(&folder).with_context(|| format!("is there a second registry {}?", self.name))?;
        for name in &self.names {
            ground.add_host(name, self.listen.ip())?;
        }
        let certified = if self.tls {
            let ip = self.listen.ip().to_string();
            let names: Vec<&str> = self.names.iter().map(String::as_str).chain([ip.as_str()]).collect();
            Some(ground.ca().certify(&self.name, &names)?)
        } else {
            None
        };
        let (auth, credentials, token_server) = match self.lock {
            Lock::Open => (config::Auth::None, None, None),
            Lock::Basic(who) => {
                let file = folder.join("htpasswd");
                std::fs::write(&file, htpasswd(&ground, &who)?)?;
                (config::Auth::Htpasswd(file), Some(who), None)
            }
            Lock::Token(rules) => {
                let (address, host) = self.tokens_at.unwrap_or_else(|| {
                    let address = ground.address();
                    (address, address.ip().to_string())
                });
                ground.add_host(&host, address.ip())?;
                let who = rules.anybody_with_all_rights();
                let server =
                    TokenServer::start(Arc::clone(&ground), &self.name, address, &host, rules, self.token_lifetime)?;
                (config::Auth::Token(server.settings()), who, Some(server))
            }
        };
        let mut config = config::config(&folder.join("data"), self.listen, certified.as_ref(), &auth);
        self.adjust.into_iter().for_each(|change| change(&mut config));
        std::fs::write(folder.join("config.yml"), serde_json::to_vec_pretty(&config)?)?;
        let scheme = if self.tls { "https" } else { "http" };
        let host = self.names.first().cloned().unwrap_or_else(|| self.listen.ip().to_string());
        let url = match self.listen.port() {
            443 if self.tls => format!("{scheme}://{host}"),
            port => format!("{scheme}://{host}:{port}"),
        };
        let registry = Registry {
            http: Http::new(Arc::clone(&ground))?,
            ca_file: self.tls.then(|| ground.ca().file()),
            ground,
            name: self.name,
            url,
            address: self.listen,
            folder,
            credentials,
            token_server,
            process: Mutex::default(),
            log_start: AtomicU64::new(0),
            marks: AtomicU64::new(0),
        };
        registry.start()?;
        debug_assert!(registry.log_start.load(Ordering::Relaxed) > 0, "the request that showed it is up was logged");
        Ok(registry)
    }
}

/// A line of an htpasswd file. Distribution takes bcrypt only; the lowest cost is good enough here.
fn htpasswd(ground: &Arc<Ground>, who: &Credentials) -> Result<String> {
    let launch = Launch::new(Arc::clone(ground), "htpasswd", "htpasswd");
    let made = launch.args(["-nbB", "-C", "4", &who.user, &who.password]).finish(Duration::from_secs(10))?.success()?;
    let line = made.stdout.trim().to_owned();
    ensure!(line.starts_with(&format!("{}:$2", who.user)), "htpasswd made no bcrypt line: {line}");
    Ok(line)
}
