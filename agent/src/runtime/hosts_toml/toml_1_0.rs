//! What TOML 1.1 allows and 1.0 does not. Engines before 29.7 (go-toml before 2.4) ignore a whole file for it.

use toml_edit::{
    Datetime, Formatted, InlineTable, Table, TableLike,
    visit::{Visit, visit_inline_table, visit_table_like},
};

use super::{Refusal, document::line_at};

/// Whether a table that was read as TOML 1.1 is TOML 1.0 too.
pub(super) fn check(text: &str, table: &Table) -> Result<(), Refusal> {
    let mut visitor = Visitor { text, found: None };
    visitor.visit_table(table);
    match visitor.found {
        Some((offset, found)) => Err(Refusal::LaterToml { line: line_at(text, offset), found }),
        None => Ok(()),
    }
}

struct Visitor<'a> {
    text: &'a str,
    found: Option<(usize, &'static str)>,
}

impl Visitor<'_> {
    fn escapes(&mut self, span: Option<std::ops::Range<usize>>) {
        let Some(span) = span else { return };
        let written = &self.text[span.clone()];
        let mut rest = if written.starts_with('"') { written } else { "" };
        while let Some(at) = rest.find('\\') {
            if rest[at + 1..].starts_with('x') {
                self.found = Some((span.start, "the escape \\x"));
            }
            // The character after a backslash never begins another escape.
            rest = rest.get(at + 2..).unwrap_or_default();
        }
    }
}

impl<'doc> Visit<'doc> for Visitor<'_> {
    fn visit_string(&mut self, node: &'doc Formatted<String>) {
        self.escapes(node.span());
    }

    fn visit_table_like(&mut self, node: &'doc dyn TableLike) {
        for (key, _) in node.iter() {
            self.escapes(node.key(key).and_then(toml_edit::Key::span));
        }
        visit_table_like(self, node);
    }

    fn visit_inline_table(&mut self, node: &'doc InlineTable) {
        // A table that dotted keys make inside another has no braces of its own.
        if let Some(span) = node.span().filter(|_| !node.is_dotted()) {
            // A line break inside a value (a list, a long string) is TOML 1.0.
            let mut between = String::new();
            let mut done = span.start;
            let mut values: Vec<_> = node.get_values().iter().filter_map(|(_, value)| value.span()).collect();
            values.sort_by_key(|value| value.start);
            for value in values {
                between.push_str(self.text.get(done..value.start).unwrap_or_default());
                done = value.end;
            }
            between.push_str(self.text.get(done..span.end).unwrap_or_default());
            if node.trailing_comma() || between.contains('\n') {
                self.found = Some((span.start, "an inline table over several lines or with a comma at its end"));
            }
        }
        visit_inline_table(self, node);
    }

    fn visit_datetime(&mut self, node: &'doc Formatted<Datetime>) {
        if node.value().time.is_some_and(|time| time.second.is_none()) {
            self.found = Some((node.span().map_or(0, |span| span.start), "a time without seconds"));
        }
    }
}
