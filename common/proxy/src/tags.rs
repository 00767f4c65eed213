//! What a tag is: from what is known while it is fresh, else from upstream, else from what was known.

use std::time::{Duration, SystemTime};

use larder_catalog::{Kind, TagRecord, Verdict, judge};
use larder_content::{Fault, FetchError, SourceError};
use larder_distribution::{client::Resolved, server::ManifestAnswer};
use larder_oci::{Digest, MediaType, Repository, Tag};
use moka::sync::Cache;

use crate::{Proxy, Target, coalesce::Coalesce};

/// How long a tag that was answered stale is answered so again without asking: an upstream that does not answer costs
/// a deadline each time.
const STALE_RETRY: Duration = Duration::from_secs(10);

/// Most tags that wait for their manifest.
const UNSAVED: u64 = 10_000;

/// Tags whose manifest is not here yet, by that manifest. A tag is written down when its manifest is: one that leads to
/// nothing that can be served must not take the place of one that does.
pub(crate) struct Unsaved(Cache<(Repository, Digest), Vec<(Tag, TagRecord)>>);

impl Unsaved {
    pub(crate) fn new() -> Self {
        Self(Cache::new(UNSAVED))
    }

    fn add(&self, repository: &Repository, tag: &Tag, record: TagRecord) {
        let mut tags = self.take(repository, &record.digest);
        tags.retain(|(known, _)| known != tag);
        tags.push((tag.clone(), record));
        self.0.insert((repository.clone(), record.digest), tags);
    }

    fn take(&self, repository: &Repository, digest: &Digest) -> Vec<(Tag, TagRecord)> {
        self.0.remove(&(repository.clone(), *digest)).unwrap_or_default()
    }
}

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
            && !self.has_manifest(target, &digest).await
        {
            // A HEAD need not cost a pull at the upstream.
            return Ok(ManifestAnswer { digest, media_type, size, content: None, fresh_for: Some(fresh_for) });
        }
        let manifest = self.manifest_by_digest(target, &digest).await?;
        Ok(manifest.answer(Some(fresh_for)))
    }

    async fn tag(&self, target: &Target, tag: &Tag) -> Result<Known, FetchError> {
        let shared = &self.shared;
        let record = self.known_tag(&target.repository, tag).await;
        if let Some(known) = self.if_fresh(record) {
            return Ok(known);
        }
        // However many want to know, one asks. It also decides what to do when nobody answers: a caller who leaves must
        // not take that with him.
        let work = || {
            let (proxy, target, tag) = (self.clone(), target.clone(), tag.clone());
            async move {
                // Who asked just before may know it by now: looking at the disk took its time.
                match proxy.if_fresh(proxy.shared.catalog.tag_in_memory(&target.repository, &tag)) {
                    Some(known) => Ok(known),
                    None => proxy.ask_or_repeat(&target, &tag, record).await,
                }
            }
        };
        let key = (target.repository.clone(), tag.clone());
        shared.tags.run(key, work).await.unwrap_or_else(|| Err(given_up()))
    }

    fn if_fresh(&self, record: Option<TagRecord>) -> Option<Known> {
        let limit = self.shared.policy.stale_limit;
        let record = record.filter(|record| judge(record, SystemTime::now(), limit) == Verdict::Fresh)?;
        self.shared.counters.tags_fresh.add(1);
        Some(Known { record, head: None })
    }

    /// What upstream says, or if it does not answer, what it last said.
    async fn ask_or_repeat(&self, target: &Target, tag: &Tag, record: Option<TagRecord>) -> Result<Known, FetchError> {
        let shared = &self.shared;
        let error = match self.ask_tag(target, tag).await {
            Ok(known) => return Ok(known),
            Err(error) => error,
        };
        let answered = matches!(&error, FetchError::Source(error) if error.fault.is_answer());
        let may_repeat =
            |record: &TagRecord| judge(record, SystemTime::now(), shared.policy.stale_limit) != Verdict::Ask;
        match record.filter(may_repeat) {
            Some(mut record) if !answered => {
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

    async fn ask_tag(&self, target: &Target, tag: &Tag) -> Result<Known, FetchError> {
        let Target { repository, upstream } = target;
        let shared = &self.shared;
        shared.counters.tags_asked.add(1);
        let asked = SystemTime::now();
        let (key, name) = (repository.clone(), tag.clone());
        let resolved = match upstream.resolve(&repository.name, tag).await {
            Ok(resolved) => resolved,
            Err(error) => {
                if error.fault == Fault::NotFound {
                    self.note("forget a tag", move |proxy| proxy.shared.catalog.remove_tag(&key, &name)).await;
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
        // First of all in memory: a disk that hangs must not have every pull ask.
        shared.catalog.repeat_tag(repository, tag, record);
        if self.has_manifest(target, &digest).await {
            self.note("keep a tag", move |proxy| proxy.shared.catalog.set_tag(&key, &name, record)).await;
        } else {
            shared.unsaved.add(repository, tag, record);
        }
        Ok(Known { record, head: media_type.zip(size) })
    }

    /// Writes down the tags that waited for this manifest.
    pub(crate) async fn save_tags(&self, repository: &Repository, digest: &Digest) {
        for (tag, record) in self.shared.unsaved.take(repository, digest) {
            let repository = repository.clone();
            let write = move |proxy: &Self| proxy.shared.catalog.set_tag(&repository, &tag, record);
            self.note("keep a tag", write).await;
        }
    }

    /// Forgets the tags that waited for this manifest, which cannot be had: they are asked for again.
    pub(crate) fn forget_tags(&self, repository: &Repository, digest: &Digest) {
        for (tag, _) in self.shared.unsaved.take(repository, digest) {
            self.shared.catalog.forget_tag(repository, &tag);
        }
    }

    /// Whether the manifest is here for this repository.
    async fn has_manifest(&self, target: &Target, digest: &Digest) -> bool {
        // What takes no look at the disk first.
        self.shared.content.size(digest).is_some()
            && self.linked(&target.repository, Kind::Manifest, digest).await.is_some()
    }
}

pub(crate) fn given_up() -> FetchError {
    SourceError::new("cache", Fault::Skipped, "the request was given up").into()
}
