//! Reading distribution's access log: Apache's combined format, one line per request, among other lines.

use http::HeaderMap;

use crate::rig::access::{AccessLog, Entry};

/// The requests in `text`; lines that are none are passed over.
pub(crate) fn parse(text: &str) -> AccessLog {
    AccessLog(text.lines().filter_map(entry).collect())
}

/// `127.0.0.1 - - [24/Nov/2026:05:42:48 +0000] "GET /v2/ HTTP/1.1" 200 2 "" "curl/7.88.1"`
fn entry(line: &str) -> Option<Entry> {
    let rest = line.split_once("] \"")?.1;
    let (request, rest) = quoted(rest)?;
    let mut request = request.split(' ');
    let (method, path) = (request.next()?, request.next()?);
    let mut numbers = rest.trim_start().splitn(3, ' ');
    let (status, bytes) = (numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
    let (_, rest) = quoted(numbers.next()?.strip_prefix('"')?)?;
    let (user_agent, _) = quoted(rest.trim_start().strip_prefix('"')?)?;
    Some(Entry {
        method: method.to_owned(),
        path: path.to_owned(),
        status,
        bytes,
        user_agent,
        range: None,
        headers: HeaderMap::new(),
    })
}

/// What stands before the next quote that is not escaped, unescaped, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(characters.next()?.1),
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_line_is_a_request_and_other_lines_are_none() {
        let text = concat!(
            "time=\"2026-11-24T05:42:48Z\" level=warning msg=\"No HTTP secret provided\"\n",
            "127.0.0.1 - - [24/Nov/2026:05:42:48 +0000] \"GET /v2/a/blobs/sha256:0 HTTP/1.1\" 206 11 \"\" ",
            "\"x \\\"y\\\" (z)\"\n",
        );
        let log = parse(text);
        assert_eq!(log.len(), 1);
        let entry = &log[0];
        assert_eq!((entry.method.as_str(), entry.path.as_str()), ("GET", "/v2/a/blobs/sha256:0"));
        assert_eq!((entry.status, entry.bytes), (206, 11));
        assert_eq!(entry.user_agent, "x \"y\" (z)");
    }
}
