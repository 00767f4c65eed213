//! The address of our own mirror, checked once: what every dockerd from 20.10 on takes as a `registry-mirrors` entry.

use std::fmt;

use serde::{Deserialize, Serialize};
use url::Url;

/// Our mirror as it stands in `registry-mirrors`: `http://host:port`, with no slash at the end.
///
/// Never more than scheme, host and port: 20.10 refuses the whole file for a mirror with a path, every engine does
/// for one with a user or a query (`reference/dockerd.md` §4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct MirrorUrl(String);

/// Why a text is no mirror address that every engine takes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a mirror address: write http://HOST:PORT or https://HOST:PORT, without user, path or query")]
pub(crate) struct MirrorUrlError(String);

// === impl MirrorUrl ===

impl MirrorUrl {
    /// Checks `text` and brings it into the one spelling that is written to `daemon.json`.
    pub(crate) fn parse(text: &str) -> Result<Self, MirrorUrlError> {
        canonical(text).map(Self).ok_or_else(|| MirrorUrlError(text.to_owned()))
    }

    /// The spelling that is written to `daemon.json`.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `entry`, from a file or from `/info`, names this mirror: a slash at the end, the case of the host and
    /// a default port that is spelled out make no difference. (To dockerd only the slash makes none: it would ask
    /// `http://LOCALHOST` and `http://localhost` one after the other.)
    pub(crate) fn is(&self, entry: &str) -> bool {
        canonical(entry).is_some_and(|entry| entry == self.0)
    }
}

/// Whether two `registry-mirrors` entries are one mirror: ours by its address, others as dockerd tells them apart.
pub(crate) fn same_mirror(a: &str, b: &str) -> bool {
    match (canonical(a), canonical(b)) {
        (Some(a), Some(b)) => a == b,
        _ => a.strip_suffix('/').unwrap_or(a) == b.strip_suffix('/').unwrap_or(b),
    }
}

fn canonical(text: &str) -> Option<String> {
    // The WHATWG parser forgives what Go's refuses: blanks around the address, and `\` for `/`.
    if !text.chars().all(|c| c.is_ascii_graphic() && c != '\\') {
        return None;
    }
    let url = Url::parse(text).ok()?;
    let bare = matches!(url.scheme(), "http" | "https")
        && text.contains("://")
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && !text.contains('@');
    bare.then(|| url.as_str().trim_end_matches('/').to_owned())
}

impl fmt::Display for MirrorUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for MirrorUrl {
    type Error = MirrorUrlError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<MirrorUrl> for String {
    fn from(mirror: MirrorUrl) -> Self {
        mirror.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_brought_into_one_spelling() {
        for (text, spelling) in [
            ("http://127.0.0.1:797", "http://127.0.0.1:797"),
            ("http://127.0.0.1:797/", "http://127.0.0.1:797"),
            ("HTTP://LocalHost:797", "http://localhost:797"),
            ("http://127.0.0.1:80", "http://127.0.0.1"),
            ("https://[::1]:5000", "https://[::1]:5000"),
        ] {
            assert_eq!(MirrorUrl::parse(text).unwrap().as_str(), spelling, "{text}");
        }
    }

    #[test]
    fn refuses_what_some_engine_refuses() {
        for text in [
            "",
            "127.0.0.1:797",
            "ftp://127.0.0.1:797",
            "http://user:pw@127.0.0.1:797",
            "http://@127.0.0.1:797",
            "http://127.0.0.1:797/path",
            "http://127.0.0.1:797//",
            "http://127.0.0.1:797/?a=b",
            "http://127.0.0.1:797#x",
            " http://127.0.0.1:797",
            "http:\\\\127.0.0.1:797",
            "http:127.0.0.1:797",
        ] {
            assert!(MirrorUrl::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn knows_itself_in_other_spellings_and_nobody_else() {
        let ours = MirrorUrl::parse("http://localhost:797").unwrap();
        for same in ["http://localhost:797", "http://localhost:797/", "http://LOCALHOST:797", "HTTP://localhost:797/"] {
            assert!(ours.is(same), "{same}");
        }
        for other in ["http://localhost:7970", "https://localhost:797", "http://localhost:797/x", "localhost:797", ""] {
            assert!(!ours.is(other), "{other}");
        }
    }

    #[test]
    fn compares_the_mirrors_of_others_as_dockerd_does() {
        assert!(same_mirror("https://mirror.example.com/hub", "https://mirror.example.com/hub/"));
        assert!(!same_mirror("https://mirror.example.com/hub", "https://mirror.example.com/Hub"));
        assert!(same_mirror("https://mirror.example.com", "https://mirror.example.com/"));
    }
}
