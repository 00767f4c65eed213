//! Who may be sent what: where a redirect may lead, and which token realm may see the upstream's credentials. Pure.
//!
//! An upstream is not trusted to send us anywhere: a hostile one could have us read its neighbours' metadata services,
//! or hand its credentials to a stranger (CVE-2026-33540).

use std::net::IpAddr;

use url::{Host, Url};

/// Most redirects followed for one request.
pub const MAX_REDIRECTS: usize = 5;

/// Why a URL that an upstream named is not asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not an absolute or relative http(s) URL, or one with a user name in it.
    #[error("it is not a URL that can be followed")]
    Malformed,
    /// From https to http.
    #[error("it leads from https to http")]
    Downgrade,
    /// To this machine or its link, from an upstream elsewhere.
    #[error("it leads to {0}, an address of this machine or its own network link")]
    Inward(String),
}

/// Whether two URLs are of one origin (RFC 6454): only there does an `Authorization` go along.
pub fn same_origin(a: &Url, b: &Url) -> bool {
    a.origin() == b.origin()
}

/// Where `location` leads from `from`, if it may be followed; `base` is the configured upstream.
pub fn redirect(base: &Url, from: &Url, location: &str) -> Result<Url, Refusal> {
    let to = from.join(location).map_err(|_| Refusal::Malformed)?;
    check(base, from, to)
}

/// The token realm that a challenge from `base` names, if it may be asked at all.
pub fn realm(base: &Url, realm: &str) -> Result<Url, Refusal> {
    let to = base.join(realm).map_err(|_| Refusal::Malformed)?;
    check(base, base, to)
}

/// Whether `realm` is the upstream's own, so that it may see its credentials: the same host, or one under the same
/// registrable domain over https (`auth.docker.io` for `registry-1.docker.io`), or one that the operator listed.
pub fn realm_is_own(base: &Url, realm: &Url, listed: &[String]) -> bool {
    let (Some(Host::Domain(ours)), Some(Host::Domain(theirs))) = (base.host(), realm.host()) else {
        // Addresses have no domain to share: only the same one, and never over a weaker scheme.
        return (base.host() == realm.host() && no_downgrade(base, realm)) || is_listed(realm, listed);
    };
    let domain = |host: &str| psl::domain_str(host).map(str::to_owned);
    let kin = domain(ours).is_some_and(|ours| Some(ours) == domain(theirs)) && realm.scheme() == "https";
    (ours == theirs && no_downgrade(base, realm)) || kin || is_listed(realm, listed)
}

fn is_listed(realm: &Url, listed: &[String]) -> bool {
    let with_port = realm.host_str().map(|host| match realm.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    });
    listed.iter().any(|entry| Some(entry) == with_port.as_ref() || Some(entry.as_str()) == realm.host_str())
}

fn no_downgrade(from: &Url, to: &Url) -> bool {
    from.scheme() != "https" || to.scheme() == "https"
}

fn check(base: &Url, from: &Url, to: Url) -> Result<Url, Refusal> {
    let followable = matches!(to.scheme(), "http" | "https") && to.username().is_empty() && to.password().is_none();
    if !followable {
        return Err(Refusal::Malformed);
    }
    if !no_downgrade(from, &to) {
        return Err(Refusal::Downgrade);
    }
    match to.host() {
        Some(host) if is_inward(&host) && !base.host().is_some_and(|base| is_inward(&base)) => {
            Err(Refusal::Inward(host.to_string()))
        }
        Some(_) => Ok(to),
        None => Err(Refusal::Malformed),
    }
}

/// An address of this machine, or of the link it is on, where metadata services live. Private networks are not among
/// them: stores of an MSR stand there.
fn is_inward<S: AsRef<str>>(host: &Host<S>) -> bool {
    let ip = match host {
        Host::Domain(name) => {
            let name = name.as_ref().trim_end_matches('.');
            return name == "localhost" || name.ends_with(".localhost");
        }
        Host::Ipv4(ip) => IpAddr::V4(*ip),
        Host::Ipv6(ip) => ip.to_canonical(),
    };
    match ip {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_link_local() || ip.is_unspecified() || ip.is_broadcast(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unicast_link_local() || ip.is_unspecified(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn redirects() {
        let hub = "https://registry-1.docker.io/v2/x/blobs/y";
        let inward = |host: &str| Err(Refusal::Inward(host.to_owned()));
        for (from, location, expected) in [
            (hub, "https://cdn.example.com/a?sig=1", Ok("https://cdn.example.com/a?sig=1")),
            (hub, "/elsewhere", Ok("https://registry-1.docker.io/elsewhere")),
            (hub, "//cdn.example.com/a", Ok("https://cdn.example.com/a")),
            (hub, "https://10.1.2.3/minio", Ok("https://10.1.2.3/minio")),
            (hub, "http://cdn.example.com/a", Err(Refusal::Downgrade)),
            (hub, "https://u:p@cdn.example.com/a", Err(Refusal::Malformed)),
            (hub, "file:///etc/passwd", Err(Refusal::Malformed)),
            (hub, "https://", Err(Refusal::Malformed)),
            (hub, "https://169.254.169.254/latest/meta-data", inward("169.254.169.254")),
            (hub, "https://127.0.0.1:2375/", inward("127.0.0.1")),
            (hub, "https://2130706433/", inward("127.0.0.1")),
            (hub, "https://localhost/", inward("localhost")),
            (hub, "https://x.localhost./", inward("x.localhost.")),
            (hub, "https://[::1]/", inward("[::1]")),
            (hub, "https://[::ffff:127.0.0.1]/", inward("[::ffff:7f00:1]")),
            (hub, "https://0.0.0.0/", inward("0.0.0.0")),
            ("http://127.0.0.1:5000/v2/", "http://127.0.0.1:6000/a", Ok("http://127.0.0.1:6000/a")),
            ("http://127.0.0.1:5000/v2/", "https://a.io/a", Ok("https://a.io/a")),
        ] {
            let base = url(from);
            assert_eq!(redirect(&base, &base, location), expected.map(url), "{location}");
        }
    }

    #[test]
    fn whose_realm_sees_the_credentials() {
        let listed = ["auth.example.net".to_owned(), "10.0.0.9:8443".to_owned()];
        for (base, realm, own) in [
            ("https://registry-1.docker.io", "https://auth.docker.io/token", true),
            ("https://registry-1.docker.io", "http://auth.docker.io/token", false),
            ("https://registry-1.docker.io", "https://auth.docker.io.evil.com/token", false),
            ("https://registry-1.docker.io", "https://evil.com/token", false),
            ("https://msr.example.com", "https://msr.example.com/auth/token", true),
            ("https://msr.example.com:8443", "https://msr.example.com/auth/token", true),
            ("https://msr.example.com", "http://msr.example.com/auth/token", false),
            ("http://registry.corp.internal", "http://registry.corp.internal/t", true),
            ("http://a.corp.internal", "http://b.corp.internal/t", false),
            ("https://foo.co.uk", "https://bar.co.uk/token", false),
            ("https://a.github.io", "https://b.github.io/token", false),
            ("https://10.0.0.1", "https://10.0.0.1:444/token", true),
            ("https://10.0.0.1", "https://10.0.0.2/token", false),
            ("https://10.0.0.1", "https://10.0.0.9:8443/token", true),
            ("https://10.0.0.1", "https://10.0.0.9/token", false),
            ("https://msr.example.com", "https://auth.example.net/token", true),
            ("http://localhost:5000", "http://localhost:5001/token", true),
        ] {
            assert_eq!(realm_is_own(&url(base), &url(realm), &listed), own, "{base} {realm}");
        }
    }
}
