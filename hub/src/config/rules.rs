//! What takes more than one key to judge, or more than its form. Pure.

use larder_content::Share;

use super::check::{Data, Value};
use super::error::{Complaint, Notice};
use super::node::{At, Content, Node};
use super::schema::{Kind, ROOT};
use super::upstream;
use crate::access::exposure::{self, Exposure};

/// Where content is kept if nobody says so. With a `filesystem` driver but no folder, distribution's default holds.
const DEFAULT_ROOT: &str = "/var/lib/larder";
const DOCKER_HUB: &str = "https://registry-1.docker.io";

/// What the rules found.
#[derive(Default)]
pub(super) struct Judged {
    pub(super) complaints: Vec<Complaint>,
    pub(super) notices: Vec<Notice>,
}

/// Fills in the defaults that hang on whether other keys are there: the storage driver and, without a file, Docker Hub.
pub(super) fn defaults(root: &mut Node, no_file: bool) {
    if !matches!(root.content, Content::Map(_)) {
        return;
    }
    let drivers = ROOT.iter().find_map(|key| match key.kind {
        Kind::Choice(keys) if key.name == "storage" => Some(keys),
        _ => None,
    });
    let storage = root.get("storage");
    let is_section = storage.is_none_or(|storage| matches!(storage.content, Content::Map(_)));
    let chosen =
        drivers.into_iter().flatten().any(|key| key.exclusive && storage.is_some_and(|s| s.entry(key.name).is_some()));
    if is_section && !chosen {
        let driver = root.slot("storage", &At::Default).slot("filesystem", &At::Default);
        *driver.slot("rootdirectory", &At::Default) = Node::default_text(DEFAULT_ROOT);
    }
    let named = root.get("middleware").is_some_and(|middleware| middleware.get("registry").is_some())
        || root.get("proxy").is_some_and(|proxy| proxy.get("remoteurl").is_some());
    if no_file && !named && root.get("proxy").is_none_or(|proxy| matches!(proxy.content, Content::Map(_))) {
        *root.slot("proxy", &At::Default).slot("remoteurl", &At::Default) = Node::default_text(DOCKER_HUB);
    }
}

/// The file must say how it is to be read.
pub(super) fn version(root: &Node) -> Option<Complaint> {
    if !matches!(root.content, Content::Map(_)) {
        return None;
    }
    let help = "Larder reads the files of CNCF distribution, which begin with `version: 0.1`";
    match root.get("version") {
        None => Some(Complaint::whole("`version` is missing").help(help)),
        // A list or a section is complained about already.
        Some(version) if version.text().is_none_or(|text| text == "0.1") => None,
        Some(version) => Some(Complaint::new(version.at.clone(), "the version is not 0.1".to_owned()).help(help)),
    }
}

/// Judges keys that were read without a complaint.
pub(super) fn judge(root: &Value) -> Judged {
    let mut judged = Judged::default();
    judged.complaints.extend(tls(root));
    judged.complaints.extend(open_credentials(root));
    judged.complaints.extend(no_cache(root));
    judged.notices.extend(old_log_level(root));
    judged.notices.extend(ignored_login(root));
    judged.notices.extend(no_expiry(root));
    judged.notices.extend(old_tls(root));
    judged
}

/// Whoever asked for HTTPS or for client certificates must never get less without a word.
fn tls(root: &Value) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let Some(tls) = root.get("http.tls") else { return complaints };
    let mut complain = |at: &At, what: &str, help: &str| {
        complaints.push(Complaint::new(at.clone(), what.to_owned()).hidden().follows().help(help));
    };
    match (tls.get("certificate"), tls.get("key")) {
        (Some(_), Some(_)) => {}
        (Some(alone), None) => complain(&alone.at, "`http.tls.certificate` has no `key` beside it", "set both"),
        (None, Some(alone)) => complain(&alone.at, "`http.tls.key` has no `certificate` beside it", "set both"),
        (None, None) => {
            if let Some(file) = tls.get("letsencrypt.cachefile") {
                let what = "`http.tls.letsencrypt` is all there is for HTTPS, and this version fetches no certificates";
                complain(
                    &file.at,
                    what,
                    "set http.tls.certificate and http.tls.key; without them it would be plain HTTP",
                );
            }
            if let Some(asked) = tls.get("clientcas").or_else(|| tls.get("clientauth")) {
                let what = "client certificates are asked for, and there is no HTTPS to ask over";
                complain(&asked.at, what, "set http.tls.certificate and http.tls.key");
            }
        }
    }
    if let (Some(auth), []) = (tls.get("clientauth"), tls.items("clientcas"))
        && tls.get("certificate").is_some()
        && auth.as_text() != Some("request-client-cert")
    {
        let what = "`http.tls.clientauth` checks clients, and there are no `clientcas` to check them by";
        complain(&auth.at, what, "name the CA files; distribution would check nobody");
    }
    complaints
}

/// A login upstream opens private images. That the hub would not start is better known before it is tried.
fn open_credentials(root: &Value) -> Option<Complaint> {
    let login = root.get("proxy.password").or_else(|| root.get("proxy.exec"))?;
    let checks = root.text("http.tls.clientauth").is_none_or(|auth| auth == "require-and-verify-client-cert");
    let exposure = Exposure {
        has_login: true,
        was_filled: false,
        verifies_clients: checks && !root.items("http.tls.clientcas").is_empty(),
        is_loopback: root.address("http.addr")?.is_loopback(),
    };
    let why = exposure::permit(exposure).err()?;
    let what = "with a login upstream, everyone who reaches the hub could read the private images behind it".to_owned();
    Some(Complaint::new(login.at.clone(), what).hidden().follows().help(why))
}

/// Bounds that leave nothing, whatever the disk.
fn no_cache(root: &Value) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    if let Some(size) = root.get("larder.cachesize")
        && root.share("larder.cachesize").is_some_and(Share::is_nothing)
    {
        let what = "`larder.cachesize`: a cache of no size keeps nothing".to_owned();
        let help = "give it some GiB, or leave the key out: then it takes what larder.freefloor leaves";
        complaints.push(Complaint::new(size.at.clone(), what).help(help));
    }
    if let Some(floor) = root.get("larder.freefloor")
        && root.share("larder.freefloor").is_some_and(Share::is_everything)
    {
        let what = "`larder.freefloor`: if all of the disk stays free, nothing is left for the cache".to_owned();
        complaints.push(Complaint::new(floor.at.clone(), what).help("lower it; 10% is what holds without the key"));
    }
    complaints
}

fn old_log_level(root: &Value) -> Option<Notice> {
    let old = root.get("loglevel")?;
    let new = root.get("log.level").is_some_and(|level| level.at != At::Default);
    let message = if new {
        "`loglevel` is the old name of `log.level`, which is set too and holds"
    } else {
        "`loglevel` is the old name of `log.level`; it works, but write `log.level`"
    };
    Some(Notice { at: old.at.clone(), message: message.to_owned() })
}

/// As in distribution, a helper wins over what is written down.
fn ignored_login(root: &Value) -> Option<Notice> {
    root.get("proxy.exec")?;
    let ignored = root.get("proxy.username").or_else(|| root.get("proxy.password"))?;
    let message = "`proxy.username` and `proxy.password` are not used, because `proxy.exec` is set";
    Some(Notice { at: ignored.at.clone(), message: message.to_owned() })
}

fn no_expiry(root: &Value) -> Option<Notice> {
    if root.flag("storage.delete.enabled") {
        return None;
    }
    let blobttl = upstream::downstreams(root).find_map(|item| item.get("options.blobttl"));
    let (ttl, name) = match (root.get("proxy.ttl"), blobttl) {
        (Some(ttl), _) => (ttl, "`proxy.ttl`"),
        (None, Some(ttl)) => (ttl, "`blobttl` of `downstream`"),
        (None, None) => return None,
    };
    let Data::Duration(age) = ttl.data else { return None };
    let message = format!("{name} is set, but nothing expires: that takes `storage.delete.enabled: true`");
    (!age.is_zero()).then(|| Notice { at: ttl.at.clone(), message })
}

fn old_tls(root: &Value) -> Option<Notice> {
    let minimum = root.get("http.tls.minimumtls")?;
    let text = minimum.as_text().filter(|text| matches!(*text, "tls1.0" | "tls1.1"))?;
    let message =
        format!("`http.tls.minimumtls` is {text}, but TLS before 1.2 is not spoken: older clients are refused");
    Some(Notice { at: minimum.at.clone(), message })
}
