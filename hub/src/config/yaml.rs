//! Reads YAML text into a tree of [`Node`]s. The only file that knows the YAML crate.
//!
//! The crate is `saphyr-parser`, pinned exactly: a parser of YAML 1.2 that gives every event a position and nothing
//! more, with two small dependencies. `saphyr` would drop the difference between a key's and a value's place in merged
//! maps and expand aliases before we can count them; `serde-saphyr` reads into Rust types, while our types are a table.
//! What distribution's YAML 1.1 library adds on top (merge keys, `yes` and `no`) is done here and in `check::scalar`.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, StrInput, Tag};

use super::error::Complaint;
use super::node::{At, Content, Entry, Node, Span};
use super::redact;

/// Levels of nesting. The deepest key we know has seven; the guard is for the stack.
const MAX_DEPTH: usize = 64;
/// Nodes after all aliases are expanded: a hundred times what a long file has.
const MAX_NODES: usize = 20_000;

/// What a text holds.
pub(super) struct Parsed {
    /// The document; `None` if the text has none.
    pub(super) root: Option<Node>,
    /// What is wrong but leaves the rest readable: keys given twice.
    pub(super) complaints: Vec<Complaint>,
}

/// Reads `text`, giving every node the place that `at` makes of its position.
pub(super) fn parse(text: &str, at: &dyn Fn(Span) -> At) -> Result<Parsed, Complaint> {
    let mut reader =
        Reader { parser: Parser::new_from_str(text), at, anchors: HashMap::new(), nodes: 0, complaints: Vec::new() };
    let root = reader.document()?;
    Ok(Parsed { root, complaints: reader.complaints })
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    at: &'a dyn Fn(Span) -> At,
    /// Anchored nodes with their size, so that an alias is refused before it is copied.
    anchors: HashMap<usize, (Node, usize, usize)>,
    nodes: usize,
    complaints: Vec<Complaint>,
}

// === impl Reader ===

impl<'a> Reader<'a> {
    fn document(&mut self) -> Result<Option<Node>, Complaint> {
        let mut root = None;
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(root),
                (Event::DocumentStart(_), span) if root.is_some() => {
                    return Err(self
                        .bad(span, "a second YAML document begins here")
                        .help("keep one document in the file"));
                }
                (Event::DocumentStart(_), _) => root = Some(self.node(0)?),
                _ => {}
            }
        }
    }

    fn node(&mut self, depth: usize) -> Result<Node, Complaint> {
        let (event, span) = self.next()?;
        self.node_of(event, span, depth)
    }

    fn node_of(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, Complaint> {
        self.grow(span, 1, depth + 1)?;
        let (content, anchor) = match event {
            Event::Alias(id) => return self.alias(id, span, depth),
            Event::Scalar(text, style, anchor, tag) => {
                let plain = self.is_plain(style, tag.as_deref(), span)?;
                (scalar(&text, plain), anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                self.collection_tag(tag.as_deref(), span)?;
                (Content::List(self.list(depth + 1)?), anchor)
            }
            Event::MappingStart(anchor, tag) => {
                self.collection_tag(tag.as_deref(), span)?;
                (Content::Map(self.map(depth + 1)?), anchor)
            }
            _ => return Err(self.bad(span, "a value is missing here")),
        };
        let node = Node { at: (self.at)(span), content };
        if anchor != 0 {
            if matches!(node.content, Content::Null) {
                let what = "an anchor, which begins with `&`, has no value";
                return Err(self.bad(span, what).help("put a value that begins with `&` in quotes"));
            }
            let (count, height) = node.size();
            self.anchors.insert(anchor, (node.clone(), count, height));
        }
        Ok(node)
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Node>, Complaint> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(items),
                (event, span) => items.push(self.node_of(event, span, depth)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Vec<Entry>, Complaint> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut merged: Vec<Entry> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            let (key, plain) = match event {
                Event::MappingEnd => break,
                // An anchor or a tag here is a slip (`&password: secret` makes a key of the secret).
                Event::Scalar(text, style, 0, None) => (text.into_owned(), style == ScalarStyle::Plain),
                _ => return Err(self.bad(span, "a key must be plain text").help("write `key: value`")),
            };
            let value = self.node(depth)?;
            if key == "<<" && plain {
                merged.append(&mut self.merge(value, span)?);
            } else if let Some(first) = entries.iter().find(|entry| entry.key == key) {
                self.complaints.push(duplicate(&key, (self.at)(span), &first.at));
            } else {
                entries.push(Entry { key, at: (self.at)(span), value });
            }
        }
        for entry in merged {
            // What the mapping says itself wins over what it merges in, and an earlier merge over a later one.
            if !entries.iter().any(|own| own.key == entry.key) {
                entries.push(entry);
            }
        }
        Ok(entries)
    }

    fn merge(&self, value: Node, span: Span) -> Result<Vec<Entry>, Complaint> {
        match value.content {
            Content::Map(entries) => Ok(entries),
            Content::List(items) if items.iter().all(|item| matches!(item.content, Content::Map(_))) => {
                Ok(items.into_iter().filter_map(map_entries).flatten().collect())
            }
            _ => Err(self
                .bad(span, "`<<` merges a mapping")
                .help("write `<<: *name`, with `name` the anchor of a mapping")),
        }
    }

    fn alias(&mut self, id: usize, span: Span, depth: usize) -> Result<Node, Complaint> {
        let Some((count, height)) = self.anchors.get(&id).map(|(_, count, height)| (*count, *height)) else {
            return Err(self.bad(span, "this alias is part of what it stands for"));
        };
        // Counted before it is copied: a chain of aliases that doubles itself never gets to fill the memory.
        self.grow(span, count, depth + height)?;
        let copy = self.anchors.get(&id).map(|(node, ..)| node.clone());
        copy.ok_or_else(|| self.bad(span, "this alias is part of what it stands for"))
    }

    /// Counts `nodes` more, reaching down to `depth`.
    fn grow(&mut self, span: Span, nodes: usize, depth: usize) -> Result<(), Complaint> {
        self.nodes += nodes;
        if depth > MAX_DEPTH {
            return Err(self.bad(span, &format!("more than {MAX_DEPTH} levels of nesting")));
        }
        if self.nodes > MAX_NODES {
            let what = format!("more than {MAX_NODES} values, once its aliases are expanded");
            return Err(self.bad(span, &what));
        }
        Ok(())
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), Complaint> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((event, our_span(&span))),
            Some(Err(error)) => {
                let marker = error.marker();
                let span = Span { line: marker.line().max(1), column: marker.col() + 1, width: 1 };
                let complaint = self.bad(span, &format!("this is not valid YAML: {}", error.info()));
                Err(match advice(error.info()) {
                    Some(advice) => complaint.help(advice),
                    None => complaint,
                })
            }
            None => {
                let end = Span { line: 1, column: 1, width: 1 };
                Err(self.bad(end, "this is not valid YAML: it ends too early"))
            }
        }
    }

    /// Whether a scalar may be read as a number or a boolean.
    fn is_plain(&self, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Result<bool, Complaint> {
        match tag {
            None => Ok(style == ScalarStyle::Plain),
            Some(tag) if tag.is_yaml_core_schema() && tag.suffix == "str" => Ok(false),
            Some(tag) if tag.is_yaml_core_schema() && matches!(&*tag.suffix, "int" | "float" | "bool" | "null") => {
                Ok(true)
            }
            Some(_) => Err(self.tagged(span)),
        }
    }

    fn collection_tag(&self, tag: Option<&Tag>, span: Span) -> Result<(), Complaint> {
        match tag {
            Some(tag) if !(tag.is_yaml_core_schema() && matches!(&*tag.suffix, "map" | "seq")) => {
                Err(self.tagged(span))
            }
            _ => Ok(()),
        }
    }

    /// The tag itself is not shown: `password: !secret` has one.
    fn tagged(&self, span: Span) -> Complaint {
        self.bad(span, "a tag, which begins with `!`, means nothing here")
            .help("put a value that begins with `!` in quotes")
    }

    fn bad(&self, span: Span, what: &str) -> Complaint {
        Complaint::syntax((self.at)(span), what)
    }
}

/// The parser's words say what it was doing; these say what to look for.
fn advice(info: &str) -> Option<&'static str> {
    const ADVICE: [(&str, &str); 9] = [
        ("tab", "YAML is indented with blanks, not with tabs"),
        ("quoted scalar", "a quote is not closed, or one inside the text is not doubled"),
        ("simple key", "a key is followed by a colon and a blank: look at this line and the one above"),
        ("mapping values are not allowed", "the line is indented too far, or a value with a colon in it needs quotes"),
        ("expected key", "the keys of a section stand in one column: look at this line and the one above"),
        ("'-' indicator", "the elements of a list stand in one column: look at this line and the one above"),
        ("flow", "a bracket is not closed, or a comma is missing"),
        ("unexpected character", "put a value that begins with this character in quotes"),
        ("unknown anchor", "put a value that begins with `*` in quotes"),
    ];
    ADVICE.iter().find(|(words, _)| info.contains(words)).map(|(_, advice)| *advice)
}

fn duplicate(key: &str, at: At, first: &At) -> Complaint {
    let before = match first {
        At::File(span) => format!("it is given on line {} already", span.line),
        _ => "it is given before".to_owned(),
    };
    Complaint::new(at, format!("the key `{}` is given twice", redact::key(key)))
        .label(&before)
        .help("keep one of the two")
}

fn map_entries(node: Node) -> Option<Vec<Entry>> {
    match node.content {
        Content::Map(entries) => Some(entries),
        _ => None,
    }
}

fn scalar(text: &str, plain: bool) -> Content {
    match text {
        "" | "~" | "null" | "Null" | "NULL" if plain => Content::Null,
        _ => Content::Scalar { text: text.to_owned(), plain },
    }
}

fn our_span(span: &saphyr_parser::Span) -> Span {
    Span { line: span.start.line().max(1), column: span.start.col() + 1, width: span.len().max(1) }
}
