//! The configuration after every value has been read as the kind its key asks for, defaults filled in.
//!
//! Like the raw tree it may hold passwords and cannot be printed.

use std::time::Duration;

use larder_content::Share;
use url::Url;

use crate::config::address::ListenAddress;
use crate::config::node::At;

/// A value and where it comes from.
pub(in crate::config) struct Value {
    pub(in crate::config) at: At,
    pub(in crate::config) data: Data,
}

/// A value of one of the kinds in the table.
pub(in crate::config) enum Data {
    Text(String),
    Bool(bool),
    Integer(u32),
    Duration(Duration),
    Share(Share),
    Address(ListenAddress),
    /// A listener that is switched off.
    Off,
    Url(Url),
    List(Vec<Value>),
    Map(Vec<(String, Value)>),
}

// === impl Value ===

impl Value {
    /// The value at a dotted path below this one.
    pub(in crate::config) fn get(&self, path: &str) -> Option<&Value> {
        path.split('.').try_fold(self, |value, name| {
            let found = value.entries().iter().find(|(key, _)| key == name);
            found.map(|(_, value)| value)
        })
    }

    /// The entries of a mapping; none for anything else.
    pub(in crate::config) fn entries(&self) -> &[(String, Value)] {
        match &self.data {
            Data::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The elements of the list at `path`; none if there is no such list.
    pub(in crate::config) fn items(&self, path: &str) -> &[Value] {
        self.get(path).map_or(&[], Self::elements)
    }

    /// The elements of this list; none for anything else.
    pub(in crate::config) fn elements(&self) -> &[Value] {
        match &self.data {
            Data::List(items) => items,
            _ => &[],
        }
    }

    pub(in crate::config) fn text(&self, path: &str) -> Option<&str> {
        match &self.get(path)?.data {
            Data::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(in crate::config) fn flag(&self, path: &str) -> bool {
        matches!(self.get(path).map(|value| &value.data), Some(Data::Bool(true)))
    }

    pub(in crate::config) fn integer(&self, path: &str) -> Option<u32> {
        match self.get(path)?.data {
            Data::Integer(number) => Some(number),
            _ => None,
        }
    }

    pub(in crate::config) fn duration(&self, path: &str) -> Option<Duration> {
        match self.get(path)?.data {
            Data::Duration(duration) => Some(duration),
            _ => None,
        }
    }

    pub(in crate::config) fn share(&self, path: &str) -> Option<Share> {
        match self.get(path)?.data {
            Data::Share(share) => Some(share),
            _ => None,
        }
    }

    pub(in crate::config) fn address(&self, path: &str) -> Option<&ListenAddress> {
        match &self.get(path)?.data {
            Data::Address(address) => Some(address),
            _ => None,
        }
    }

    /// The texts of the list at `path`.
    pub(in crate::config) fn texts(&self, path: &str) -> Vec<&str> {
        self.items(path).iter().filter_map(Self::as_text).collect()
    }

    pub(in crate::config) fn as_text(&self) -> Option<&str> {
        match &self.data {
            Data::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(in crate::config) fn as_url(&self) -> Option<&Url> {
        match &self.data {
            Data::Url(url) => Some(url),
            _ => None,
        }
    }
}
