//! The address a listener is bound to, as Go writes it: `:5000`, `127.0.0.1:5000`, `[::1]:5000`, `localhost:5000`.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::str::FromStr;

/// Where to listen: checked for form, resolved only when it is bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListenAddress {
    host: Host,
    port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    /// Every interface, IPv6 and IPv4.
    All,
    Ip(IpAddr),
    Name(String),
}

/// Why a text is no listen address, with what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadAddress(String);

// === impl ListenAddress ===

impl ListenAddress {
    /// The port; 0 lets the system choose.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Whether only this machine can connect. A name other than `localhost` is taken to be reachable.
    pub(crate) fn is_loopback(&self) -> bool {
        match &self.host {
            Host::All => false,
            Host::Ip(ip) => ip.is_loopback(),
            Host::Name(name) => name.eq_ignore_ascii_case("localhost"),
        }
    }

    /// The addresses to try to bind, in order; the first that binds is enough.
    ///
    /// All interfaces means `[::]`, which takes IPv4 too on an ordinary system, and `0.0.0.0` where IPv6 is switched
    /// off. A name is looked up here, which blocks: call it once, at start.
    ///
    /// # Errors
    /// The name does not resolve.
    pub(crate) fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        match &self.host {
            Host::All => Ok([IpAddr::V6(Ipv6Addr::UNSPECIFIED), IpAddr::V4(Ipv4Addr::UNSPECIFIED)]
                .map(|ip| SocketAddr::new(ip, self.port))
                .to_vec()),
            Host::Ip(ip) => Ok(vec![SocketAddr::new(*ip, self.port)]),
            Host::Name(name) => Ok((name.as_str(), self.port).to_socket_addrs()?.collect()),
        }
    }
}

impl FromStr for ListenAddress {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        if text.contains("://") {
            return Err(BadAddress::new("an address has no scheme: write host:port"));
        }
        if text.contains('/') {
            return Err(BadAddress::new("this looks like a path; Larder listens on host:port"));
        }
        let Some((host, port)) = text.rsplit_once(':') else {
            let hint = match text.parse::<u16>() {
                Ok(port) => format!("write :{port} for all interfaces or 127.0.0.1:{port} for this machine only"),
                Err(_) => format!("the port is missing: write {text}:5000"),
            };
            return Err(BadAddress(hint));
        };
        let port = port.parse().map_err(|_| BadAddress::new("the port is a number from 0 to 65535"))?;
        Ok(Self { host: host.parse()?, port })
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::All => write!(f, ":{}", self.port),
            Host::Ip(ip) => SocketAddr::new(*ip, self.port).fmt(f),
            Host::Name(name) => write!(f, "{name}:{}", self.port),
        }
    }
}

// === impl Host ===

impl FromStr for Host {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        if text.is_empty() {
            return Ok(Self::All);
        }
        if let Some(inner) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let ip = inner.parse().map_err(|_| BadAddress::new("no IPv6 address stands in the brackets"))?;
            return Ok(Self::Ip(IpAddr::V6(ip)));
        }
        if let Ok(ip) = text.parse::<Ipv4Addr>() {
            return Ok(Self::Ip(IpAddr::V4(ip)));
        }
        if text.contains(':') {
            return Err(BadAddress::new("an IPv6 address takes brackets: write [::1]:5000"));
        }
        if text == "*" {
            return Err(BadAddress::new("for all interfaces leave the host away: write :5000"));
        }
        if is_name(text) {
            return Ok(Self::Name(text.to_owned()));
        }
        Err(BadAddress::new("the host is a name or an IP address"))
    }
}

/// Whether `text` could be a host name: no more than what a resolver would take, and nothing that is all digits and
/// dots, which is an IPv4 address gone wrong.
pub(super) fn is_name(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty() && label.len() <= 63 && label.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
    };
    text.len() <= 253
        && text.strip_suffix('.').unwrap_or(text).split('.').all(label)
        && !text.chars().all(|c| c.is_ascii_digit() || c == '.')
}

// === impl BadAddress ===

impl BadAddress {
    fn new(hint: &str) -> Self {
        Self(hint.to_owned())
    }
}

impl fmt::Display for BadAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_the_same_form() {
        for text in [":5000", "127.0.0.1:5000", "[::1]:5000", "localhost:0", "registry_1.example.com:65535"] {
            assert_eq!(text.parse::<ListenAddress>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn says_what_to_write_instead() {
        for (text, hint) in [
            ("5000", "write :5000 for all"),
            ("localhost", "write localhost:5000"),
            ("http://localhost:5000", "no scheme"),
            ("/run/hub.sock", "looks like a path"),
            ("::1:5000", "takes brackets"),
            ("[::1:5000", "takes brackets"),
            ("[fe80::1%eth0]:5000", "no IPv6 address"),
            ("*:5000", "write :5000"),
            ("localhost:http", "0 to 65535"),
            (":70000", "0 to 65535"),
            ("300.0.0.1:5000", "a name or an IP address"),
            ("a b:5000", "a name or an IP address"),
            ("", "port is missing"),
        ] {
            let message = text.parse::<ListenAddress>().unwrap_err().to_string();
            assert!(message.contains(hint), "{text}: {message}");
        }
    }

    #[test]
    fn knows_who_can_connect() {
        for (text, loopback) in [
            (":5000", false),
            ("0.0.0.0:5000", false),
            ("[::]:5000", false),
            ("10.0.0.1:5000", false),
            ("hub.example.com:5000", false),
            ("127.1.2.3:5000", true),
            ("[::1]:5000", true),
            ("localhost:5000", true),
        ] {
            assert_eq!(text.parse::<ListenAddress>().unwrap().is_loopback(), loopback, "{text}");
        }
    }

    #[test]
    fn all_interfaces_are_both_families() {
        let all = ":5000".parse::<ListenAddress>().unwrap().resolve().unwrap();
        assert_eq!(all.iter().map(ToString::to_string).collect::<Vec<_>>(), ["[::]:5000", "0.0.0.0:5000"]);
    }
}
