//! Which folder of the host is mounted, where an agent in a container sees the engine's configuration.

use std::path::{Path, PathBuf};

use crate::mounts;

/// A folder of the host's, and where it is seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mount {
    pub(super) host: PathBuf,
    seen: PathBuf,
}

impl Mount {
    /// The mount by which the host's `host` is seen at `seen`.
    pub(super) fn of(seen: &Path, host: &Path) -> Self {
        among(&mounts::own(), seen, host)
    }

    /// Where a path of the host's is seen; a path outside the mount is not, and stays as it is.
    pub(super) fn see(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.host).map_or_else(|_| path.to_owned(), |rest| self.seen.join(rest))
    }
}

/// The mount nearest above `seen`, if what lies between them has the same names on the host: `/host/etc` for
/// `/host/etc/docker` and `/etc/docker`. Otherwise the folder itself is taken for the mount: then nothing else is touched.
fn among(mounts: &[mounts::Mount], seen: &Path, host: &Path) -> Mount {
    let points = mounts.iter().map(|mount| mount.point.as_path()).filter(|point| seen.starts_with(point));
    let nearest = points.max_by_key(|point| point.components().count());
    let above = nearest.filter(|point| *point != Path::new("/")).and_then(|point| {
        let between = seen.strip_prefix(point).ok()?;
        if !host.ends_with(between) {
            return None;
        }
        let names = between.components().count();
        Some(Mount { host: host.ancestors().nth(names)?.to_owned(), seen: point.to_owned() })
    });
    above.unwrap_or_else(|| Mount { host: host.to_owned(), seen: seen.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_mount_counts_if_the_names_agree() {
        let mounts = "1 0 0:1 / / rw - overlay o rw\n2 1 8:1 /etc /host/etc rw - ext4 d rw\n\
                      3 1 8:1 /x /host/a\\040b/docker rw - ext4 d rw\n4 1 0:5 / /proc rw - proc p rw\n";
        for (seen, host, mount) in [
            ("/host/etc/docker", "/etc/docker", ("/host/etc", "/etc")),
            ("/host/etc/docker", "/srv/conf", ("/host/etc/docker", "/srv/conf")),
            ("/host/a b/docker", "/etc/docker", ("/host/a b/docker", "/etc/docker")),
            ("/elsewhere/docker", "/etc/docker", ("/elsewhere/docker", "/etc/docker")),
            ("/host/etcetera/docker", "/etc/docker", ("/host/etcetera/docker", "/etc/docker")),
        ] {
            let found = among(&mounts::parse(mounts), Path::new(seen), Path::new(host));
            assert_eq!((found.seen, found.host), (mount.0.into(), mount.1.into()), "{seen}");
        }
        assert_eq!(among(&[], Path::new("/a"), Path::new("/b")).see(Path::new("/b/c")), Path::new("/a/c"));
        assert_eq!(among(&[], Path::new("/a"), Path::new("/b")).see(Path::new("/c")), Path::new("/c"));
    }
}
