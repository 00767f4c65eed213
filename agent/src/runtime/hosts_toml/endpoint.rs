//! The address of a host as containerd reads it: `http://HOST[:PORT][/PATH]`, `https://…`, or without a scheme, which
//! means https.

use std::net::IpAddr;

use larder_oci::Registry;

/// Where a request for a host goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Endpoint<'a> {
    /// `http`; with a TLS option beside it, https is tried first unless the port is 80.
    pub(super) plain: bool,
    /// `host` or `host:port`.
    pub(super) host: &'a str,
    /// Host, port and path.
    pub(super) rest: &'a str,
}

// === impl Endpoint ===

impl<'a> Endpoint<'a> {
    /// `None` for what Go's `url.Parse` refuses or gives no host for. An address that begins with `http` has a scheme,
    /// as containerd sees it; so `httpbin.example.com` is no address.
    pub(super) fn parse(address: &'a str) -> Option<Self> {
        let (plain, rest) = match (address.strip_prefix("http://"), address.strip_prefix("https://")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            _ if address.starts_with("http") => return None,
            _ => (false, address),
        };
        let authority = rest.split(['/', '?', '#']).next()?;
        let host = authority.rsplit('@').next()?;
        let allowed = |c: char| c.is_ascii_alphanumeric() || ".-_~:[]".contains(c);
        let fits = !host.is_empty() && host.chars().all(allowed) && !rest.contains(char::is_control);
        let port_ok = host.rsplit_once(':').is_none_or(|(_, port)| {
            port.ends_with(']') || !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())
        });
        (fits && port_ok).then_some(Self { plain, host, rest })
    }

    /// Where the engine asks for a registry that nothing else is said about. (The scheme of a name of this machine is
    /// containerd's own affair: [`tried_both_ways`].)
    pub(super) fn of(registry: &'a Registry) -> Self {
        let host = if registry.as_str() == "docker.io" { "registry-1.docker.io" } else { registry.as_str() };
        Self { plain: false, host, rest: host }
    }

    /// Whether the port is 80, at which containerd never tries TLS for `http`.
    pub(super) fn is_port_80(&self) -> bool {
        split_port(self.host).is_some_and(|(_, port)| port == "80")
    }
}

/// Whether containerd itself tries https without verification and then http: names of this machine at a port that does
/// not tell which (`IsLocalhost` in `core/remotes/docker/resolver.go`).
pub(super) fn tried_both_ways(host: &str) -> bool {
    let Some((name, port)) = split_port(host) else { return false };
    let local = name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback());
    local && port != "443"
}

/// Name and port as Go's `net.SplitHostPort` gives them, brackets taken off; `None` without a port.
pub(super) fn split_port(host: &str) -> Option<(&str, &str)> {
    let (name, port) = host.rsplit_once(':')?;
    match name.strip_prefix('[') {
        Some(name) => Some((name.strip_suffix(']')?, port)),
        None => (!name.contains(':')).then_some((name, port)),
    }
}
