//! The edit as a table: bytes before, bytes after. Read it as documentation. What dockerd does with each of the odd
//! inputs was tried on a 20.10.24 (and for `reference/dockerd.md` §4 on 28.5 and 29.7).

mod ours_first;
mod properties;
mod taken_out;

use Then::{Becomes, Refused, Stays};

use super::*;

const NOTHING: Option<&str> = None;

enum Then {
    /// These bytes are written.
    Becomes(&'static str),
    /// Nothing is written.
    Stays,
    /// Refused, with this in the message.
    Refused(&'static str),
}

fn ours() -> MirrorUrl {
    MirrorUrl::parse("http://127.0.0.1:797").unwrap()
}

fn new_engine() -> EngineFacts {
    EngineFacts { dialect: Dialect::BomAccepted, ..EngineFacts::lenient() }
}

fn old_engine() -> EngineFacts {
    EngineFacts { dialect: Dialect::BomRefused, ..new_engine() }
}

/// Checks one row, and that a second edit has nothing left to do.
fn check(what: &str, before: Option<&[u8]>, desired: Desired<'_>, engine: &EngineFacts, then: &Then) {
    let result = edit(before, desired, engine);
    match (then, &result) {
        (Becomes(after), Ok(Edit::Write(bytes))) => {
            assert_eq!(String::from_utf8_lossy(bytes), *after, "{what}");
            let again = edit(Some(bytes), desired, engine);
            assert_eq!(again, Ok(Edit::Unchanged), "{what}: a second edit");
        }
        (Stays, Ok(Edit::Unchanged)) => {}
        (Refused(message), Err(refusal)) => assert!(refusal.to_string().contains(message), "{what}: {refusal}"),
        _ => panic!("{what}: {result:?}"),
    }
}

#[test]
fn the_engine_has_a_say() {
    let with_flag = EngineFacts { mirror_flag: MirrorFlag::Present, ..new_engine() };
    let bom = "\u{feff}{\"debug\": true}";
    let bom_then = "\u{feff}{\"debug\": true, \"registry-mirrors\": [\"http://127.0.0.1:797\"]}";
    let first: &[(&str, &EngineFacts, Option<&str>, Then)] = &[
        ("byte-order mark, engine from 23 on", &new_engine(), Some(bom), Becomes(bom_then)),
        ("byte-order mark, engine before 23", &old_engine(), Some(bom), Refused("save it as UTF-8 without BOM")),
        ("byte-order mark twice", &new_engine(), Some("\u{feff}\u{feff}{}"), Refused("not JSON that dockerd can read")),
        ("the flag, no file", &with_flag, NOTHING, Refused("runs with --registry-mirror")),
        ("the flag, no key", &with_flag, Some("{}"), Refused("runs with --registry-mirror")),
        (
            "the flag, key there",
            &with_flag,
            Some(r#"{"registry-mirrors":["http://127.0.0.1:797"]}"#),
            Refused("--registry-mirror"),
        ),
    ];
    for (what, engine, before, then) in first {
        check(what, before.map(str::as_bytes), Desired::First(&ours()), engine, then);
    }
}

#[test]
fn bytes_that_are_no_configuration_are_refused() {
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_BYTES));
    let rows: &[(&str, &[u8], Then)] = &[
        ("UTF-16 as PowerShell writes it", b"\xff\xfe{\0}\0", Refused("not UTF-8 (byte 0)")),
        ("Latin-1", b"{\"labels\":[\"caf\xe9\"]}", Refused("not UTF-8 (byte 15)")),
        ("NUL bytes", b"\0\0\0\0", Refused("not JSON")),
        ("nested too deep", deep.as_bytes(), Refused("nests deeper than 64 levels")),
        ("too large", large.as_bytes(), Refused("larger than 1048576 bytes")),
    ];
    for (what, before, then) in rows {
        check(what, Some(before), Desired::First(&ours()), &new_engine(), then);
    }
}

#[test]
fn no_refusal_repeats_what_the_file_says() {
    for text in [
        r#"{"proxies":{"https-proxy":"http://u:s3cret@p"},}"#,
        r#"{"registry-mirrors":"s3cret"}"#,
        "s3cret",
        r#"{"a":"s3cret" "b"}"#,
    ] {
        let refusal = edit(Some(text.as_bytes()), Desired::First(&ours()), &new_engine()).unwrap_err();
        assert!(!refusal.to_string().contains("s3cret"), "{refusal}");
    }
}

#[test]
fn what_dockerd_would_have_is_read_from_the_last_key() {
    let read = |text: &str| mirrors(Some(text.as_bytes())).unwrap();
    assert_eq!(mirrors(None).unwrap(), None);
    assert_eq!(read("{}"), None);
    assert_eq!(read(r#"{"registry-mirrors":null}"#), Some(vec![]));
    assert_eq!(read(r#"{"registry-mirrors":["a"],"registry-mirrors":["b","c"]}"#), Some(vec!["b".into(), "c".into()]));
}
