//! Every setting in effect, from the checked values and the table. Nothing here holds a secret.

use url::Url;

use crate::config::check::{Data, Value};
use crate::config::node::At;
use crate::config::schema::{COMMON_MIDDLEWARE, Fallback, Key, Kind, ROOT, Status};
use crate::config::source::Source;
use crate::config::{duration, redact};

/// One setting in effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    /// `health.tcp[0].addr`
    pub(crate) key: String,
    /// As it would be written; `<redacted>` for a secret.
    pub(crate) value: String,
    /// `config.yml:12`, the name of a variable, or `default`.
    pub(crate) origin: String,
    /// One line.
    pub(crate) meaning: String,
}

/// The settings, in the order of the table.
pub(in crate::config) fn settings(source: &Source, root: &Value) -> Vec<Setting> {
    let mut rows = Rows { source, rows: Vec::new() };
    rows.section(ROOT, root, "", Inside::default());
    rows.rows
}

/// A value as it would be written on one line. Not for secrets.
pub(in crate::config) fn shown(value: &Value) -> String {
    match &value.data {
        Data::Text(text) => redact::text(text),
        Data::Bool(flag) => flag.to_string(),
        Data::Integer(number) => number.to_string(),
        Data::Share(share) => share.to_string(),
        Data::Duration(length) => duration::show(*length),
        Data::Address(address) => address.to_string(),
        Data::Off => "\"\"".to_owned(),
        Data::Url(url) => self::url(url),
        Data::List(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(", ")),
        Data::Map(entries) => {
            let entries = entries.iter().map(|(name, value)| format!("{name}: {}", shown(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
    }
}

/// A URL without the slash that the parser adds to a bare host.
pub(super) fn url(url: &Url) -> String {
    let bare = url.path() == "/" && url.query().is_none();
    redact::text(if bare { url.as_str().trim_end_matches('/') } else { url.as_str() })
}

struct Rows<'a> {
    source: &'a Source,
    rows: Vec<Setting>,
}

#[derive(Clone, Copy, Default)]
struct Inside {
    idle: bool,
    secret: bool,
}

// === impl Rows ===

impl Rows<'_> {
    fn section(&mut self, keys: &'static [Key], value: &Value, path: &str, inside: Inside) {
        // What is left out has a meaning where the section is in use: always, or because someone said something in it.
        let always = keys.iter().any(|key| matches!(key.default, Fallback::Value(_)));
        let has_default =
            |name: &str| keys.iter().any(|key| key.name == name && matches!(key.default, Fallback::Value(_)));
        let given =
            value.entries().iter().any(|(name, value)| !has_default(name) && !matches!(value.data, Data::Map(_)));
        for key in keys {
            let path = join(path, key.name);
            match (value.get(key.name), key.default) {
                (Some(value), _) => self.value(key, &key.kind, value, &path, inside),
                (None, Fallback::Words(words)) if (always || given) && !inside.idle => {
                    self.push(key, path, words.to_owned(), &At::Default, inside);
                }
                (None, _) => {}
            }
        }
    }

    fn value(&mut self, key: &'static Key, kind: &'static Kind, value: &Value, path: &str, inside: Inside) {
        let inside =
            Inside { idle: inside.idle || !matches!(key.status, Status::Works), secret: inside.secret || key.secret };
        match (kind, &value.data) {
            (Kind::Section(keys) | Kind::Choice(keys) | Kind::Either(_, keys), Data::Map(_)) => {
                self.section(keys, value, path, inside);
            }
            (Kind::Map(_) | Kind::Anything, Data::Map(entries)) if !inside.secret => {
                for (name, value) in entries {
                    self.push(key, join(path, &redact::printable(name)), shown(value), &value.at, inside);
                }
            }
            (Kind::List(item @ (Kind::Section(_) | Kind::Either(..))), Data::List(items))
                if items.iter().any(|item| matches!(item.data, Data::Map(_))) =>
            {
                for (index, value) in items.iter().enumerate() {
                    self.value(key, item, value, &format!("{path}[{index}]"), inside);
                }
            }
            (Kind::Middleware(named), Data::List(items)) => {
                for (index, value) in items.iter().enumerate() {
                    self.middleware(named, value, &format!("{path}[{index}]"), inside);
                }
            }
            _ => {
                // A list that was given is as much there as its first element.
                let at = match &value.data {
                    Data::List(items) => items.first().map_or(&value.at, |first| &first.at),
                    _ => &value.at,
                };
                let text = if inside.secret { redact::HIDDEN.to_owned() } else { shown(value) };
                self.push(key, path.to_owned(), text, at, inside);
            }
        }
    }

    fn middleware(&mut self, named: &'static [Key], value: &Value, path: &str, inside: Inside) {
        self.section(COMMON_MIDDLEWARE, value, path, inside);
        let known = named.iter().find(|known| Some(known.name) == value.text("name"));
        if let (Some(known), Some(options)) = (known, value.get("options")) {
            self.value(known, &known.kind, options, &join(path, "options"), inside);
        }
    }

    fn push(&mut self, key: &Key, path: String, value: String, at: &At, inside: Inside) {
        let idle = if inside.idle { "no effect: " } else { "" };
        let meaning = format!("{idle}{}", key.doc);
        self.rows.push(Setting { key: path, value, origin: self.source.line(at), meaning });
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
