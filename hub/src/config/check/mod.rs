//! The file's tree laid against the table: unknown keys, wrong kinds, keys without effect, defaults.
//!
//! Everything wrong is collected. Values of keys that have no effect are not judged, only their names: a Redis timeout
//! of `-1` means something to distribution, and nothing depends on it here.

mod complaints;
mod middleware;
mod scalar;
mod value;

use std::time::Duration;

pub(super) use self::value::{Data, Value};
use super::error::{Complaint, Notice};
use super::node::{At, Content, Entry, Node};
use super::schema::{Fallback, Key, Kind, ROOT, Scalar, Status};

/// A duration below this that was written without a unit was meant in another one.
const SUSPICIOUS: Duration = Duration::from_millis(1);

/// What the table says of a file.
pub(super) struct Checked {
    pub(super) root: Value,
    pub(super) complaints: Vec<Complaint>,
    pub(super) notices: Vec<Notice>,
}

/// Checks the whole tree.
pub(super) fn check(root: &Node) -> Checked {
    let mut walk = Walk { path: String::new(), complaints: Vec::new(), notices: Vec::new() };
    let entries = match &root.content {
        Content::Map(entries) => walk.section(ROOT, entries, Inside::default()),
        _ => {
            walk.mismatch(root, "a mapping of keys like `version:` and `http:`", Inside::default());
            Vec::new()
        }
    };
    let root = Value { at: root.at.clone(), data: Data::Map(entries) };
    Checked { root, complaints: walk.complaints, notices: walk.notices }
}

struct Walk {
    /// Where we are: `health.tcp[0]`.
    path: String,
    complaints: Vec<Complaint>,
    notices: Vec<Notice>,
}

/// What holds for everything below a key.
#[derive(Clone, Copy, Default)]
struct Inside {
    /// It has no effect, or is refused already: one message is enough.
    idle: bool,
    secret: bool,
}

// === impl Walk ===

impl Walk {
    fn section(&mut self, keys: &'static [Key], entries: &[Entry], inside: Inside) -> Vec<(String, Value)> {
        for entry in entries.iter().filter(|entry| keys.iter().all(|key| key.name != entry.key)) {
            self.unknown(entry, keys);
        }
        let mut values = Vec::new();
        for key in keys {
            let entry = entries.iter().find(|entry| entry.key == key.name);
            let value = self.at(key.name, |walk| match entry {
                Some(entry) => walk.entry(key, entry, inside),
                None if key.exclusive => None,
                None => walk.fallback(key, inside),
            });
            values.extend(value.map(|value| (key.name.to_owned(), value)));
        }
        values
    }

    fn entry(&mut self, key: &'static Key, entry: &Entry, inside: Inside) -> Option<Value> {
        self.judge(key, &entry.at, &entry.value, inside);
        let below =
            Inside { idle: inside.idle || !matches!(key.status, Status::Works), secret: inside.secret || key.secret };
        let given = self.value(&key.kind, &entry.value, below);
        given.or_else(|| self.fallback(key, inside))
    }

    /// Says what the key's status has to say.
    fn judge(&mut self, key: &Key, at: &At, node: &Node, inside: Inside) {
        let same = key.same_as.iter().any(|same| node.text() == Some(same));
        match key.status {
            _ if inside.idle => {}
            Status::Refused(why) => self.refused(at, why),
            Status::NoEffect(note) if is_set(node) && !same => self.no_effect(at, note),
            Status::NoEffect(_) | Status::Works => {}
        }
        if let Some((_, why)) = key.refuses.filter(|(value, _)| node.text() == Some(value)) {
            self.refused(&node.at, why);
        }
    }

    /// The value as `kind`; `None` if there is none, or none that could be used.
    fn value(&mut self, kind: &'static Kind, node: &Node, inside: Inside) -> Option<Value> {
        let data = match (kind, &node.content) {
            (_, Content::Null) => return None,
            (Kind::One(scalar) | Kind::Either(scalar, _), Content::Scalar { text, plain }) => {
                return self.scalar(*scalar, node, text, *plain, inside);
            }
            (Kind::Section(keys) | Kind::Either(_, keys), Content::Map(entries)) => {
                Data::Map(self.section(keys, entries, inside))
            }
            (Kind::Choice(keys), Content::Map(entries)) => {
                self.one_of(keys, entries);
                Data::Map(self.section(keys, entries, inside))
            }
            (Kind::Map(item), Content::Map(entries)) => Data::Map(self.named(item, entries, inside)),
            (Kind::List(item), Content::List(items)) => {
                Data::List(self.items(items, |walk, node| walk.value(item, node, inside)))
            }
            (Kind::Middleware(named), Content::List(items)) => {
                Data::List(self.items(items, |walk, node| walk.middleware(named, node)))
            }
            (Kind::Anything, _) => return Some(anything(node)),
            (Kind::One(_) | Kind::Either(..), _) => return self.mismatch(node, "a single value", inside),
            (Kind::List(_) | Kind::Middleware(_), _) => return self.mismatch(node, "a list", inside),
            (Kind::Section(_) | Kind::Choice(_) | Kind::Map(_), _) => return self.mismatch(node, "a section", inside),
        };
        Some(Value { at: node.at.clone(), data })
    }

    fn scalar(&mut self, scalar: Scalar, node: &Node, text: &str, plain: bool, inside: Inside) -> Option<Value> {
        // As in Go, an empty text is the same as none.
        if text.is_empty() && scalar != Scalar::AddressOrOff {
            return None;
        }
        match scalar::read(scalar, text, plain) {
            Ok(data) => {
                if let (Data::Duration(read), Ok(1..), false) = (&data, text.parse::<u64>(), inside.idle)
                    && *read < SUSPICIOUS
                {
                    self.suspicious(&node.at, text, *read);
                }
                Some(Value { at: node.at.clone(), data })
            }
            Err(_) if inside.idle => Some(anything(node)),
            Err(bad) => self.misread(node, text, &bad, inside),
        }
    }

    fn named(&mut self, item: &'static Kind, entries: &[Entry], inside: Inside) -> Vec<(String, Value)> {
        let mut values = Vec::new();
        for entry in entries {
            let value = self.at(&entry.key, |walk| walk.value(item, &entry.value, inside));
            values.extend(value.map(|value| (entry.key.clone(), value)));
        }
        values
    }

    fn items(&mut self, items: &[Node], mut read: impl FnMut(&mut Self, &Node) -> Option<Value>) -> Vec<Value> {
        let mut values = Vec::new();
        for (index, node) in items.iter().enumerate() {
            let length = self.path.len();
            self.path.push_str(&format!("[{index}]"));
            values.extend(read(self, node));
            self.path.truncate(length);
        }
        values
    }

    /// What holds if nobody set the key.
    fn fallback(&mut self, key: &'static Key, inside: Inside) -> Option<Value> {
        if inside.idle || !matches!(key.status, Status::Works) {
            return None;
        }
        let data = match (&key.kind, key.default) {
            (Kind::One(scalar), Fallback::Value(text)) => scalar::read(*scalar, text, true).ok()?,
            (Kind::Section(keys) | Kind::Choice(keys), _) => Data::Map(self.section(keys, &[], inside)),
            _ => return None,
        };
        let empty = matches!(&data, Data::Map(entries) if entries.is_empty());
        (!empty).then_some(Value { at: At::Default, data })
    }

    fn at<T>(&mut self, name: &str, then: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.path.len();
        if length > 0 {
            self.path.push('.');
        }
        self.path.push_str(name);
        let result = then(self);
        self.path.truncate(length);
        result
    }
}

/// Whether anything at all is said: `redis:` with nothing below it is not.
fn is_set(node: &Node) -> bool {
    match &node.content {
        Content::Null => false,
        Content::Scalar { text, .. } => !text.is_empty(),
        Content::List(items) => items.iter().any(is_set),
        Content::Map(entries) => entries.iter().any(|entry| is_set(&entry.value)),
    }
}

/// A value nobody asks anything of: kept as text.
fn anything(node: &Node) -> Value {
    let data = match &node.content {
        Content::Null => Data::Text(String::new()),
        Content::Scalar { text, .. } => Data::Text(text.clone()),
        Content::List(items) => Data::List(items.iter().map(anything).collect()),
        Content::Map(entries) => {
            Data::Map(entries.iter().map(|entry| (entry.key.clone(), anything(&entry.value))).collect())
        }
    };
    Value { at: node.at.clone(), data }
}
