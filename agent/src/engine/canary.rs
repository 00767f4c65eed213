//! The canary: an image that only this mirror has. That the engine asks for it here shows that it uses the mirror.

use larder_distribution::{route::Name, server::ManifestAnswer};
use larder_oci::{Digest, MediaType, Reference};
use tokio::sync::watch;

/// The canary's repository.
pub(crate) const REPOSITORY: &str = "larder/canary";

/// A manifest list, which an engine's `/distribution` call reads without asking for anything more, and in which a pull finds
/// nothing for any platform, so that it ends there, with no word to the origin and nothing stored. Its one entry is
/// never fetched.
const CONTENT: &[u8] = br#"{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.list.v2+json","manifests":[{"mediaType":"application/vnd.docker.distribution.manifest.v2+json","size":2,"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","platform":{"architecture":"none","os":"none"}}]}"#;

/// Answers for the canary, and notices that it was asked for. Clones notice together.
#[derive(Debug, Clone)]
pub(crate) struct Canary {
    digest: Digest,
    seen: watch::Sender<u64>,
}

impl Canary {
    /// A canary that nobody has asked for.
    pub(crate) fn new() -> Self {
        Self { digest: Digest::sha256(CONTENT), seen: watch::Sender::new(0) }
    }

    /// What to ask the engine for.
    pub(crate) fn reference(&self) -> String {
        format!("{REPOSITORY}@{}", self.digest)
    }

    /// Notices whenever it is asked for from now on.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.seen.subscribe()
    }

    /// The canary, if that is what is asked for.
    pub(crate) fn answer(&self, name: &Name, reference: &Reference) -> Option<ManifestAnswer> {
        // Of whichever registry: it is by that one's configuration that the engine came here.
        let is_canary = name.repository.as_str() == REPOSITORY && *reference == Reference::Digest(self.digest);
        if !is_canary {
            return None;
        }
        self.seen.send_modify(|count| *count += 1);
        Some(ManifestAnswer {
            digest: self.digest,
            media_type: MediaType::DockerManifestList,
            size: CONTENT.len() as u64,
            content: Some(CONTENT.into()),
            fresh_for: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_to_its_digest_only() {
        assert_eq!(larder_oci::Manifest::parse(CONTENT).unwrap().media_type, MediaType::DockerManifestList);
        let canary = Canary::new();
        let seen = canary.watch();
        let name = |registry: Option<&str>, repository: &str| Name {
            registry: registry.map(|text| text.parse().unwrap()),
            repository: repository.parse().unwrap(),
        };
        let digest = Reference::Digest(canary.digest);
        for (name, reference, answers) in [
            (name(None, REPOSITORY), &digest, true),
            (name(Some("docker.io"), REPOSITORY), &digest, true),
            (name(Some("ghcr.io"), REPOSITORY), &digest, true),
            (name(None, "larder/other"), &digest, false),
            (name(None, REPOSITORY), &Reference::Tag("latest".parse().unwrap()), false),
        ] {
            assert_eq!(canary.answer(&name, reference).is_some(), answers);
        }
        assert_eq!(*seen.borrow(), 3);
    }
}
