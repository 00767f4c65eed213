//! Figures as text: numbers, medians, columns that line up. Pure.

/// Lines of Markdown; the first two columns are text, the others numbers.
pub(super) fn layout(rows: &[Vec<String>]) -> String {
    let width = |index: usize| rows.iter().filter_map(|row| Some(row.get(index)?.chars().count())).max().unwrap_or(0);
    let columns = rows.first().map_or(0, Vec::len);
    let line = |row: &Vec<String>| {
        let cell = |(index, cell): (usize, &String)| {
            let fill = " ".repeat(width(index) - cell.chars().count());
            if index < 2 { format!("{cell}{fill}") } else { format!("{fill}{cell}") }
        };
        format!("| {} |\n", row.iter().enumerate().map(cell).collect::<Vec<_>>().join(" | "))
    };
    let rule = |index: usize| match index {
        0 | 1 => "-".repeat(width(index) + 2),
        _ => "-".repeat(width(index) + 1) + ":",
    };
    let rule = format!("|{}|\n", (0..columns).map(rule).collect::<Vec<_>>().join("|"));
    let mut lines = rows.iter().map(line);
    let header = lines.next().unwrap_or_default();
    header + &rule + &lines.collect::<String>()
}

/// With as many decimals, and thousands apart.
pub(crate) fn number(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |digits| ("-", digits));
    let (whole, rest) = digits.split_once('.').map_or((digits, ""), |(whole, _)| (whole, &digits[whole.len()..]));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}{rest}")
}

/// Of an even number, the mean of the two in the middle.
pub(super) fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_unstable_by(f64::total_cmp);
    let middle = figures.len() / 2;
    match figures.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(figures[middle]),
        _ => Some(f64::midpoint(figures[middle - 1], figures[middle])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(vec![]), None);
    }

    #[test]
    fn numbers_have_their_thousands_apart() {
        let cases = [(0.0, 0, "0"), (999.5, 1, "999.5"), (1000.0, 0, "1,000"), (-1234567.891, 2, "-1,234,567.89")];
        for (value, decimals, text) in cases {
            assert_eq!(number(value, decimals), text);
        }
    }
}
