//! The edit under arbitrary files: any object in any layout, and bytes that are no file at all.

use proptest::{collection::vec, prelude::*, sample::select};

use super::*;

/// JSON's blanks.
fn blanks() -> impl Strategy<Value = String> {
    vec(select(vec![" ", "\t", "\n", "\r\n", "  "]), 0..3).prop_map(|parts| parts.concat())
}

fn string() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        select(vec![
            "a",
            "ß",
            "😀",
            "\\u00e9",
            "\\/",
            "\\\"",
            "\\\\",
            "{",
            "[",
            "]",
            ",",
            ":",
            "//",
            "registry-mirrors"
        ])
        .prop_map(str::to_owned),
        "[a-z]{1,6}",
    ];
    vec(piece, 0..4).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

fn scalar() -> impl Strategy<Value = String> {
    let number =
        select(vec!["0", "-0", "1e308", "1E+2", "12345678901234567890", "1.50", "-1e-400"]).prop_map(str::to_owned);
    prop_oneof![string(), number, select(vec!["true", "false", "null"]).prop_map(str::to_owned)]
}

fn value() -> impl Strategy<Value = String> {
    scalar().prop_recursive(4, 24, 4, |inner| {
        let list = (blanks(), vec((blanks(), inner.clone(), blanks()), 0..4)).prop_map(|(empty, items)| {
            bracket('[', ']', &empty, items.into_iter().map(|(a, value, b)| format!("{a}{value}{b}")))
        });
        let key = prop_oneof![string(), Just("\"registry-mirrors\"".to_owned())];
        let object = (blanks(), vec((blanks(), key, blanks(), inner, blanks()), 0..4)).prop_map(|(empty, items)| {
            bracket('{', '}', &empty, items.into_iter().map(|(a, key, b, value, c)| format!("{a}{key}{b}:{value}{c}")))
        });
        prop_oneof![list, object]
    })
}

fn bracket(open: char, close: char, empty: &str, items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    format!("{open}{}{close}", if items.is_empty() { empty.to_owned() } else { items.join(",") })
}

/// A file that dockerd's JSON reader takes and our mirror is not in, with or without a `registry-mirrors`.
fn file() -> impl Strategy<Value = String> {
    let key = string().prop_filter("our key comes on its own", |key| key != "\"registry-mirrors\"");
    let other = (key, blanks(), value()).prop_map(|(key, blank, value)| format!("{key}{blank}:{blank}{value}"));
    let entry = select(vec!["\"https://a\"", "\"https://b/x/\"", "\"http://127.0.0.1:7970\""]).prop_map(str::to_owned);
    let mirrors = (blanks(), blanks(), vec(entry, 0..4)).prop_map(|(a, b, entries)| {
        format!("\"registry-mirrors\"{b}:{a}[{a}{}{b}]", entries.join(&format!("{a},{b}")))
    });
    (blanks(), blanks(), vec(other, 0..4), proptest::option::of((mirrors, any::<prop::sample::Index>()))).prop_map(
        |(a, b, mut properties, mirrors)| {
            if let Some((mirrors, at)) = mirrors {
                properties.insert(at.index(properties.len() + 1), mirrors);
            }
            let inside: Vec<String> = properties.into_iter().map(|property| format!("{a}{property}{b}")).collect();
            format!("{b}{{{}}}{a}", if inside.is_empty() { a.clone() } else { inside.join(",") })
        },
    )
}

fn write(text: &str, desired: Desired<'_>) -> String {
    let edited = edit(Some(text.as_bytes()), desired, &EngineFacts::lenient()).unwrap();
    String::from_utf8(edited.over(Some(text.as_bytes())).unwrap()).unwrap()
}

fn value_of(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

proptest! {
    #[test]
    fn ours_comes_first_and_goes_without_a_trace(text in file()) {
        let ours = ours();
        let had_key = mirrors(Some(text.as_bytes())).unwrap().is_some();
        let with = write(&text, Desired::First(&ours));
        let list = mirrors(Some(with.as_bytes())).unwrap().unwrap();
        prop_assert_eq!(&list[0], ours.as_str());
        prop_assert_eq!(&list[1..], mirrors(Some(text.as_bytes())).unwrap().unwrap_or_default());
        prop_assert_eq!(&write(&with, Desired::First(&ours)), &with, "a second time changes nothing");

        let when_empty = if had_key { WhenEmpty::KeepKey } else { WhenEmpty::DropKey };
        let without = write(&with, Desired::Without(std::slice::from_ref(&ours), when_empty));
        prop_assert_eq!(value_of(&without), value_of(&text));
        prop_assert_eq!(&write(&without, Desired::Without(std::slice::from_ref(&ours), when_empty)), &without);
        if !had_key && value_of(&text) != serde_json::json!({}) {
            prop_assert_eq!(without, text, "a key that was added and dropped leaves no trace in the layout");
        }
    }

    #[test]
    fn no_byte_of_another_key_changes(text in file()) {
        let ours = ours();
        for desired in [Desired::First(&ours), Desired::Empty] {
            let then = write(&text, desired);
            prop_assert_eq!(Document::parse(&then).unwrap().foreign(), Document::parse(&text).unwrap().foreign());
        }
    }

    #[test]
    fn the_emptied_list_is_empty(text in file()) {
        let then = write(&text, Desired::Empty);
        prop_assert_eq!(mirrors(Some(then.as_bytes())).unwrap(), Some(Vec::new()));
        prop_assert_eq!(&write(&then, Desired::Empty), &then);
    }

    #[test]
    fn arbitrary_bytes_are_edited_or_refused(bytes in vec(any::<u8>(), 0..64)) {
        let _ = edit(Some(&bytes), Desired::First(&ours()), &EngineFacts::lenient());
    }

    #[test]
    fn broken_files_are_edited_or_refused(text in file(), at in any::<prop::sample::Index>(), junk in "[{}\\[\\]\",:/\\\\*\u{feff}a1 ]{0,3}") {
        let mut chars: Vec<char> = text.chars().collect();
        let at = at.index(chars.len() + 1);
        let end = (at + 2).min(chars.len());
        chars.splice(at..end, junk.chars());
        let broken: String = chars.into_iter().collect();
        if let Ok(Edit::Write(bytes)) = edit(Some(broken.as_bytes()), Desired::First(&ours()), &EngineFacts::lenient()) {
            let then = String::from_utf8(bytes).unwrap();
            let (_, text) = decode(then.as_bytes()).unwrap();
            prop_assert!(Document::parse(text).is_ok());
        }
    }
}
