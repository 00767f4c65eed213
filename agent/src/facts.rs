//! What an agent says of its node.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use larder_proto::v1::{Engine, Hello, Resources};
use sysinfo::DiskRefreshKind;
use tokio::sync::watch;

/// How long a look at memory and disk may take.
const DEADLINE: Duration = Duration::from_secs(1);

/// The node, as the hub is told of it.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    id: Arc<str>,
    host_name: Arc<str>,
    cache_dir: PathBuf,
    engine: watch::Receiver<Option<Engine>>,
}

impl Node {
    /// The node called `id` (its host name if it has no other), whose cache lies in `cache_dir`.
    pub(crate) fn new(id: Option<String>, cache_dir: &Path, engine: watch::Receiver<Option<Engine>>) -> Self {
        let host_name = sysinfo::System::host_name().unwrap_or_else(|_| "unknown".to_owned());
        let id = id.unwrap_or_else(|| host_name.clone());
        Self { id: id.into(), host_name: host_name.into(), cache_dir: cache_dir.to_owned(), engine }
    }

    /// What a session begins with, and what is said again when it changed.
    pub(crate) async fn hello(&mut self) -> Hello {
        let engine = self.engine.borrow_and_update().clone();
        Hello {
            node_id: self.id.to_string(),
            host_name: self.host_name.to_string(),
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            engine,
            resources: Some(self.resources().await),
        }
    }

    /// Waits until a hello would say something else of the engine than the last one did.
    pub(crate) async fn changed(&mut self) {
        if self.engine.changed().await.is_err() {
            // Nobody is left to say anything new.
            std::future::pending::<()>().await;
        }
    }

    /// Memory and disk as they are now; zeros where that cannot be told in time.
    pub(crate) async fn resources(&self) -> Resources {
        let cache_dir = self.cache_dir.clone();
        let looking = tokio::task::spawn_blocking(move || resources(&cache_dir));
        tokio::time::timeout(DEADLINE, looking).await.map(Result::unwrap_or_default).unwrap_or_default()
    }
}

fn resources(cache_dir: &Path) -> Resources {
    let (memory_total, memory_available) = sysinfo::System::new()
        .map(|mut system| {
            system.refresh_memory();
            (system.total_memory(), system.available_memory())
        })
        .unwrap_or_default();
    let real = cache_dir.canonicalize().unwrap_or_else(|_| cache_dir.to_owned());
    // Which file systems there are, without a look at any: one that hangs would have us wait for it.
    let disks = sysinfo::Disks::new_with_refreshed_list_specifics(DiskRefreshKind::nothing());
    // The one that a path lies on is mounted nearest above it.
    let mut disks: Vec<sysinfo::Disk> = disks.map(Vec::from).unwrap_or_default();
    disks.retain(|disk| real.starts_with(disk.mount_point()));
    let disk = disks.iter_mut().max_by_key(|disk| disk.mount_point().as_os_str().len());
    let (disk_total, disk_available) = disk.map_or((0, 0), |disk| {
        disk.refresh_specifics(DiskRefreshKind::nothing().with_storage());
        (disk.total_space(), disk.available_space())
    });
    Resources { memory_total, memory_available, disk_total, disk_available }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_hello_says_who_and_on_what() {
        let (_engine, receiver) = watch::channel(None);
        let folder = tempfile::tempdir().unwrap();
        let hello = Node::new(None, folder.path(), receiver).hello().await;
        assert_eq!(hello.node_id, hello.host_name);
        let resources = hello.resources.unwrap();
        assert!(resources.memory_total >= resources.memory_available && resources.memory_total > 0);
        assert!(resources.disk_total >= resources.disk_available && resources.disk_total > 0);
    }
}
