//! What an engine asks, and how, for a pull: a second reading of containerd's `ConfigureHosts` and moby's
//! `mergeLegacyConfig`, from the folders of `certs.d` to the list of hosts. It shares no code with the module but the
//! TOML parser and [`InsecureRegistries`].

use std::collections::{BTreeMap, BTreeSet};

use toml_edit::{Item, Table, Value};

use super::*;

/// `certs.d`: folders, their files, the files' contents.
pub(super) type Folders = BTreeMap<String, BTreeMap<String, String>>;

/// A node's configuration.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) folders: Folders,
    pub(super) mirrors: Vec<String>,
    pub(super) insecure: InsecureRegistries,
}

/// One host as it is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Asked {
    pub(super) scheme: String,
    /// Then http, if https does not answer.
    pub(super) then_http: bool,
    pub(super) host: String,
    pub(super) path: String,
    pub(super) capabilities: BTreeSet<String>,
    pub(super) ca: Vec<String>,
    pub(super) client: Vec<(String, String)>,
    pub(super) skip_verify: bool,
    pub(super) header: BTreeMap<String, Vec<String>>,
    pub(super) dial_timeout: Option<String>,
    /// Whether a TLS option is given for it; false once that has had its effect.
    pub(super) tls_given: bool,
}

const ROOT: &str = "/etc/docker/certs.d";

impl Node {
    /// The hosts for a pull from `registry`, in order.
    pub(super) fn asked(&self, registry: &str) -> Vec<Asked> {
        let underscored = registry.rsplit_once(':').map(|(host, port)| format!("{host}_{port}_"));
        let names = underscored.into_iter().chain([registry.to_owned(), "_default".to_owned()]);
        let found = names.into_iter().find_map(|name| self.folders.get(&name).map(|files| (name, files)));
        let mut hosts = found.map_or_else(
            || vec![Asked::default()],
            |(name, files)| {
                let base = format!("{ROOT}/{name}");
                let text = files.get("hosts.toml").map_or("", String::as_str);
                let parsed = if text.is_empty() { None } else { parse(text, &base) };
                parsed.unwrap_or_else(|| vec![certificates(files, &base)])
            },
        );
        let last = hosts.last_mut().unwrap();
        if last.host.is_empty() {
            by_default(last, registry);
        }
        for host in &mut hosts {
            if host.scheme == "http" && host.tls_given && port(&host.host) != Some("80") {
                (host.scheme, host.then_http) = ("https".to_owned(), true);
            }
        }
        if hosts.len() == 1 {
            self.merge_daemon_json(registry, &mut hosts);
        }
        for host in &mut hosts {
            // https at port 80 with http after it ends at http.
            if host.scheme == "http" || host.then_http && port(&host.host) == Some("80") {
                (host.scheme, host.then_http) = ("http".to_owned(), false);
                (host.ca, host.client, host.skip_verify) = (Vec::new(), Vec::new(), false);
            }
            host.tls_given = false;
        }
        hosts
    }

    fn merge_daemon_json(&self, registry: &str, hosts: &mut Vec<Asked>) {
        let root = hosts[0].clone();
        if registry == "docker.io" {
            let mirrors = self.mirrors.iter().map(|mirror| {
                let (scheme, rest) = mirror.split_once("://").unwrap();
                let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
                let path = format!("/{path}").trim_end_matches('/').to_owned();
                Asked {
                    scheme: scheme.to_ascii_lowercase(),
                    then_http: false,
                    host: host.to_owned(),
                    path: if path.ends_with("/v2") { path } else { format!("{path}/v2") },
                    capabilities: set(&["pull", "resolve"]),
                    ..root.clone()
                }
            });
            hosts.splice(..0, mirrors.collect::<Vec<_>>());
        }
        // Each for itself: that an insecure host makes those before and after it insecure too is moby's mistake.
        for host in hosts.iter_mut().filter(|host| host.scheme == "https" && !host.then_http) {
            if self.insecure.covers(&host.host) {
                (host.skip_verify, host.then_http) = (true, true);
            }
        }
    }
}

fn by_default(host: &mut Asked, registry: &str) {
    (host.scheme, host.host) = ("https".to_owned(), registry.to_owned());
    if registry == "docker.io" {
        host.host = "registry-1.docker.io".to_owned();
    } else if registry.starts_with("localhost") || registry.starts_with("127.") || registry.starts_with("[::1]:") {
        if !matches!(port(registry), None | Some("443")) {
            host.scheme = "http".to_owned();
        }
        if port(registry) != Some("80") {
            (host.skip_verify, host.tls_given) = (true, true);
        }
    }
    host.path = "/v2".to_owned();
    host.capabilities = set(&["pull", "resolve", "push"]);
}

fn certificates(files: &BTreeMap<String, String>, base: &str) -> Asked {
    let mut host = Asked::default();
    for name in files.keys() {
        if name.ends_with(".crt") {
            host.ca.push(format!("{base}/{name}"));
        }
        if let Some(stem) = name.strip_suffix(".cert") {
            let key = format!("{stem}.key");
            let key = if files.contains_key(&key) { format!("{base}/{key}") } else { String::new() };
            host.client.push((format!("{base}/{name}"), key));
        }
    }
    host.tls_given = !host.ca.is_empty() || !host.client.is_empty();
    host
}

fn parse(text: &str, base: &str) -> Option<Vec<Asked>> {
    let document = toml_edit::Document::parse(text).ok()?;
    let mut hosts = Vec::new();
    for address in order(text) {
        let table = document.get("host")?.get(&address)?.as_table()?;
        hosts.push(host(&address, table, base)?);
    }
    hosts.push(host(document.get("server").and_then(Item::as_str).unwrap_or(""), document.as_table(), base)?);
    Some(hosts)
}

/// From the lines of the text: the second part of each header `[host.…]`, but not twice in a row.
fn order(text: &str) -> Vec<String> {
    let mut order: Vec<String> = Vec::new();
    let mut in_string = false;
    for line in text.lines() {
        let header = line.trim().strip_prefix('[').filter(|line| !in_string && !line.starts_with('['));
        let header = header.and_then(|line| line.rsplit_once(']')).map(|(header, _)| header);
        if let Some(keys) = header.and_then(|header| toml_edit::Key::parse(header).ok())
            && keys.len() > 1
            && keys[0].get() == "host"
            && order.last().is_none_or(|last| last != keys[1].get())
        {
            order.push(keys[1].get().to_owned());
        }
        if line.matches("\"\"\"").count() == 1 {
            in_string = !in_string;
        }
    }
    order
}

fn host(address: &str, table: &Table, base: &str) -> Option<Asked> {
    let mut host = Asked::default();
    if !address.is_empty() {
        let address = if address.starts_with("http") { address.to_owned() } else { format!("https://{address}") };
        let (scheme, rest) = address.split_once("://")?;
        let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let path = path.trim_end_matches('/');
        let overridden = table.get("override_path").and_then(Item::as_bool).unwrap_or(false);
        let path = if overridden || path.ends_with("/v2") { path.to_owned() } else { format!("{path}/v2") };
        (host.scheme, host.host, host.path) = (scheme.to_owned(), authority.to_owned(), path);
    }
    let absolute = |path: &str| if path.starts_with('/') { path.to_owned() } else { clean(&format!("{base}/{path}")) };
    let strings = |item: &Item| match item.as_str() {
        Some(one) => vec![one.to_owned()],
        None => item.as_array().unwrap().iter().map(|value| value.as_str().unwrap().to_owned()).collect(),
    };
    host.capabilities = table.get("capabilities").map(strings).unwrap_or_default().into_iter().collect();
    if host.capabilities.is_empty() {
        host.capabilities = set(&["pull", "resolve", "push"]);
    }
    host.ca = table.get("ca").map(strings).unwrap_or_default().iter().map(|path| absolute(path)).collect();
    let pair = |value: &Value| match value {
        Value::Array(pair) => {
            (absolute(pair.get(0).unwrap().as_str().unwrap()), absolute(pair.get(1).unwrap().as_str().unwrap()))
        }
        one => (absolute(one.as_str().unwrap()), String::new()),
    };
    host.client = match table.get("client") {
        None => Vec::new(),
        Some(Item::Value(Value::Array(list))) => list.iter().map(pair).collect(),
        Some(one) => vec![pair(one.as_value().unwrap())],
    };
    let skip = table.get("skip_verify").map(|skip| skip.as_bool().unwrap());
    host.skip_verify = skip.unwrap_or(false);
    host.tls_given = skip.is_some() || table.contains_key("ca") || !host.client.is_empty();
    if let Some(header) = table.get("header") {
        host.header =
            header.as_table_like().unwrap().iter().map(|(name, value)| (name.to_owned(), strings(value))).collect();
    }
    host.dial_timeout = table.get("dial_timeout").map(|timeout| timeout.as_str().unwrap().to_owned());
    Some(host)
}

/// Go's `path.Clean` of an absolute path.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

fn port(host: &str) -> Option<&str> {
    host.rsplit_once(':').map(|(_, port)| port).filter(|port| !port.ends_with(']'))
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}
