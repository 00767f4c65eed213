//! The edit of an engine's `certs.d/<registry>/hosts.toml` as a pure function: the bytes now and what is wanted, to the
//! bytes then or a refusal. Engines from 28 on with the containerd image store read it at every pull, for any registry.
//!
//! Our mirror becomes the first host. Hosts of others stay behind it, in their order, and everything else in their file
//! byte for byte. Where our file is the first to list hosts, the engine stops reading other places for this registry, so
//! what they said is said again ([`Origin`]). No file is read or written here.
//!
//! | what | where |
//! |---|---|
//! | which folder | [`place()`] |
//! | what the engine makes of a file | `hosts`, `fields`, `endpoint`, `insecure` |
//! | what must be said again | [`Origin`], `relocate` |
//! | what we write, and how we know it again | `ours` |
//! | the text | `document`, `toml_1_0`, `layout` |
//!
//! Taking out what was put into a file of others leaves it as it was, to the byte, if nobody has edited it since; and if
//! somebody has, with all that they changed. Exceptions: an empty file (the engine takes it for none) is not told from
//! none, and with [`Foreign::TakeOut`] the hosts of others are gone; the journal has them.

mod document;
mod endpoint;
mod fields;
mod hosts;
mod insecure;
mod layout;
mod origin;
mod ours;
mod place;
mod refusal;
mod relocate;
mod toml_1_0;

#[cfg(test)]
mod tests;

use super::{edit::Edit, mirror_url::MirrorUrl};
use document::{Document, Section, decode};
use fields::Fields;
use hosts::{Host, Hosts};
use origin::Base;
use ours::Theirs;

pub(crate) use insecure::InsecureRegistries;
pub(crate) use origin::{Origin, OriginFacts, Ruling, names_to_resolve};
pub(crate) use place::place;
pub(crate) use refusal::Refusal;

/// The name of the file.
pub(crate) const FILE_NAME: &str = "hosts.toml";

/// What the file should be.
#[derive(Clone, Copy)]
pub(crate) enum Desired<'a> {
    /// Our mirror first.
    First(First<'a>),
    /// None of these, which are all ours, of this port and of earlier ones; the rest as it is.
    Without(&'a [MirrorUrl]),
}

/// Our mirror as the first host of a registry.
#[derive(Clone, Copy)]
pub(crate) struct First<'a> {
    /// Our mirror.
    pub(crate) ours: &'a MirrorUrl,
    /// Mirrors of ours at earlier ports, where nobody listens any more.
    pub(crate) retired: &'a [MirrorUrl],
    /// What becomes of the hosts of others.
    pub(crate) foreign: Foreign,
    /// How the registry itself is reached.
    pub(crate) origin: &'a Origin,
}

/// What becomes of hosts that others list, in this file or as `registry-mirrors`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Foreign {
    /// They stay, behind ours.
    Keep,
    /// They go.
    TakeOut,
}

/// Plans the edit of a file that holds `now` (`None`: there is no file).
pub(crate) fn edit(now: Option<&[u8]>, desired: Desired<'_>) -> Result<Edit, Refusal> {
    let text = decode(now.unwrap_or_default())?;
    match desired {
        Desired::First(first) => put_first(text, &first),
        Desired::Without(ours) => take_out(text, ours),
    }
}

fn put_first(text: &str, first: &First<'_>) -> Result<Edit, Refusal> {
    let theirs = match ours::theirs(text)? {
        Theirs::Text(text) if first.is_all_of(text)? => Theirs::Nothing,
        theirs => theirs,
    };
    let then = match (theirs, &first.origin.base) {
        (Theirs::Text(text), _) => beside(text, first)?,
        (Theirs::Nothing, Base::Default(default)) => {
            let edited = beside(default, first)?;
            let copy = ours::copy(&first.origin.registry, &edited, layout::line_break(default));
            if read(&copy)? != read(&edited)? {
                return Err(Refusal::Internal("the copy of _default/hosts.toml is not the same"));
            }
            copy
        }
        (Theirs::Nothing, Base::Certificates(certificates)) => {
            let root = Host { address: String::new(), fields: certificates.clone() };
            let root = first.origin.insecure_root(&root).unwrap_or(root);
            let hosts = first.hosts(first.mirrors(certificates));
            let file = ours::file(&first.origin.registry, &root, &hosts);
            if read(&file)? != (Hosts { listed: hosts, root }) {
                return Err(Refusal::Internal("the new file does not say what it should"));
            }
            file
        }
    };
    if then == text || (!text.is_empty() && first.same(read(text)?, read(&then)?)) {
        return Ok(Edit::Unchanged);
    }
    decode(then.as_bytes())?;
    Ok(Edit::Write(then.into_bytes()))
}

/// The text of others with our host in it.
fn beside(text: &str, first: &First<'_>) -> Result<String, Refusal> {
    let before = Document::parse(text)?;
    let was = Hosts::read(&before)?;
    let gone = |section: &Section| section.host().is_some_and(|host| first.goes(host));
    let base = layout::cut(&before, gone);
    let base = Document::parse(&base)?;
    let mut listed = Hosts::read(&base)?.listed;
    let (then, hosts) = match layout::insert(&base, &ours::host(first.ours)) {
        Some(then) => (then, first.hosts(Vec::new())),
        None => {
            let mut again = first.mirrors(&was.root.fields);
            again.extend(first.origin.insecure_root(&was.root));
            let hosts = first.hosts(again);
            (layout::append(base.text, ours::NOTE_AT_END, &hosts), hosts)
        }
    };

    let after = Document::parse(&then).map_err(|_| Refusal::Internal("the new text is not TOML"))?;
    let written: Vec<&str> = hosts.iter().map(|host| host.address.as_str()).collect();
    let theirs = |host: &str| !written.contains(&host);
    if after.pieces(|section| section.host().is_some_and(|host| !theirs(host))) != before.pieces(gone) {
        return Err(Refusal::Internal("something else changed"));
    }
    if listed != without(was.listed, |host| first.goes(host)) {
        return Err(Refusal::Internal("a host of others changed"));
    }
    listed.splice(..0, hosts);
    if Hosts::read(&after)? != (Hosts { listed, root: was.root }) {
        return Err(Refusal::Internal("the hosts are not as desired"));
    }
    Ok(then)
}

fn take_out(text: &str, ours: &[MirrorUrl]) -> Result<Edit, Refusal> {
    let theirs = match ours::theirs(text)? {
        Theirs::Nothing if text.is_empty() => return Ok(Edit::Unchanged),
        Theirs::Nothing => return Ok(Edit::Remove),
        Theirs::Text(text) => text,
    };
    let before = Document::parse(theirs)?;
    let was = Hosts::read(&before)?;
    let gone = |section: &Section| section.host().is_some_and(|host| ours::is_one_of(ours, host));
    let then = layout::cut(&before, gone);
    if then == text {
        return Ok(Edit::Unchanged);
    }
    let after = Document::parse(&then).map_err(|_| Refusal::Internal("the new text is not TOML"))?;
    let listed = without(was.listed, |host| ours::is_one_of(ours, host));
    if after.pieces(|_| false) != before.pieces(gone) || Hosts::read(&after)? != (Hosts { listed, root: was.root }) {
        return Err(Refusal::Internal("something else changed"));
    }
    Ok(if ours::is_remnant(theirs, &after) { Edit::Remove } else { Edit::Write(then.into_bytes()) })
}

/// The hosts that stay. One that was listed twice because another stood between is listed once then.
fn without(mut listed: Vec<Host>, gone: impl Fn(&str) -> bool) -> Vec<Host> {
    listed.retain(|host| !gone(&host.address));
    listed.dedup_by(|next, before| next.address == before.address);
    listed
}

fn read(text: &str) -> Result<Hosts, Refusal> {
    Hosts::read(&Document::parse(text)?)
}

// === impl First ===

impl First<'_> {
    fn is_ours(&self, address: &str) -> bool {
        ours::is_one_of([self.ours].into_iter().chain(self.retired), address)
    }

    /// Whether a host that is there goes, ours to come back in front.
    fn goes(&self, address: &str) -> bool {
        self.foreign == Foreign::TakeOut || self.is_ours(address)
    }

    /// Whether nothing is left of a text without the hosts that go.
    fn is_all_of(&self, text: &str) -> Result<bool, Refusal> {
        let document = Document::parse(text)?;
        Ok(layout::cut(&document, |section| section.host().is_some_and(|host| self.goes(host))).is_empty())
    }

    fn mirrors(&self, root: &Fields) -> Vec<Host> {
        match self.foreign {
            Foreign::Keep => self.origin.mirrors(root),
            Foreign::TakeOut => Vec::new(),
        }
    }

    /// The hosts that we write: ours, and what must be said again; none twice.
    fn hosts(&self, again: Vec<Host>) -> Vec<Host> {
        let mut hosts = vec![ours::host(self.ours)];
        for host in again {
            if !self.is_ours(&host.address) && hosts.iter().all(|before| before.address != host.address) {
                hosts.push(host);
            }
        }
        hosts
    }

    /// Whether the engine does the same with both. How long it waits for our mirror may be set by hand.
    fn same(&self, mut now: Hosts, mut then: Hosts) -> bool {
        for hosts in [&mut now, &mut then] {
            if let Some(ours) = hosts.listed.first_mut().filter(|first| ours::is_one_of([self.ours], &first.address)) {
                ours.address.clear();
                ours.fields.dial_timeout = None;
            }
        }
        now == then
    }
}
