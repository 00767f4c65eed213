//! What is published of the engine: its disk, and what it does when something goes wrong.

use std::fmt;

use larder_content::PullThrough;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};

/// Publishes what a [`PullThrough`] has counted, and how much is on its disk.
#[derive(Debug)]
pub struct ContentCollector(pub PullThrough);

impl Collector for ContentCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let (counters, usage) = (self.0.counters(), self.0.usage());
        let mut publish = Publish(&mut encoder);
        publish.counters(
            "larder_detours",
            "Readers that fetched for themselves, by why: the cache has no room, its disk fails, or too many ranges are \
             fetched already",
            "cause",
            &[
                ("full", counters.detours_full.get()),
                ("disk", counters.detours_disk.get()),
                ("busy", counters.detours_busy.get()),
            ],
        )?;
        let wrong = counters.wrong_bytes();
        let wrong: Vec<(&str, u64)> = wrong.iter().map(|(source, count)| (&**source, *count)).collect();
        publish.counters("larder_wrong_bytes", "Downloads that were not what the digest names", "source", &wrong)?;
        for (name, help, count) in [
            ("larder_blobs_damaged", "Stored blobs found not to be what the digest names", &counters.damaged),
            ("larder_blobs_evicted", "Blobs removed because their room was needed", &counters.evicted),
            ("larder_evicted_bytes", "Bytes of blobs removed because their room was needed", &counters.evicted_bytes),
            ("larder_downloads_resumed", "Downloads that broke, and went on from the byte reached", &counters.resumed),
            ("larder_ranges_fetched", "Ranges fetched beside a download", &counters.ranges),
        ] {
            publish.counter(name, help, count.get())?;
        }
        publish.gauge("larder_downloads", "Downloads under way", self.0.downloads() as u64)?;
        publish.gauges(
            "larder_cache_bytes",
            "Bytes on the disk: fetched and removable, somebody else's and never removed, taken by downloads",
            "kind",
            &[("mirrored", usage.mirrored), ("owned", usage.owned), ("downloading", usage.downloading)],
        )?;
        publish.gauge("larder_cache_blobs", "Blobs on the disk", usage.blobs)?;
        if let Some(capacity) = usage.capacity {
            let help = "Most bytes that what is mirrored or downloading may take; absent where there is no bound";
            publish.gauge("larder_cache_capacity_bytes", help, capacity)?;
        }
        let help = "Whether the disk does not take what is fetched (1), as far as its use has shown";
        publish.gauge("larder_disk_failing", help, self.0.disk_failure().is_some().into())
    }
}

/// Writes metrics. The name of a counter gets its `_total` from the format.
struct Publish<'a, 'e>(&'a mut DescriptorEncoder<'e>);

impl Publish<'_, '_> {
    fn counter(&mut self, name: &str, help: &str, count: u64) -> fmt::Result {
        ConstCounter::new(count).encode(self.0.encode_descriptor(name, help, None, MetricType::Counter)?)
    }

    fn counters(&mut self, name: &str, help: &str, label: &str, series: &[(&str, u64)]) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (value, count) in series {
            ConstCounter::new(*count).encode(family.encode_family(&[(label, *value)])?)?;
        }
        Ok(())
    }

    fn gauge(&mut self, name: &str, help: &str, number: u64) -> fmt::Result {
        ConstGauge::new(number).encode(self.0.encode_descriptor(name, help, None, MetricType::Gauge)?)
    }

    fn gauges(&mut self, name: &str, help: &str, label: &str, series: &[(&str, u64)]) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (value, number) in series {
            ConstGauge::new(*number).encode(family.encode_family(&[(label, *value)])?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use larder_content::{Capacity, Disk, Limits};
    use prometheus_client::{encoding::text, registry::Registry};

    use super::*;

    #[tokio::test]
    async fn names_are_as_the_documentation_has_them() {
        let folder = tempfile::tempdir().unwrap();
        let exposition = |capacity| {
            let content = PullThrough::new(Disk::open(folder.path(), capacity).unwrap(), Limits::default());
            content.counters().evicted.add(3);
            let mut registry = Registry::default();
            registry.register_collector(Box::new(ContentCollector(content)));
            let mut exposition = String::new();
            text::encode(&mut exposition, &registry).unwrap();
            exposition
        };
        let bounded = exposition(Capacity { bytes: Some(u64::MAX), free_floor: 0 });
        let lines: Vec<&str> = bounded.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            lines,
            [
                "larder_detours_total{cause=\"full\"} 0",
                "larder_detours_total{cause=\"disk\"} 0",
                "larder_detours_total{cause=\"busy\"} 0",
                "larder_blobs_damaged_total 0",
                "larder_blobs_evicted_total 3",
                "larder_evicted_bytes_total 0",
                "larder_downloads_resumed_total 0",
                "larder_ranges_fetched_total 0",
                "larder_downloads 0",
                "larder_cache_bytes{kind=\"mirrored\"} 0",
                "larder_cache_bytes{kind=\"owned\"} 0",
                "larder_cache_bytes{kind=\"downloading\"} 0",
                "larder_cache_blobs 0",
                "larder_cache_capacity_bytes 18446744073709551615",
                "larder_disk_failing 0",
            ]
        );
        assert!(bounded.contains("# TYPE larder_wrong_bytes counter"));
        assert!(!exposition(Capacity::default()).contains("capacity"));
    }
}
