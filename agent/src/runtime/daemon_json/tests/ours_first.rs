//! Pointing the engine at us: ours in front, all else as it was.

use super::*;

#[test]
fn our_mirror_comes_first() {
    let rows: &[(&str, Option<&str>, Then)] = &[
        // --- no content yet
        ("no file", NOTHING, Becomes("{\n  \"registry-mirrors\": [\"http://127.0.0.1:797\"]\n}\n")),
        ("empty file", Some(""), Becomes("{\n  \"registry-mirrors\": [\"http://127.0.0.1:797\"]\n}\n")),
        ("only blanks", Some(" \r\n\t"), Becomes("{\n  \"registry-mirrors\": [\"http://127.0.0.1:797\"]\n}\n")),
        ("empty object", Some("{}"), Becomes(r#"{"registry-mirrors": ["http://127.0.0.1:797"]}"#)),
        ("empty object, a blank", Some("{ }\n"), Becomes("{ \"registry-mirrors\": [\"http://127.0.0.1:797\"] }\n")),
        (
            "empty object, two lines",
            Some("{\n}\n"),
            Becomes("{\n  \"registry-mirrors\": [\"http://127.0.0.1:797\"]\n}\n"),
        ),
        ("the same, CRLF", Some("{\r\n}"), Becomes("{\r\n  \"registry-mirrors\": [\"http://127.0.0.1:797\"]\r\n}")),
        // --- layout of others is kept and imitated
        (
            "one line, tight",
            Some(r#"{"debug":true,"mtu":1450}"#),
            Becomes(r#"{"debug":true,"mtu":1450,"registry-mirrors":["http://127.0.0.1:797"]}"#),
        ),
        (
            "one line, airy",
            Some(r#"{ "debug": true }"#),
            Becomes(r#"{ "debug": true, "registry-mirrors": ["http://127.0.0.1:797"] }"#),
        ),
        (
            "one line, airy inside only",
            Some(r#"{"debug": true}"#),
            Becomes(r#"{"debug": true, "registry-mirrors": ["http://127.0.0.1:797"]}"#),
        ),
        (
            "two blanks",
            Some("{\n  \"debug\": true\n}\n"),
            Becomes("{\n  \"debug\": true,\n  \"registry-mirrors\": [\"http://127.0.0.1:797\"]\n}\n"),
        ),
        (
            "odd indentation, odd colons, no final newline",
            Some("{\n       \"debug\" :true,\n     \"mtu\" :  1450 }"),
            Becomes(
                "{\n       \"debug\" :true,\n     \"mtu\" :  1450,\n     \"registry-mirrors\" :  [\"http://127.0.0.1:797\"] }",
            ),
        ),
        (
            "tabs",
            Some("{\n\t\"debug\": true,\n\t\"mtu\": 1450\n}\n"),
            Becomes("{\n\t\"debug\": true,\n\t\"mtu\": 1450,\n\t\"registry-mirrors\": [\"http://127.0.0.1:797\"]\n}\n"),
        ),
        (
            "CRLF",
            Some("{\r\n  \"debug\": true,\r\n  \"mtu\": 1450\r\n}\r\n"),
            Becomes(
                "{\r\n  \"debug\": true,\r\n  \"mtu\": 1450,\r\n  \"registry-mirrors\": [\"http://127.0.0.1:797\"]\r\n}\r\n",
            ),
        ),
        (
            "blank lines between are not repeated",
            Some("{\n  \"debug\": true,\n\n  \"mtu\": 1450\n}"),
            Becomes("{\n  \"debug\": true,\n\n  \"mtu\": 1450,\n  \"registry-mirrors\": [\"http://127.0.0.1:797\"]\n}"),
        ),
        (
            "commas in front",
            Some("{ \"debug\": true\n, \"mtu\": 1450\n}"),
            Becomes("{ \"debug\": true\n, \"mtu\": 1450\n, \"registry-mirrors\": [\"http://127.0.0.1:797\"]\n}"),
        ),
        (
            "unicode and escapes stay as written",
            Some(r#"{"labels":["stra\u00dfe=caf\u00e9","über=\/a\/b"]}"#),
            Becomes(
                r#"{"labels":["stra\u00dfe=caf\u00e9","über=\/a\/b"],"registry-mirrors":["http://127.0.0.1:797"]}"#,
            ),
        ),
        (
            "large and long numbers stay as written",
            Some(r#"{"a":12345678901234567890,"b":1e308,"c":1.10,"d":-0,"e":0.1000000000000000055511151231257827}"#),
            Becomes(
                r#"{"a":12345678901234567890,"b":1e308,"c":1.10,"d":-0,"e":0.1000000000000000055511151231257827,"registry-mirrors":["http://127.0.0.1:797"]}"#,
            ),
        ),
        (
            "the same name further down is another key",
            Some(r#"{"features": {"registry-mirrors": true}, "labels": ["registry-mirrors=x"]}"#),
            Becomes(
                r#"{"features": {"registry-mirrors": true}, "labels": ["registry-mirrors=x"], "registry-mirrors": ["http://127.0.0.1:797"]}"#,
            ),
        ),
        (
            "other doubled keys are not ours to judge",
            Some(r#"{"mtu":1,"mtu":2}"#),
            Becomes(r#"{"mtu":1,"mtu":2,"registry-mirrors":["http://127.0.0.1:797"]}"#),
        ),
        // --- the key is there
        ("already first", Some(r#"{"registry-mirrors":["http://127.0.0.1:797"]}"#), Stays),
        ("already first, with slash", Some(r#"{"registry-mirrors": ["http://127.0.0.1:797/","https://m"]}"#), Stays),
        ("already first, escaped", Some(r#"{"registry\u002dmirrors":["http:\/\/127.0.0.1:797"]}"#), Stays),
        (
            "ours second: moved",
            Some(r#"{"registry-mirrors":["https://m", "http://127.0.0.1:797"]}"#),
            Becomes(r#"{"registry-mirrors":["http://127.0.0.1:797", "https://m"]}"#),
        ),
        (
            "ours second and third, in other spellings: moved, once",
            Some(r#"{"registry-mirrors":["https://m","http://127.0.0.1:797/","https://n","HTTP://127.0.0.1:797"]}"#),
            Becomes(r#"{"registry-mirrors":["http://127.0.0.1:797","https://m","https://n"]}"#),
        ),
        (
            "others keep their order",
            Some("{\n  \"registry-mirrors\": [\"https://b\", \"https://a\"],\n  \"debug\": true\n}\n"),
            Becomes(
                "{\n  \"registry-mirrors\": [\"http://127.0.0.1:797\", \"https://b\", \"https://a\"],\n  \"debug\": true\n}\n",
            ),
        ),
        (
            "one other",
            Some(r#"{"registry-mirrors":["https://a"]}"#),
            Becomes(r#"{"registry-mirrors":["http://127.0.0.1:797","https://a"]}"#),
        ),
        (
            "a list on several lines",
            Some("{\n\t\"registry-mirrors\": [\n\t\t\"https://a\"\n\t]\n}\n"),
            Becomes("{\n\t\"registry-mirrors\": [\n\t\t\"http://127.0.0.1:797\",\n\t\t\"https://a\"\n\t]\n}\n"),
        ),
        (
            "empty list",
            Some(r#"{"registry-mirrors": []}"#),
            Becomes(r#"{"registry-mirrors": ["http://127.0.0.1:797"]}"#),
        ),
        (
            "null, which dockerd reads as []",
            Some(r#"{"registry-mirrors":null}"#),
            Becomes(r#"{"registry-mirrors":["http://127.0.0.1:797"]}"#),
        ),
        (
            "doubled key: the last is in force",
            Some(r#"{"registry-mirrors":["https://a"],"registry-mirrors":["https://b"]}"#),
            Becomes(r#"{"registry-mirrors":["https://a"],"registry-mirrors":["http://127.0.0.1:797","https://b"]}"#),
        ),
        (
            "doubled key, ours first in the last",
            Some(r#"{"registry-mirrors":[],"registry-mirrors":["http://127.0.0.1:797"]}"#),
            Stays,
        ),
        // --- refused, because dockerd would refuse it now or at its next start
        ("string", Some(r#"{"registry-mirrors":"https://a"}"#), Refused("is a string; dockerd wants a list")),
        ("number", Some(r#"{"registry-mirrors":1}"#), Refused("is a number")),
        ("object", Some(r#"{"registry-mirrors":{}}"#), Refused("is an object")),
        (
            "list of numbers",
            Some(r#"{"registry-mirrors":["https://a",1]}"#),
            Refused("entry 2 of `registry-mirrors` in daemon.json is a number"),
        ),
        (
            "list with null",
            Some(r#"{"registry-mirrors":[null]}"#),
            Refused("entry 1 of `registry-mirrors` in daemon.json is null"),
        ),
        (
            "doubled key, the first a string",
            Some(r#"{"registry-mirrors":"x","registry-mirrors":[]}"#),
            Refused("is a string"),
        ),
        ("other letter case", Some(r#"{"Registry-Mirrors":[]}"#), Refused("has the key `Registry-Mirrors`")),
        ("cut off", Some(r#"{"debug": true"#), Refused("not JSON that dockerd can read")),
        ("no quotes", Some("{debug: true}"), Refused("not JSON that dockerd can read")),
        ("single quotes", Some("{'debug': true}"), Refused("not JSON that dockerd can read")),
        ("a line break in a string", Some("{\"labels\": [\"a\nb\"]}"), Refused("not JSON that dockerd can read")),
        ("a blank that JSON does not know", Some("{\u{a0}\"debug\": true}"), Refused("not JSON that dockerd can read")),
        ("a number beyond a float64", Some(r#"{"log-opts": {"x": 1e400}}"#), Refused("number out of range")),
        (
            "comma before the brace",
            Some("{\n  \"debug\": true,\n}\n"),
            Refused("comma before a closing brace or bracket in line 3"),
        ),
        (
            "comma before the bracket",
            Some(r#"{"registry-mirrors": ["https://a",]}"#),
            Refused("comma before a closing"),
        ),
        ("// comment", Some("{\n  // why\n  \"debug\": true\n}"), Refused("a comment in line 2")),
        ("// comment after a value", Some("{\n  \"debug\": true // why\n}"), Refused("a comment in line 2")),
        ("/* comment */", Some("/* why */ {}"), Refused("a comment in line 1")),
        ("comment at the end", Some("{}\n// why\n"), Refused("a comment in line 2")),
        ("text after the brace", Some("{\"debug\": true}\n}\n"), Refused("goes on after its closing brace, in line 2")),
        ("two objects", Some("{} {}"), Refused("goes on after its closing brace")),
        ("a list at the top", Some("[]"), Refused("holds a list at its top")),
        ("null at the top", Some("null"), Refused("holds null at its top")),
    ];
    for (what, before, then) in rows {
        check(what, before.map(str::as_bytes), Desired::First(&ours()), &new_engine(), then);
    }
}
