//! The table of keys against itself.

use std::collections::HashSet;

use super::{MINIMAL, load};
use crate::config::schema::{Fallback, Kind, Status, all};

#[test]
fn every_key_is_named_and_explained() {
    let mut paths = HashSet::new();
    for known in all() {
        let (path, key) = (&known.path, known.key);
        assert!(paths.insert(path.clone()) || path.contains(".options."), "{path} is there twice");
        assert!(!key.doc.is_empty() && key.doc.chars().count() <= 64 && !key.doc.ends_with('.'), "{path}: {}", key.doc);
        assert!(key.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'), "{path}");
        let separators_are_azures = !key.name.contains('_') || path.starts_with("storage.azure.");
        assert!(separators_are_azures, "{path} cannot be split from its variable");
    }
}

/// Only what works has a default that holds, and each such default shows up with nobody setting anything.
#[test]
fn defaults_hold_and_are_shown() {
    let loaded = load(&format!("{MINIMAL}storage: filesystem\n"), &[]).unwrap();
    for known in all() {
        let Fallback::Value(default) = known.key.default else { continue };
        assert!(matches!(known.key.status, Status::Works), "{}", known.path);
        if known.path.contains("[0]") {
            continue;
        }
        let setting = loaded.settings.iter().find(|setting| setting.key == known.path);
        let setting = setting.unwrap_or_else(|| panic!("{} is not shown", known.path));
        assert_eq!(setting.origin, "default", "{}", known.path);
        assert!(setting.value == default || (default, setting.value.as_str()) == ("60s", "1m"), "{}", known.path);
    }
}

/// Every key can be set by its variable, and by nothing else's.
#[test]
fn every_key_has_its_variable() {
    for known in all().iter().filter(|known| known.path != "version" && !known.path.contains(".options.")) {
        let value = match known.key.kind {
            Kind::One(_) => "x",
            Kind::List(_) | Kind::Middleware(_) => "[]",
            Kind::Map(_) | Kind::Section(_) | Kind::Choice(_) | Kind::Either(..) | Kind::Anything => "{}",
        };
        let outcome = load(MINIMAL, &[(&known.variable, value)]);
        let warnings = outcome.map(|loaded| loaded.warnings).unwrap_or_default();
        assert!(warnings.iter().all(|warning| !warning.message.contains("no key has this name")), "{}", known.variable);
    }
}
