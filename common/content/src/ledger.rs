//! What Larder fetched itself, and when.
//!
//! A blob that is not in this list is **owned**: somebody else put it there, it may be had nowhere else, and nothing
//! here ever removes it. Losing the list therefore costs room, never content.
//!
//! The file is a line per blob, `<digest> <seconds since 1970>`, or `<digest> -` once removed. It is only appended to
//! while running and written anew at start. A line goes to the disk before the blob becomes visible; one for a blob
//! that then never came is harmless.

use std::{
    collections::HashMap,
    fmt::Write as _,
    fs::{File, OpenOptions},
    io,
    io::Write as _,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use larder_oci::Digest;

use crate::durable;

/// The list, in memory and on disk.
#[derive(Debug)]
pub(crate) struct Ledger {
    file: File,
    fetched: HashMap<Digest, SystemTime>,
}

impl Ledger {
    /// Reads the list at `path`, and writes it anew without what is no longer so.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let text = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let mut fetched = HashMap::new();
        // A line that a crash cut short has no end, and says nothing.
        let text = String::from_utf8_lossy(&text);
        for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
            match parse(line) {
                Some((digest, Some(at))) => drop(fetched.insert(digest, at)),
                Some((digest, None)) => drop(fetched.remove(&digest)),
                None => {}
            }
        }
        let mut compact = String::new();
        for (digest, at) in &fetched {
            compact.push_str(&line(digest, Some(*at)));
        }
        durable::replace(path, compact.as_bytes(), durable::Sync::Yes)?;
        Ok(Self { file: OpenOptions::new().append(true).open(path)?, fetched })
    }

    /// Notes that Larder fetched `digest` at `at`.
    pub(crate) fn fetched(&mut self, digest: Digest, at: SystemTime) -> io::Result<()> {
        self.file.write_all(line(&digest, Some(at)).as_bytes())?;
        self.file.sync_data()?;
        self.fetched.insert(digest, at);
        Ok(())
    }

    /// Notes that `digest` was removed.
    pub(crate) fn removed(&mut self, digest: &Digest) -> io::Result<()> {
        if self.fetched.remove(digest).is_some() {
            self.file.write_all(line(digest, None).as_bytes())?;
        }
        Ok(())
    }

    /// What was fetched before `then`.
    pub(crate) fn fetched_before(&self, then: SystemTime) -> Vec<Digest> {
        self.fetched.iter().filter(|(_, at)| **at < then).map(|(digest, _)| *digest).collect()
    }
}

fn line(digest: &Digest, at: Option<SystemTime>) -> String {
    let mut line = format!("{digest} ");
    match at.map(|at| at.duration_since(UNIX_EPOCH).unwrap_or_default()) {
        Some(at) => write!(line, "{}", at.as_secs()).expect("a String takes every write"),
        None => line.push('-'),
    }
    line.push('\n');
    line
}

fn parse(line: &str) -> Option<(Digest, Option<SystemTime>)> {
    let (digest, at) = line.split_once(' ')?;
    let at = if at == "-" { None } else { Some(UNIX_EPOCH.checked_add(Duration::from_secs(at.parse().ok()?))?) };
    Some((digest.parse().ok()?, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_a_restart_and_a_torn_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("larder/mirrored");
        let [a, b, c] = [b"a", b"b", b"c"].map(|content| Digest::sha256(content));
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);

        let mut ledger = Ledger::open(&path).unwrap();
        ledger.fetched(a, at(10)).unwrap();
        ledger.fetched(b, at(20)).unwrap();
        ledger.fetched(c, at(30)).unwrap();
        ledger.removed(&c).unwrap();
        drop(ledger);
        let torn = line(&b, Some(at(1))).trim_end().to_owned();
        OpenOptions::new().append(true).open(&path).unwrap().write_all(torn.as_bytes()).unwrap();

        let ledger = Ledger::open(&path).unwrap();
        assert_eq!(ledger.fetched_before(at(15)), [a]);
        let mut both = ledger.fetched_before(at(100));
        both.sort();
        let mut expected = vec![a, b];
        expected.sort();
        assert_eq!(both, expected);
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 2);
    }
}
