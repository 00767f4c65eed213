//! Which files an engine reads to learn of a mirror: image store and version decide. Pure.

use larder_oci::Registry;

use super::{engine::major, hosts_toml, writer::Writer};

/// Where the engine keeps its images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Store {
    /// Graph drivers such as `overlay2`.
    Classic,
    /// containerd's: the default of fresh installations from 29 on, a feature flag from 24 on.
    Containerd,
}

/// Which files it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Capability {
    /// `daemon.json`, which knows mirrors of Docker Hub only (moby#18818).
    DaemonJson,
    /// That, and `certs.d/<registry>/hosts.toml` for any registry (moby `daemon/hosts.go`, from 28.0 on).
    HostsToml,
}

// === impl Store ===

impl Store {
    /// By `DriverStatus` of `/info`: the name of the driver does not tell.
    pub(crate) fn of_status<'a>(status: impl IntoIterator<Item = &'a str>) -> Self {
        let containerd = status.into_iter().any(|text| text.starts_with("io.containerd.snapshotter"));
        if containerd { Self::Containerd } else { Self::Classic }
    }
}

// === impl Capability ===

impl Capability {
    /// Of an engine with this store and version. A version without a number in front (a build of one's own) counts as
    /// old: a `hosts.toml` that nobody reads would be taken for a mirror that works.
    pub(crate) fn of(store: Store, version: &str) -> Self {
        match (store, major(version)) {
            (Store::Containerd, Some(28..)) => Self::HostsToml,
            _ => Self::DaemonJson,
        }
    }

    /// Whether the engine reads this file.
    pub(super) fn reads(self, writer: &Writer) -> bool {
        match writer {
            Writer::DaemonJson => true,
            Writer::HostsToml { .. } => self == Self::HostsToml,
        }
    }

    /// The files to edit for a mirror of `registries` (`None`: nobody said of which). `folders` are the names in `certs.d`.
    pub(super) fn writers(self, registries: Option<&[Registry]>, folders: &[String]) -> Vec<Writer> {
        let has_docker_hub = registries.is_none_or(|registries| registries.contains(&Registry::docker_hub()));
        let mut writers = if has_docker_hub { vec![Writer::DaemonJson] } else { Vec::new() };
        let registries = registries.unwrap_or_default();
        if self == Self::HostsToml {
            let exists = |name: &str| folders.iter().any(|folder| folder == name);
            writers.extend(registries.iter().map(|registry| Writer::HostsToml {
                folder: hosts_toml::place(registry, exists, None).folder,
                registry: registry.clone(),
            }));
        }
        writers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn store_and_version_decide() {
        use Capability::{DaemonJson, HostsToml};
        use Store::{Classic, Containerd};
        for (store, version, capability) in [
            (Classic, "20.10.24+dfsg1", DaemonJson),
            (Classic, "28.5.2", DaemonJson),
            (Classic, "29.7.2", DaemonJson),
            (Containerd, "24.0.9", DaemonJson),
            (Containerd, "27.5.1", DaemonJson),
            (Containerd, "28.0.0-rc.1", HostsToml),
            (Containerd, "29.7.2", HostsToml),
            (Containerd, "dev", DaemonJson),
        ] {
            assert_eq!(Capability::of(store, version), capability, "{store:?} {version}");
        }
    }

    #[test]
    fn the_store_shows_in_the_status_of_its_driver() {
        assert_eq!(Store::of_status(["driver-type", "io.containerd.snapshotter.v1"]), Store::Containerd);
        assert_eq!(Store::of_status(["Backing Filesystem", "extfs", "Supports d_type", "true"]), Store::Classic);
        assert_eq!(Store::of_status([]), Store::Classic);
    }

    #[test]
    fn docker_hub_is_in_daemon_json_and_nothing_is_written_for_all() {
        let registries: Vec<Registry> = ["docker.io", "msr.example.com:5000"].map(|text| text.parse().unwrap()).into();
        assert_eq!(Capability::DaemonJson.writers(Some(&registries), &[]), [Writer::DaemonJson]);
        let writers = Capability::HostsToml.writers(Some(&registries), &["_default".to_owned()]);
        let paths: Vec<String> = writers.iter().map(ToString::to_string).collect();
        assert_eq!(Capability::DaemonJson.writers(Some(&registries[1..]), &[]), []);
        assert_eq!(Capability::HostsToml.writers(None, &[]), [Writer::DaemonJson]);
        assert_eq!(paths, ["daemon.json", "certs.d/docker.io/hosts.toml", "certs.d/msr.example.com:5000/hosts.toml"]);
    }
}
