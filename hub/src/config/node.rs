//! The configuration as a tree of positioned nodes, before anyone asks what the keys mean.
//!
//! Nodes may hold passwords, so none of these types is printable: there is no `Debug` here, on purpose.

use std::sync::Arc;

/// Where something stands in the file, counted in characters as an editor counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    /// Line, from 1.
    pub(super) line: usize,
    /// Column, from 1.
    pub(super) column: usize,
    /// Characters it takes on that line; may reach past the line's end when it goes on below.
    pub(super) width: usize,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum At {
    /// A place in the configuration file.
    File(Span),
    /// An environment variable, by name.
    Env(Arc<str>),
    /// Nobody set it.
    Default,
}

/// One value and where it comes from.
#[derive(Clone)]
pub(super) struct Node {
    pub(super) at: At,
    pub(super) content: Content,
}

/// What a node holds.
#[derive(Clone)]
pub(super) enum Content {
    /// `key:` with nothing behind it, `~` or `null`. It counts as not set, as in Go.
    Null,
    /// A single value. `plain` tells `5` from `"5"`: only the first may be a number.
    Scalar { text: String, plain: bool },
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order of the file; its keys are unique.
    Map(Vec<Entry>),
}

/// One `key: value` of a mapping.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    /// Where the key stands; the value has its own place.
    pub(super) at: At,
    pub(super) value: Node,
}

// === impl Node ===

impl Node {
    /// An empty mapping, for what is made on demand.
    pub(super) fn empty(at: At) -> Self {
        Self { at, content: Content::Map(Vec::new()) }
    }

    /// A value that is not written by anyone.
    pub(super) fn default_text(text: &str) -> Self {
        Self { at: At::Default, content: Content::Scalar { text: text.to_owned(), plain: true } }
    }

    /// The entry under `key`, if this is a mapping that has it.
    pub(super) fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.content {
            Content::Map(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    /// The value under `key`; a null counts as absent.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value).filter(|node| !matches!(node.content, Content::Null))
    }

    /// The text of a scalar.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// The value under `key`, made as a null if it is not there. Whatever is no mapping becomes one.
    pub(super) fn slot(&mut self, key: &str, at: &At) -> &mut Node {
        if !matches!(self.content, Content::Map(_)) {
            *self = Self::empty(at.clone());
        }
        let Content::Map(entries) = &mut self.content else { unreachable!("made a mapping just above") };
        let index = entries.iter().position(|entry| entry.key == key).unwrap_or_else(|| {
            let value = Self { at: at.clone(), content: Content::Null };
            entries.push(Entry { key: key.to_owned(), at: at.clone(), value });
            entries.len() - 1
        });
        &mut entries[index].value
    }

    /// How many nodes this tree has, and how deep it is.
    pub(super) fn size(&self) -> (usize, usize) {
        let children: Vec<(usize, usize)> = match &self.content {
            Content::Null | Content::Scalar { .. } => return (1, 1),
            Content::List(items) => items.iter().map(Self::size).collect(),
            Content::Map(entries) => entries.iter().map(|entry| entry.value.size()).collect(),
        };
        let deepest = children.iter().map(|(_, depth)| *depth).max().unwrap_or(0);
        (1 + children.iter().map(|(count, _)| count).sum::<usize>(), 1 + deepest)
    }
}
