//! The words for what the walk finds. None of them repeats a value that may be a secret.

use std::time::Duration;

use super::scalar::Bad;
use super::{Inside, Value, Walk};
use crate::config::error::{Complaint, Notice};
use crate::config::nearest::nearest;
use crate::config::node::{At, Content, Entry, Node};
use crate::config::schema::{self, Key};
use crate::config::{duration, redact};

impl Walk {
    /// A key that the table does not have here.
    pub(super) fn unknown(&mut self, entry: &Entry, keys: &'static [Key]) {
        let place = if self.path.is_empty() { "at the top level".to_owned() } else { format!("in `{}`", self.path) };
        let meant = nearest(&entry.key, keys.iter().map(|key| key.name)).map(str::to_owned);
        let meant = meant.or_else(|| elsewhere(&entry.key));
        // In `{password:, secret}` the secret is a key, one without a value and unlike any we know.
        let slipped = meant.is_none() && matches!(entry.value.content, Content::Null);
        let shown = if slipped { String::new() } else { redact::key(&entry.key) };
        let name = if slipped { String::new() } else { format!(" `{shown}`") };
        let mut complaint = Complaint::new(entry.at.clone(), format!("unknown key{name} {place}"));
        if shown != entry.key {
            complaint = complaint.hidden();
        }
        if let Some(meant) = meant {
            complaint = complaint.label(&format!("did you mean `{meant}`?"));
        }
        let names = if keys.is_empty() {
            "nothing".to_owned()
        } else {
            keys.iter().map(|key| key.name).collect::<Vec<_>>().join(", ")
        };
        self.complaints.push(complaint.help(&format!("allowed here: {names}")));
    }

    /// More than one of the keys that exclude each other.
    pub(super) fn one_of(&mut self, keys: &'static [Key], entries: &[Entry]) {
        let exclusive = |entry: &&Entry| keys.iter().any(|key| key.exclusive && key.name == entry.key);
        let mut given = entries.iter().filter(exclusive);
        let Some(first) = given.next() else { return };
        for other in given {
            let what = format!("`{}` holds both `{}` and `{}`, and takes one", self.path, first.key, other.key);
            let before = match &first.at {
                At::File(span) => format!("`{}` is on line {}", first.key, span.line),
                At::Env(name) => format!("`{}` comes from {name}", first.key),
                At::Default => String::new(),
            };
            self.complaints.push(Complaint::new(other.at.clone(), what).label(&before).help("keep one of the two"));
        }
    }

    /// A value of another shape than the key's.
    pub(super) fn mismatch(&mut self, node: &Node, wanted: &str, inside: Inside) -> Option<Value> {
        if inside.idle {
            return None;
        }
        let found = match &node.content {
            Content::Null => "nothing",
            Content::Scalar { .. } => "a single value",
            Content::List(_) => "a list",
            Content::Map(_) => "a section",
        };
        let path = if self.path.is_empty() { "the file".to_owned() } else { format!("`{}`", self.path) };
        let hint = match (&node.content, wanted) {
            (Content::Scalar { .. }, "a list") => "write [value], or each value on a line of its own behind `- `",
            (Content::Scalar { text, .. }, _) if text.contains(':') => "keys below it need a blank behind the colon",
            _ => "",
        };
        let what = format!("{path} takes {wanted}, and this is {found}");
        self.complaints.push(Complaint::new(node.at.clone(), what).label(hint).hidden());
        None
    }

    /// A single value that does not fit.
    pub(super) fn misread(&mut self, node: &Node, text: &str, bad: &Bad, inside: Inside) -> Option<Value> {
        // What stands before an @ is a login more often than not.
        let hide = inside.secret || text.contains('@');
        let shown = if hide { "the value".to_owned() } else { format!("`{}`", redact::text(&shorten(text))) };
        let complaint =
            Complaint::new(node.at.clone(), format!("`{}`: {shown} {}", self.path, bad.what)).label(&bad.hint);
        let complaint = if hide { complaint.hidden() } else { complaint };
        // A path is what `net: unix` takes for an address, and that has an answer of its own.
        self.complaints.push(if text.starts_with('/') { complaint.follows() } else { complaint });
        None
    }

    pub(super) fn refused(&mut self, at: &At, why: &str) {
        let complaint = Complaint::new(at.clone(), format!("`{}` cannot be used", self.path));
        self.complaints.push(complaint.help(why));
    }

    pub(super) fn no_effect(&mut self, at: &At, note: &str) {
        let colon = if note.is_empty() { "" } else { ": " };
        let message = format!("`{}` is known, but has no effect in this version{colon}{note}", self.path);
        self.notices.push(Notice { at: at.clone(), message });
    }

    /// A number that was meant in another unit.
    pub(super) fn suspicious(&mut self, at: &At, text: &str, read: Duration) {
        let shown = duration::show(read);
        let message =
            format!("`{}` is {text} without a unit, which is {shown}; write {text}s, {text}m or {text}h", self.path);
        self.notices.push(Notice { at: at.clone(), message });
    }
}

/// Where a key of this name belongs, if there is one such place that works or at most two in all.
fn elsewhere(name: &str) -> Option<String> {
    let known = schema::all();
    let mut places = known.iter().filter(|known| known.key.name == name.to_lowercase()).map(|known| known.path.clone());
    match (places.next(), places.next(), places.next()) {
        (Some(place), None, _) => Some(place),
        (Some(place), Some(other), None) => Some(format!("{place}` or `{other}")),
        _ => None,
    }
}

fn shorten(text: &str) -> String {
    let mut short: String = text.chars().take(60).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
