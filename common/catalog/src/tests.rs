//! The catalog and distribution's tree.

use std::time::{Duration, UNIX_EPOCH};

use super::*;

fn repository(text: &str) -> Repository {
    let (registry, name) = text.split_once('/').unwrap();
    Repository { registry: registry.parse().unwrap(), name: name.parse().unwrap() }
}

#[test]
fn reads_and_writes_distributions_tree() {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(folder.path());
    let hub = repository("docker.io/library/alpine");
    let tag: Tag = "3.20".parse().unwrap();
    let (old, new) = (Digest::sha256(b"old"), Digest::sha256(b"new"));
    let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);

    // A registry left this behind.
    let repo = folder.path().join("docker/registry/v2/repositories/library/alpine");
    let link = repo.join("_manifests/tags/3.20/current/link");
    larder_content::durable::replace(&link, old.to_string().as_bytes(), larder_content::durable::Sync::No).unwrap();

    let catalog = Catalog::new(&layout, Registry::docker_hub());
    let record = catalog.tag(&hub, &tag).unwrap();
    assert_eq!((record.digest, record.fresh_until), (old, record.checked), "known, but not fresh");

    for digest in [new, new] {
        let record = TagRecord { digest, checked: at(1000), fresh_until: at(1060) };
        catalog.set_tag(&hub, &tag, record).unwrap();
        assert_eq!(catalog.tag(&hub, &tag), Some(record));
    }
    assert_eq!(std::fs::read_to_string(&link).unwrap(), new.to_string());
    assert!(repo.join(format!("_manifests/tags/3.20/index/sha256/{}/link", new.hex())).exists());

    // Another process later sees the digest and when it was checked.
    let catalog = Catalog::new(&layout, Registry::docker_hub());
    let record = catalog.tag(&hub, &tag).unwrap();
    assert_eq!((record.digest, record.checked), (new, at(1000)));
    catalog.remove_tag(&hub, &tag).unwrap();
    catalog.remove_tag(&hub, &tag).unwrap();
    assert_eq!(catalog.tag(&hub, &tag), None);
}

#[test]
fn a_link_is_to_one_repository_of_one_registry() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = Catalog::new(&Layout::new(folder.path()), Registry::docker_hub());
    let digest = Digest::sha256(b"layer");
    let [hub, other, msr] =
        ["docker.io/team/app", "docker.io/team/other", "msr.example.com:8443/team/app"].map(repository);
    catalog.link(&hub, Kind::Blob, &digest).unwrap();
    catalog.link(&hub, Kind::Blob, &digest).unwrap();
    assert!(catalog.is_linked(&hub, Kind::Blob, &digest));
    for (repository, kind) in [(&hub, Kind::Manifest), (&other, Kind::Blob), (&msr, Kind::Blob)] {
        assert!(!catalog.is_linked(repository, kind, &digest));
    }
    catalog.link(&msr, Kind::Manifest, &digest).unwrap();
    assert!(catalog.is_linked(&msr, Kind::Manifest, &digest) && !catalog.is_linked(&hub, Kind::Manifest, &digest));
    let linked = format!("docker/registry/v2/repositories/team/app/_layers/sha256/{}/link", digest.hex());
    assert!(folder.path().join(linked).exists());
}

#[test]
fn a_link_that_a_crash_cut_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(folder.path());
    let catalog = Catalog::new(&layout, Registry::docker_hub());
    let hub = repository("docker.io/library/alpine");
    let digest = Digest::sha256(b"layer");
    catalog.link(&hub, Kind::Blob, &digest).unwrap();
    let path = layout.v2().join(format!("repositories/library/alpine/_layers/sha256/{}/link", digest.hex()));
    for cut in ["", "sha256:", &digest.to_string()[..30], &Digest::sha256(b"other").to_string()] {
        larder_content::durable::replace(&path, cut.as_bytes(), larder_content::durable::Sync::No).unwrap();
        assert!(!catalog.is_linked(&hub, Kind::Blob, &digest), "{cut:?}");
    }
}
