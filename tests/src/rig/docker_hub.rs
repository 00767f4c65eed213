//! Where Docker Hub is in a rig. Engines ask port 443 of these names, whatever they are told about mirrors, so the
//! addresses are fixed; nobody answers there until [`Rig::docker_hub`](super::Rig::docker_hub) or a faulty upstream
//! [as Docker Hub](super::faults::FaultyUpstreamBuilder::as_docker_hub) is started. Until then connecting is refused:
//! it does not take the time a name that cannot be resolved may take.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The names under which Docker Hub serves images; an engine asks the first.
pub(crate) const NAMES: [&str; 3] = ["registry-1.docker.io", "index.docker.io", "docker.io"];
/// Where they lead.
pub(crate) const ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)), 443);
/// The name of the server that gives its tokens.
pub(crate) const TOKENS_NAME: &str = "auth.docker.io";
/// Where it leads.
pub(crate) const TOKENS_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3)), 443);

/// All names with their addresses.
pub(crate) fn hosts() -> impl Iterator<Item = (String, IpAddr)> {
    let names = NAMES.map(|name| (name, ADDRESS)).into_iter().chain([(TOKENS_NAME, TOKENS_ADDRESS)]);
    names.map(|(name, address)| (name.to_owned(), address.ip()))
}
