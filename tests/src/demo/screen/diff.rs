//! What changed in a small text, line by line. Pure.

/// A line of either text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::demo) enum Line<'a> {
    Same(&'a str),
    Gone(&'a str),
    New(&'a str),
}

/// By the longest common subsequence; quadratic, for files of a screen's length.
pub(in crate::demo) fn diff<'a>(before: &'a str, after: &'a str) -> Vec<Line<'a>> {
    let (before, after): (Vec<_>, Vec<_>) = (before.lines().collect(), after.lines().collect());
    // How many lines the rests from i and from j have in common.
    let mut common = vec![vec![0_usize; after.len() + 1]; before.len() + 1];
    for i in (0..before.len()).rev() {
        for j in (0..after.len()).rev() {
            common[i][j] = match before[i] == after[j] {
                true => common[i + 1][j + 1] + 1,
                false => common[i + 1][j].max(common[i][j + 1]),
            };
        }
    }
    let (mut i, mut j, mut lines) = (0, 0, Vec::new());
    while i < before.len() || j < after.len() {
        if i < before.len() && j < after.len() && before[i] == after[j] {
            lines.push(Line::Same(before[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == after.len() || (i < before.len() && common[i + 1][j] >= common[i][j + 1]) {
            lines.push(Line::Gone(before[i]));
            i += 1;
        } else {
            lines.push(Line::New(after[j]));
            j += 1;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::{Line::*, diff};

    #[test]
    fn what_is_gone_stands_before_what_is_new() {
        let (before, after) = ("{\n  \"a\": 1\n}\n", "{\n  \"a\": 1,\n  \"b\": 2\n}\n");
        let expected = [Same("{"), Gone("  \"a\": 1"), New("  \"a\": 1,"), New("  \"b\": 2"), Same("}")];
        assert_eq!(diff(before, after), expected);
        assert_eq!(diff("", "x\n"), [New("x")]);
        assert_eq!(diff("x\n", ""), [Gone("x")]);
        assert_eq!(diff("a\nb\nc\n", "b\n"), [Gone("a"), Same("b"), Gone("c")]);
        assert_eq!(diff("same\n", "same\n"), [Same("same")]);
    }
}
