//! Settings and warnings in columns.

use super::Setting;
use crate::config::wrap::{WIDTH, wrap};

/// Between columns.
const GAP: usize = 2;
/// No column but the last gets more than this, however long what stands in it.
const MAX_WIDTHS: [usize; 3] = [32, 28, 20];
const HEAD: [&str; 4] = ["KEY", "VALUE", "FROM", "MEANING"];

/// Settings as a table with a head.
pub(super) fn table(settings: &[Setting]) -> String {
    let cells = settings.iter().map(|Setting { key, value, origin, meaning }| {
        [key.as_str(), value.as_str(), origin.as_str(), meaning.as_str()]
    });
    let rows: Vec<[&str; 4]> = std::iter::once(HEAD).chain(cells).collect();
    let mut widths = [0; 4];
    for (column, max) in MAX_WIDTHS.into_iter().enumerate() {
        // As wide as its widest line, which may be less than where it wraps.
        let lines = rows.iter().flat_map(|row| wrap(row[column], max));
        widths[column] = lines.map(|line| line.chars().count()).max().unwrap_or(0);
    }
    widths[3] = WIDTH - widths[..3].iter().sum::<usize>() - 3 * GAP;
    rows.iter().map(|row| lines(row, widths)).collect()
}

/// A place, and indented below it a sentence.
pub(super) fn bullet(place: &str, message: &str) -> String {
    format!("  {place}\n    {}\n", wrap(message, WIDTH - 4).join("\n    "))
}

fn lines(row: &[&str; 4], widths: [usize; 4]) -> String {
    let cells: Vec<Vec<String>> = row.iter().zip(widths).map(|(cell, width)| wrap(cell, width)).collect();
    let height = cells.iter().map(Vec::len).max().unwrap_or(0);
    let mut text = String::new();
    for line in 0..height {
        let mut row = String::new();
        for (cell, width) in cells.iter().zip(widths) {
            let part = cell.get(line).map_or("", String::as_str);
            row.push_str(&format!("{part:<width$}{:GAP$}", ""));
        }
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}
