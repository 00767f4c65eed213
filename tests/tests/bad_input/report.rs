//! What was tried and what came of it: a table that people read, and a verdict at the end of a story.
//!
//! A row that is not as it should be does not end the story: all of them are told at its end.

use std::{fmt::Write as _, io::Write as _, time::Duration};

use anyhow::{Result, bail};

/// So many of the things that are wrong are told: more are one thing.
const SHOWN: usize = 60;

/// The table of one story.
pub(crate) struct Report {
    title: &'static str,
    rows: Vec<Row>,
    /// What is wrong beside rows.
    wrong: Vec<String>,
}

struct Row {
    what: String,
    tier: &'static str,
    got: String,
    seconds: f64,
    wrong: Option<String>,
}

impl Report {
    pub(crate) fn new(title: &'static str) -> Self {
        Self { title, rows: Vec::new(), wrong: Vec::new() }
    }

    /// What came of trying `what` at `tier`; `wrong` says why it should not have.
    pub(crate) fn row(
        &mut self,
        what: impl Into<String>,
        tier: &'static str,
        got: impl Into<String>,
        took: Duration,
        wrong: Option<String>,
    ) {
        let (what, got, seconds) = (what.into(), got.into(), took.as_secs_f64());
        self.rows.push(Row { what, tier, got, seconds, wrong });
    }

    /// Notes what is wrong if `holds` is not.
    pub(crate) fn holds(&mut self, holds: bool, otherwise: impl Into<String>) {
        if !holds {
            self.wrong.push(otherwise.into());
        }
    }

    /// Notes several things that are wrong.
    pub(crate) fn wrongs(&mut self, wrongs: impl IntoIterator<Item = String>) {
        self.wrong.extend(wrongs);
    }

    /// Takes in another table.
    pub(crate) fn append(&mut self, mut other: Self) {
        self.rows.append(&mut other.rows);
        self.wrong.append(&mut other.wrong);
    }

    /// Shows the table, what came of the same thing at both tiers in one line.
    ///
    /// # Errors
    /// When anything was wrong, all of it.
    pub(crate) fn finish(self) -> Result<()> {
        let width = |of: fn(&Row) -> &str| self.rows.iter().map(|row| of(row).chars().count()).max().unwrap_or(0);
        let (what, got) = (width(|row| &row.what), width(|row| &row.got));
        let mut text = format!("\n== {}", self.title);
        let mut last = "";
        for row in &self.rows {
            if row.what != last {
                write!(text, "\n{:what$}", row.what)?;
                last = &row.what;
            }
            let mark = if row.wrong.is_some() { '!' } else { '|' };
            write!(text, "  {mark} {:5} {:got$} {:5.1} s", row.tier, row.got, row.seconds)?;
        }
        let rows = self.rows.iter();
        let rows = rows.filter_map(|row| Some(format!("{}, {}: {}", row.what, row.tier, row.wrong.as_ref()?)));
        let wrong: Vec<String> = rows.chain(self.wrong.iter().cloned()).collect();
        writeln!(text, "\n== {}: {} rows, {} things wrong", self.title, self.rows.len(), wrong.len())?;
        // The harness keeps to itself what a passing test prints, and the table is wanted then.
        std::io::stderr().write_all(text.as_bytes())?;
        if !wrong.is_empty() {
            let shown = &wrong[..wrong.len().min(SHOWN)];
            bail!("{} things are wrong in {:?}, among them:\n  {}", wrong.len(), self.title, shown.join("\n  "));
        }
        Ok(())
    }
}
