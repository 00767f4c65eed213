//! What a tag is: from what is known while it is fresh, else from upstream, else from what was known.

use std::time::{Duration, SystemTime};

use larder_catalog::{TagRecord, Verdict, judge};
use larder_content::{Fault, FetchError, SourceError};
use larder_distribution::{client::Resolved, server::ManifestAnswer};
use larder_oci::{Digest, MediaType, Repository, Tag};

use crate::{Proxy, Target, coalesce::Coalesce};

/// How long a tag that was answered stale is answered so again without asking: an upstream that does not answer costs
/// a deadline each time.
const STALE_RETRY: Duration = Duration::from_secs(10);

pub(crate) type Resolving = Coalesce<(Repository, Tag), Result<Known, FetchError>>;

/// What is known of a tag.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known {
    record: TagRecord,
    /// Type and length, where the upstream just said them.
    head: Option<(MediaType, u64)>,
}

impl Proxy {
    pub(crate) async fn manifest_by_tag(
        &self,
        target: &Target,
        tag: &Tag,
        head: bool,
    ) -> Result<ManifestAnswer, FetchError> {
        let known = self.tag(target, tag).await?;
        let digest = known.record.digest;
        let fresh_for = known.record.fresh_until.duration_since(SystemTime::now()).unwrap_or_default();
        if let (true, Some((media_type, size))) = (head, known.head)
            && !self.has_manifest(target, &digest)
        {
            // A HEAD need not cost a pull at the upstream.
            return Ok(ManifestAnswer { digest, media_type, size, content: None, fresh_for: Some(fresh_for) });
        }
        let manifest = self.manifest_by_digest(target, &digest).await?;
        Ok(manifest.answer(Some(fresh_for)))
    }

    async fn tag(&self, target: &Target, tag: &Tag) -> Result<Known, FetchError> {
        let shared = &self.shared;
        let record = shared.catalog.tag(&target.repository, tag);
        let verdict = record.map(|record| judge(&record, SystemTime::now(), shared.policy.stale_limit));
        if let (Some(record), Some(Verdict::Fresh)) = (record, verdict) {
            shared.counters.tags_fresh.add(1);
            return Ok(Known { record, head: None });
        }
        let error = match self.resolve(target, tag).await {
            Ok(known) => return Ok(known),
            Err(error) => error,
        };
        let answered = matches!(&error, FetchError::Source(error) if error.fault.is_answer());
        match (record, verdict) {
            (Some(mut record), Some(Verdict::AskOrStale)) if !answered => {
                shared.counters.tags_stale.add(1);
                tracing::warn!(repository = %target.repository, %tag, %error, "tag answered from memory: cannot ask");
                // Kept in memory only: on the disk stays when it was last checked.
                record.fresh_until = SystemTime::now() + STALE_RETRY;
                shared.catalog.repeat_tag(&target.repository, tag, record);
                Ok(Known { record, head: None })
            }
            _ => Err(error),
        }
    }

    /// Asks upstream; however many want to know, once.
    async fn resolve(&self, target: &Target, tag: &Tag) -> Result<Known, FetchError> {
        let work = || {
            let (proxy, target, tag) = (self.clone(), target.clone(), tag.clone());
            async move { proxy.ask_tag(&target, &tag).await }
        };
        let key = (target.repository.clone(), tag.clone());
        self.shared.tags.run(key, work).await.unwrap_or_else(|| Err(given_up()))
    }

    async fn ask_tag(&self, target: &Target, tag: &Tag) -> Result<Known, FetchError> {
        let Target { repository, upstream } = target;
        let shared = &self.shared;
        shared.counters.tags_asked.add(1);
        let asked = SystemTime::now();
        let resolved = match upstream.resolve(&repository.name, tag).await {
            Ok(resolved) => resolved,
            Err(error) => {
                if error.fault == Fault::NotFound {
                    self.note("forget a tag", shared.catalog.remove_tag(repository, tag));
                }
                return Err(error.into());
            }
        };
        let Resolved { digest, media_type, size, content, fresh_for } = resolved;
        if let Some(content) = content {
            self.keep_manifest(target, &digest, content).await?;
        }
        let fresh_until = asked + shared.policy.freshness.of(fresh_for);
        let record = TagRecord { digest, checked: asked, fresh_until };
        self.note("keep a tag", shared.catalog.set_tag(repository, tag, record));
        Ok(Known { record, head: media_type.zip(size) })
    }

    /// Whether the manifest is here for this repository.
    fn has_manifest(&self, target: &Target, digest: &Digest) -> bool {
        let shared = &self.shared;
        shared.catalog.is_linked(&target.repository, larder_catalog::Kind::Manifest, digest)
            && shared.content.stored(digest).is_some()
    }

    /// What cannot be written down costs a question later, and no pull now.
    pub(crate) fn note(&self, what: &'static str, outcome: std::io::Result<()>) {
        if let Err(error) = outcome {
            self.shared.content.counters().disk_errors.add(1);
            tracing::error!(%error, "cannot {what}: check the disk of the cache");
        }
    }
}

pub(crate) fn given_up() -> FetchError {
    SourceError::new("cache", Fault::Skipped, "the request was given up").into()
}
