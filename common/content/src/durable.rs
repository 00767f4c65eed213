//! Small files that are whole or not there.

use std::{fs::File, io, io::Write as _, path::Path};

/// Whether a write waits for the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sync {
    /// The file is on the disk when the call returns.
    Yes,
    /// The file is whole for every reader now; a power cut may lose it, or leave it empty.
    No,
}

/// How the names of files begin that are not whole yet.
const TEMPORARY: &str = ".larder-";

/// Whether a file of this name is one that was being written.
pub(crate) fn is_temporary(name: &std::ffi::OsStr) -> bool {
    name.as_encoded_bytes().starts_with(TEMPORARY.as_bytes())
}

/// Makes `path` hold exactly `bytes`: a reader sees what was there before or all of the new, never a part.
/// Missing folders are made.
pub fn replace(path: &Path, bytes: &[u8], sync: Sync) -> io::Result<()> {
    let folder = path.parent().ok_or_else(|| io::Error::other("a file needs a folder"))?;
    let temporary = || tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(folder);
    let mut file = match temporary() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            std::fs::create_dir_all(folder)?;
            temporary()?
        }
        other => other?,
    };
    file.write_all(bytes)?;
    if sync == Sync::Yes {
        file.as_file().sync_all()?;
    }
    file.persist(path).map_err(|error| error.error)?;
    if sync == Sync::Yes { sync_folder(folder) } else { Ok(()) }
}

/// Puts the entries of `folder` on the disk.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_whole_files_and_leaves_no_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");
        for (bytes, sync) in [(b"one".as_slice(), Sync::Yes), (b"", Sync::No), (b"three", Sync::No)] {
            replace(&path, bytes, sync).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), bytes);
        }
        assert_eq!(std::fs::read_dir(folder.path().join("a")).unwrap().count(), 1);
    }

    /// Which disk is asked: `TMPDIR`.
    #[test]
    #[ignore = "figures to read"]
    #[expect(clippy::print_stdout, reason = "the figures are what it is for")]
    fn what_waiting_for_the_disk_costs() {
        println!("{:>9} {:>12} {:>12}   (ms a file, median)", "bytes", "no fsync", "fsync");
        for (length, count) in [(4 << 10, 400), (100 << 10, 400), (4 << 20, 60), (64 << 20, 12)] {
            let (bytes, folder) = (vec![7; length], tempfile::tempdir().unwrap());
            let mut took = [Vec::new(), Vec::new()];
            // In turn, and each with no writes of others under way.
            for number in 0..count {
                let sync = [Sync::No, Sync::Yes][number % 2];
                let start = std::time::Instant::now();
                replace(&folder.path().join(format!("{number}/data")), &bytes, sync).unwrap();
                took[number % 2].push(start.elapsed().as_secs_f64() * 1e3);
                rustix::fs::syncfs(File::open(folder.path()).unwrap()).unwrap();
            }
            let [no, yes] = took.map(|mut took| {
                took.sort_by(f64::total_cmp);
                took[took.len() / 2]
            });
            println!("{length:>9} {no:>12.2} {yes:>12.2}");
        }
    }
}
