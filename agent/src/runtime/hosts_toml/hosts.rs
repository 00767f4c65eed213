//! What an engine makes of a `hosts.toml`: the hosts it tries, in order, and the root, which is the last of them.
//!
//! As containerd's `core/remotes/docker/config/hosts.go` reads it (2.0.2 in engine 28.0, 2.3.3 in 29.7; the vendored
//! sources were compared). A host counts only if a table header names it: `[host."…"]`. It is decoded too when it is
//! written with dotted keys or inline, but has no place in the order then, and is never asked.

use toml_edit::{Item, Key};

use super::{
    Refusal,
    document::{Document, quoted},
    endpoint::Endpoint,
    fields::{Client, Fields, check_case, fields, text, wants},
};

/// All hosts of a file.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(super) struct Hosts {
    /// Those of the tables.
    pub(super) listed: Vec<Host>,
    /// The last one: `server`, or the registry itself if its address is empty.
    pub(super) root: Host,
}

/// One host. (It may hold credentials in its headers: no `Debug` outside tests.)
#[derive(Clone, PartialEq, Eq, Default)]
#[cfg_attr(test, derive(Debug))]
pub(super) struct Host {
    /// The key of its table, or `server`.
    pub(super) address: String,
    /// What is set for it.
    pub(super) fields: Fields,
}

const ROOT: [&str; 2] = ["server", "host"];
const ADDRESS: &str = "an address as http://HOST:PORT or https://HOST:PORT";

// === impl Hosts ===

impl Hosts {
    pub(super) fn read(document: &Document<'_>) -> Result<Self, Refusal> {
        let root = document.root();
        check_case(document, root, &ROOT)?;
        let server = match root.get("server") {
            None => String::new(),
            Some(item) => text(document, "server", item)?.to_owned(),
        };
        if !server.is_empty() && Endpoint::parse(&server).is_none() {
            return Err(wants(document, "server", root.key("server").and_then(Key::span), ADDRESS));
        }
        let tables = match root.get("host") {
            None => None,
            Some(Item::Table(hosts)) if !hosts.is_dotted() => Some(hosts),
            Some(item) => return Err(Refusal::HostForm { line: document.line(item.span()) }),
        };
        for (address, item) in tables.into_iter().flatten() {
            let key = tables.and_then(|hosts| hosts.key(address)).and_then(Key::span);
            match item {
                Item::Table(host) if !host.is_dotted() => fields(document, host)?,
                _ => return Err(Refusal::HostForm { line: document.line(key) }),
            };
            if Endpoint::parse(address).is_none() {
                return Err(wants(document, "host", key, ADDRESS));
            }
        }
        let mut listed: Vec<Host> = Vec::new();
        for address in document.sections.iter().filter(|section| !section.array).filter_map(|section| section.host()) {
            // containerd skips a table below the last host only, so [host.a], [host.b], [host.a.header] is a, b, a.
            if listed.last().is_some_and(|last| last.address == address) {
                continue;
            }
            let Some(Item::Table(table)) = tables.and_then(|hosts| hosts.get(address)) else {
                return Err(Refusal::Internal("a header without a table"));
            };
            listed.push(Host { address: address.to_owned(), fields: fields(document, table)? });
        }
        Ok(Self { listed, root: Host { address: server, fields: fields(document, root)? } })
    }
}

// === impl Host ===

impl Host {
    /// The host as a table, or as the root if `header` is false; each line without its end.
    pub(super) fn lines(&self, header: bool) -> Vec<String> {
        let Fields { capabilities, ca, client, skip_verify, header: headers, override_path, dial_timeout, other } =
            &self.fields;
        let list =
            |items: &[String]| format!("[{}]", items.iter().map(|item| quoted(item)).collect::<Vec<_>>().join(", "));
        let mut lines = Vec::new();
        match header {
            true => lines.push(format!("[host.{}]", quoted(&self.address))),
            false if self.address.is_empty() => {}
            false => lines.push(format!("server = {}", quoted(&self.address))),
        }
        if !capabilities.is_empty() {
            lines.push(format!("capabilities = {}", list(capabilities)));
        }
        lines.extend(ca.iter().map(|ca| format!("ca = {}", list(ca))));
        if !client.is_empty() {
            let client: Vec<String> = client
                .iter()
                .map(|client| match client {
                    Client::Both(file) => quoted(file),
                    Client::Pair(certificate, key) => format!("[{}, {}]", quoted(certificate), quoted(key)),
                })
                .collect();
            lines.push(format!("client = [{}]", client.join(", ")));
        }
        lines.extend(skip_verify.iter().map(|skip| format!("skip_verify = {skip}")));
        if *override_path {
            lines.push("override_path = true".to_owned());
        }
        lines.extend(dial_timeout.iter().map(|timeout| format!("dial_timeout = {}", quoted(timeout))));
        lines.extend(other.iter().map(|(key, value)| format!("{} = {value}", quoted(key))));
        if !headers.is_empty() {
            let headers: Vec<String> =
                headers.iter().map(|(name, values)| format!("{} = {}", quoted(name), list(values))).collect();
            lines.push(format!("header = {{ {} }}", headers.join(", ")));
        }
        lines
    }
}
