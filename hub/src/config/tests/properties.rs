//! Whatever is thrown at it, loading ends in an answer, and no slip of the finger puts a secret on the screen.

use proptest::prelude::*;

use super::load;
use crate::config::check_report;
use crate::config::schema::all;

/// Lines of the kind that files are made of, indented at random: most are wrong, some in ways nobody thought of.
fn lines() -> impl Strategy<Value = String> {
    let names: Vec<String> = all().iter().map(|known| known.key.name.to_owned()).collect();
    let value = prop_oneof![
        Just(String::new()),
        "[a-z0-9:/@.]{0,12}",
        "[\\[\\]{},\"'|>&*!%#:a -]{0,8}",
        Just("{<<: *a}".to_owned()),
        Just("&a [x, *a]".to_owned()),
        Just("|-\n  text".to_owned()),
        Just("7d".to_owned()),
        Just("99999999999999999999".to_owned()),
    ];
    let line =
        (0..4usize, any::<bool>(), prop::sample::select(names), value).prop_map(|(indent, dash, name, value)| {
            format!("{}{}{name}: {value}\n", "  ".repeat(indent), if dash { "- " } else { "" })
        });
    prop::collection::vec(line, 0..12).prop_map(|lines| lines.concat())
}

/// Everything a caller could do with the outcome.
fn exercise(text: &str, env: &[(&str, &str)]) -> String {
    match load(text, env) {
        Ok(loaded) => check_report(&loaded, true),
        Err(error) => error.to_string(),
    }
}

proptest! {
    #[test]
    fn any_text_gets_an_answer(text in any::<String>()) {
        exercise(&text, &[]);
    }

    #[test]
    fn anything_like_a_file_gets_an_answer(text in lines()) {
        exercise(&format!("version: 0.1\n{text}"), &[]);
    }

    #[test]
    fn any_variable_gets_an_answer(index in any::<prop::sample::Index>(), tail in "[A-Z0-9_]{0,12}", value in any::<String>()) {
        let known = all();
        let name = &known[index.index(known.len())].variable;
        exercise(super::MINIMAL, &[(name, &value), (&format!("{name}{tail}"), &value)]);
    }
}

/// One letter too few, or one of those that mean something to YAML too many, at every place of a file.
#[test]
fn no_slip_shows_a_secret() {
    const FILE: &str = "\
version: 0.1
http:
  secret: hunter2
  addr: :5000
proxy:
  username: someone
  password: \"hunter2\"
  ttl: 1h
redis: {addr: a, password: hunter2, db: 1}
";
    let typed = ":{}[],&*!|>'\"#%@`?-=<~\\ \t\n;a".chars();
    for at in 0..FILE.len() {
        let (before, after) = FILE.split_at(at);
        let slips = typed.clone().map(|c| format!("{before}{c}{after}"));
        for slip in slips.chain([format!("{before}{}", &after[1..])]) {
            let report = load(&slip, &[]).map(|_| ()).unwrap_err().to_string();
            assert!(!report.contains("hunter2"), "{slip}\n{report}");
        }
    }
}
