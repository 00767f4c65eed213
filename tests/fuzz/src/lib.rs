//! What must hold of every reader of bytes from outside, whatever the bytes.
//!
//! Each function takes arbitrary bytes and panics if something does not hold. `make fuzz` feeds them by libFuzzer, a minute
//! each (`runner/`); `make test` feeds them what is in `corpus/<name>/`, where every input that once failed is kept.

#![allow(clippy::missing_panics_doc, reason = "a panic is how a target reports")]

use larder_content::{
    index,
    pieces::{Journal, List},
};
use larder_distribution::{
    challenge,
    range::{Requested, content_range, requested},
    route::{Name, Route},
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

/// `WWW-Authenticate`, in several lines.
pub fn headers(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = challenge::choose(text.lines());
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

/// The index of a folder.
pub fn read_index(data: &[u8]) {
    let mut again = index::MAGIC.to_vec();
    for record in index::decode(data) {
        record.encode(&mut again);
    }
    if data.starts_with(index::MAGIC) {
        assert!(data.starts_with(&again), "what is read is what is there");
    }
}
