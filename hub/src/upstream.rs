//! The registries behind the hub.

mod helper;

use std::{sync::Arc, time::Duration};

use larder_content::SourceError;
use larder_distribution::{
    Client,
    client::{Anonymous, Credentials, Deadlines, Login, Namespace, Options},
};
use larder_identity::tls::{self, TlsError};
use larder_oci::Registry;
use larder_proxy::{Upstream, Upstreams};
use url::Url;

use crate::config;

/// The one configured registry.
#[derive(Debug)]
pub(crate) struct Configured {
    registry: Registry,
    client: Arc<Client>,
}

/// Why the way to the upstream cannot be set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SetupError {
    /// A CA file.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The client.
    #[error(transparent)]
    Client(#[from] SourceError),
    /// A host that no image reference can name.
    #[error("{0:?} is no name of a registry")]
    Name(String),
}

impl Configured {
    /// The registry of the configuration. Nothing is asked of it yet.
    pub(crate) fn new(upstream: &config::Upstream) -> Result<Self, SetupError> {
        let registry = match &upstream.registry {
            Some(name) => name.parse().map_err(|_| SetupError::Name(name.clone()))?,
            None => registry_of(&upstream.url)?,
        };
        let credentials: Arc<dyn Credentials> = match &upstream.login {
            None => Arc::new(Anonymous),
            Some(config::Login::Password { username, password }) => {
                Arc::new(Login { username: username.clone(), password: password.clone() })
            }
            Some(config::Login::Helper { command, lifetime }) => {
                Arc::new(helper::Helper::new(command, upstream.url.as_str(), *lifetime))
            }
        };
        let client = Client::new(Options {
            url: upstream.url.clone(),
            name: registry.to_string(),
            namespace: Namespace::Own,
            tls: tls::client(&upstream.ca_files, None)?,
            credentials,
            realms: upstream.realms.clone(),
            deadlines: Deadlines { connect: Duration::from_secs(5), ..Deadlines::default() },
            system_proxy: true,
        })?;
        Ok(Self { registry, client: Arc::new(client) })
    }

    /// Its name, as image references have it.
    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }
}

impl Upstreams for Configured {
    fn default_registry(&self) -> &Registry {
        &self.registry
    }

    fn of(&self, registry: &Registry) -> Option<Arc<dyn Upstream>> {
        (*registry == self.registry).then(|| Arc::clone(&self.client) as Arc<dyn Upstream>)
    }
}

/// The registry that a URL leads to, as image references name it.
fn registry_of(url: &Url) -> Result<Registry, SetupError> {
    let host = url.host_str().unwrap_or_default();
    let name = match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    };
    name.parse().map_err(|_| SetupError::Name(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_is_called_as_references_call_it() {
        for (url, name) in [
            ("https://registry-1.docker.io", "docker.io"),
            ("https://registry-1.docker.io:443/", "docker.io"),
            ("https://msr.example.com:8443", "msr.example.com:8443"),
            ("http://127.0.0.1:5000", "127.0.0.1:5000"),
            ("https://[::1]:5000", "[::1]:5000"),
        ] {
            assert_eq!(registry_of(&url.parse().unwrap()).unwrap().as_str(), name);
        }
    }
}
