//! What this module must know of a Docker engine and may ask it to do. The Docker API and the signal live behind
//! [`Engine`], so that every decision here is tried against an engine made of memory.

use std::{future::Future, path::PathBuf};

use larder_oci::Registry;

use super::{capability::Capability, hosts_toml::InsecureRegistries};

/// The one engine of this node.
///
/// Every method may be called again after an error. The caller gives each call a deadline and may drop the future.
pub(crate) trait Engine: Sync {
    /// What the running engine is and how it was started. An implementation that already knows that it cannot
    /// signal this engine answers with an error, so that nothing is touched.
    fn facts(&self) -> impl Future<Output = anyhow::Result<EngineFacts>> + Send;

    /// The facts as near as they can be had, at some cost: asked for only before something is written or signalled. Like
    /// [`Engine::facts`], it fails where this engine cannot be signalled.
    fn facts_from_near(&self) -> impl Future<Output = anyhow::Result<EngineFacts>> + Send {
        self.facts()
    }

    /// `RegistryConfig.Mirrors` of `GET /info`: the mirrors that are in force now, in order.
    fn mirrors(&self) -> impl Future<Output = anyhow::Result<Vec<String>>> + Send;

    /// Tells the engine to read `daemon.json` again (SIGHUP). There is no answer: `/info` shows what came of it.
    fn reload(&self) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// Has the engine ask for our canary image by `way`; `Ok` once the mirror itself has seen the request come in.
    fn canary(&self, way: &Way) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// By which of its ways the engine is to ask for something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Way {
    /// As for the digest behind a tag: by the mirrors in `/info`, and by no `hosts.toml`. It leaves nothing behind.
    Distribution,
    /// As for a pull of an image of this registry: by its `hosts.toml`. There is nothing for this platform in the canary,
    /// so that nothing is stored.
    Pull(Registry),
}

/// What decides which files are edited, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EngineFacts {
    /// Which files it reads.
    pub(crate) capability: Capability,
    /// How this engine reads JSON.
    pub(crate) dialect: Dialect,
    /// Whether dockerd was started with `--registry-mirror`.
    pub(crate) mirror_flag: MirrorFlag,
    /// The value of `--config-file`, if dockerd was started with one and its command line could be read.
    pub(crate) config_file: Option<PathBuf>,
    /// The registries that it may ask without a certificate that it trusts, or in clear.
    pub(crate) insecure: InsecureRegistries,
}

/// How an engine reads `daemon.json`, where versions differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Before 23: a byte-order mark makes the file unreadable (`invalid character 'ï'`).
    BomRefused,
    /// From 23 on: a byte-order mark is skipped.
    BomAccepted,
}

/// Whether `--registry-mirror` is on dockerd's command line. dockerd does not start when the flag and the key are
/// both given, not even with an empty list (seen on 20.10.24).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MirrorFlag {
    /// It is not.
    Absent,
    /// It is.
    Present,
    /// The command line could not be read; mirrors that `/info` shows and the file lacks are then the only sign.
    Unknown,
}

// === impl EngineFacts ===

impl EngineFacts {
    /// The facts for taking our own entry out again. That must be possible whatever the engine is, and while it is
    /// down: no fact forbids it.
    pub(crate) fn lenient() -> Self {
        Self {
            capability: Capability::DaemonJson,
            dialect: Dialect::BomAccepted,
            mirror_flag: MirrorFlag::Absent,
            config_file: None,
            insecure: InsecureRegistries::default(),
        }
    }
}

// === impl Dialect ===

impl Dialect {
    /// Of the engine's version as `GET /version` tells it, such as `20.10.24+dfsg1`. A version without a number in
    /// front (a build of one's own) counts as old: what the old engines take, all take.
    pub(crate) fn of_version(version: &str) -> Self {
        match major(version) {
            Some(23..) => Self::BomAccepted,
            _ => Self::BomRefused,
        }
    }
}

/// The first number of a version such as `20.10.24+dfsg1`.
pub(super) fn major(version: &str) -> Option<u32> {
    version.trim_start_matches('v').split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dialect_changed_with_23() {
        for (version, dialect) in [
            ("20.10.24+dfsg1", Dialect::BomRefused),
            ("22.06.0-beta.0", Dialect::BomRefused),
            ("23.0.0", Dialect::BomAccepted),
            ("v28.5.2", Dialect::BomAccepted),
            ("29.7.2", Dialect::BomAccepted),
            ("dev", Dialect::BomRefused),
            ("", Dialect::BomRefused),
        ] {
            assert_eq!(Dialect::of_version(version), dialect, "{version}");
        }
    }
}
