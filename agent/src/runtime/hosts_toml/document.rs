//! Reads `hosts.toml` as TOML, and no more generously than every engine does: where its tables are, and what they
//! hold. Nothing is changed here.

use std::ops::Range;

use toml_edit::{Item, Table, Value};

use super::{Refusal, toml_1_0};

/// The largest file that is looked at; real ones have a few hundred bytes.
pub(crate) const MAX_BYTES: usize = 1 << 20;

/// A text that is TOML 1.0.
pub(super) struct Document<'a> {
    pub(super) text: &'a str,
    /// All tables with a header, in their order in the text.
    pub(super) sections: Vec<Section>,
    /// Where the lines of the keys before the first header end.
    pub(super) root_end: usize,
    tree: toml_edit::Document<&'a str>,
}

/// A table with a header of its own.
pub(super) struct Section {
    /// The parts of the key in its header.
    pub(super) path: Vec<String>,
    /// Whether it is an element of an array: `[[…]]`.
    pub(super) array: bool,
    /// The lines from its header to its last value. Comments after that belong to whatever follows.
    pub(super) lines: Range<usize>,
}

/// The text of a file.
pub(super) fn decode(bytes: &[u8]) -> Result<&str, Refusal> {
    if bytes.len() > MAX_BYTES {
        return Err(Refusal::TooLarge);
    }
    let text = std::str::from_utf8(bytes).map_err(|error| Refusal::NotUtf8 { offset: error.valid_up_to() })?;
    if text.starts_with('\u{feff}') { Err(Refusal::Bom) } else { Ok(text) }
}

// === impl Document ===

impl<'a> Document<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, Refusal> {
        let tree = toml_edit::Document::parse(text).map_err(|error| Refusal::Syntax {
            line: line_at(text, error.span().map_or(0, |span| span.start)),
            problem: error.message().to_owned(),
        })?;
        toml_1_0::check(text, tree.as_table())?;
        let mut sections = Vec::new();
        collect(text, tree.as_table(), &mut Vec::new(), &mut sections)?;
        sections.sort_by_key(|section| section.lines.start);
        let root_end = last_value(tree.as_table()).map_or(0, |end| line_end(text, end));
        Ok(Self { text, sections, root_end, tree })
    }

    pub(super) fn root(&self) -> &Table {
        self.tree.as_table()
    }

    /// Counted from 1.
    pub(super) fn line(&self, span: Option<Range<usize>>) -> usize {
        line_at(self.text, span.map_or(0, |span| span.start))
    }

    /// Where the content before a section ends; between that and the section are blanks and comments only.
    pub(super) fn floor(&self, index: usize) -> usize {
        index.checked_sub(1).map_or(self.root_end, |before| self.sections[before].lines.end)
    }

    /// The parts of the text that hold content, without the sections that `gone` names. Equal lists mean that no edit
    /// touched anything else, which says more than equal values would.
    pub(super) fn pieces(&self, gone: impl Fn(&Section) -> bool) -> Vec<&'a str> {
        let rest = self.sections.iter().filter(|section| !gone(section));
        let rest = rest.map(|section| &self.text[section.lines.clone()]);
        [&self.text[..self.root_end]].into_iter().chain(rest).map(str::trim_end).collect()
    }
}

// === impl Section ===

impl Section {
    /// The address in `[host."address"]`, or in a table below one.
    pub(super) fn host(&self) -> Option<&str> {
        match self.path.as_slice() {
            [host, address, ..] if host == "host" => Some(address),
            _ => None,
        }
    }
}

fn collect(text: &str, table: &Table, path: &mut Vec<String>, sections: &mut Vec<Section>) -> Result<(), Refusal> {
    let mut open = |inner: &Table, array: bool, path: &mut Vec<String>| {
        if !inner.is_implicit() && !inner.is_dotted() {
            let header = inner.span().ok_or(Refusal::Internal("a table without a place"))?;
            if table.is_dotted() {
                return Err(Refusal::Mixed { line: line_at(text, header.start) });
            }
            let start = text[..header.start].rfind('\n').map_or(0, |at| at + 1);
            let end = last_value(inner).unwrap_or(0).max(header.end);
            sections.push(Section { path: path.clone(), array, lines: start..line_end(text, end) });
        }
        collect(text, inner, path, sections)
    };
    for (key, item) in table {
        path.push(key.to_owned());
        match item {
            Item::Table(inner) => open(inner, false, path)?,
            Item::ArrayOfTables(array) => array.iter().try_for_each(|inner| open(inner, true, path))?,
            Item::Value(_) | Item::None => {}
        }
        path.pop();
    }
    Ok(())
}

/// Where the last value of a table ends, tables with headers of their own left out.
fn last_value(table: &Table) -> Option<usize> {
    let end = |item: &Item| match item {
        Item::Value(value) => value.span().map(|span| span.end),
        Item::Table(inner) if inner.is_dotted() => last_value(inner),
        _ => None,
    };
    table.iter().filter_map(|(_, item)| end(item)).max()
}

/// The line of an offset, counted from 1.
pub(super) fn line_at(text: &str, offset: usize) -> usize {
    text.as_bytes()[..offset.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1
}

fn line_end(text: &str, offset: usize) -> usize {
    text[offset..].find('\n').map_or(text.len(), |at| offset + at + 1)
}

/// A TOML string in quotes.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// All strings of a value, with their places.
pub(super) fn strings(value: &Value) -> Vec<(Range<usize>, &str)> {
    match value {
        Value::String(text) => text.span().map(|span| (span, text.value().as_str())).into_iter().collect(),
        Value::Array(array) => array.iter().flat_map(strings).collect(),
        _ => Vec::new(),
    }
}
