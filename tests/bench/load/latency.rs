//! How long answers took: quantiles by nearest rank. Pure.

use std::time::Duration;

/// Many times, kept as microseconds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Latencies(Vec<u32>);

impl Latencies {
    pub(crate) fn note(&mut self, took: Duration) {
        self.0.push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// The time that `fraction` of them did not exceed.
    pub(crate) fn quantile(&self, fraction: f64) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        Duration::from_micros(quantile(&sorted, fraction).copied().unwrap_or_default().into())
    }
}

/// The smallest of `sorted` that at least `fraction` of them do not exceed; `None` of nothing.
pub(crate) fn quantile<T>(sorted: &[T], fraction: f64) -> Option<&T> {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index"
    )]
    let rank = (sorted.len() as f64 * fraction).ceil() as usize;
    sorted.get(rank.max(1) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_by_nearest_rank() {
        let hundred: Vec<u32> = (1..=100).collect();
        for (fraction, value) in [(0.0, 1), (0.5, 50), (0.99, 99), (0.991, 100), (1.0, 100)] {
            assert_eq!(quantile(&hundred, fraction), Some(&value), "{fraction}");
        }
        assert_eq!(quantile(&[7], 0.5), Some(&7));
        assert_eq!(quantile::<u8>(&[], 0.5), None);
    }

    #[test]
    fn the_order_of_noting_does_not_matter() {
        let mut all = Latencies::default();
        for milliseconds in [5, 1, 3] {
            all.note(Duration::from_millis(milliseconds));
        }
        assert_eq!(all.quantile(0.5), Duration::from_millis(3));
        assert_eq!(Latencies::default().quantile(0.99), Duration::ZERO);
    }
}
