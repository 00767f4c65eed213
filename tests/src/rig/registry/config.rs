//! The configuration file of distribution, as a pure function.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use crate::rig::tls::Certified;

/// How the registry tells who may do what.
pub(crate) enum Auth {
    None,
    Htpasswd(PathBuf),
    Token(TokenSettings),
}

/// What registry and token server have to agree on.
pub(crate) struct TokenSettings {
    pub(crate) realm: String,
    pub(crate) service: String,
    pub(crate) issuer: String,
    pub(crate) root_cert_bundle: PathBuf,
}

/// JSON, which is YAML. One plain log line per request, no cache, no redirects, no redis.
pub(crate) fn config(storage: &Path, listen: SocketAddr, tls: Option<&Certified>, auth: &Auth) -> Value {
    let mut config = json!({
        "version": 0.1,
        "log": { "level": "warn", "formatter": "text", "accesslog": { "disabled": false } },
        "storage": {
            "filesystem": { "rootdirectory": storage },
            "delete": { "enabled": true },
            "maintenance": { "uploadpurging": { "enabled": false } },
        },
        "http": { "addr": listen.to_string(), "secret": "of no importance" },
    });
    if let Some(tls) = tls {
        config["http"]["tls"] = json!({ "certificate": tls.cert_file, "key": tls.key_file });
    }
    match auth {
        Auth::None => {}
        Auth::Htpasswd(file) => config["auth"] = json!({ "htpasswd": { "realm": "larder rig", "path": file } }),
        Auth::Token(token) => {
            config["auth"] = json!({ "token": {
                "realm": token.realm,
                "service": token.service,
                "issuer": token.issuer,
                "rootcertbundle": token.root_cert_bundle,
            } });
        }
    }
    config
}
