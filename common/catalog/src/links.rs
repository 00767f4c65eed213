//! Writing tags and links.
//!
//! They are not forced to the disk one by one: a power cut may lose the last of them, and then the upstream is asked
//! once more. What a crash leaves empty or cut is not a digest, and so no link.

use std::{fs, io, time::SystemTime};

use larder_content::durable::{self, Sync};
use larder_oci::{Digest, Repository, Tag};

use crate::{
    records::TagRecord,
    tree::{Kind, Tree},
};

pub(crate) fn set_tag(tree: &Tree, repository: &Repository, tag: &Tag, record: &TagRecord) -> io::Result<()> {
    let digest = record.digest.to_string();
    match tree.tag(repository, tag) {
        Some(stored) if stored.digest == record.digest => touch(&stored.path, record.checked),
        _ => {
            durable::replace(&tree.index(repository, tag, &record.digest), digest.as_bytes(), Sync::No)?;
            let current = tree.current(repository, tag);
            durable::replace(&current, digest.as_bytes(), Sync::No)?;
            touch(&current, record.checked)
        }
    }
}

pub(crate) fn remove_tag(tree: &Tree, repository: &Repository, tag: &Tag) -> io::Result<()> {
    match fs::remove_dir_all(tree.tag_folder(repository, tag)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

pub(crate) fn link(tree: &Tree, repository: &Repository, kind: Kind, digest: &Digest) -> io::Result<()> {
    if is_linked(tree, repository, kind, digest) {
        return Ok(());
    }
    durable::replace(&tree.link(repository, kind, digest), digest.to_string().as_bytes(), Sync::No)
}

pub(crate) fn is_linked(tree: &Tree, repository: &Repository, kind: Kind, digest: &Digest) -> bool {
    let text = fs::read_to_string(tree.link(repository, kind, digest));
    text.is_ok_and(|text| text.trim().parse() == Ok(*digest))
}

fn touch(path: &std::path::Path, time: SystemTime) -> io::Result<()> {
    fs::File::options().write(true).open(path)?.set_modified(time)
}
