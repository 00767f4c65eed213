//! What Larder writes into a `hosts.toml`, and how it knows that again.
//!
//! Its host is known by its address. What else it writes (what an [`super::Origin`] must have said again) looks like
//! anybody's, so that part ends the file and is *sealed*: the comment above it holds a checksum of all that follows.
//! While the seal holds it is ours, to renew and to take away; once somebody has edited it, it is theirs.

use larder_oci::{Digest, Registry};

use super::{
    MirrorUrl, Refusal,
    document::Document,
    fields::Fields,
    hosts::{Host, Hosts},
    layout::{tables, without_line_break},
};

/// How each comment of ours begins that goes when our host goes.
pub(super) const MARK: &str = "# larder-agent: ";
/// How the comment on top of a whole file of ours goes on.
const WRITTEN: &str = "written";
/// Above our host, before hosts of others.
pub(super) const NOTE: &str =
    "this node's mirror, asked before all others. `larder-agent restore` takes this table out again.";
/// Above our host, behind a file of others.
pub(super) const NOTE_AT_END: &str = "this node's mirror, and what Docker would not read beside it any more (insecure-registries and \
     registry-mirrors of daemon.json). `larder-agent restore` takes out all that follows.";

/// How long the engine waits for our mirror to take a connection. It is on this machine: longer than a lost packet's
/// repetition (1 s) means that nobody will, and the next host is asked. Engines before 28.3 (containerd 2.0) overlook it
/// and wait 30 s.
const DIAL_TIMEOUT: &str = "2s";
/// Hex digits of a checksum.
const SEAL: usize = 16;

/// Our mirror as a host. Never with `push`: that goes to the registry.
pub(super) fn host(mirror: &MirrorUrl) -> Host {
    let fields = Fields {
        capabilities: vec!["pull".to_owned(), "resolve".to_owned()],
        dial_timeout: Some(DIAL_TIMEOUT.to_owned()),
        ..Fields::default()
    };
    Host { address: mirror.as_str().to_owned(), fields }
}

/// Whether the address of a host is one of `mirrors`. containerd adds `/v2` where it is missing.
pub(super) fn is_one_of<'a>(mirrors: impl IntoIterator<Item = &'a MirrorUrl>, address: &str) -> bool {
    let bare = address.trim_end_matches('/');
    let bare = bare.strip_suffix("/v2").unwrap_or(bare);
    mirrors.into_iter().any(|mirror| mirror.is(bare))
}

/// A whole file that says how `root` is reached, after `hosts`.
pub(super) fn file(registry: &Registry, root: &Host, hosts: &[Host]) -> String {
    let note = note_of_file(registry);
    let mut root: String = root.lines(false).iter().map(|line| format!("{line}\n")).collect();
    if !root.is_empty() {
        let why = "# The lines before the first [host] say again what Docker does not read beside this file: certificates\n\
                   # as files for this registry, and insecure-registries of daemon.json.\n";
        root = format!("{why}{root}\n");
    }
    sealed(&note, &format!("{root}{}", tables(hosts, "\n")), "\n")
}

/// A whole file that is a copy of `_default/hosts.toml` with our host in it.
pub(super) fn copy(registry: &Registry, text: &str, end: &str) -> String {
    let note = note_of_file(registry);
    let why = "# The rest is _default/hosts.toml, which Docker does not read for this registry beside this file.";
    sealed(&note, &format!("{why}{end}{text}"), end)
}

fn note_of_file(registry: &Registry) -> String {
    format!(
        "{WRITTEN} so that Docker asks this node's mirror for what it pulls from {registry}, and then the registry \
         itself. `larder-agent restore` takes this file away."
    )
}

/// A text under a comment that says `note` and holds the checksum of the text.
pub(super) fn sealed(note: &str, text: &str, end: &str) -> String {
    format!("{MARK}{note} (checksum {}){end}{text}", checksum(text))
}

/// What others wrote into a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Theirs<'a> {
    /// Nothing: there is no file, or no content, or all of it is ours.
    Nothing,
    /// This; our host may still be in it.
    Text(&'a str),
}

/// Takes off what is sealed, and leaves the text that [`super::layout::append`] was given. If that lists hosts by now,
/// it was edited after us, beside what it saw there: then all of it counts.
pub(super) fn theirs(text: &str) -> Result<Theirs<'_>, Refusal> {
    let before = match seal(text) {
        None if text.is_empty() => return Ok(Theirs::Nothing),
        None => return Ok(Theirs::Text(text)),
        Some(at) => without_line_break(&text[..at]),
    };
    let before = if text.ends_with('\n') { before } else { without_line_break(before) };
    if before.is_empty() {
        return Ok(Theirs::Nothing);
    }
    let lists_none = Hosts::read(&Document::parse(before)?)?.listed.is_empty();
    Ok(Theirs::Text(if lists_none { before } else { text }))
}

/// Whether a whole file of ours, edited since, says nothing any more.
pub(super) fn is_remnant(before: &str, after: &Document<'_>) -> bool {
    before.strip_prefix(MARK).is_some_and(|note| note.starts_with(WRITTEN)) && after.root().is_empty()
}

/// Where the comment stands whose checksum is that of all that follows.
fn seal(text: &str) -> Option<usize> {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let after = start + line.len();
        let checksum_there = line.strip_prefix(MARK).and_then(|line| line.trim_end().strip_suffix(')'));
        let checksum_there =
            checksum_there.and_then(|line| line.rsplit_once(" (checksum ")).map(|(_, checksum)| checksum);
        if checksum_there.is_some_and(|there| there == checksum(&text[after..])) {
            return Some(start);
        }
        start = after;
    }
    None
}

fn checksum(text: &str) -> String {
    let mut hex = Digest::sha256(text.as_bytes()).hex();
    hex.truncate(SEAL);
    hex
}
