//! Text edits that keep a `hosts.toml` looking as its author left it: every byte outside what is put in or taken out
//! stays.
//!
//! `toml_edit` can edit too. It is not used for that: it does not keep a missing line break at the end, nor where a
//! comment belongs when a table goes.

use super::{
    document::{Document, Section},
    hosts::Host,
    ours::{MARK, NOTE, sealed},
};

/// The line break that a text uses.
pub(super) fn line_break(text: &str) -> &'static str {
    if text.split('\n').next().is_some_and(|line| line.ends_with('\r')) && text.contains('\n') { "\r\n" } else { "\n" }
}

/// Tables, one after the other, with an empty line between.
pub(super) fn tables(hosts: &[Host], end: &str) -> String {
    let table = |host: &Host| host.lines(true).iter().map(|line| format!("{line}{end}")).collect::<String>();
    hosts.iter().map(table).collect::<Vec<_>>().join(end)
}

/// Puts a host in front of those that the text lists; `None` if it lists none.
pub(super) fn insert(document: &Document<'_>, host: &Host) -> Option<String> {
    let text = document.text;
    let first = document.sections.iter().position(|section| section.host().is_some() && !section.array)?;
    let at = attached(text, document.floor(first), document.sections[first].lines.start, |line| line.starts_with('#'));
    let end = line_break(text);
    let table = tables(std::slice::from_ref(host), end);
    Some(format!("{}{MARK}{NOTE}{end}{table}{end}{}", &text[..at], &text[at..]))
}

/// Puts hosts behind a text that lists none. What follows the text is sealed, so that [`super::ours::theirs`] can take
/// it off again to the byte.
pub(super) fn append(text: &str, note: &str, hosts: &[Host]) -> String {
    let end = line_break(text);
    let mut tables = tables(hosts, end);
    let mut gap = end.to_owned();
    if !text.is_empty() && !text.ends_with('\n') {
        // As the text has no line break at its end, so has the result; that is how it is told afterwards.
        tables.truncate(tables.len() - end.len());
        gap.push_str(end);
    }
    format!("{text}{gap}{}", sealed(note, &tables, end))
}

/// Takes out the sections that `gone` names, with the comments above them that are ours and one empty line.
pub(super) fn cut(document: &Document<'_>, gone: impl Fn(&Section) -> bool) -> String {
    let mut text = document.text.to_owned();
    let sections = &document.sections;
    for (index, section) in sections.iter().enumerate().rev().filter(|(_, section)| gone(section)) {
        let lines = &section.lines;
        let above = |start, mark| attached(document.text, document.floor(index), start, |line| line.starts_with(mark));
        let start = above(lines.start, MARK);
        text.replace_range(start..lines.end, "");
        if index.checked_sub(1).is_some_and(|before| sections[before].lines.end == start && gone(&sections[before])) {
            continue; // They go as one.
        }
        let rest = text[start..].trim_start_matches([' ', '\t']);
        if above(start, "#") != start {
            // A comment of theirs stands there: it is not to look as if it were about what follows.
        } else if rest.starts_with('\n') || rest.starts_with("\r\n") {
            let empty = text[start..].find('\n').map_or(0, |at| at + 1);
            text.replace_range(start..start + empty, "");
        } else if rest.is_empty() {
            let before = without_line_break(&text[..start]);
            if before.is_empty() || before.ends_with('\n') {
                text.truncate(before.len());
            }
        }
    }
    text
}

/// A text without the line break at its end.
pub(super) fn without_line_break(text: &str) -> &str {
    text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text))
}

/// Where the lines directly above `start` begin that `belongs` takes; not above `floor`.
fn attached(text: &str, floor: usize, start: usize, belongs: impl Fn(&str) -> bool) -> usize {
    let mut at = start;
    while at > floor {
        let above = text[floor..at - 1].rfind('\n').map_or(floor, |line| floor + line + 1);
        if !belongs(text[above..at].trim_start()) {
            break;
        }
        at = above;
    }
    at
}
