//! Text in lines that fit a terminal.

/// What fits beside a prompt or in a log viewer; tables and advice keep to it.
pub(super) const WIDTH: usize = 110;

/// Breaks `text` into lines of at most `width` characters: at a blank if there is one, else behind a separator.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest: Vec<char> = text.chars().collect();
    while rest.len() > width {
        let at_blank = rest[..=width].iter().rposition(|c| *c == ' ').filter(|at| *at > 0);
        let behind = rest[..width].iter().rposition(|c| "_./,:-".contains(*c)).map(|at| at + 1);
        let end = at_blank.or(behind.filter(|at| *at > width / 3)).unwrap_or(width);
        lines.push(rest[..end].iter().collect::<String>().trim_end().to_owned());
        rest.drain(..end);
        let blanks = rest.iter().take_while(|c| **c == ' ').count();
        rest.drain(..blanks);
    }
    lines.push(rest.into_iter().collect());
    lines
}

#[cfg(test)]
mod tests {
    use super::wrap;

    #[test]
    fn breaks_where_a_reader_would() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("REGISTRY_STORAGE_FILESYSTEM", 18), ["REGISTRY_STORAGE_", "FILESYSTEM"]);
        assert_eq!(wrap("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(wrap("", 3), [""]);
    }
}
