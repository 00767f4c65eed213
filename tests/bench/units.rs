//! From what is counted to what is shown. Pure.

use std::time::Duration;

/// Of 10^9 bytes.
#[expect(clippy::cast_precision_loss, reason = "far below 2^53 bytes")]
pub(crate) fn gigabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e9
}

pub(crate) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// A count, to be divided by or with.
#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
pub(crate) fn fraction(count: usize) -> f64 {
    count as f64
}
