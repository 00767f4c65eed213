//! The table read from end to end, for what is asked about keys by name.

use super::key::{Key, Kind};
use super::middleware::COMMON;
use super::root::ROOT;

/// One key and where it belongs. In a list it is shown for the first element.
pub(in crate::config) struct Known {
    /// `health.tcp[0].addr`
    pub(in crate::config) path: String,
    /// `REGISTRY_HEALTH_TCP_0_ADDR`
    pub(in crate::config) variable: String,
    pub(in crate::config) key: &'static Key,
    /// The key itself or one above it is a secret.
    pub(in crate::config) secret: bool,
}

/// Every key, sections included, in the order of the table.
pub(in crate::config) fn all() -> Vec<Known> {
    let mut known = Vec::new();
    keys(ROOT, "", "REGISTRY", false, &mut known);
    known
}

/// Whether `name` is a key somewhere, and nowhere a secret.
pub(in crate::config) fn never_secret(name: &str) -> bool {
    let mut named = all().into_iter().filter(|known| known.key.name == name).peekable();
    named.peek().is_some() && named.all(|known| !known.secret)
}

/// The names of keys that hold secrets.
pub(in crate::config) fn secret_names() -> impl Iterator<Item = &'static str> {
    all().into_iter().filter(|known| known.key.secret).map(|known| known.key.name)
}

fn keys(list: &'static [Key], path: &str, variable: &str, secret: bool, known: &mut Vec<Known>) {
    for key in list {
        let path = if path.is_empty() { key.name.to_owned() } else { format!("{path}.{}", key.name) };
        let variable = format!("{variable}_{}", key.name.to_uppercase());
        let secret = secret || key.secret;
        known.push(Known { path: path.clone(), variable: variable.clone(), key, secret });
        kind(&key.kind, &path, &variable, secret, known);
    }
}

fn kind(kind_of: &'static Kind, path: &str, variable: &str, secret: bool, known: &mut Vec<Known>) {
    match kind_of {
        Kind::One(_) | Kind::Anything | Kind::Map(_) => {}
        Kind::Section(list) | Kind::Choice(list) | Kind::Either(_, list) => keys(list, path, variable, secret, known),
        Kind::List(item) => kind(item, &format!("{path}[0]"), &format!("{variable}_0"), secret, known),
        Kind::Middleware(named) => {
            let (path, variable) = (format!("{path}[0]"), format!("{variable}_0"));
            keys(COMMON, &path, &variable, secret, known);
            for middleware in *named {
                let (path, variable) = (format!("{path}.options"), format!("{variable}_OPTIONS"));
                kind(&middleware.kind, &path, &variable, secret, known);
            }
        }
    }
}
