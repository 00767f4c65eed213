//! Text edits that keep a JSON file looking as its author left it. Each answers with splices of the original text, so
//! that every byte outside them stays by construction.
//!
//! jsonc-parser has an editing tree too (`cst`). It is not used: it breaks a one-line object into several lines as
//! soon as a property is added, and that would be more than one key.

use std::ops::Range;

use jsonc_parser::{
    ast::{Array, ObjectProp},
    common::Ranged,
};

use super::document::{Document, KEY};

/// Put `text` in place of a range of the original.
pub(super) struct Splice {
    range: Range<usize>,
    text: String,
}

/// Carries out splices, which do not overlap.
pub(super) fn splice(original: &str, mut splices: Vec<Splice>) -> String {
    splices.sort_by_key(|splice| (splice.range.start, splice.range.end));
    let mut result = String::with_capacity(original.len() + 64);
    let mut done = 0;
    for Splice { range, text } in splices {
        result.push_str(&original[done..range.start]);
        result.push_str(&text);
        done = range.end;
    }
    result.push_str(&original[done..]);
    result
}

/// The file that is written where there was none.
pub(super) fn small_file(list: &str) -> String {
    format!("{{\n  \"{KEY}\": {list}\n}}\n")
}

/// Adds our key after the last property, in the manner of the properties that are there.
pub(super) fn append_key(document: &Document<'_>, list: &str) -> Splice {
    let (text, object) = (document.text, &document.object);
    let (at, separator, colon) = match object.properties.as_slice() {
        [] => {
            let at = object.start() + 1;
            let inside = &text[at..object.end() - 1];
            let lead =
                if inside.contains(['\n', '\r']) { format!("{}  ", line_break(inside)) } else { inside.to_owned() };
            (at, lead, ": ")
        }
        [only] => {
            let lead = last_line(&text[object.start() + 1..only.start()]);
            let lead = if lead.is_empty() && colon(text, only).ends_with(' ') { " " } else { lead };
            (only.end(), format!(",{lead}"), colon(text, only))
        }
        [.., before, last] => (last.end(), comma(&text[before.end()..last.start()]), colon(text, last)),
    };
    Splice { range: at..at, text: format!("{separator}\"{KEY}\"{colon}{list}") }
}

/// Takes a property out, with the comma that belongs to it. The opposite of [`append_key`], to the byte.
pub(super) fn drop_key(document: &Document<'_>, index: usize) -> Splice {
    let (object, properties) = (&document.object, &document.object.properties);
    let range = match (index.checked_sub(1), properties.get(index + 1)) {
        (Some(before), _) => properties[before].end()..properties[index].end(),
        (None, Some(next)) => properties[index].start()..next.start(),
        (None, None) => object.start() + 1..properties[index].end(),
    };
    Splice { range, text: String::new() }
}

/// Puts another value under a key.
pub(super) fn set_value(property: &ObjectProp<'_>, value: &str) -> Splice {
    Splice { range: property.value.start()..property.value.end(), text: value.to_owned() }
}

/// Puts `entry` first in a list and takes out the elements for which `gone` is true.
pub(super) fn relist(
    text: &str,
    property: &ObjectProp<'_>,
    array: &Array<'_>,
    entry: Option<&str>,
    gone: &[bool],
) -> Vec<Splice> {
    let elements = &array.elements;
    let Some(first) = gone.iter().position(|gone| !gone) else {
        let inside = array.start() + 1..array.end() - 1;
        return vec![Splice { range: inside, text: entry.unwrap_or_default().to_owned() }];
    };
    let mut splices = Vec::new();
    // Up to the first that stays, an element goes with what follows it; after that, with what precedes it.
    if first > 0 {
        splices.push(Splice { range: elements[0].start()..elements[first].start(), text: String::new() });
    }
    for index in (first + 1..elements.len()).filter(|index| gone[*index]) {
        let range = elements[index - 1].end()..elements[index].end();
        splices.push(Splice { range, text: String::new() });
    }
    if let Some(entry) = entry {
        let at = elements[0].start();
        let separator = match elements.as_slice() {
            [a, b, ..] => comma(&text[a.end()..b.start()]),
            _ => {
                let lead = last_line(&text[array.start() + 1..at]);
                let lead = if lead.is_empty() && colon(text, property).ends_with(' ') { " " } else { lead };
                format!(",{lead}")
            }
        };
        splices.push(Splice { range: at..at, text: format!("{entry}{separator}") });
    }
    splices
}

/// What stands between a property's name and its value; the usual `: ` where a line break is in it.
fn colon<'a>(text: &'a str, property: &ObjectProp<'_>) -> &'a str {
    let between = &text[property.name.end()..property.value.start()];
    if between.contains(['\n', '\r']) { ": " } else { between }
}

/// A separator like this one, without the blank lines that may be in it.
fn comma(between: &str) -> String {
    let (before, after) = between.split_once(',').unwrap_or(("", " "));
    format!("{},{}", last_line(before), last_line(after))
}

/// The last line break of some blanks and the indentation after it; the blanks themselves if they hold none.
fn last_line(blanks: &str) -> &str {
    match blanks.rfind(['\n', '\r']) {
        Some(at) if blanks[..at].ends_with('\r') && blanks[at..].starts_with('\n') => &blanks[at - 1..],
        Some(at) => &blanks[at..],
        None => blanks,
    }
}

/// The line break that these blanks use.
fn line_break(blanks: &str) -> &str {
    let breaks = blanks.trim_start_matches([' ', '\t']);
    if breaks.starts_with("\r\n") { "\r\n" } else { &breaks[..1] }
}
