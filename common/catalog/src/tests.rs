//! The catalog and distribution's tree.

use std::time::{Duration, UNIX_EPOCH};

use super::*;

fn repository(text: &str) -> Repository {
    let (registry, name) = text.split_once('/').unwrap();
    Repository { registry: registry.parse().unwrap(), name: name.parse().unwrap() }
}

fn write(path: &std::path::Path, text: &str) {
    larder_content::durable::replace(path, text.as_bytes(), larder_content::durable::Sync::No).unwrap();
}

#[test]
fn what_was_there_before_us_is_read_and_never_written() {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(folder.path());
    let hub = repository("docker.io/library/alpine");
    let tag: Tag = "3.20".parse().unwrap();
    let (old, new) = (Digest::sha256(b"old"), Digest::sha256(b"new"));
    let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);

    // A registry left this behind.
    let theirs = layout.v2().join("repositories/library/alpine");
    let link = theirs.join("_manifests/tags/3.20/current/link");
    write(&link, &old.to_string());
    write(&theirs.join(format!("_layers/sha256/{}/link", old.hex())), &old.to_string());

    let open = || Catalog::new(&layout, &Registry::docker_hub());
    let catalog = open();
    let record = catalog.tag(&hub, &tag).unwrap();
    assert_eq!((record.digest, record.fresh_until), (old, record.checked), "known, but not fresh");
    assert_eq!(catalog.linked(&hub, Kind::Blob, &old), Some(None));

    for digest in [new, new] {
        let record = TagRecord { digest, checked: at(1000), fresh_until: at(1060) };
        catalog.set_tag(&hub, &tag, record).unwrap();
        assert_eq!(catalog.tag(&hub, &tag), Some(record));
    }
    // Another process later sees the digest and when it was checked.
    let catalog = open();
    let record = catalog.tag(&hub, &tag).unwrap();
    assert_eq!((record.digest, record.checked), (new, at(1000)));
    for _ in 0..2 {
        catalog.remove_tag(&hub, &tag).unwrap();
    }
    assert_eq!(catalog.tag(&hub, &tag).unwrap().digest, old, "what we heard is gone, what was there is not");
    assert_eq!(std::fs::read_to_string(&link).unwrap(), old.to_string());
}

#[test]
fn a_folder_that_is_opened_for_another_registry_gives_it_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(folder.path());
    let digest = Digest::sha256(b"layer");
    let theirs = layout.v2().join("repositories/team/app");
    write(&theirs.join("_manifests/tags/1/current/link"), &digest.to_string());
    write(&theirs.join(format!("_layers/sha256/{}/link", digest.hex())), &digest.to_string());
    let [msr, ghcr] = ["msr.example.com/team/app", "ghcr.io/team/app"].map(repository);
    let tag: Tag = "1".parse().unwrap();
    for (registry, knows) in [("msr.example.com", true), ("ghcr.io", false), ("msr.example.com", true)] {
        let catalog = Catalog::new(&layout, &registry.parse().unwrap());
        assert_eq!(catalog.tag(&ghcr, &tag), None);
        assert_eq!(catalog.linked(&ghcr, Kind::Blob, &digest), None);
        assert_eq!(catalog.tag(&msr, &tag).is_some(), knows || registry == "ghcr.io", "{registry}");
    }
}

#[test]
fn a_link_is_to_one_repository_of_one_registry() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = Catalog::new(&Layout::new(folder.path()), &Registry::docker_hub());
    let digest = Digest::sha256(b"layer");
    let [hub, other, msr] =
        ["docker.io/team/app", "docker.io/team/other", "msr.example.com:8443/team/app"].map(repository);
    catalog.link(&hub, Kind::Blob, &digest, None).unwrap();
    assert_eq!(catalog.linked(&hub, Kind::Blob, &digest), Some(None));
    // A manifest that says the length adds it; one that does not takes nothing away.
    for size in [Some(5), None, Some(5)] {
        catalog.link(&hub, Kind::Blob, &digest, size).unwrap();
        assert_eq!(catalog.linked(&hub, Kind::Blob, &digest), Some(Some(5)));
    }
    for (repository, kind) in [(&hub, Kind::Manifest), (&other, Kind::Blob), (&msr, Kind::Blob)] {
        assert_eq!(catalog.linked(repository, kind, &digest), None);
    }
    catalog.link(&msr, Kind::Manifest, &digest, None).unwrap();
    assert!(catalog.linked(&msr, Kind::Manifest, &digest).is_some());
    assert!(catalog.linked(&hub, Kind::Manifest, &digest).is_none());
}

#[test]
fn a_link_that_a_crash_cut_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(folder.path());
    let open = || Catalog::new(&layout, &Registry::docker_hub());
    let hub = repository("docker.io/library/alpine");
    let digest = Digest::sha256(b"layer");
    open().link(&hub, Kind::Blob, &digest, Some(5)).unwrap();
    let own = layout.root().join("larder/registries/docker.io/repositories/library/alpine");
    let path = own.join(format!("_layers/sha256/{}/link", digest.hex()));
    assert!(path.exists());
    let other = Digest::sha256(b"other").to_string();
    for cut in ["", "sha256:", &digest.to_string()[..30], &other, &format!("{digest} 5x")] {
        write(&path, cut);
        assert_eq!(open().linked(&hub, Kind::Blob, &digest), None, "{cut:?}");
    }
}

#[test]
fn what_is_kept_in_memory_agrees_with_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(folder.path());
    let [catalog, another] = [(), ()].map(|()| Catalog::new(&layout, &Registry::docker_hub()));
    let hub = repository("docker.io/library/alpine");
    let tag: Tag = "3.20".parse().unwrap();
    let [layer, config] = [b"layer".as_slice(), b"config"].map(Digest::sha256);

    // That something is not linked is asked each time: a link that another instance writes counts at once.
    assert_eq!(catalog.linked(&hub, Kind::Blob, &layer), None);
    another.link(&hub, Kind::Blob, &layer, None).unwrap();
    assert_eq!(catalog.linked(&hub, Kind::Blob, &layer), Some(None));
    // One's own word replaces what was seen, also where the disk had it already.
    another.link(&hub, Kind::Blob, &layer, Some(5)).unwrap();
    catalog.link(&hub, Kind::Blob, &layer, None).unwrap();
    assert_eq!(catalog.linked(&hub, Kind::Blob, &layer), Some(Some(5)));

    // What cannot be written down is not linked.
    let blobs = layout.root().join("larder/registries/docker.io/repositories/library/alpine/_layers/sha256");
    drop(std::fs::File::create(blobs.join(config.hex())).unwrap());
    catalog.link(&hub, Kind::Blob, &config, Some(6)).unwrap_err();
    assert_eq!(catalog.linked(&hub, Kind::Blob, &config), None);

    // A tag that goes takes no link with it: the digest it pointed to may still be asked for.
    let record = TagRecord { digest: layer, checked: UNIX_EPOCH, fresh_until: UNIX_EPOCH };
    catalog.set_tag(&hub, &tag, record).unwrap();
    catalog.remove_tag(&hub, &tag).unwrap();
    assert_eq!(catalog.tag(&hub, &tag), None);
    assert_eq!(catalog.linked(&hub, Kind::Blob, &layer), Some(Some(5)));

    // A folder that was emptied by hand is empty for who opens it.
    std::fs::remove_dir_all(layout.root().join("larder/registries")).unwrap();
    assert_eq!(Catalog::new(&layout, &Registry::docker_hub()).linked(&hub, Kind::Blob, &layer), None);
}
