//! The spelling that was meant.

/// The candidate closest to `word`, if it is close enough to be a slip: about one letter in three, case aside.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Beyond this a word is no misspelled key, and the distance is not worth computing.
    if word.len() > 100 {
        return None;
    }
    let word = fold(word);
    let distance = |candidate: &str| {
        let candidate = fold(candidate);
        let limit = (candidate.len() / 3).clamp(1, 4);
        // A distance is never less than the difference in length, and costs far more to compute.
        let near = word.len().abs_diff(candidate.len()) <= limit;
        near.then(|| strsim::osa_distance(&word, &candidate)).filter(|distance| *distance <= limit)
    };
    let near = candidates.into_iter().filter_map(|candidate| Some((distance(candidate)?, candidate)));
    near.min_by_key(|(distance, _)| *distance).map(|(_, candidate)| candidate)
}

/// Keys are all small letters without separators, which is what people get wrong first.
fn fold(word: &str) -> String {
    word.chars().filter(|c| !"-_".contains(*c)).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn finds_slips_and_nothing_else() {
        let keys = ["remoteurl", "username", "password", "exec", "ttl", "cachewritetimeout"];
        for (word, meant) in [
            ("remoturl", Some("remoteurl")),
            ("remoteURL", Some("remoteurl")),
            ("remote-url", Some("remoteurl")),
            ("cache_write_timeout", Some("cachewritetimeout")),
            ("user", None),
            ("tll", Some("ttl")),
            ("url", None),
            ("", None),
            ("redirect", None),
        ] {
            assert_eq!(nearest(word, keys), meant, "{word}");
        }
    }
}
