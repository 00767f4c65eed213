//! The line a problem stands on, with a caret under the spot and everything cut away that might be a secret.
//!
//! A line is shown only as far as it is needed: what stands before the marked part if it is a mere key, the marked
//! part if it is known to be harmless, and never what comes after it.

use std::fmt;

use super::error::Shown;
use super::node::Span;
use super::redact;
use super::schema;
use super::wrap::WIDTH;

/// More of a line than this is no help.
const MAX_WIDTH: usize = 96;

/// One line of the file, ready to be shown.
#[derive(Debug)]
pub(super) struct Excerpt {
    line: usize,
    text: String,
    /// Characters before the marked part.
    indent: usize,
    width: usize,
}

/// Cuts out what may be shown of the line at `span`; `None` if there is no such line.
pub(super) fn cut(text: &str, span: Span, shown: Shown) -> Option<Excerpt> {
    // A tab counts as one column, so it is shown as one.
    let line: Vec<char> = text.lines().nth(span.line - 1)?.replace('\t', " ").chars().collect();
    let start = (span.column - 1).min(line.len());
    let end = (start + span.width).min(line.len());
    let piece = |range: std::ops::Range<usize>| redact::printable(&line[range].iter().collect::<String>());
    let (before, marked, after) = match shown {
        Shown::Guessed => return Some(guess(span, &piece(0..line.len()), start)),
        Shown::Marked => (prefix(&piece(0..start)), redact::text(&piece(start..end)), piece(end..line.len())),
        Shown::Hidden => (prefix(&piece(0..start)).replace('…', " "), "…".to_owned(), String::new()),
    };
    let rest = match after.trim() {
        "" => "",
        // The marked part was a key: its colon belongs to it.
        after if after.starts_with(':') => ": …",
        _ => " …",
    };
    let (indent, width) = (before.chars().count(), marked.chars().count().clamp(1, MAX_WIDTH));
    let text: String = format!("{before}{marked}{rest}").chars().take(indent + MAX_WIDTH).collect();
    Some(Excerpt { line: span.line, text, indent, width })
}

/// What stands before the marked part, if it is only indentation, dashes and one key. In a flow mapping there may be
/// anything, so nothing of it is shown.
fn prefix(before: &str) -> String {
    let bare = before.trim_start_matches([' ', '-']);
    let key = bare.trim_end().trim_end_matches(':');
    let harmless = bare.is_empty() || (bare.contains(':') && is_word(key));
    if harmless { before.to_owned() } else { "… ".to_owned() }
}

/// The line if it begins with a key that is known and never holds a secret, and if nothing behind it could be another
/// key; else only the key, and of a line without one nothing.
fn guess(span: Span, line: &str, start: usize) -> Excerpt {
    let bare = line.trim_start_matches([' ', '-']);
    let head = line.chars().count() - bare.chars().count();
    let key: String = bare.chars().take_while(|c| is_word_char(*c)).collect();
    let after: String = bare.chars().skip(key.chars().count()).collect();
    let value = after.trim_start().strip_prefix(':').map(str::to_lowercase);
    // The names are looked for too: with the blank behind its colon forgotten, a key is no key.
    let other_key = |value: &str| value.contains('{') || schema::secret_names().any(|name| value.contains(name));
    let open = schema::never_secret(&key) && value.is_some_and(|value| !value.contains(": ") && !other_key(&value));
    let shown = if open {
        redact::text(line)
    } else {
        let colon = if after.starts_with(':') { ":" } else { "" };
        let key = if colon.is_empty() { "" } else { &key };
        format!("{}{key}{colon} …", line.chars().take(head).collect::<String>())
    };
    let text: String = shown.chars().take(MAX_WIDTH).collect();
    let indent = start.min(text.chars().count());
    Excerpt { line: span.line, text, indent, width: 1 }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_word_char)
}

fn is_word_char(c: char) -> bool {
    c.is_alphanumeric() || "_-.\"'".contains(c)
}

// === impl Excerpt ===

impl Excerpt {
    /// Writes the line and below it the caret, with `label` beside it if there is room; says whether there was.
    pub(super) fn write(&self, f: &mut fmt::Formatter<'_>, label: &str) -> Result<bool, fmt::Error> {
        let gutter = self.line.to_string().len().max(3);
        let (carets, indent) = ("^".repeat(self.width), " ".repeat(self.indent));
        let beside = gutter + self.indent + self.width + label.chars().count() + 6 <= WIDTH;
        let label = if label.is_empty() || !beside { String::new() } else { format!(" {label}") };
        write!(f, "\n  {:>gutter$} | {}\n  {:gutter$} | {indent}{carets}{label}", self.line, self.text, "")?;
        Ok(beside)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str, column: usize, width: usize, shown: Shown) -> String {
        cut(line, Span { line: 1, column, width }, shown).unwrap().text
    }

    #[test]
    fn nothing_behind_the_marked_part_is_shown() {
        assert_eq!(shown("  passwort: hunter2", 3, 8, Shown::Marked), "  passwort: …");
        assert_eq!(shown("  ttl: 7d # not hunter2", 8, 2, Shown::Marked), "  ttl: 7d …");
        assert_eq!(shown("  - msr.example.com", 5, 15, Shown::Marked), "  - msr.example.com");
        assert_eq!(shown("  - https://me:hunter2@a", 5, 20, Shown::Marked), "  - https://<redacted>@a");
        assert_eq!(shown("  password: [hunter2]", 13, 9, Shown::Hidden), "  password: …");
    }

    #[test]
    fn a_flow_mapping_may_hold_anything() {
        let line = "proxy: {password: hunter2, ttl: 7d}";
        assert_eq!(shown(line, 33, 2, Shown::Marked), "… 7d …");
        assert_eq!(shown(line, 28, 3, Shown::Marked), "… ttl: …");
    }

    #[test]
    fn broken_yaml_shows_only_lines_that_cannot_hold_a_secret() {
        for (line, expected) in [
            ("  addr: [", "  addr: ["),
            ("  remoteurl: \"https://me:hunter2@a", "  remoteurl: \"https://<redacted>@a"),
            ("  password: \"hunter2", "  password: …"),
            ("  password:hunter2", "  password: …"),
            ("  passwort: hunter2", "  passwort: …"),
            ("proxy: {username: me, password: hunter2", "proxy: …"),
            ("proxy: {username: me, p{assword: hunter2", "proxy: …"),
            ("  addr: :5000  passwort: hunter2", "  addr: …"),
            ("  addr: :5000  password:hunter2", "  addr: …"),
            ("  hunter2", "   …"),
            ("  - hunter2", "  -  …"),
        ] {
            assert_eq!(shown(line, 3, 1, Shown::Guessed), expected, "{line}");
        }
    }
}
