//! The edit of `daemon.json` as a pure function: the bytes now and what is wanted, to the bytes then or a refusal.
//!
//! One key changes, `registry-mirrors`; order, unknown keys, numbers, escapes and layout stay byte for byte. Accepted
//! is only what dockerd itself reads, because a file that it refuses is harmless now and keeps it from starting later
//! (`reference/dockerd.md` §4). No file is read or written here.

mod document;
mod layout;
mod refusal;

#[cfg(test)]
mod tests;

use jsonc_parser::ast::ObjectProp;

use super::{
    edit::Edit,
    engine::{Dialect, EngineFacts, MirrorFlag},
    mirror_url::MirrorUrl,
};
pub(crate) use document::MAX_BYTES;
use document::{Document, decode, encode, entries, is_blank, list};
pub(crate) use refusal::Refusal;

/// What `registry-mirrors` should be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Desired<'a> {
    /// Our mirror first, then whatever is there, in its order.
    First(&'a MirrorUrl),
    /// Our mirror, and no other.
    Only(&'a MirrorUrl),
    /// None of these, which are all ours, of this port and of earlier ones; the rest as it is.
    Without(&'a [MirrorUrl], WhenEmpty),
    /// An empty list, spelled out: a running dockerd keeps its mirrors when the key goes, and drops them for `[]`.
    Empty,
}

/// What becomes of the key when taking ours out leaves its list empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WhenEmpty {
    /// It stays, with `[]`: it was there before us, or nobody knows.
    KeepKey,
    /// It goes: we brought it.
    DropKey,
}

/// What becomes of the mirrors that are not ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Others {
    Stay,
    Go,
}

/// Plans the edit of a file that holds `now` (`None`: there is no file).
pub(crate) fn edit(now: Option<&[u8]>, desired: Desired<'_>, engine: &EngineFacts) -> Result<Edit, Refusal> {
    let adds_key = !matches!(desired, Desired::Without(..));
    if adds_key && engine.mirror_flag == MirrorFlag::Present {
        return Err(Refusal::FlagConflict);
    }
    let (bom, text) = decode(now.unwrap_or_default())?;
    if adds_key && bom && engine.dialect == Dialect::BomRefused {
        return Err(Refusal::Bom);
    }
    let then = if is_blank(text) { fill(desired) } else { change(&Document::parse(text)?, desired)? };
    let Some(then) = then else { return Ok(Edit::Unchanged) };
    verify(text, &then, desired)?;
    Ok(Edit::Write(encode(bom, &then)))
}

/// The mirrors that a dockerd that reads this file has; `None` if the file does not say.
pub(crate) fn mirrors(now: Option<&[u8]>) -> Result<Option<Vec<String>>, Refusal> {
    let (_, text) = decode(now.unwrap_or_default())?;
    if is_blank(text) {
        return Ok(None);
    }
    let document = Document::parse(text)?;
    let last = document.mirror_keys().next_back();
    last.map(|(_, property)| addresses(property)).transpose()
}

/// For a file without content.
fn fill(desired: Desired<'_>) -> Option<String> {
    match desired {
        Desired::First(ours) | Desired::Only(ours) => Some(layout::small_file(&format!("[{}]", quoted(ours)))),
        Desired::Empty => Some(layout::small_file("[]")),
        Desired::Without(..) => None,
    }
}

/// For a file with content; `None` if it is as desired.
fn change(document: &Document<'_>, desired: Desired<'_>) -> Result<Option<String>, Refusal> {
    for (_, property) in document.mirror_keys() {
        addresses(property)?;
    }
    let splices = match desired {
        Desired::First(ours) => first(document, ours, Others::Stay)?,
        Desired::Only(ours) => first(document, ours, Others::Go)?,
        Desired::Without(ours, when_empty) => without(document, ours, when_empty)?,
        Desired::Empty => empty(document)?,
    };
    Ok((!splices.is_empty()).then(|| layout::splice(document.text, splices)))
}

/// Of a doubled key the last is edited: it is the one that dockerd takes. To refuse would have a person repair a file
/// that works; to edit both would change text that has no effect.
fn first(document: &Document<'_>, ours: &MirrorUrl, others: Others) -> Result<Vec<layout::Splice>, Refusal> {
    if let Some(found) = document.misspelled_key() {
        return Err(Refusal::KeyCase { found: found.to_owned() });
    }
    let (entry, new) = (quoted(ours), format!("[{}]", quoted(ours)));
    let Some((_, property)) = document.mirror_keys().next_back() else {
        return Ok(vec![layout::append_key(document, &new)]);
    };
    let Some(array) = list(property)? else { return Ok(vec![layout::set_value(property, &new)]) };
    let is_ours: Vec<bool> = entries(array)?.iter().map(|entry| ours.is(&entry.value)).collect();
    let is_done = is_ours.first() == Some(&true) && (others == Others::Stay || is_ours.len() == 1);
    if is_done {
        return Ok(Vec::new());
    }
    let goes: Vec<bool> = is_ours.iter().map(|is_ours| *is_ours || others == Others::Go).collect();
    Ok(layout::relist(document.text, property, array, Some(&entry), &goes))
}

/// Of a doubled key ours is taken out of both, or it would come back the day somebody deletes the last. For the same
/// reason the last is not dropped then: the one before would come into force.
fn without(document: &Document<'_>, ours: &[MirrorUrl], when_empty: WhenEmpty) -> Result<Vec<layout::Splice>, Refusal> {
    let single = document.mirror_keys().count() == 1;
    let mut splices = Vec::new();
    for (index, property) in document.mirror_keys() {
        let Some(array) = list(property)? else { continue };
        let is_ours = |entry: &str| ours.iter().any(|ours| ours.is(entry));
        let gone: Vec<bool> = entries(array)?.iter().map(|entry| is_ours(&entry.value)).collect();
        if !gone.contains(&true) {
            continue;
        }
        if single && when_empty == WhenEmpty::DropKey && !gone.contains(&false) {
            splices.push(layout::drop_key(document, index));
        } else {
            splices.extend(layout::relist(document.text, property, array, None, &gone));
        }
    }
    Ok(splices)
}

fn empty(document: &Document<'_>) -> Result<Vec<layout::Splice>, Refusal> {
    let Some((_, property)) = document.mirror_keys().next_back() else {
        return Ok(vec![layout::append_key(document, "[]")]);
    };
    let is_empty = addresses(property)?.is_empty();
    Ok(if is_empty { Vec::new() } else { vec![layout::set_value(property, "[]")] })
}

/// Reads the new text again: it must be JSON that dockerd takes, our key as desired and all else as it was.
fn verify(before: &str, after: &str, desired: Desired<'_>) -> Result<(), Refusal> {
    decode(after.as_bytes())?;
    let after = Document::parse(after).map_err(|_| Refusal::Internal("the new text is not JSON"))?;
    let before = if is_blank(before) { None } else { Some(Document::parse(before)?) };
    let foreign = before.as_ref().map(Document::foreign).unwrap_or_default();
    if after.foreign() != foreign {
        return Err(Refusal::Internal("another key changed"));
    }
    let in_force =
        |document: &Document<'_>| document.mirror_keys().next_back().map(|(_, last)| addresses(last)).transpose();
    let was = before.as_ref().map(in_force).transpose()?.flatten().unwrap_or_default();
    let is = in_force(&after)?;
    let others = |list: &[String], ours: &[MirrorUrl]| -> Vec<String> {
        list.iter().filter(|entry| !ours.iter().any(|ours| ours.is(entry))).cloned().collect()
    };
    let as_desired = match desired {
        Desired::Empty => is.is_some_and(|is| is.is_empty()),
        Desired::Without(ours, _) => is.unwrap_or_default() == others(&was, ours),
        Desired::First(ours) => is.is_some_and(|is| {
            let rest = others(&was, std::slice::from_ref(ours));
            is.split_first().is_some_and(|(first, others)| first == ours.as_str() && others == rest)
        }),
        Desired::Only(ours) => is.is_some_and(|is| matches!(is.as_slice(), [only] if ours.is(only))),
    };
    if as_desired { Ok(()) } else { Err(Refusal::Internal("registry-mirrors is not as desired")) }
}

fn addresses(property: &ObjectProp<'_>) -> Result<Vec<String>, Refusal> {
    let Some(array) = list(property)? else { return Ok(Vec::new()) };
    Ok(entries(array)?.iter().map(|entry| entry.value.to_string()).collect())
}

fn quoted(ours: &MirrorUrl) -> String {
    serde_json::Value::from(ours.as_str()).to_string()
}
