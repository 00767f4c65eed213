//! Durations as Go writes them (`time.ParseDuration`), which every file written for distribution uses.

use std::time::Duration;

/// Nanoseconds in each unit that Go knows.
const UNITS: [(&str, f64); 8] =
    [("ns", 1.0), ("us", 1e3), ("µs", 1e3), ("μs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9)];
/// Go keeps a duration in 63 bits of nanoseconds, about 292 years.
const MAX_NANOS: f64 = i64::MAX as f64;

/// Why a text is no duration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum BadDuration {
    /// A number without a unit, in quotes or with a fraction.
    NoUnit,
    /// A unit that Go has not, such as days.
    Unit(String),
    /// Less than nothing.
    Negative,
    /// More than 292 years.
    TooLong,
    /// Anything else.
    Form,
}

/// Reads `1h30m`, `1.5s`, `0`. A bare number, which YAML gives as such, is [`nanoseconds`].
pub(super) fn parse(text: &str) -> Result<Duration, BadDuration> {
    let unsigned = text.strip_prefix('+').unwrap_or(text);
    if unsigned.starts_with('-') {
        return Err(BadDuration::Negative);
    }
    if unsigned == "0" {
        return Ok(Duration::ZERO);
    }
    let (mut rest, mut nanos) = (unsigned, 0.0);
    if rest.is_empty() {
        return Err(BadDuration::Form);
    }
    while !rest.is_empty() {
        let (number, after) = split(rest, |c| c.is_ascii_digit() || c == '.');
        let (unit, after) = split(after, |c| !c.is_ascii_digit() && c != '.');
        let number: f64 = number.parse().map_err(|_| BadDuration::Form)?;
        if unit.is_empty() {
            return Err(BadDuration::NoUnit);
        }
        let (_, factor) =
            UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(|| BadDuration::Unit(unit.to_owned()))?;
        nanos += number * factor;
        rest = after;
    }
    from_nanos(nanos)
}

/// Reads a bare number: distribution takes it as nanoseconds.
pub(super) fn nanoseconds(number: i64) -> Result<Duration, BadDuration> {
    u64::try_from(number).map(Duration::from_nanos).map_err(|_| BadDuration::Negative)
}

/// Writes a duration in the same form, with the largest units that need no fraction: `1h30m`, `500ms`, `0s`.
pub(super) fn show(duration: Duration) -> String {
    let (seconds, nanos) = (duration.as_secs(), duration.subsec_nanos());
    if duration.is_zero() {
        return "0s".to_owned();
    }
    let mut shown = String::new();
    for (amount, unit) in [(seconds / 3600, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")] {
        if amount > 0 {
            shown.push_str(&format!("{amount}{unit}"));
        }
    }
    match nanos {
        0 => {}
        _ if nanos % 1_000_000 == 0 => shown.push_str(&format!("{}ms", nanos / 1_000_000)),
        _ if nanos % 1_000 == 0 => shown.push_str(&format!("{}µs", nanos / 1_000)),
        _ => shown.push_str(&format!("{nanos}ns")),
    }
    shown
}

fn split(text: &str, wanted: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !wanted(c)).unwrap_or(text.len()))
}

fn from_nanos(nanos: f64) -> Result<Duration, BadDuration> {
    if nanos >= MAX_NANOS {
        return Err(BadDuration::TooLong);
    }
    // Whole nanoseconds below 2^63: `as` neither wraps nor loses more than an f64 already has.
    Ok(Duration::from_nanos(nanos.round() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_go_reads() {
        for (text, nanos) in [
            ("0", 0),
            ("0s", 0),
            ("10s", 10_000_000_000),
            ("+5s", 5_000_000_000),
            ("1h30m", 5_400_000_000_000),
            ("168h", 604_800_000_000_000),
            ("500ms", 500_000_000),
            ("1.5s", 1_500_000_000),
            (".5s", 500_000_000),
            ("1.s", 1_000_000_000),
            ("7us", 7_000),
            ("7µs", 7_000),
            ("7ns", 7),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_nanos(nanos)), "{text}");
        }
    }

    #[test]
    fn refuses_what_go_refuses_and_says_why() {
        for (text, why) in [
            ("", BadDuration::Form),
            ("+", BadDuration::Form),
            ("s", BadDuration::Form),
            (".s", BadDuration::Form),
            ("1..5s", BadDuration::Form),
            ("ten minutes", BadDuration::Form),
            ("60", BadDuration::NoUnit),
            ("1h30", BadDuration::NoUnit),
            ("7d", BadDuration::Unit("d".to_owned())),
            ("1 h", BadDuration::Unit(" h".to_owned())),
            ("-1s", BadDuration::Negative),
            ("3000000h", BadDuration::TooLong),
        ] {
            assert_eq!(parse(text), Err(why), "{text}");
        }
    }

    #[test]
    fn shows_what_it_reads() {
        for text in ["0s", "10s", "1h30m", "168h", "500ms", "1s500ms", "7µs", "12ns", "1m1s"] {
            assert_eq!(parse(text).map(show).as_deref(), Ok(text));
        }
    }
}
