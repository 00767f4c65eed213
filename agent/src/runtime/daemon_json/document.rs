//! Reads `daemon.json` the way dockerd does, and no more generously: the text of one JSON object, with the places of
//! its parts. Nothing is changed here.

use jsonc_parser::{
    CollectOptions, ParseOptions,
    ast::{Array, Object, ObjectProp, StringLit, Value},
    common::Ranged,
    parse_to_ast,
};

use super::Refusal;

/// The one key that Larder edits.
pub(super) const KEY: &str = "registry-mirrors";
/// The largest file that is looked at; real ones have a few hundred bytes.
pub(crate) const MAX_BYTES: usize = 1 << 20;
/// The deepest nesting that is parsed (both parsers recurse); dockerd's own options stay under 6.
pub(super) const MAX_DEPTH: usize = 64;

const BOM: char = '\u{feff}';

/// The text of a file without its byte-order mark, and whether there was one.
pub(super) fn decode(bytes: &[u8]) -> Result<(bool, &str), Refusal> {
    if bytes.len() > MAX_BYTES {
        return Err(Refusal::TooLarge);
    }
    let text = std::str::from_utf8(bytes).map_err(|error| Refusal::NotUtf8 { offset: error.valid_up_to() })?;
    Ok(match text.strip_prefix(BOM) {
        Some(rest) => (true, rest),
        None => (false, text),
    })
}

/// The bytes of a file for `text`.
pub(super) fn encode(bom: bool, text: &str) -> Vec<u8> {
    if bom { format!("{BOM}{text}").into_bytes() } else { text.as_bytes().to_vec() }
}

/// Whether there is nothing but JSON's blanks. Engines from 23 on take such a file for an empty configuration.
pub(super) fn is_blank(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
}

/// A configuration that dockerd can read.
pub(super) struct Document<'a> {
    pub(super) text: &'a str,
    pub(super) object: Object<'a>,
}

impl<'a> Document<'a> {
    /// Two parsers must agree: serde_json is as strict as Go's `encoding/json` (numbers beyond a float64 such as 1e400
    /// included, which dockerd refuses anywhere in the file: seen on 20.10.24), jsonc-parser knows places.
    pub(super) fn parse(text: &'a str) -> Result<Self, Refusal> {
        if depth(text) > MAX_DEPTH {
            return Err(Refusal::TooDeep);
        }
        serde_json::from_str::<serde_json::Value>(text).map_err(|error| classify(text, &error))?;

        let tree = parse_to_ast(text, &CollectOptions::default(), &STRICT)
            .map_err(|error| Refusal::Syntax { problem: error.to_string() })?;
        match tree.value {
            Some(Value::Object(object)) => Ok(Self { text, object }),
            Some(other) => Err(Refusal::NotAnObject { found: name(&other) }),
            None => Err(Refusal::Internal("two parsers disagree on an empty file")),
        }
    }

    /// Every top-level `registry-mirrors`, with its place among the properties. More than one is legal: dockerd takes
    /// the last.
    pub(super) fn mirror_keys(&self) -> impl DoubleEndedIterator<Item = (usize, &ObjectProp<'a>)> {
        self.object.properties.iter().enumerate().filter(|(_, property)| property.name.as_str() == KEY)
    }

    /// Our key spelled in other letter case.
    pub(super) fn misspelled_key(&self) -> Option<&str> {
        let mut names = self.object.properties.iter().map(|property| property.name.as_str());
        names.find(|name| *name != KEY && name.eq_ignore_ascii_case(KEY))
    }

    /// All properties but ours as they are written, in order. Equal lists mean that no edit touched anything else,
    /// which says more than equal values would: `1.0` stays `1.0`.
    pub(super) fn foreign(&self) -> Vec<&'a str> {
        let others = self.object.properties.iter().filter(|property| property.name.as_str() != KEY);
        others.map(|property| &self.text[property.start()..property.end()]).collect()
    }
}

const STRICT: ParseOptions = ParseOptions {
    allow_comments: false,
    allow_loose_object_property_names: false,
    allow_trailing_commas: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// The list under a `registry-mirrors`; `None` for `null`, which dockerd reads as an empty list (seen on 20.10.24).
pub(super) fn list<'d, 'a>(property: &'d ObjectProp<'a>) -> Result<Option<&'d Array<'a>>, Refusal> {
    match &property.value {
        Value::Array(array) => Ok(Some(array)),
        Value::NullKeyword(_) => Ok(None),
        other => Err(Refusal::NotAList { found: name(other) }),
    }
}

/// The entries of that list. `null` among them is refused like any other non-string: dockerd reads it as an empty
/// address and refuses that.
pub(super) fn entries<'d, 'a>(array: &'d Array<'a>) -> Result<Vec<&'d StringLit<'a>>, Refusal> {
    let entry = |(index, value): (usize, &'d Value<'a>)| match value {
        Value::StringLit(entry) => Ok(entry),
        other => Err(Refusal::NotAnAddress { position: index + 1, found: name(other) }),
    };
    array.elements.iter().enumerate().map(entry).collect()
}

fn name(value: &Value<'_>) -> &'static str {
    match value {
        Value::StringLit(_) => "a string",
        Value::NumberLit(_) => "a number",
        Value::BooleanLit(_) => "true or false",
        Value::Object(_) => "an object",
        Value::Array(_) => "a list",
        Value::NullKeyword(_) => "null",
    }
}

/// How deep brackets nest, strings left out; of text that is no JSON, any number will do.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Names the mistakes that people make; the rest keeps the parser's words.
fn classify(text: &str, error: &serde_json::Error) -> Refusal {
    let line = error.line();
    let at = text.lines().nth(line.saturating_sub(1)).and_then(|text| text.as_bytes().get(error.column().max(1) - 1));
    let problem = error.to_string();
    if at == Some(&b'/') {
        Refusal::Comment { line }
    } else if problem.starts_with("trailing comma") {
        Refusal::TrailingComma { line }
    } else if problem.starts_with("trailing characters") {
        Refusal::TrailingGarbage { line }
    } else {
        Refusal::Syntax { problem }
    }
}
