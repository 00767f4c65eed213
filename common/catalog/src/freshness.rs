//! Whether a tag must be asked for again. Pure.

use std::time::{Duration, SystemTime};

use crate::TagRecord;

/// What may be done with what is known of a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Answer with it; ask nobody.
    Fresh,
    /// Ask; if nobody can answer, this is still better than nothing.
    AskOrStale,
    /// Ask; it is too old to be repeated.
    Ask,
}

/// Judges `record` at `now`. It may be repeated without an answer from upstream for `stale_limit` after it was checked;
/// `None` is never.
pub fn judge(record: &TagRecord, now: SystemTime, stale_limit: Option<Duration>) -> Verdict {
    // A record from the future (the clock was set back) is not fresh: nobody knows how old it is.
    let fresh = record.checked <= now && now < record.fresh_until;
    let age = now.duration_since(record.checked).unwrap_or_default();
    match stale_limit {
        _ if fresh => Verdict::Fresh,
        Some(limit) if age <= limit => Verdict::AskOrStale,
        _ => Verdict::Ask,
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use larder_oci::Digest;

    use super::*;

    #[test]
    fn by_age() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let record = TagRecord { digest: Digest::sha256(b""), checked: at(1000), fresh_until: at(1060) };
        let limit = Some(Duration::from_secs(3600));
        for (now, stale_limit, verdict) in [
            (1000, limit, Verdict::Fresh),
            (1059, None, Verdict::Fresh),
            (1060, limit, Verdict::AskOrStale),
            (1060, None, Verdict::Ask),
            (4600, limit, Verdict::AskOrStale),
            (4601, limit, Verdict::Ask),
            (999, limit, Verdict::AskOrStale),
            (999, None, Verdict::Ask),
        ] {
            assert_eq!(judge(&record, at(now), stale_limit), verdict, "at {now} with {stale_limit:?}");
        }
    }
}
