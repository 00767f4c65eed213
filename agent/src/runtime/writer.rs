//! The files by which an engine is pointed at our mirror, and what tells them apart: where they are, how our entry is
//! taken out of them, and whether the engine must be told. All else is the same life for each: plan, journal, write,
//! activate, confirm, undo.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use larder_oci::Registry;
use serde::{Deserialize, Serialize};

use super::{
    daemon_json::{self, Desired, WhenEmpty},
    edit::Edit,
    engine::EngineFacts,
    hosts_toml,
    mirror_url::MirrorUrl,
};

/// The folder of the folders of registries, in the engine's configuration folder.
pub(super) const CERTS_D: &str = "certs.d";

/// A file of the engine's configuration that we edit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Writer {
    /// `daemon.json`: one key, for Docker Hub. The engine reads it when it is told to.
    DaemonJson,
    /// `certs.d/<folder>/hosts.toml`: an entry for one registry. The engine reads it at every pull.
    HostsToml {
        /// The registry.
        registry: Registry,
        /// The folder in which the engine looks for it: the registry's name, or that with `_port_` for `:port`.
        folder: String,
    },
}

/// Why a file is left as it is. Each message says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// Of `daemon.json`.
    #[error(transparent)]
    DaemonJson(#[from] daemon_json::Refusal),
    /// Of a `hosts.toml`.
    #[error(transparent)]
    HostsToml(#[from] hosts_toml::Refusal),
    /// Of any file.
    #[error(transparent)]
    NotUtf8(#[from] NotUtf8),
}

/// Only text is ever edited.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the file is not UTF-8 (byte {offset}): save it as UTF-8")]
pub(crate) struct NotUtf8 {
    /// Where the first bad byte is.
    pub(super) offset: usize,
}

impl Writer {
    /// Of a folder in `certs.d`; `None` if its name is no registry's (`_default`).
    pub(super) fn of_folder(folder: String) -> Option<Self> {
        let port = |name: &str| name.strip_suffix('_')?.rsplit_once('_').map(|(host, port)| format!("{host}:{port}"));
        let name = port(&folder).unwrap_or_else(|| folder.clone());
        let registry = name.parse().ok()?;
        Some(Self::HostsToml { registry, folder })
    }

    /// The file, in the engine's configuration folder.
    pub(crate) fn path(&self) -> PathBuf {
        match self {
            Self::DaemonJson => "daemon.json".into(),
            Self::HostsToml { folder, .. } => Path::new(CERTS_D).join(folder).join(hosts_toml::FILE_NAME),
        }
    }

    /// A file name that no other writer has.
    pub(super) fn label(&self) -> String {
        match self {
            Self::DaemonJson => "daemon".to_owned(),
            Self::HostsToml { folder, .. } => format!("hosts-{folder}"),
        }
    }

    /// `bytes` without the entries of `ours`; with them, what we brought for them goes too, if `when_empty` says so.
    pub(super) fn without(
        &self,
        bytes: Option<&[u8]>,
        ours: &[MirrorUrl],
        when_empty: WhenEmpty,
    ) -> Result<Edit, Refusal> {
        Ok(match self {
            // It must be possible whatever the engine is, and while it is down.
            Self::DaemonJson => daemon_json::edit(bytes, Desired::Without(ours, when_empty), &EngineFacts::lenient())?,
            Self::HostsToml { .. } => hosts_toml::edit(bytes, hosts_toml::Desired::Without(ours))?,
        })
    }

    /// Whether the key that holds our entry is in a file without us, so that it stays when it is empty.
    pub(super) fn has_key(&self, original: Option<&[u8]>) -> Result<bool, Refusal> {
        match self {
            Self::DaemonJson => Ok(daemon_json::mirrors(original)?.is_some()),
            Self::HostsToml { .. } => Ok(true),
        }
    }

    /// Whether a running engine goes by what it read before, until it is told to read the file again.
    pub(super) fn is_remembered(&self) -> bool {
        matches!(self, Self::DaemonJson)
    }
}

impl fmt::Display for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path().display().fmt(f)
    }
}
