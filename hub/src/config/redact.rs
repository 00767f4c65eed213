//! What may be shown of a text that came from a configuration: never a password, never a control character.

/// What stands where a secret was.
pub(super) const HIDDEN: &str = "<redacted>";

/// A value fit for a terminal: user info of every URL in it hidden, control characters made visible.
pub(super) fn text(value: &str) -> String {
    let mut shown = String::new();
    let mut rest = value;
    while let Some(start) = rest.find("://") {
        let (before, after) = rest.split_at(start + 3);
        shown.push_str(before);
        let end = after.find(|c: char| c == '/' || c.is_whitespace()).unwrap_or(after.len());
        // The last `@`: a password may hold one itself.
        rest = match after[..end].rfind('@') {
            Some(at) => {
                shown.push_str(HIDDEN);
                &after[at..]
            }
            None => after,
        };
    }
    shown.push_str(rest);
    printable(&shown)
}

/// A key fit for a terminal. With a blank or a colon forgotten, a key and its value are one long key to YAML
/// (`password:hunter2`): what follows the first word is no name, so it is not shown.
pub(super) fn key(name: &str) -> String {
    let word = |c: &char| c.is_alphanumeric() || "_-.".contains(*c);
    let mut shown: String = name.chars().take_while(word).take(60).collect();
    if shown.len() < name.len() {
        shown.push('…');
    }
    shown
}

/// Replaces what could steer a terminal.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn user_info_is_hidden_wherever_it_stands() {
        for (input, shown) in [
            ("https://host/path", "https://host/path"),
            ("https://me:pw@host/p@th", "https://<redacted>@host/p@th"),
            ("https://me:p@w@host", "https://<redacted>@host"),
            ("redis://:pw@a and redis://b and x://c@d", "redis://<redacted>@a and redis://b and x://<redacted>@d"),
            ("://", "://"),
            ("plain", "plain"),
        ] {
            assert_eq!(super::text(input), shown);
        }
    }

    #[test]
    fn a_key_ends_where_a_value_could_begin() {
        assert_eq!(super::key("password:hunter2"), "password…");
        assert_eq!(super::key("password hunter2"), "password…");
        assert_eq!(super::key("x-my_key.1"), "x-my_key.1");
        assert_eq!(super::key("remoturl"), "remoturl");
        assert_eq!(super::key("a\u{1b}[31m"), "a…");
    }
}
