//! Which registry is cached: `proxy`, or MSR's `downstream` with its older form, and never more than one.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use super::check::{Data, Value};
use super::error::Complaint;
use super::model::{Login, Upstream};
use super::node::At;

/// The upstream; `None` if the configuration names none.
pub(super) fn find(root: &Value) -> Result<Option<Upstream>, Vec<Complaint>> {
    let mut complaints = Vec::new();
    let mut candidates: Vec<Candidate<'_>> = proxy(root, &mut complaints).into_iter().collect();
    for middleware in downstreams(root) {
        candidates.extend(downstream(middleware, &mut complaints));
    }
    if let [first, others @ ..] = candidates.as_slice() {
        complaints.extend(others.iter().map(|other| second(first, other)));
    }
    if !complaints.is_empty() {
        return Err(complaints);
    }
    Ok(candidates.into_iter().next().map(|candidate| upstream(root, candidate)))
}

/// The complaint about a configuration without an upstream.
pub(super) fn missing() -> Complaint {
    Complaint::whole("it names no registry to cache, and a Larder hub is a pull-through cache")
        .follows()
        .help("set proxy.remoteurl, for Docker Hub to https://registry-1.docker.io")
}

/// The `downstream` middleware that is switched on.
pub(super) fn downstreams(root: &Value) -> impl Iterator<Item = &Value> {
    let named = |item: &&Value| item.text("name") == Some("downstream") && !item.flag("disabled");
    root.items("middleware.registry").iter().filter(named)
}

/// One way in which an upstream is named.
struct Candidate<'a> {
    from: &'static str,
    url: &'a Url,
    at: &'a At,
    login: Option<Login>,
    cas: Vec<&'a str>,
    ttl: Option<Duration>,
}

fn proxy<'a>(root: &'a Value, complaints: &mut Vec<Complaint>) -> Option<Candidate<'a>> {
    let remote = root.get("proxy.remoteurl");
    let login = login(root, complaints);
    let Some((remote, url)) = remote.and_then(|remote| Some((remote, remote.as_url()?))) else {
        let given = ["username", "password", "exec", "ttl"].iter().find_map(|key| root.get(&format!("proxy.{key}")));
        complaints.extend(given.map(|given| {
            Complaint::new(given.at.clone(), "`proxy` has no `remoteurl`, the registry to cache".to_owned())
                .hidden()
                .follows()
                .help("set proxy.remoteurl, for Docker Hub to https://registry-1.docker.io")
        }));
        return None;
    };
    no_query(url, &remote.at, complaints);
    let ttl = root.duration("proxy.ttl");
    Some(Candidate { from: "proxy", url, at: &remote.at, login, cas: Vec::new(), ttl })
}

fn login(root: &Value, complaints: &mut Vec<Complaint>) -> Option<Login> {
    if let Some(exec) = root.get("proxy.exec") {
        if let Some(command) = exec.text("command") {
            let lifetime = exec.duration("lifetime");
            return Some(Login::Helper { command: command.to_owned(), lifetime });
        }
        let what = "`proxy.exec` has no `command`".to_owned();
        complaints
            .push(Complaint::new(exec.at.clone(), what).hidden().follows().help("name the credential helper to run"));
        return None;
    }
    match (root.get("proxy.username"), root.get("proxy.password")) {
        (None, None) => None,
        (Some(username), Some(password)) => Some(Login::Password {
            username: username.as_text()?.to_owned(),
            password: SecretString::from(password.as_text()?.to_owned()),
        }),
        (Some(alone), None) => half(alone, "username", "password", complaints),
        (None, Some(alone)) => half(alone, "password", "username", complaints),
    }
}

/// Half a login is none: the upstream would be asked anonymously, and private images would be missing without a word.
fn half(alone: &Value, given: &str, missing: &str, complaints: &mut Vec<Complaint>) -> Option<Login> {
    let what = format!("`proxy.{given}` is set and `proxy.{missing}` is not");
    complaints.push(
        Complaint::new(alone.at.clone(), what).hidden().follows().help("set both for a login, or neither for none"),
    );
    None
}

fn downstream<'a>(middleware: &'a Value, complaints: &mut Vec<Complaint>) -> Vec<Candidate<'a>> {
    let urls: Vec<&Value> = middleware.items("options.upstreams").iter().flat_map(fetched_from).collect();
    if urls.is_empty() {
        let what = "`downstream` names no upstream".to_owned();
        complaints.push(
            Complaint::new(middleware.at.clone(), what)
                .hidden()
                .follows()
                .help("list the MSR under options.upstreams, like https://msr.example.com"),
        );
    }
    let mut candidates = Vec::new();
    for value in urls {
        let Some(url) = value.as_url() else { continue };
        no_query(url, &value.at, complaints);
        candidates.push(Candidate {
            from: "downstream",
            url,
            at: &value.at,
            login: None,
            cas: middleware.texts("options.cas"),
            ttl: middleware.duration("options.blobttl"),
        });
    }
    candidates
}

/// The URLs in an element of `upstreams`: itself, or in DTR 2.2's form the hosts to fetch from, or the origin if
/// there are none.
fn fetched_from(upstream: &Value) -> Vec<&Value> {
    match &upstream.data {
        Data::Map(_) => match upstream.items("upstreamhosts") {
            [] => upstream.get("originhost").into_iter().collect(),
            hosts => hosts.iter().collect(),
        },
        _ => vec![upstream],
    }
}

fn no_query(url: &Url, at: &At, complaints: &mut Vec<Complaint>) {
    if url.query().is_some() {
        let what = format!("`{}` has a ?query, which a registry's URL has not", super::redact::text(url.as_str()));
        complaints.push(Complaint::new(at.clone(), what).help("take it out"));
    }
}

fn second(first: &Candidate<'_>, other: &Candidate<'_>) -> Complaint {
    let what = if first.from == other.from {
        "a second upstream: for now a hub has one"
    } else {
        "`proxy` and `downstream` both name an upstream: for now a hub has one"
    };
    let label = match first.at {
        At::File(span) => format!("the first is on line {}", span.line),
        At::Env(name) => format!("the first comes from {name}"),
        At::Default => String::new(),
    };
    Complaint::new(other.at.clone(), what.to_owned())
        .label(&label)
        .help("more than one comes in a later version; keep one, and run another hub for the other")
}

fn upstream(root: &Value, candidate: Candidate<'_>) -> Upstream {
    let cas = candidate.cas.into_iter().chain(root.texts("larder.ca"));
    let expires = root.flag("storage.delete.enabled");
    let timeout = root.duration("proxy.cachewritetimeout").filter(|timeout| !timeout.is_zero());
    Upstream {
        url: candidate.url.clone(),
        registry: root.text("larder.registry").map(str::to_owned),
        login: candidate.login,
        ca_files: cas.map(PathBuf::from).collect(),
        realms: root.texts("larder.realms").into_iter().map(str::to_owned).collect(),
        ttl: candidate.ttl.filter(|ttl| expires && !ttl.is_zero()),
        cache_write_timeout: timeout,
    }
}
