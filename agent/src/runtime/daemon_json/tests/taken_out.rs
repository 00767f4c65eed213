//! The way back: only ours out, or none at all.

use super::*;

#[test]
fn only_ours_is_taken_out() {
    use WhenEmpty::{DropKey, KeepKey};
    let rows: &[(&str, Option<&str>, WhenEmpty, Then)] = &[
        ("no file", NOTHING, DropKey, Stays),
        ("empty file", Some(""), DropKey, Stays),
        ("no key", Some(r#"{"debug":true}"#), DropKey, Stays),
        ("not ours", Some(r#"{"registry-mirrors":["https://a"]}"#), DropKey, Stays),
        ("an empty list of somebody else", Some(r#"{"registry-mirrors":[]}"#), DropKey, Stays),
        ("null", Some(r#"{"registry-mirrors":null}"#), DropKey, Stays),
        (
            "only ours, key of others",
            Some(r#"{"registry-mirrors":["http://127.0.0.1:797"]}"#),
            KeepKey,
            Becomes(r#"{"registry-mirrors":[]}"#),
        ),
        ("only ours, our key", Some(r#"{"registry-mirrors":["http://127.0.0.1:797"]}"#), DropKey, Becomes("{}")),
        (
            "our key, last",
            Some("{\n  \"debug\": true,\n  \"registry-mirrors\": [\"http://127.0.0.1:797\"]\n}\n"),
            DropKey,
            Becomes("{\n  \"debug\": true\n}\n"),
        ),
        (
            "our key, in the middle",
            Some("{\n  \"a\": 1,\n  \"registry-mirrors\": [\"http://127.0.0.1:797/\"],\n  \"b\": 2\n}\n"),
            DropKey,
            Becomes("{\n  \"a\": 1,\n  \"b\": 2\n}\n"),
        ),
        (
            "our key, first",
            Some("{\n  \"registry-mirrors\": [\"http://127.0.0.1:797\"],\n  \"b\": 2\n}\n"),
            DropKey,
            Becomes("{\n  \"b\": 2\n}\n"),
        ),
        (
            "ours and of an earlier port, between others",
            Some(
                r#"{"registry-mirrors": ["http://127.0.0.1:797", "https://a", "http://127.0.0.1:1797/", "https://b"]}"#,
            ),
            DropKey,
            Becomes(r#"{"registry-mirrors": ["https://a", "https://b"]}"#),
        ),
        (
            "a list on several lines",
            Some("{\n  \"registry-mirrors\": [\n    \"http://127.0.0.1:797\",\n    \"https://a\"\n  ]\n}\n"),
            DropKey,
            Becomes("{\n  \"registry-mirrors\": [\n    \"https://a\"\n  ]\n}\n"),
        ),
        (
            "doubled key: out of both, none dropped",
            Some(
                r#"{"registry-mirrors":["http://127.0.0.1:797","https://a"],"registry-mirrors":["http://127.0.0.1:797"]}"#,
            ),
            DropKey,
            Becomes(r#"{"registry-mirrors":["https://a"],"registry-mirrors":[]}"#),
        ),
        (
            "a byte-order mark does not keep ours in",
            Some("\u{feff}{\"registry-mirrors\":[\"http://127.0.0.1:797\"]}"),
            DropKey,
            Becomes("\u{feff}{}"),
        ),
        (
            "a file that cannot be read",
            Some("{\"registry-mirrors\":[\"http://127.0.0.1:797\"],}"),
            DropKey,
            Refused("comma before"),
        ),
    ];
    let all_ours = [ours(), MirrorUrl::parse("http://127.0.0.1:1797").unwrap()];
    for (what, before, when_empty, then) in rows {
        let desired = Desired::Without(&all_ours, *when_empty);
        check(what, before.map(str::as_bytes), desired, &EngineFacts::lenient(), then);
    }
}

#[test]
fn the_empty_list_is_spelled_out() {
    let rows: &[(&str, Option<&str>, Then)] = &[
        ("no file", NOTHING, Becomes("{\n  \"registry-mirrors\": []\n}\n")),
        (
            "no key",
            Some("{\n  \"debug\": true\n}\n"),
            Becomes("{\n  \"debug\": true,\n  \"registry-mirrors\": []\n}\n"),
        ),
        (
            "a list",
            Some("{\"registry-mirrors\": [\n  \"https://a\"\n], \"b\": 1}"),
            Becomes("{\"registry-mirrors\": [], \"b\": 1}"),
        ),
        ("an empty list", Some(r#"{"registry-mirrors": [ ]}"#), Stays),
        ("null", Some(r#"{"registry-mirrors": null}"#), Stays),
        (
            "doubled key",
            Some(r#"{"registry-mirrors":[],"registry-mirrors":["x"]}"#),
            Becomes(r#"{"registry-mirrors":[],"registry-mirrors":[]}"#),
        ),
    ];
    for (what, before, then) in rows {
        check(what, before.map(str::as_bytes), Desired::Empty, &new_engine(), then);
    }
}
