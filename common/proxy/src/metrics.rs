//! What is counted, under the names that CNCF distribution gives the same things.

use std::fmt;

use larder_content::{Fault, counters::Count};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::{MetricType, counter::ConstCounter},
};

use crate::Proxy;

/// What this crate counts beside what the engine does. In requests, manifests, tags or bytes since the start.
#[derive(Debug, Default)]
pub struct Counters {
    pub(crate) manifest_requests: Count,
    pub(crate) manifest_hits: Count,
    pub(crate) manifest_misses: Count,
    pub(crate) manifest_fetched_bytes: Count,
    pub(crate) manifest_served_bytes: Count,
    pub(crate) tags_fresh: Count,
    pub(crate) tags_asked: Count,
    pub(crate) tags_stale: Count,
    failed: [Count; Fault::LABELS.len()],
}

impl Counters {
    pub(crate) fn failed(&self, fault: Fault) {
        let at = Fault::LABELS.iter().position(|label| *label == fault.label());
        self.failed[at.expect("every fault has a label")].add(1);
    }
}

/// Publishes what a [`Proxy`] and the engine below it have counted.
#[derive(Debug)]
pub struct ProxyCollector(pub Proxy);

/// A label with its value, and the number.
type Series<'a> = ((&'a str, &'a str), u64);

impl Collector for ProxyCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let own = &self.0.shared.counters;
        let engine = self.0.content().counters();
        let by_type = |blobs: u64, manifests: u64| [(("type", "blob"), blobs), (("type", "manifest"), manifests)];
        let (hits, misses) = (engine.hits.get(), engine.misses.get());
        let (from_disk, from_download) = (engine.served_from_disk_bytes.get(), engine.served_from_download_bytes.get());
        let families: [(&str, &str, Vec<Series<'_>>); 10] = [
            (
                "registry_proxy_requests",
                "Blobs and manifests asked for",
                by_type(hits + misses, own.manifest_requests.get()).into(),
            ),
            (
                "registry_proxy_hits",
                "Blobs and manifests answered from what is stored",
                by_type(hits, own.manifest_hits.get()).into(),
            ),
            (
                "registry_proxy_misses",
                "Blobs and manifests that were not stored",
                by_type(misses, own.manifest_misses.get()).into(),
            ),
            (
                "registry_proxy_pulled_bytes",
                "Bytes received from the upstream",
                by_type(engine.fetched_bytes.get(), own.manifest_fetched_bytes.get()).into(),
            ),
            (
                "registry_proxy_pushed_bytes",
                "Bytes sent to clients",
                by_type(from_disk + from_download, own.manifest_served_bytes.get()).into(),
            ),
            (
                "larder_blob_served_bytes",
                "Blob bytes sent to clients, by where they came from",
                vec![(("from", "disk"), from_disk), (("from", "download"), from_download)],
            ),
            (
                "larder_tags",
                "Tags answered, by how: from what is fresh, by asking, or stale because asking failed",
                vec![
                    (("answer", "fresh"), own.tags_fresh.get()),
                    (("answer", "asked"), own.tags_asked.get()),
                    (("answer", "stale"), own.tags_stale.get()),
                ],
            ),
            (
                "larder_downloads_joined",
                "Requests for a blob that followed a download under way",
                vec![(("type", "blob"), engine.joined.get())],
            ),
            (
                "larder_downloads_failed",
                "Downloads that did not end in a verified blob",
                vec![(("cause", "corrupt"), engine.corrupt.get()), (("cause", "broken"), engine.broken.get())],
            ),
            (
                "larder_disk_errors",
                "Failures to write to or read from the cache's disk",
                vec![(("type", "any"), engine.disk_errors.get())],
            ),
        ];
        for (name, help, series) in families {
            publish(&mut encoder, name, help, &series)?;
        }
        let failed: Vec<_> = Fault::LABELS.iter().zip(&own.failed).map(|(l, n)| (("fault", *l), n.get())).collect();
        publish(&mut encoder, "larder_requests_unserved", "Requests not served, by the upstream's fault", &failed)?;
        publish(
            &mut encoder,
            "larder_blobs_expired",
            "Blobs removed by age",
            &[(("cause", "ttl"), engine.expired.get())],
        )
    }
}

fn publish(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, series: &[Series<'_>]) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (label, value) in series {
        ConstCounter::new(*value).encode(family.encode_family(&[*label])?)?;
    }
    Ok(())
}
