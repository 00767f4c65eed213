//! What must be said again in a `hosts.toml` of ours, so that the registry itself goes on working: with the file in
//! place, the engine overlooks the certificates beside it, and with our host in it `insecure-registries` and, for Docker
//! Hub, `registry-mirrors` (`mergeLegacyConfig` in moby's `daemon/hosts.go`: only for a registry with one host).

use std::ffi::OsString;

use larder_oci::Registry;

use super::{
    Refusal,
    document::{Document, decode},
    endpoint::{Endpoint, split_port, tried_both_ways},
    fields::{Client, Fields},
    hosts::{Host, Hosts},
    insecure::InsecureRegistries,
    place::DEFAULT,
    relocate::relocated,
};

/// How the engine reaches a registry without us.
#[derive(Clone)]
pub(crate) struct Origin {
    pub(super) registry: Registry,
    pub(super) base: Base,
    /// `registry-mirrors`, in order. Docker Hub only.
    mirrors: Vec<String>,
    insecure: InsecureRegistries,
}

/// What rules for the registry while its folder has no `hosts.toml`.
#[derive(Clone)]
pub(super) enum Base {
    /// Certificates, by names as they are written in our file.
    Certificates(Fields),
    /// `_default/hosts.toml`, its paths as they are from our folder.
    Default(String),
}

/// What an [`Origin`] is made of.
#[derive(Debug)]
pub(crate) struct OriginFacts<'a> {
    /// The registry.
    pub(crate) registry: &'a Registry,
    /// The folder that [`super::place::Place::ruling`] names.
    pub(crate) ruling: Option<Ruling<'a>>,
    /// `RegistryConfig.Mirrors` of `/info`. Ours may be among them.
    pub(crate) mirrors: &'a [String],
    /// The engine's insecure registries.
    pub(crate) insecure: InsecureRegistries,
}

/// A folder in `certs.d`.
#[derive(Debug)]
pub(crate) struct Ruling<'a> {
    /// Its name.
    pub(crate) folder: &'a str,
    /// The names of its files, folders left out.
    pub(crate) files: &'a [OsString],
    /// The content of its `hosts.toml`. Ours may be in it.
    pub(crate) hosts_toml: Option<&'a [u8]>,
}

/// The hosts whose addresses decide what is insecure: names without ports, for `InsecureRegistries::addresses`.
pub(crate) fn names_to_resolve(facts: &OriginFacts<'_>) -> Vec<String> {
    let text = facts.ruling.as_ref().and_then(|ruling| decode(ruling.hosts_toml?).ok()).unwrap_or_default();
    let server = Document::parse(text).and_then(|document| Hosts::read(&document)).map(|hosts| hosts.root.address);
    let server = server.unwrap_or_default();
    let mirrors = if is_docker_hub(facts.registry) { facts.mirrors } else { &[] };
    let asked = [Endpoint::parse(&server), Some(Endpoint::of(facts.registry))];
    let hosts = asked.into_iter().flatten().chain(mirrors.iter().filter_map(|mirror| Endpoint::parse(mirror)));
    let names = hosts.map(|endpoint| endpoint.host).map(|host| split_port(host).map_or(host, |(name, _)| name));
    let mut names: Vec<String> =
        names.filter(|name| name.parse::<std::net::IpAddr>().is_err()).map(str::to_owned).collect();
    names.sort();
    names.dedup();
    names
}

// === impl Origin ===

impl Origin {
    /// Puts together what is said about a registry now, our own file left out.
    pub(crate) fn of(facts: OriginFacts<'_>) -> Result<Self, Refusal> {
        let OriginFacts { registry, ruling, mirrors, insecure } = facts;
        let base = match ruling {
            None => Base::Certificates(Fields::default()),
            Some(Ruling { folder, files, hosts_toml }) if folder == DEFAULT => {
                let prefix = format!("../{DEFAULT}/");
                match hosts_toml.filter(|bytes| !bytes.is_empty()) {
                    Some(bytes) => {
                        let text = decode(bytes).and_then(|text| relocated(text, &prefix));
                        Base::Default(text.map_err(|refusal| Refusal::Default(Box::new(refusal)))?)
                    }
                    None => Base::Certificates(certificates(registry, files, &prefix)?),
                }
            }
            Some(ruling) => Base::Certificates(certificates(registry, ruling.files, "")?),
        };
        let mirrors = if is_docker_hub(registry) { mirrors.to_vec() } else { Vec::new() };
        Ok(Self { registry: registry.clone(), base, mirrors, insecure })
    }

    /// The hosts that the engine tries before the root of a file that lists none, as hosts of a file that does.
    /// dockerd gives mirrors the root's certificates and headers; so do we. (In dockerd one insecure mirror switches off
    /// the verification of all, the root included, because they share a client. That is not repeated.)
    pub(super) fn mirrors(&self, root: &Fields) -> Vec<Host> {
        self.mirrors.iter().filter_map(|mirror| self.mirror(mirror, root)).collect()
    }

    fn mirror(&self, mirror: &str, root: &Fields) -> Option<Host> {
        // dockerd takes a scheme in any letter case, containerd does not.
        let (scheme, rest) = mirror.trim_end_matches('/').split_once("://")?;
        let address = format!("{}://{rest}", scheme.to_ascii_lowercase());
        let fields = Fields {
            capabilities: vec!["pull".to_owned(), "resolve".to_owned()],
            override_path: false,
            ..root.clone()
        };
        let endpoint = Endpoint::parse(&address)?;
        if endpoint.plain {
            // A TLS option would have the engine try https first.
            let fields = Fields { ca: None, client: Vec::new(), skip_verify: None, ..fields };
            return Some(Host { address, fields });
        }
        Some(self.lax(&endpoint, &fields).unwrap_or(Host { address, fields }))
    }

    /// The root of a file as it must be listed or written so that it is as insecure as it is now; `None` if it is so
    /// anyway, or is not insecure.
    pub(super) fn insecure_root(&self, root: &Host) -> Option<Host> {
        if !root.address.is_empty() {
            return self.lax(&Endpoint::parse(&root.address)?, &root.fields);
        }
        let endpoint = Endpoint::of(&self.registry);
        // Without a `server`, containerd heeds neither of these for the root.
        let fields = Fields { capabilities: Vec::new(), override_path: false, ..root.fields.clone() };
        if tried_both_ways(endpoint.host) { None } else { self.lax(&endpoint, &fields) }
    }

    /// A host at https that is insecure. To containerd `http` with a TLS option means: https first, then http; at port
    /// 80 it means http alone, which is where dockerd's attempt at https ends too.
    fn lax(&self, endpoint: &Endpoint<'_>, fields: &Fields) -> Option<Host> {
        if endpoint.plain || !self.insecure.covers(endpoint.host) {
            return None;
        }
        let tls = if endpoint.is_port_80() {
            Fields { ca: None, client: Vec::new(), skip_verify: None, ..fields.clone() }
        } else {
            Fields { skip_verify: Some(true), ..fields.clone() }
        };
        Some(Host { address: format!("http://{}", endpoint.rest), fields: tls })
    }
}

fn is_docker_hub(registry: &Registry) -> bool {
    *registry == Registry::docker_hub()
}

/// The certificates that the engine finds in a folder (`loadCertFiles` in containerd's
/// `core/remotes/docker/config/hosts.go`): each `*.crt` is a CA, each `*.cert` a client certificate, whose key is in
/// `*.key`, or in the same file if there is none.
fn certificates(registry: &Registry, files: &[OsString], prefix: &str) -> Result<Fields, Refusal> {
    let mut names = Vec::new();
    for file in files {
        match file.to_str() {
            Some(name) => names.push(name),
            None if [".crt", ".cert", ".key"].iter().any(|end| file.as_encoded_bytes().ends_with(end.as_bytes())) => {
                return Err(Refusal::FileName { registry: registry.to_string() });
            }
            None => {}
        }
    }
    names.sort_unstable();
    let path = |name: &str| format!("{prefix}{name}");
    let ca: Vec<String> = names.iter().filter(|name| name.ends_with(".crt")).map(|name| path(name)).collect();
    let client = names.iter().filter_map(|name| {
        let key = format!("{}.key", name.strip_suffix(".cert")?);
        Some(match names.contains(&key.as_str()) {
            true => Client::Pair(path(name), path(&key)),
            false => Client::Both(path(name)),
        })
    });
    Ok(Fields { ca: Some(ca).filter(|ca| !ca.is_empty()), client: client.collect(), ..Fields::default() })
}
