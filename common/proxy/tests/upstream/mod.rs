//! An upstream made of memory, which remembers what it was asked and fails when told to.

#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{StreamExt as _, future::BoxFuture, stream};
use larder_content::{ByteRange, Fault, Fetched, Source, SourceError};
use larder_distribution::client::{FetchedManifest, Resolved};
use larder_oci::{Digest, MediaType, Reference, Registry, RepositoryName, Tag};
use larder_proxy::{Upstream, Upstreams};

#[derive(Default)]
pub(crate) struct Fake(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    tags: HashMap<(String, String), Digest>,
    manifests: HashMap<Digest, Bytes>,
    blobs: HashMap<Digest, Bytes>,
    holds: HashSet<(String, Digest)>,
    asked: Vec<String>,
    asked_from: HashSet<tokio::runtime::Id>,
    fails: Option<Fault>,
    breaks_at: Option<usize>,
    fresh_for: Option<Duration>,
}

/// The fake as the one configured registry.
pub(crate) struct Only(Registry, Arc<Fake>);

struct Blobs(Arc<Mutex<State>>, String);

impl Fake {
    pub(crate) fn with_image(repository: &str, tag: &str, layer: &'static [u8]) -> Arc<Self> {
        let fake = Self::default();
        fake.point(repository, tag, layer);
        Arc::new(fake)
    }

    /// Makes `tag` an image of one layer.
    pub(crate) fn point(&self, repository: &str, tag: &str, layer: &'static [u8]) {
        let (config, layer) = (Bytes::from_static(b"{}"), Bytes::from_static(layer));
        let describe =
            |content: &Bytes| format!(r#"{{"digest":"{}","size":{}}}"#, Digest::sha256(content), content.len());
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","config":{},"layers":[{}]}}"#,
            MediaType::OciManifest,
            describe(&config),
            describe(&layer)
        );
        let digest = self.put_raw(repository, manifest.as_bytes());
        let mut state = self.state();
        state.tags.insert((repository.to_owned(), tag.to_owned()), digest);
        for content in [config, layer] {
            let digest = Digest::sha256(&content);
            state.holds.insert((repository.to_owned(), digest));
            state.blobs.insert(digest, content);
        }
    }

    /// Makes `content` a manifest, whatever it is.
    pub(crate) fn put_raw(&self, repository: &str, content: &[u8]) -> Digest {
        let digest = Digest::sha256(content);
        let mut state = self.state();
        state.manifests.insert(digest, Bytes::copy_from_slice(content));
        state.holds.insert((repository.to_owned(), digest));
        digest
    }

    /// Answers with `content` where `digest` is asked for.
    pub(crate) fn replace_manifest(&self, digest: &Digest, content: Bytes) {
        self.state().manifests.insert(*digest, content);
    }

    pub(crate) fn manifest_of(&self, repository: &str, tag: &str) -> Digest {
        self.state().tags[&(repository.to_owned(), tag.to_owned())]
    }

    pub(crate) fn fail(&self, fault: Option<Fault>) {
        self.state().fails = fault;
    }

    /// Gives no blob beyond this offset.
    pub(crate) fn break_off_at(&self, length: Option<usize>) {
        self.state().breaks_at = length;
    }

    pub(crate) fn fresh_for(&self, time: Option<Duration>) {
        self.state().fresh_for = time;
    }

    /// What it was asked since the last time.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.state().asked)
    }

    /// The runtimes that it was asked on.
    pub(crate) fn asked_from(&self) -> HashSet<tokio::runtime::Id> {
        self.state().asked_from.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl State {
    fn note(&mut self, what: String) -> Result<(), SourceError> {
        self.asked.push(what);
        self.asked_from.insert(tokio::runtime::Handle::current().id());
        self.fails.map_or(Ok(()), |fault| Err(SourceError::new("fake", fault, "as told")))
    }
}

fn absent() -> SourceError {
    SourceError::new("fake", Fault::NotFound, "absent")
}

impl Upstream for Fake {
    fn resolve<'a>(
        &'a self,
        repository: &'a RepositoryName,
        tag: &'a Tag,
    ) -> BoxFuture<'a, Result<Resolved, SourceError>> {
        Box::pin(async move {
            // Lets others come in between, as a network does.
            tokio::task::yield_now().await;
            let mut state = self.state();
            state.note(format!("resolve {repository}:{tag}"))?;
            let digest = *state.tags.get(&(repository.to_string(), tag.to_string())).ok_or_else(absent)?;
            let size = state.manifests.get(&digest).map(|content| content.len() as u64);
            let media_type = Some(MediaType::OciManifest);
            Ok(Resolved { digest, media_type, size, content: None, fresh_for: state.fresh_for })
        })
    }

    fn manifest<'a>(
        &'a self,
        repository: &'a RepositoryName,
        reference: &'a Reference,
    ) -> BoxFuture<'a, Result<FetchedManifest, SourceError>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            let Reference::Digest(digest) = reference else { panic!("tags are resolved first") };
            let mut state = self.state();
            state.note(format!("manifest {repository}@{digest}"))?;
            let held = state.holds.contains(&(repository.to_string(), *digest));
            let bytes = state.manifests.get(digest).filter(|_| held).cloned().ok_or_else(absent)?;
            Ok(FetchedManifest { bytes, content_type: None, fresh_for: None })
        })
    }

    fn blobs(&self, repository: &RepositoryName) -> Arc<dyn Source> {
        Arc::new(Blobs(Arc::clone(&self.0), repository.to_string()))
    }

    fn name(&self) -> &str {
        "fake"
    }
}

impl Source for Blobs {
    fn name(&self) -> &str {
        "fake"
    }

    fn fetch<'a>(&'a self, digest: &'a Digest, range: ByteRange) -> BoxFuture<'a, Result<Fetched, SourceError>> {
        Box::pin(async move {
            let mut state = self.0.lock().unwrap();
            let end = range.end.map(|end| end.to_string()).unwrap_or_default();
            state.note(format!("blob {}@{digest} {}-{end}", self.1, range.start))?;
            let held = state.holds.contains(&(self.1.clone(), *digest));
            let blob = state.blobs.get(digest).filter(|_| held).cloned().ok_or_else(absent)?;
            let end = range.end.map_or(blob.len(), |end| usize::try_from(end).unwrap().min(blob.len()));
            let part = blob.slice(usize::try_from(range.start).unwrap()..end);
            let start = usize::try_from(range.start).unwrap();
            let body = match state.breaks_at {
                Some(at) if start + part.len() > at => {
                    let broken = SourceError::new("fake", Fault::Invalid, "broke");
                    stream::iter([Ok(part.slice(..at.saturating_sub(start))), Err(broken)]).boxed()
                }
                _ => stream::once(async move { Ok(part) }).boxed(),
            };
            Ok(Fetched { start: range.start, total: Some(blob.len() as u64), body })
        })
    }
}

impl Only {
    pub(crate) fn new(registry: &str, fake: &Arc<Fake>) -> Self {
        Self(registry.parse().unwrap(), Arc::clone(fake))
    }
}

impl Upstreams for Only {
    fn default_registry(&self) -> &Registry {
        &self.0
    }

    fn of(&self, registry: &Registry) -> Option<Arc<dyn Upstream>> {
        (*registry == self.0).then(|| Arc::clone(&self.1) as Arc<dyn Upstream>)
    }
}
