//! What must hold of every reader of bytes from outside, whatever the bytes.
//!
//! Each function takes arbitrary bytes and panics if something does not hold. `make fuzz` feeds them by libFuzzer, a minute
//! each (`runner/`); `make test` feeds them what is in `corpus/<name>/`, where every input that once failed is kept.

#![allow(clippy::missing_panics_doc, reason = "a panic is how a target reports")]

use http::{HeaderMap, HeaderName, HeaderValue, header};
use larder_content::{
    index,
    pieces::{Journal, List},
};
use larder_distribution::{
    challenge::{self, Challenge},
    range::{Requested, content_range, requested},
    route::{Name, Route},
    server,
};
use larder_oci::{Digest, Manifest, Reference};

/// A target: its name, and what it does.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 6] = [
    ("headers", headers),
    ("index", read_index),
    ("manifest", manifest),
    ("pieces", pieces),
    ("range", range),
    ("route", route),
];

/// `Range` and `Content-Range`: the first eight bytes are the length of the content.
pub fn range(data: &[u8]) {
    let Some((size, header)) = data.split_first_chunk() else { return };
    let (size, Ok(header)) = (u64::from_le_bytes(*size), std::str::from_utf8(header)) else { return };
    if let Requested::Part(range) = requested(Some(header), size) {
        assert!(range.start < range.end && range.end <= size, "{header:?} of {size}: {range:?}");
        let answer = format!("bytes {}-{}/{size}", range.start, range.end - 1);
        assert_eq!(content_range(&answer), Some((range.start, Some(size))));
    }
    if let Some((first, Some(total))) = content_range(header) {
        assert!(first < total, "{header:?}");
    }
}

/// Headers, a line each: what of them is a challenge as `WWW-Authenticate` has it, and what of them asks for a part of a
/// blob, or whether it is another one.
pub fn headers(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let each: Vec<Challenge> = text.lines().filter_map(|line| challenge::choose([line])).collect();
    let bearer = each.iter().find(|challenge| matches!(challenge, Challenge::Bearer { .. }));
    assert_eq!(challenge::choose(text.lines()).as_ref(), bearer.or(each.first()), "{text:?}");

    let mut headers = HeaderMap::new();
    for (name, value) in text.lines().filter_map(|line| line.split_once(':')) {
        if let (Ok(name), Ok(value)) = (name.trim().parse::<HeaderName>(), HeaderValue::from_str(value.trim())) {
            headers.append(name, value);
        }
    }
    let digest = Digest::sha256(b"");
    let etag = format!("\"{digest}\"");
    let has = |name, matches: &dyn Fn(&str) -> bool| {
        headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).any(matches)
    };
    if server::is_not_modified(&headers, &digest) {
        let names = |value: &str| value.contains('*') || value.contains(&digest.to_string());
        assert!(has(header::IF_NONE_MATCH, &names), "{headers:?}");
    }
    for size in [0, 1, 1000, u64::MAX] {
        match server::asked_for(&headers, &digest, size) {
            Requested::All => {}
            asked => {
                assert!(has(header::RANGE, &|value| value.starts_with("bytes=")), "{headers:?}");
                assert!(!headers.contains_key(header::IF_RANGE) || has(header::IF_RANGE, &|value| value == etag));
                if let Requested::Part(range) = asked {
                    assert!(range.start < range.end && range.end <= size, "{headers:?} of {size}: {range:?}");
                }
            }
        }
    }
}

/// A request's path and query.
pub fn route(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (path, query) = text.split_once('?').map_or((text, None), |(path, query)| (path, Some(query)));
    let Ok(Some(route)) = Route::parse(path, query) else { return };
    let safe = |name: &Name| {
        let repository = name.repository.as_str();
        assert!(!repository.split('/').any(|part| matches!(part, "" | "." | "..")), "{text:?}");
        assert!(!repository.starts_with('/') && !repository.contains('\0'), "{text:?}");
        if let Some(registry) = &name.registry {
            assert!(!registry.as_str().contains(['/', '\0']) && registry.as_str() != "..", "{text:?}");
        }
    };
    match route {
        Route::Manifest(name, Reference::Tag(tag)) => {
            safe(&name);
            assert!(!tag.as_str().contains(['/', '\0']) && !tag.as_str().starts_with('.'), "{text:?}");
        }
        Route::Manifest(name, _) | Route::Blob(name, _) | Route::Tags(name) | Route::Referrers(name, _) => safe(&name),
        _ => {}
    }
}

/// A manifest.
pub fn manifest(data: &[u8]) {
    if let Ok(manifest) = Manifest::parse(data) {
        for blob in &manifest.blobs {
            let text = blob.digest.to_string();
            assert_eq!(text.parse::<Digest>().ok(), Some(blob.digest));
        }
    }
}

/// The list of a blob's pieces, and the journal of a download's.
pub fn pieces(data: &[u8]) {
    if let Some(list) = List::decode(data) {
        assert_eq!(list.encode(), data);
    }
    if let Some(journal) = Journal::decode(data) {
        let mut again = Journal::head(journal.total, journal.piece);
        for (number, hash) in &journal.hashes {
            assert!(number * journal.piece < journal.total);
            again.extend(Journal::entry(*number, hash));
        }
        assert_eq!(Journal::decode(&again), Some(journal));
    }
}

/// The index of a folder: every record that is read is there, one after the other, whatever is rotten between them.
pub fn read_index(data: &[u8]) {
    let mut rest = data.strip_prefix(index::MAGIC).unwrap_or_default();
    for record in index::decode(data) {
        let mut bytes = Vec::new();
        record.encode(&mut bytes);
        let at = rest.windows(bytes.len()).position(|there| there == bytes).expect("what is read is there");
        rest = &rest[at + bytes.len()..];
    }
}
