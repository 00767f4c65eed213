//! Notices that somebody changes the engine's configuration folder: somebody else, for what we write there ourselves is
//! touched too, and must not have us write again. What was done is for whoever looks afterwards.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};

/// Who changes several files is let finish: for so long nothing must be touched,
const QUIET: Duration = Duration::from_secs(2);
/// and no longer than this is waited for that.
const UNQUIET: Duration = Duration::from_secs(20);
/// So deep lie the files that matter: `certs.d/<registry>/hosts.toml`.
const DEPTH: usize = 3;

/// Watches a folder and what is in it.
#[derive(Debug)]
pub(crate) struct FolderWatch {
    folder: PathBuf,
    touched: watch::Sender<()>,
    watcher: Option<RecommendedWatcher>,
    /// What was there when it was last looked at.
    known: u64,
}

impl FolderWatch {
    /// Of `folder`, which need not exist. Nothing is watched before [`FolderWatch::watch`].
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), touched: watch::Sender::new(()), watcher: None, known: 0 }
    }

    /// Whatever is there now is known.
    pub(crate) fn know(&mut self) {
        self.known = state(&self.folder, DEPTH);
    }

    /// Waits until something else is there than what is known, and nobody changes it any more.
    pub(crate) async fn changed(&self) {
        let mut touched = self.touched.subscribe();
        // It may have changed before anybody listened.
        while state(&self.folder, DEPTH) == self.known {
            // The sender is ours.
            let _ = touched.changed().await;
            let until = Instant::now() + UNQUIET;
            while Instant::now() < until && timeout(QUIET, touched.changed()).await.is_ok() {}
        }
    }

    /// Watches, if it does not already and the folder is there. Without it changes are noticed later: by looking.
    pub(crate) fn watch(&mut self) {
        if self.watcher.is_some() && self.folder.exists() {
            return;
        }
        self.watcher = None;
        if !self.folder.exists() {
            return;
        }
        let touched = self.touched.clone();
        let tell = move |event: notify::Result<notify::Event>| {
            // Who reads the files changes nothing: dockerd does at every pull, and so do we.
            if event.is_ok_and(|event| !matches!(event.kind, EventKind::Access(_))) {
                touched.send_replace(());
            }
        };
        let watcher = notify::recommended_watcher(tell).and_then(|mut watcher| {
            watcher.watch(&self.folder, RecursiveMode::Recursive)?;
            Ok(watcher)
        });
        match watcher {
            Ok(watcher) => self.watcher = Some(watcher),
            Err(error) => {
                tracing::warn!(folder = %self.folder.display(), %error, "cannot watch the engine's configuration: it is looked at every now and then");
            }
        }
    }
}

/// A digest of which files there are and which content they have, as far as their metadata tells.
fn state(folder: &Path, depth: usize) -> u64 {
    let mut entries: Vec<_> = folder.read_dir().into_iter().flatten().flatten().collect();
    entries.sort_by_key(std::fs::DirEntry::file_name);
    let mut hasher = DefaultHasher::new();
    for entry in entries {
        let path = entry.path();
        // A link is what it leads to: so dockerd reads it.
        let Ok(data) = path.metadata() else { continue };
        entry.file_name().hash(&mut hasher);
        if data.is_dir() && depth > 1 {
            state(&path, depth - 1).hash(&mut hasher);
        } else {
            (data.ino(), data.len(), data.mtime(), data.mtime_nsec()).hash(&mut hasher);
        }
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);

    fn put(path: &Path, text: &str) {
        std::io::Write::write_all(&mut fs::File::create(path).unwrap(), text.as_bytes()).unwrap();
    }

    #[tokio::test]
    async fn what_others_change_is_noticed_at_any_depth() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("docker");
        let mut watch = FolderWatch::new(&folder);
        watch.watch();
        fs::create_dir_all(folder.join("certs.d/a")).unwrap();
        watch.watch();
        for name in ["daemon.json", "certs.d/a/hosts.toml"] {
            watch.know();
            let (noticed, ()) = tokio::join!(timeout(LIMIT, watch.changed()), async { put(&folder.join(name), "x") });
            noticed.expect(name);
        }
        watch.know();
        let removed = async { fs::remove_file(folder.join("daemon.json")).unwrap() };
        let (noticed, ()) = tokio::join!(timeout(LIMIT, watch.changed()), removed);
        noticed.expect("removed");
    }

    #[tokio::test]
    async fn what_is_known_is_no_change_and_neither_is_a_look() {
        let outer = tempfile::tempdir().unwrap();
        let (file, mut watch) = (outer.path().join("daemon.json"), FolderWatch::new(outer.path()));
        watch.watch();
        put(&file, "ours");
        watch.know();
        // Its event may come only now; then it is looked at, and nothing is new.
        assert!(fs::read(&file).is_ok() && timeout(QUIET + QUIET, watch.changed()).await.is_err());
        put(&file, "theirs");
        timeout(LIMIT, watch.changed()).await.unwrap();
    }

    #[test]
    fn a_file_behind_a_link_counts() {
        let outer = tempfile::tempdir().unwrap();
        let (folder, real) = (outer.path().join("docker"), outer.path().join("real.json"));
        fs::create_dir(&folder).unwrap();
        put(&real, "{}");
        std::os::unix::fs::symlink(&real, folder.join("daemon.json")).unwrap();
        let before = state(&folder, DEPTH);
        put(&real, "{ }");
        assert_ne!(state(&folder, DEPTH), before);
    }
}
