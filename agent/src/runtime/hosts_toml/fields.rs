//! What a `hosts.toml` sets for a host, with the types that containerd wants: a value of another type makes it ignore
//! the whole file.

use std::ops::Range;

use toml_edit::{Item, Key, Table, Value};

use super::{
    Refusal,
    document::{Document, strings},
};

/// What can be set for a host.
#[derive(Clone, PartialEq, Eq, Default)]
#[cfg_attr(test, derive(Debug))]
pub(super) struct Fields {
    /// In lower case; empty means all.
    pub(super) capabilities: Vec<String>,
    pub(super) ca: Option<Vec<String>>,
    pub(super) client: Vec<Client>,
    pub(super) skip_verify: Option<bool>,
    /// By name.
    pub(super) header: Vec<(String, Vec<String>)>,
    pub(super) override_path: bool,
    pub(super) dial_timeout: Option<String>,
    /// Values of keys that we do not know (`proxy` is a coming one), as they are written.
    pub(super) other: Vec<(String, String)>,
}

/// A client certificate.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(super) enum Client {
    /// One file with certificate and key.
    Both(String),
    /// A file each. (An empty name for the key is not the same as `Both`: containerd 2.0 to 2.3 makes it the folder.)
    Pair(String, String),
}

const FIELDS: [&str; 7] = ["capabilities", "ca", "client", "skip_verify", "header", "override_path", "dial_timeout"];

/// Reads what a table, or the root, sets for its host.
pub(super) fn fields(document: &Document<'_>, table: &Table) -> Result<Fields, Refusal> {
    check_case(document, table, &FIELDS)?;
    let mut fields = Fields::default();
    for (key, item) in table {
        match key {
            "capabilities" => fields.capabilities = capabilities(document, item)?,
            "ca" => fields.ca = Some(ca(document, item)?),
            "client" => fields.client = client(document, item)?,
            "skip_verify" => fields.skip_verify = Some(truth(document, "skip_verify", item)?),
            "header" => fields.header = headers(document, item)?,
            "override_path" => fields.override_path = truth(document, "override_path", item)?,
            "dial_timeout" => {
                let timeout = text(document, "dial_timeout", item)?;
                if !timeout.is_empty() && !is_duration(timeout) {
                    return Err(wants(document, "dial_timeout", item.span(), "a duration such as \"2s\""));
                }
                fields.dial_timeout = Some(timeout.to_owned()).filter(|timeout| !timeout.is_empty());
            }
            "server" | "host" => {}
            other => {
                if let Some(span) = item.as_value().and_then(Value::span) {
                    fields.other.push((other.to_owned(), document.text[span].to_owned()));
                }
            }
        }
    }
    Ok(fields)
}

fn capabilities(document: &Document<'_>, item: &Item) -> Result<Vec<String>, Refusal> {
    const WANTS: &str = "a list of \"pull\", \"resolve\" and \"push\"";
    let known = |value: &Value| {
        let text = value.as_str().map(str::to_ascii_lowercase);
        // "referrers" is known from containerd 2.3 (engine 29) on; one that does not know it ignores the file.
        text.filter(|text| matches!(text.as_str(), "pull" | "resolve" | "push" | "referrers"))
    };
    let list = item.as_array().and_then(|list| list.iter().map(known).collect());
    list.ok_or_else(|| wants(document, "capabilities", item.span(), WANTS))
}

fn ca(document: &Document<'_>, item: &Item) -> Result<Vec<String>, Refusal> {
    let list = match item {
        Item::Value(Value::String(file)) => Some(vec![file.value().clone()]),
        Item::Value(Value::Array(files)) => files.iter().map(|file| file.as_str().map(str::to_owned)).collect(),
        _ => None,
    };
    list.ok_or_else(|| wants(document, "ca", item.span(), "the name of a file, or a list of such"))
}

fn client(document: &Document<'_>, item: &Item) -> Result<Vec<Client>, Refusal> {
    let one = |value: &Value| match value {
        Value::String(file) => Some(Client::Both(file.value().clone())),
        Value::Array(pair) if pair.len() == 2 && pair.iter().all(Value::is_str) => {
            let mut files = strings(value).into_iter().map(|(_, file)| file.to_owned());
            Some(Client::Pair(files.next()?, files.next()?))
        }
        _ => None,
    };
    let list = match item {
        Item::Value(value @ Value::String(_)) => one(value).map(|client| vec![client]),
        Item::Value(Value::Array(list)) => list.iter().map(one).collect(),
        _ => None,
    };
    const WANTS: &str = "the name of a file, or a list of such or of pairs [certificate, key]";
    list.ok_or_else(|| wants(document, "client", item.span(), WANTS))
}

fn headers(document: &Document<'_>, item: &Item) -> Result<Vec<(String, Vec<String>)>, Refusal> {
    const WANTS: &str = "a table of strings or lists of strings";
    let table = item.as_table_like().ok_or_else(|| wants(document, "header", item.span(), WANTS))?;
    let mut headers = Vec::new();
    for (name, value) in table.iter() {
        let values = match value {
            Item::Value(Value::String(text)) => Some(vec![text.value().clone()]),
            Item::Value(Value::Array(list)) => list.iter().map(|text| text.as_str().map(str::to_owned)).collect(),
            _ => None,
        };
        let values = values.ok_or_else(|| wants(document, "header", value.span(), WANTS))?;
        headers.push((name.to_owned(), values));
    }
    headers.sort();
    Ok(headers)
}

pub(super) fn text<'d>(document: &Document<'_>, key: &'static str, item: &'d Item) -> Result<&'d str, Refusal> {
    item.as_str().ok_or_else(|| wants(document, key, item.span(), "a string"))
}

fn truth(document: &Document<'_>, key: &'static str, item: &Item) -> Result<bool, Refusal> {
    item.as_bool().ok_or_else(|| wants(document, key, item.span(), "true or false"))
}

pub(super) fn wants(
    document: &Document<'_>,
    key: &'static str,
    span: Option<Range<usize>>,
    wanted: &'static str,
) -> Refusal {
    Refusal::Value { line: document.line(span), key, wanted }
}

/// Go's TOML reader matches keys in any letter case; the order of hosts is made from exact ones.
pub(super) fn check_case(document: &Document<'_>, table: &Table, known: &[&'static str]) -> Result<(), Refusal> {
    for (key, _) in table {
        if let Some(wanted) = known.iter().find(|known| known.eq_ignore_ascii_case(key) && **known != key) {
            return Err(Refusal::KeyCase { line: document.line(table.key(key).and_then(Key::span)), wanted });
        }
    }
    Ok(())
}

/// What Go's `time.ParseDuration` takes, but for numbers out of range.
fn is_duration(text: &str) -> bool {
    let mut rest = text.strip_prefix(['+', '-']).unwrap_or(text);
    if rest == "0" {
        return true;
    }
    while !rest.is_empty() {
        let number = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
        let (number, unit) = rest.split_at(number);
        let digits = number.bytes().filter(u8::is_ascii_digit).count();
        let Some(unit) = ["ns", "us", "µs", "μs", "ms", "s", "m", "h"].into_iter().find_map(|u| unit.strip_prefix(u))
        else {
            return false;
        };
        if digits == 0 || number.len() - digits > 1 {
            return false;
        }
        rest = unit;
    }
    !text.is_empty()
}
