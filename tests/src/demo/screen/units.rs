//! Numbers as people say them. Pure.

use std::time::Duration;

/// `67 MB`, `3.6 MB`, `812 B`: powers of a thousand, as `docker images` has them.
pub(in crate::demo) fn bytes(count: u64) -> String {
    if count < 1000 {
        return format!("{count} B");
    }
    let mut value = count as f64;
    let mut unit = "";
    for next in ["kB", "MB", "GB", "TB"] {
        value /= 1000.0;
        unit = next;
        // 999.6 MB would be shown as 1000 MB.
        if value < 999.5 {
            break;
        }
    }
    let decimals = usize::from(value < 9.95);
    format!("{value:.decimals$} {unit}")
}

/// `2.9 s`, `84 ms`.
pub(in crate::demo) fn seconds(time: Duration) -> String {
    match time.as_millis() {
        short @ ..100 => format!("{short} ms"),
        _ => format!("{:.1} s", time.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (count, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (9_949, "9.9 kB"),
            (9_960, "10 kB"),
            (67_108_864, "67 MB"),
            (999_600_000, "1.0 GB"),
            (1_500_000_000, "1.5 GB"),
        ] {
            assert_eq!(bytes(count), text);
        }
        assert_eq!(seconds(Duration::from_millis(84)), "84 ms");
        assert_eq!(seconds(Duration::from_millis(2949)), "2.9 s");
    }
}
