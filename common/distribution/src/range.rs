//! Single byte ranges (RFC 9110, section 14). Pure.

use std::ops::Range;

/// What a `Range` header asks of content of a known length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Requested {
    /// All of it: no range, one in a unit or form we do not serve, or several (RFC 9110 lets a server ignore those).
    All,
    /// These bytes.
    Part(Range<u64>),
    /// Bytes that it does not have: 416.
    Unsatisfiable,
}

/// Reads a `Range` header for content of `size` bytes.
pub fn requested(header: Option<&str>, size: u64) -> Requested {
    let Some(spec) = header.and_then(|text| text.trim().strip_prefix("bytes=")) else { return Requested::All };
    let Some((first, last)) = spec.split_once('-').map(|(first, last)| (first.trim(), last.trim())) else {
        return Requested::All;
    };
    let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u64>().ok()).flatten();
    let (start, end) = match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => (first, last.saturating_add(1).min(size)),
        (Some(first), None) if last.is_empty() => (first, size),
        (None, Some(suffix)) if first.is_empty() => match suffix {
            0 => return Requested::Unsatisfiable,
            suffix => (size.saturating_sub(suffix), size),
        },
        _ => return Requested::All,
    };
    if start < size { Requested::Part(start..end) } else { Requested::Unsatisfiable }
}

/// Reads `Content-Range: bytes <first>-<last>/<total>`: the offset of the first byte, and the length of the whole where
/// it is said.
pub fn content_range(header: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = header.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last): (u64, u64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    let total = if total == "*" { None } else { Some(total.trim().parse().ok()?) };
    (first <= last && total.is_none_or(|total| last < total)).then_some((first, total))
}

/// Reads `Content-Range: bytes */<total>`, as it comes with 416: the length of the whole.
pub fn unsatisfied_range(header: &str) -> Option<u64> {
    let total = header.trim().strip_prefix("bytes ")?.trim_start().strip_prefix("*/")?.trim();
    if total.bytes().all(|b| b.is_ascii_digit()) { total.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_rfc_9110_has_it() {
        for (header, expected) in [
            ("bytes=0-0", Requested::Part(0..1)),
            ("bytes=500-1499", Requested::Part(500..1000)),
            ("bytes=10-19", Requested::Part(10..20)),
            ("bytes=500-", Requested::Part(500..1000)),
            ("bytes=-500", Requested::Part(500..1000)),
            ("bytes=-5000", Requested::Part(0..1000)),
            ("bytes=999-18446744073709551615", Requested::Part(999..1000)),
            ("bytes=1000-", Requested::Unsatisfiable),
            ("bytes=5000-10000", Requested::Unsatisfiable),
            ("bytes=-0", Requested::Unsatisfiable),
            ("bytes=500-0", Requested::All),
            ("bytes=0-1,5-6", Requested::All),
            ("bytes=a-b", Requested::All),
            ("bytes=-", Requested::All),
            ("bytes=+1-2", Requested::All),
            ("bytes=99999999999999999999-", Requested::All),
            ("items=0-1", Requested::All),
            ("", Requested::All),
        ] {
            assert_eq!(requested(Some(header), 1000), expected, "{header}");
        }
        assert_eq!(requested(None, 1000), Requested::All);
        assert_eq!(requested(Some("bytes=0-"), 0), Requested::Unsatisfiable);
    }

    #[test]
    fn reads_what_a_server_answers() {
        for (header, expected) in [
            ("bytes 0-0/1000", Some((0, Some(1000)))),
            ("bytes 5-9/*", Some((5, None))),
            ("bytes 9-5/10", None),
            ("bytes 0-10/10", None),
            ("bytes */10", None),
            ("0-1/2", None),
        ] {
            assert_eq!(content_range(header), expected, "{header}");
        }
    }

    #[test]
    fn reads_what_comes_with_416() {
        for (header, expected) in [
            ("bytes */1000", Some(1000)),
            (" bytes */0 ", Some(0)),
            ("bytes */*", None),
            ("bytes */", None),
            ("bytes */-1", None),
            ("bytes */+1", None),
            ("bytes */99999999999999999999", None),
            ("bytes 0-9/1000", None),
            ("*/1000", None),
        ] {
            assert_eq!(unsatisfied_range(header), expected, "{header}");
        }
    }
}
