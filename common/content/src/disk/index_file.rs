//! The index on the disk: read at the start, appended to while running, written anew when it is mostly history.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::Path,
    sync::PoisonError,
};

use super::Disk;
use crate::{
    books::Books,
    durable,
    index::{self, Record},
};

/// The index is written anew when it has this many times more records than there are blobs.
const WASTE: usize = 2;

/// The index as it is on the disk.
#[derive(Debug)]
pub(super) struct IndexFile {
    file: Option<File>,
    records: usize,
}

impl IndexFile {
    /// One that has `records` records, and is written anew before anything is added.
    pub(super) fn new(records: usize) -> Self {
        Self { file: None, records }
    }
}

impl Disk {
    /// Writes down what changed.
    pub(crate) fn flush(&self) -> io::Result<()> {
        // In time, what somebody removed by hand is gone.
        self.books().close_files();
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        let blobs = self.books().len();
        if index.file.is_none() || index.records > blobs * WASTE + 1000 {
            let records = self.books().records();
            durable::replace(&self.layout.index(), &encode(index::MAGIC, &records), durable::Sync::No)?;
            index.file = Some(OpenOptions::new().append(true).open(self.layout.index())?);
            index.records = records.len();
            return Ok(());
        }
        let changes = self.books().changes();
        index.records += changes.len();
        let written = index.file.as_mut().map_or(Ok(()), |file| file.write_all(&encode(&[], &changes)));
        // What could not be written is in the books: the next time all of it is.
        written.inspect_err(|_| index.file = None)
    }
}

/// The books as the index has them, and how many records it has.
pub(super) fn read_index(path: &Path) -> io::Result<(Books, usize)> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    let mut records = 0;
    let counted = index::decode(&bytes).inspect(|_| records += 1);
    let books = Books::restore(counted);
    Ok((books, records))
}

fn encode(head: &[u8], records: &[Record]) -> Vec<u8> {
    let mut bytes = head.to_vec();
    for record in records {
        record.encode(&mut bytes);
    }
    bytes
}
