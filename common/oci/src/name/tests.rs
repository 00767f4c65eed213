//! The grammar of names, by example and by property.

use proptest::prelude::*;

use super::*;

#[test]
fn repository_names() {
    for good in ["alpine", "library/alpine", "a/b/c/d", "a.b", "a_b", "a__b", "a-b", "a---b", "0", "a1.b2-c3"] {
        assert!(good.parse::<RepositoryName>().is_ok(), "{good}");
    }
    for bad in [
        "",
        "/",
        "a/",
        "/a",
        "a//b",
        "Alpine",
        "a..b",
        "a___b",
        "a._b",
        ".a",
        "a.",
        "-a",
        "a-",
        "..",
        "../../etc",
        "a/../b",
        "%2e%2e",
        "a%2fb",
        "a b",
        "a\0b",
        "ä",
        "a:b",
        "a@b",
        "_a",
    ] {
        assert_eq!(bad.parse::<RepositoryName>(), Err(NameError::Repository), "{bad:?}");
    }
    assert!("a".repeat(MAX_NAME).parse::<RepositoryName>().is_ok());
    assert!("a".repeat(300).parse::<RepositoryName>().is_err());
}

#[test]
fn tags_and_references() {
    for good in ["latest", "1", "v1.2.3-rc_1", "_x", "A"] {
        assert_eq!(good.parse::<Reference>(), Ok(Reference::Tag(good.parse().unwrap())));
    }
    for bad in ["", ".x", "-x", "a/b", "..", "a b", "ä"] {
        assert_eq!(bad.parse::<Reference>(), Err(NameError::Tag), "{bad:?}");
    }
    assert!("a".repeat(128).parse::<Tag>().is_ok() && "a".repeat(129).parse::<Tag>().is_err());
    let digest = Digest::sha256(b"");
    assert_eq!(digest.to_string().parse::<Reference>(), Ok(Reference::Digest(digest)));
    assert_eq!("md5:00".parse::<Reference>(), Err(NameError::Digest(DigestError::Algorithm)));
}

#[test]
fn registries() {
    for (text, name) in [
        ("docker.io", "docker.io"),
        ("Index.Docker.io", "docker.io"),
        ("registry-1.docker.io", "docker.io"),
        ("ghcr.io", "ghcr.io"),
        ("MSR.example.com:8443", "msr.example.com:8443"),
        ("localhost", "localhost"),
        ("127.0.0.1:5000", "127.0.0.1:5000"),
        ("[::1]:5000", "[::1]:5000"),
    ] {
        assert_eq!(text.parse::<Registry>().unwrap().as_str(), name);
    }
    for bad in ["", ":5000", "a:0", "a:99999", "a:b", "a/b", "..", "a..b", "-a.io", "a b", "https://a.io", "::1", "[x]"]
    {
        assert_eq!(bad.parse::<Registry>(), Err(NameError::Registry), "{bad:?}");
    }
}

proptest! {
    /// Whatever is accepted makes a path that stays below its folder.
    #[test]
    fn a_name_never_leaves_its_folder(text in "\\PC{0,40}") {
        if let Ok(name) = text.parse::<RepositoryName>() {
            let path = std::path::Path::new(name.as_str());
            prop_assert!(path.components().all(|part| matches!(part, std::path::Component::Normal(_))));
            prop_assert_eq!(name.as_str(), &text);
        }
        if let Ok(tag) = text.parse::<Tag>() {
            prop_assert!(!tag.as_str().contains('/') && !tag.as_str().starts_with('.'));
        }
    }
}
