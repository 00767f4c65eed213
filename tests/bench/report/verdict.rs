//! One line of the table of targets, put together figure by figure. Pure.

use super::{Table, number};
use crate::servers::Kind;

/// A line of the table of targets.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) work: String,
    pub(crate) reach: String,
    /// What was measured; empty if nothing was.
    pub(crate) found: String,
    /// `None` if nothing that was measured misses the bar, but not all was measured.
    pub(crate) is_reached: Option<bool>,
    /// Others were busy in all samples of a row it takes, or of what that is compared with.
    pub(crate) is_disturbed: bool,
}

/// One line in the making: the figures it takes, one after the other.
pub(super) struct Line {
    work: String,
    reach: String,
    found: Vec<String>,
    is_missed: bool,
    is_whole: bool,
    is_disturbed: bool,
}

impl Line {
    pub(super) fn new(work: &str, reach: &str) -> Self {
        Self {
            work: work.to_owned(),
            reach: reach.to_owned(),
            found: vec![],
            is_missed: false,
            is_whole: true,
            is_disturbed: false,
        }
    }

    /// Takes a figure, shown between two words, and whether it is good enough.
    pub(super) fn takes(mut self, figure: Figure, shown: (&str, usize, &str), holds: impl Fn(f64) -> bool) -> Self {
        let (before, decimals, behind) = shown;
        self.is_disturbed |= figure.is_disturbed;
        match figure.value {
            Some(value) => {
                self.found.push(format!("{before}{}{behind}", number(value, decimals)));
                self.is_missed |= !holds(value);
            }
            None => self.is_whole = false,
        }
        self
    }

    /// Shows a figure that nothing depends on, if it was measured.
    pub(super) fn mentions(mut self, figure: Figure, shown: (&str, usize, &str)) -> Self {
        let (before, decimals, behind) = shown;
        self.found.extend(figure.value.map(|value| format!("{before}{}{behind}", number(value, decimals))));
        self
    }

    /// Something it takes was not measured.
    pub(super) fn missing(mut self) -> Self {
        self.is_whole = false;
        self
    }

    pub(super) fn done(self) -> Verdict {
        let Self { work, reach, found, is_missed, is_whole, is_disturbed } = self;
        let is_reached = (is_missed || is_whole).then_some(!is_missed);
        Verdict { work, reach, found: found.join("; "), is_reached, is_disturbed }
    }
}

/// Where a figure stands.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    table: Option<&'a Table>,
    case: &'a str,
    server: Kind,
}

/// A figure, if it was measured.
#[derive(Clone, Copy)]
pub(super) struct Figure {
    pub(super) value: Option<f64>,
    is_disturbed: bool,
}

impl<'a> Place<'a> {
    /// A row of a table that may not have been made.
    pub(super) fn new(table: Option<&'a Table>, case: &'a str, server: Kind) -> Self {
        Self { table, case, server }
    }

    /// The median of a column.
    pub(super) fn median(self, title: &str) -> Figure {
        self.figure(|table| table.median(self.case, self.server, title))
    }

    /// The most that a column ever was.
    pub(super) fn most(self, title: &str) -> Figure {
        self.figure(|table| table.most(self.case, self.server, title))
    }

    /// Its relation to the reference's.
    pub(super) fn relation(self, title: &str) -> Figure {
        self.figure(|table| table.relation(self.case, self.server, title))
    }

    fn figure(self, which: impl Fn(&Table) -> Option<f64>) -> Figure {
        let is_disturbed = self.table.is_some_and(|table| table.is_disturbed(self.case, self.server));
        Figure { value: self.table.and_then(which), is_disturbed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_miss_is_a_miss_and_one_gap_is_a_gap() {
        let verdict = |values: &[Option<f64>]| {
            let line = Line::new("work", "≥ 1");
            let takes = |line: Line, value: &Option<f64>| {
                line.takes(Figure { value: *value, is_disturbed: false }, ("", 1, " x"), |value| value >= 1.0)
            };
            values.iter().fold(line, takes).done()
        };
        assert_eq!(verdict(&[Some(1.0), Some(2.0)]).is_reached, Some(true));
        assert_eq!(verdict(&[Some(1.0), None]).is_reached, None);
        assert_eq!(verdict(&[Some(0.5), None]).is_reached, Some(false));
        assert_eq!(verdict(&[None]).found, "");
        assert_eq!(verdict(&[Some(0.5), Some(2.0)]).found, "0.5 x; 2.0 x");
    }
}
