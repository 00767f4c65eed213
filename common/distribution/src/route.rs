//! What a request's path asks for. Pure.
//!
//! Repository names hold slashes, so a path is read from its end: `/v2/<name>/manifests/<reference>`. The path is
//! percent-decoded once, as the engines' own servers do, and what it then says must satisfy the grammar of names.

use std::borrow::Cow;

use larder_oci::{Digest, NameError, Reference, Registry, RepositoryName};
use percent_encoding::percent_decode_str;

use crate::error::{Code, Error};

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// `/`: whether anybody is there.
    Root,
    /// `/v2/`: whether this is a registry.
    Base,
    /// `/v2/_catalog`: the repositories.
    Catalog,
    /// A manifest by tag or digest.
    Manifest(Name, Reference),
    /// A blob.
    Blob(Name, Digest),
    /// The tags of a repository.
    Tags(Name),
    /// What refers to a manifest.
    Referrers(Name, Digest),
    /// An upload, which a pull-through cache takes none of.
    Upload,
}

/// A repository as a request names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// The registry it says: by `?ns=<registry>`, as containerd does, or by a first path component that is a host, as
    /// podman's and CRI-O's mirror locations do. `None` is the default registry.
    pub registry: Option<Registry>,
    /// The repository inside it.
    pub repository: RepositoryName,
}

impl Route {
    /// Reads the path and query of a request. `Ok(None)` is a path that is none of the protocol's.
    pub fn parse(path: &str, query: Option<&str>) -> Result<Option<Self>, Error> {
        let path = decode(path)?;
        let rest = match path.strip_prefix("/v2") {
            None if path == "/" => return Ok(Some(Self::Root)),
            None => return Ok(None),
            Some("" | "/") => return Ok(Some(Self::Base)),
            Some(rest) => match rest.strip_prefix('/') {
                Some(rest) => rest,
                None => return Ok(None),
            },
        };
        if rest == "_catalog" {
            return Ok(Some(Self::Catalog));
        }
        // All others end in two words, after a name.
        let Some((rest, last)) = rest.rsplit_once('/') else { return Ok(None) };
        let Some((path, word)) = rest.rsplit_once('/') else { return Ok(None) };
        let name = || Name::parse(path, query);
        Ok(Some(match (word, last) {
            ("blobs", "uploads") => Self::Upload,
            ("uploads", _) if path.ends_with("/blobs") => Self::Upload,
            ("manifests", reference) => Self::Manifest(name()?, reference.parse().map_err(|error| invalid(&error))?),
            ("blobs", digest) => Self::Blob(name()?, parse_digest(digest)?),
            ("tags", "list") => Self::Tags(name()?),
            ("referrers", digest) => Self::Referrers(name()?, parse_digest(digest)?),
            _ => return Ok(None),
        }))
    }

    /// What metrics and logs call it (CNCF distribution's `handler` label).
    pub const fn handler(&self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Base => "base",
            Self::Catalog => "catalog",
            Self::Manifest(..) => "manifest",
            Self::Blob(..) => "blob",
            Self::Tags(..) => "tags",
            Self::Referrers(..) => "referrers",
            Self::Upload => "blob_upload",
        }
    }
}

impl Name {
    fn parse(path: &str, query: Option<&str>) -> Result<Self, Error> {
        let ns = query.and_then(namespace);
        if let Some(ns) = ns {
            return Ok(Self { registry: Some(registry(&ns)?), repository: repository(path)? });
        }
        match path.split_once('/') {
            Some((first, rest)) if Registry::looks_like(first) => {
                Ok(Self { registry: Some(registry(first)?), repository: repository(rest)? })
            }
            _ => Ok(Self { registry: None, repository: repository(path)? }),
        }
    }
}

/// Percent-decoded, which hardly any path needs.
fn decode(path: &str) -> Result<Cow<'_, str>, Error> {
    if !path.contains('%') {
        return Ok(Cow::Borrowed(path));
    }
    let decoded = percent_decode_str(path).decode_utf8();
    decoded.map_err(|_| Error::new(Code::NameInvalid, "the path is not UTF-8 after percent-decoding"))
}

/// The value of `ns`, if the query has one. Everything else in it is ignored.
fn namespace(query: &str) -> Option<String> {
    url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "ns").map(|(_, value)| value.into_owned())
}

fn registry(text: &str) -> Result<Registry, Error> {
    text.parse().map_err(|_| Error::new(Code::NameUnknown, "that is not the name of a registry"))
}

fn repository(path: &str) -> Result<RepositoryName, Error> {
    path.parse().map_err(|error| invalid(&error))
}

fn parse_digest(text: &str) -> Result<Digest, Error> {
    text.parse().map_err(|error| invalid(&NameError::Digest(error)))
}

fn invalid(error: &NameError) -> Error {
    let code = match error {
        NameError::Registry | NameError::Repository => Code::NameInvalid,
        NameError::Tag => Code::TagInvalid,
        NameError::Digest(_) => Code::DigestInvalid,
    };
    Error::new(code, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn parse(target: &str) -> Result<Option<Route>, Code> {
        let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        Route::parse(path, query).map_err(|error| error.code)
    }

    fn name(registry: Option<&str>, repository: &str) -> Name {
        Name { registry: registry.map(|text| text.parse().unwrap()), repository: repository.parse().unwrap() }
    }

    #[test]
    fn both_ways_to_say_which_registry() {
        let manifest = |registry, repository, reference: &str| {
            Ok(Some(Route::Manifest(name(registry, repository), reference.parse().unwrap())))
        };
        for (target, expected) in [
            ("/v2/library/a/manifests/1".to_owned(), manifest(None, "library/a", "1")),
            ("/v2/a/manifests/1?ns=docker.io".to_owned(), manifest(Some("docker.io"), "a", "1")),
            ("/v2/a/manifests/1?x=y&ns=msr.io%3A443&z".to_owned(), manifest(Some("msr.io:443"), "a", "1")),
            ("/v2/a/manifests/1?x=y".to_owned(), manifest(None, "a", "1")),
            (
                "/v2/registry-1.docker.io/library/a/manifests/1".to_owned(),
                manifest(Some("docker.io"), "library/a", "1"),
            ),
            ("/v2/localhost/a/manifests/1".to_owned(), manifest(Some("localhost"), "a", "1")),
            ("/v2/10.0.0.1:5000/a/b/manifests/1".to_owned(), manifest(Some("10.0.0.1:5000"), "a/b", "1")),
            ("/v2/a.b/manifests/1".to_owned(), manifest(None, "a.b", "1")),
            ("/v2/x.io/a/manifests/1?ns=docker.io".to_owned(), manifest(Some("docker.io"), "x.io/a", "1")),
            (format!("/v2/a/manifests/{DIGEST}"), manifest(None, "a", DIGEST)),
            (format!("/v2/a/manifests/{}", DIGEST.replace(':', "%3A")), manifest(None, "a", DIGEST)),
            // A repository may be called as the protocol's own words are.
            ("/v2/manifests/blobs/manifests/tags".to_owned(), manifest(None, "manifests/blobs", "tags")),
        ] {
            assert_eq!(parse(&target), expected, "{target}");
        }
        let blob = Route::Blob(name(None, "a/b"), DIGEST.parse().unwrap());
        assert_eq!(parse(&format!("/v2/a/b/blobs/{DIGEST}")), Ok(Some(blob)));
    }

    #[test]
    fn the_rest_of_the_protocol() {
        for (target, expected) in [
            ("/", Some(Route::Root)),
            ("/v2", Some(Route::Base)),
            ("/v2/", Some(Route::Base)),
            ("/v2/_catalog?n=1", Some(Route::Catalog)),
            ("/v2/a/tags/list", Some(Route::Tags(name(None, "a")))),
            ("/v2/a/blobs/uploads/", Some(Route::Upload)),
            ("/v2/a/blobs/uploads/1-2-3", Some(Route::Upload)),
            ("/v2/a/blobs/uploads", Some(Route::Upload)),
            ("/v2/a/xblobs/uploads/1", None),
            ("/v2/blobs/uploads/1", None),
            ("/v2/blobs/uploads", None),
            ("/v1/", None),
            ("/v2x", None),
            ("/v2/a", None),
            ("/v2/manifests/1", None),
            ("/metrics", None),
            ("/v2//manifests", None),
        ] {
            assert_eq!(parse(target), Ok(expected), "{target}");
        }
    }

    #[test]
    fn refuses_what_is_no_name() {
        let long = "a".repeat(300);
        for (target, code) in [
            ("/v2/../../etc/manifests/1", Code::NameUnknown),
            ("/v2/a/../b/manifests/1", Code::NameInvalid),
            ("/v2/%2e%2e/%2e%2e/etc/manifests/1", Code::NameUnknown),
            ("/v2/a%2f..%2fb/manifests/1", Code::NameInvalid),
            ("/v2//manifests/1", Code::NameInvalid),
            ("/v2/Alpine/manifests/1", Code::NameInvalid),
            (&format!("/v2/{long}/manifests/1"), Code::NameInvalid),
            ("/v2/a/manifests/.x", Code::TagInvalid),
            ("/v2/a/manifests/", Code::TagInvalid),
            (&format!("/v2/a/manifests/{long}"), Code::TagInvalid),
            ("/v2/a/manifests/%00", Code::TagInvalid),
            ("/v2/a/manifests/sha256:00", Code::DigestInvalid),
            ("/v2/a/blobs/latest", Code::DigestInvalid),
            ("/v2/a/blobs/md5:00", Code::DigestInvalid),
            ("/v2/a/blobs/sha256:..%2f..%2fx", Code::NameInvalid),
            ("/v2/%ff/manifests/1", Code::NameInvalid),
            ("/v2/a/manifests/1?ns=..%2f..", Code::NameUnknown),
            ("/v2/a/manifests/1?ns=", Code::NameUnknown),
        ] {
            let parsed = parse(target);
            // Decoded slashes may also make it a path that is none of the protocol's.
            assert!(parsed == Err(code) || parsed == Ok(None), "{target}: {parsed:?}");
        }
    }
}
