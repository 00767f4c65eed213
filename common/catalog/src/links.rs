//! Writing tags and links.
//!
//! They are not forced to the disk one by one: a power cut may lose the last of them, and then the upstream is asked
//! once more.

use std::{fs, io};

use larder_content::durable::{self, Sync};
use larder_oci::{Digest, Repository, Tag};

use crate::{
    records::TagRecord,
    tree::{Kind, Tree},
};

pub(crate) fn set_tag(tree: &Tree, repository: &Repository, tag: &Tag, record: &TagRecord) -> io::Result<()> {
    let path = tree.own_tag(repository, tag);
    let text = record.digest.to_string();
    if fs::read_to_string(&path).ok().as_deref() != Some(text.as_str()) {
        durable::replace(&path, text.as_bytes(), Sync::No)?;
    }
    fs::File::options().write(true).open(&path)?.set_modified(record.checked)
}

/// Forgets what we wrote. What was there before us stays.
pub(crate) fn remove_tag(tree: &Tree, repository: &Repository, tag: &Tag) -> io::Result<()> {
    match fs::remove_file(tree.own_tag(repository, tag)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Gives the length in bytes that the link says now.
pub(crate) fn link(
    tree: &Tree,
    repository: &Repository,
    kind: Kind,
    digest: &Digest,
    size: Option<u64>,
) -> io::Result<Option<u64>> {
    if let Some(known) = tree.link(repository, kind, digest)
        && (known.is_some() || size.is_none())
    {
        return Ok(known);
    }
    let text = size.map_or_else(|| digest.to_string(), |size| format!("{digest} {size}"));
    durable::replace(&tree.own_link(repository, kind, digest), text.as_bytes(), Sync::No)?;
    Ok(size)
}
