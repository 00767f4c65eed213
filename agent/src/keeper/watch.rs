//! Notices that somebody touches the engine's configuration folder. What was done there is for whoever looks afterwards.

use std::path::{Path, PathBuf};

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::watch;

/// Watches a folder and what is in it.
#[derive(Debug)]
pub(crate) struct FolderWatch {
    folder: PathBuf,
    touched: watch::Sender<()>,
    watcher: Option<RecommendedWatcher>,
}

impl FolderWatch {
    /// Of `folder`, which need not exist. Nothing is watched before [`FolderWatch::watch`].
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), touched: watch::Sender::new(()), watcher: None }
    }

    /// Wakes up whenever something was touched.
    pub(crate) fn touched(&self) -> watch::Receiver<()> {
        self.touched.subscribe()
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

#[cfg(test)]
mod tests {
    use std::{fs, time::Duration};

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_change_is_noticed_at_any_depth_and_a_look_is_not() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("docker");
        let mut watch = FolderWatch::new(&folder);
        watch.watch();
        fs::create_dir_all(folder.join("certs.d/a")).unwrap();
        watch.watch();
        let mut touched = watch.touched();
        let write =
            |name: &str| std::io::Write::write_all(&mut fs::File::create(folder.join(name)).unwrap(), b"x").unwrap();
        for name in ["daemon.json", "certs.d/a/hosts.toml"] {
            touched.mark_unchanged();
            write(name);
            timeout(Duration::from_secs(30), touched.changed()).await.expect(name).unwrap();
        }
        // All that was written is told of before what is removed last.
        fs::remove_file(folder.join("daemon.json")).unwrap();
        timeout(Duration::from_secs(30), touched.changed()).await.expect("removed").unwrap();
    }
}
