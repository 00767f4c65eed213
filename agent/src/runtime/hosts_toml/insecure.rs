//! Which hosts the engine treats as insecure: it takes any certificate from them, and plain HTTP if they have no TLS.
//!
//! As `isSecureIndex` in moby's `daemon/pkg/registry/config.go`: an entry of `insecure-registries` is a host as it is
//! asked (for Docker Hub `registry-1.docker.io`) or a network that one of its addresses is in.

use std::{collections::BTreeMap, net::IpAddr};

use super::endpoint::split_port;

/// `insecure-registries` of an engine, as its `/info` shows them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct InsecureRegistries {
    /// `RegistryConfig.IndexConfigs`: whether a host is secure, by its name.
    pub(crate) indexes: BTreeMap<String, bool>,
    /// `RegistryConfig.InsecureRegistryCIDRs`, those of loopback among them. (dockerd heeds none of them while both
    /// `insecure-registries` and `registry-mirrors` are empty; for hosts on loopback we overlook that.)
    pub(crate) networks: Vec<String>,
    /// The addresses of each host that [`super::names_to_resolve`] lists; none if it has none.
    pub(crate) addresses: BTreeMap<String, Vec<IpAddr>>,
}

// === impl InsecureRegistries ===

impl InsecureRegistries {
    /// Whether `host` (with its port, if one is given) is insecure.
    pub(super) fn covers(&self, host: &str) -> bool {
        if let Some(secure) = self.indexes.get(host) {
            return !secure;
        }
        let name = split_port(host).map_or(host, |(name, _)| name);
        let addresses = match name.parse::<IpAddr>() {
            Ok(address) => vec![address],
            Err(_) => self.addresses.get(name).cloned().unwrap_or_default(),
        };
        self.networks.iter().any(|network| addresses.iter().any(|address| contains(network, *address)))
    }
}

/// Whether `address` is in `network`, written `address/bits`.
fn contains(network: &str, address: IpAddr) -> bool {
    let parsed = network
        .split_once('/')
        .and_then(|(base, bits)| Some((base.parse::<IpAddr>().ok()?, bits.parse::<u32>().ok()?)));
    let same = |a: u128, b: u128, width: u32, bits: u32| bits <= width && (bits == 0 || (a ^ b) >> (width - bits) == 0);
    match (parsed, address.to_canonical()) {
        (Some((IpAddr::V4(base), bits)), IpAddr::V4(address)) => {
            same(base.to_bits().into(), address.to_bits().into(), 32, bits)
        }
        (Some((IpAddr::V6(base), bits)), IpAddr::V6(address)) => same(base.to_bits(), address.to_bits(), 128, bits),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_count_as_they_are_asked_and_networks_by_address() {
        let insecure = InsecureRegistries {
            indexes: [("msr.example.com:5000".to_owned(), false), ("docker.io".to_owned(), true)].into(),
            networks: ["127.0.0.0/8", "::1/128", "10.1.0.0/16", "fd00::/8"].map(str::to_owned).to_vec(),
            addresses: [
                ("in.example.com".to_owned(), vec!["192.0.2.1".parse().unwrap(), "10.1.2.3".parse().unwrap()]),
                ("out.example.com".to_owned(), vec!["10.2.0.1".parse().unwrap()]),
            ]
            .into(),
        };
        for (host, covered) in [
            ("msr.example.com:5000", true),
            ("msr.example.com", false),
            ("msr.example.com:5001", false),
            ("docker.io", false),
            ("registry-1.docker.io", false),
            ("10.1.255.255:80", true),
            ("10.2.0.0", false),
            ("127.0.0.1:5000", true),
            ("[::1]:5000", true),
            ("[fd12::1]:443", true),
            ("[fe80::1]:443", false),
            ("[::ffff:10.1.0.1]:5000", true),
            ("in.example.com:5000", true),
            ("in.example.com", true),
            ("out.example.com", false),
            ("unresolved.example.com", false),
        ] {
            assert_eq!(insecure.covers(host), covered, "{host}");
        }
        let everything = InsecureRegistries { networks: vec!["0.0.0.0/0".to_owned()], ..Default::default() };
        assert!(everything.covers("192.0.2.1"));
        assert!(!everything.covers("[2001:db8::1]:5000"));
    }
}
