//! What we are doing to a file of the engine's, on disk before we do it: whoever starts next after a crash can finish it
//! or take it back, and `restore` can put the very bytes back that were there before us.
//!
//! One journal per file, in `runtime/journal/` of the state folder. It holds the original text itself (as a JSON string, which is
//! exact: only UTF-8 is ever edited), so that journal and original cannot part, and an operator can read both.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use larder_oci::Digest;
use serde::{Deserialize, Serialize};

use super::{
    daemon_json::MAX_BYTES,
    disk::{Attributes, Disk, Existing, sweep},
    mirror_url::MirrorUrl,
    writer::{NotUtf8, Writer},
};

const FORMAT: u32 = 1;
const ENDING: &str = ".json";
/// An original at its largest, each of its bytes escaped as `\u00xx`, and some room for the rest.
const MAX_JOURNAL: u64 = 6 * MAX_BYTES as u64 + (64 << 10);
/// The original may hold proxy credentials.
const ATTRIBUTES: Attributes = Attributes { mode: 0o600, owner: None };

/// How far an edit has come. All but [`Phase::Confirmed`] are on the way: found at a start, they mean a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Phase {
    /// The file is about to be written.
    Planned,
    /// It is written; the engine may or may not have been signalled.
    Written,
    /// The engine was signalled.
    Signalled,
    /// The engine uses our mirror.
    Confirmed,
    /// Our entry is being taken out again, by an undo or a restore.
    Withdrawing,
}

/// One edit of one file, from its plan until it is withdrawn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Journal {
    format: u32,
    /// Which file, and how it is edited.
    pub(super) writer: Writer,
    /// How far it has come.
    pub(super) phase: Phase,
    /// The file, by the path it has for dockerd, links followed.
    pub(super) file: PathBuf,
    /// What was there before us.
    pub(super) original: Original,
    /// The folders that we created for the file, by their paths for dockerd, the outermost first.
    pub(super) new_folders: Vec<PathBuf>,
    /// Digests of every content that we gave the file since. The file is still ours to put back if it has one of them.
    pub(super) written: Vec<Digest>,
    /// The entry we put in.
    pub(super) mirror: MirrorUrl,
    /// Entries that we put in before, at other ports.
    pub(super) retired: Vec<MirrorUrl>,
    began: Timestamp,
    changed: Timestamp,
}

/// The file as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Original {
    /// There was none.
    Absent,
    /// There was one.
    Present {
        /// Its bytes, a byte-order mark included.
        text: String,
        /// Its permissions, for the record: a replacement keeps those it finds.
        mode: Option<u32>,
    },
}

/// Why there is no journal to go by. The engine's configuration is then left alone.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JournalError {
    /// Not what we wrote.
    #[error(
        "{} is damaged ({problem}), so it is not known what the engine's file was: save a copy of it and remove it; a \
         restore then takes out no more than our own entry", path.display()
    )]
    Damaged {
        /// The journal.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Written by a later version.
    #[error("{} was written by a later version of Larder (format {format}): use that version", path.display())]
    Later {
        /// The journal.
        path: PathBuf,
        /// Its format.
        format: u32,
    },
    /// The disk does not answer, or not as it should.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The folder in which the journals live.
#[derive(Debug, Clone)]
pub(super) struct JournalStore {
    folder: PathBuf,
}

// === impl Journal ===

impl Journal {
    pub(super) fn new(writer: Writer, file: PathBuf, original: Original, mirror: MirrorUrl) -> Self {
        let now = Timestamp::now();
        Self {
            format: FORMAT,
            writer,
            phase: Phase::Planned,
            file,
            original,
            new_folders: Vec::new(),
            written: Vec::new(),
            mirror,
            retired: Vec::new(),
            began: now,
            changed: now,
        }
    }

    /// The journal of the next edit of a file that is still as we left it.
    pub(super) fn again(&self, mirror: MirrorUrl) -> Self {
        Self { phase: Phase::Planned, mirror, ..self.clone() }
    }

    /// Notes that `bytes` are about to become the content of the file.
    pub(super) fn will_write(&mut self, bytes: Option<&[u8]>) {
        if let Some(bytes) = bytes {
            let digest = Digest::sha256(bytes);
            if !self.written.contains(&digest) {
                self.written.push(digest);
            }
        }
    }

    /// Whether a file that holds `bytes` is as we left it.
    pub(super) fn wrote(&self, bytes: Option<&[u8]>) -> bool {
        bytes.is_some_and(|bytes| self.written.contains(&Digest::sha256(bytes)))
    }

    /// Every entry that is ours.
    pub(super) fn ours(&self) -> Vec<MirrorUrl> {
        [&self.mirror].into_iter().chain(&self.retired).cloned().collect()
    }
}

// === impl Original ===

impl Original {
    /// A file with these bytes, which must be UTF-8: others are never edited.
    pub(super) fn of(bytes: Option<&[u8]>, mode: Option<u32>) -> Result<Self, NotUtf8> {
        let Some(bytes) = bytes else { return Ok(Self::Absent) };
        let text = std::str::from_utf8(bytes).map_err(|error| NotUtf8 { offset: error.valid_up_to() })?;
        Ok(Self::Present { text: text.to_owned(), mode })
    }

    pub(super) fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Absent => None,
            Self::Present { text, .. } => Some(text.as_bytes()),
        }
    }
}

// === impl JournalStore ===

impl JournalStore {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Makes the folder, if it is missing.
    pub(super) fn prepare(&self) -> Result<(), JournalError> {
        let failed = |source| io_error("create", &self.folder, source);
        std::fs::create_dir_all(&self.folder).map_err(failed)
    }

    /// Every journal, in the order of their files.
    pub(super) fn all(&self) -> Result<Vec<Journal>, JournalError> {
        let mut found = Vec::new();
        for path in self.paths()? {
            found.extend(read(&path)?);
        }
        found.sort_by(|a: &Journal, b| a.writer.cmp(&b.writer));
        Ok(found)
    }

    /// The journal of a file, if there is one.
    pub(super) fn load(&self, writer: &Writer) -> Result<Option<Journal>, JournalError> {
        read(&self.path(writer))
    }

    /// Makes `journal` the journal of its file. When this returns, it is on the platter.
    pub(super) fn save(&self, disk: &dyn Disk, journal: &mut Journal) -> Result<(), JournalError> {
        journal.changed = Timestamp::now();
        let path = self.path(&journal.writer);
        let bytes = serde_json::to_vec_pretty(journal).map_err(|error| io_error("write", &path, error.into()))?;
        let staged = disk.stage(&path, &bytes, ATTRIBUTES).map_err(|source| io_error("write beside", &path, source))?;
        disk.commit(staged, &path, Existing::Replace).map_err(|source| io_error("replace", &path, source))
    }

    /// Removes the journal of a file: nothing of ours is left to take back.
    pub(super) fn remove(&self, disk: &dyn Disk, writer: &Writer) -> Result<(), JournalError> {
        let path = self.path(writer);
        match disk.remove(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error("remove", &path, error)),
            _ => Ok(()),
        }
    }

    /// Removes what an interrupted [`JournalStore::save`] left.
    pub(super) fn sweep(&self) {
        sweep(&self.folder, |_| true);
    }

    fn path(&self, writer: &Writer) -> PathBuf {
        self.folder.join(format!("{}{ENDING}", writer.label()))
    }

    fn paths(&self) -> Result<Vec<PathBuf>, JournalError> {
        let failed = |source| io_error("list", &self.folder, source);
        let entries = match self.folder.read_dir() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed)?,
        };
        let names = entries.map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()));
        let names: Vec<String> = names.collect::<io::Result<_>>().map_err(failed)?;
        let is_journal = |name: &&String| name.ends_with(ENDING) && !name.starts_with('.');
        Ok(names.iter().filter(is_journal).map(|name| self.folder.join(name)).collect())
    }
}

fn read(path: &Path) -> Result<Option<Journal>, JournalError> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(|source| io_error("open", path, source))?,
    };
    let mut bytes = Vec::new();
    file.take(MAX_JOURNAL).read_to_end(&mut bytes).map_err(|source| io_error("read", path, source))?;

    // The format first, by itself: a later one may have fields that this version would take for damage.
    #[derive(Deserialize)]
    struct Header {
        format: u32,
    }
    let damaged =
        |error: serde_json::Error| JournalError::Damaged { path: path.to_owned(), problem: error.to_string() };
    match serde_json::from_slice(&bytes).map_err(damaged)? {
        Header { format } if format > FORMAT => Err(JournalError::Later { path: path.to_owned(), format }),
        Header { .. } => serde_json::from_slice(&bytes).map(Some).map_err(damaged),
    }
}

fn io_error(doing: &'static str, path: &Path, source: io::Error) -> JournalError {
    JournalError::Io { doing, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::disk::RealDisk;

    fn store() -> (tempfile::TempDir, JournalStore) {
        let folder = tempfile::tempdir().unwrap();
        let store = JournalStore::new(folder.path().join("runtime"));
        store.prepare().unwrap();
        (folder, store)
    }

    fn journal(text: &str) -> Journal {
        let original = Original::Present { text: text.to_owned(), mode: Some(0o640) };
        let mut journal = Journal::new(
            Writer::DaemonJson,
            "/etc/docker/daemon.json".into(),
            original,
            MirrorUrl::parse("http://127.0.0.1:797").unwrap(),
        );
        journal.will_write(Some(b"{}"));
        journal
    }

    #[test]
    fn comes_back_as_it_was_saved_to_the_byte() {
        let (_folder, store) = store();
        assert_eq!(store.load(&Writer::DaemonJson).unwrap(), None);
        for text in ["", "\u{feff}{}\r\n", "{\"a\":\"\\u00e9\\/ß\u{0}\u{7f}\"}\t"] {
            let mut saved = journal(text);
            store.save(&RealDisk, &mut saved).unwrap();
            let loaded = store.load(&Writer::DaemonJson).unwrap().unwrap();
            assert_eq!(loaded, saved);
            assert_eq!(loaded.original.bytes(), Some(text.as_bytes()));
        }
        store.remove(&RealDisk, &Writer::DaemonJson).unwrap();
        store.remove(&RealDisk, &Writer::DaemonJson).unwrap();
        assert_eq!(store.load(&Writer::DaemonJson).unwrap(), None);
    }

    #[test]
    fn is_for_our_eyes_only() {
        use std::os::unix::fs::MetadataExt as _;
        let (_folder, store) = store();
        store.save(&RealDisk, &mut journal("{}")).unwrap();
        assert_eq!(store.path(&Writer::DaemonJson).metadata().unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn an_original_of_the_largest_size_comes_back() {
        let (_folder, store) = store();
        let text = "\u{1}".repeat(MAX_BYTES);
        store.save(&RealDisk, &mut journal(&text)).unwrap();
        assert_eq!(store.load(&Writer::DaemonJson).unwrap().unwrap().original.bytes(), Some(text.as_bytes()));
    }

    #[test]
    fn damage_is_an_error_with_advice() {
        let (_folder, store) = store();
        store.save(&RealDisk, &mut journal("{\"debug\":true}")).unwrap();
        let good = std::fs::read(store.path(&Writer::DaemonJson)).unwrap();
        let mut samples =
            vec![b"".to_vec(), b"null".to_vec(), b"[]".to_vec(), b"\xff\xfe".to_vec(), b"{\"format\":1}".to_vec()];
        samples.extend((0..good.len() - 1).step_by(7).map(|end| good[..end].to_vec()));
        samples.push(String::from_utf8(good.clone()).unwrap().replace("sha256:", "sha256:x").into_bytes());
        for sample in samples {
            std::io::Write::write_all(&mut File::create(store.path(&Writer::DaemonJson)).unwrap(), &sample).unwrap();
            let error = store.load(&Writer::DaemonJson).unwrap_err();
            assert!(matches!(error, JournalError::Damaged { .. }), "{error}");
            assert!(error.to_string().contains("save a copy of it and remove it"), "{error}");
        }
    }

    #[test]
    fn a_later_format_is_not_taken_for_damage() {
        let (_folder, store) = store();
        std::io::Write::write_all(
            &mut File::create(store.path(&Writer::DaemonJson)).unwrap(),
            b"{\"format\":2,\"new\":true}",
        )
        .unwrap();
        assert!(matches!(store.load(&Writer::DaemonJson), Err(JournalError::Later { format: 2, .. })));
    }
}
