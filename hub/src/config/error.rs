//! What a person reads when a configuration cannot be used, and what they should look at when it can.
//!
//! Problems are collected as [`Complaint`]s, which only know a place, and set beside the line they stand on at the
//! end. Both are free of secrets from the start: a complaint is worded without the value where that may be one.

use std::fmt;

use super::excerpt::{self, Excerpt};
use super::node::At;
use super::source::Source;
use super::wrap::{WIDTH, wrap};

/// With more problems than this the file is another program's, and the rest says nothing new.
const MOST: usize = 30;

/// The configuration cannot be used. Its `Display` is the whole report, several lines long.
#[derive(Debug)]
pub(crate) struct ConfigError {
    title: String,
    problems: Vec<Problem>,
}

/// One thing that is wrong.
#[derive(Debug)]
struct Problem {
    /// `config.yml:12:3`, the name of a variable, or the file as a whole.
    place: String,
    what: String,
    excerpt: Option<Excerpt>,
    /// Said beside the excerpt if there is room, else below.
    label: String,
    help: Vec<String>,
}

/// Something in a usable configuration that a person should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Warning {
    /// `config.yml:12` or the name of a variable.
    pub(crate) place: String,
    /// One sentence; it begins with the key it is about.
    pub(crate) message: String,
}

/// A problem as it is found.
pub(super) struct Complaint {
    pub(super) at: Option<At>,
    what: String,
    label: String,
    help: Vec<String>,
    shown: Shown,
    /// It may only follow from another complaint: what is missing may be just what could not be read.
    follows: bool,
}

/// A warning as it is found.
pub(super) struct Notice {
    pub(super) at: At,
    pub(super) message: String,
}

/// How much of the line may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// The marked part: it is known to be no secret.
    Marked,
    /// Nothing behind the key.
    Hidden,
    /// The line if nothing on it looks like a secret. For broken YAML, where nothing is known.
    Guessed,
}

// === impl Complaint ===

impl Complaint {
    /// `what` is a sentence without its full stop; `at` is what it points to, and may be shown.
    pub(super) fn new(at: At, what: String) -> Self {
        Self { at: Some(at), what, label: String::new(), help: Vec::new(), shown: Shown::Marked, follows: false }
    }

    /// About the whole configuration.
    pub(super) fn whole(what: &str) -> Self {
        Self { at: None, shown: Shown::Hidden, ..Self::new(At::Default, what.to_owned()) }
    }

    /// Said before anything is known of the keys.
    pub(super) fn syntax(at: At, what: &str) -> Self {
        Self { shown: Shown::Guessed, ..Self::new(at, what.to_owned()) }
    }

    /// What to say beside the marked part.
    pub(super) fn label(mut self, label: &str) -> Self {
        label.clone_into(&mut self.label);
        self
    }

    /// One more line of advice.
    pub(super) fn help(mut self, help: &str) -> Self {
        self.help.push(help.to_owned());
        self
    }

    /// Only worth saying if nothing else is wrong.
    pub(super) fn follows(mut self) -> Self {
        self.follows = true;
        self
    }

    /// What it points to may be a secret.
    pub(super) fn hidden(mut self) -> Self {
        self.shown = Shown::Hidden;
        self
    }
}

// === impl ConfigError ===

impl ConfigError {
    /// Sorts the complaints by place and sets each beside its line. There is at least one.
    pub(super) fn new(source: &Source, mut complaints: Vec<Complaint>) -> Self {
        if complaints.iter().any(|complaint| !complaint.follows) {
            complaints.retain(|complaint| !complaint.follows);
        }
        complaints.sort_by_key(|complaint| match &complaint.at {
            Some(At::File(span)) => (0, span.line, span.column),
            Some(At::Env(_)) => (1, 0, 0),
            Some(At::Default) | None => (2, 0, 0),
        });
        let count = match complaints.len() {
            1 => "one problem".to_owned(),
            n if n > MOST => format!("{n} problems, of which these are the first {MOST}"),
            n => format!("{n} problems"),
        };
        complaints.truncate(MOST);
        let problems: Vec<Problem> = complaints.into_iter().map(|complaint| Problem::new(source, complaint)).collect();
        Self { title: format!("{} cannot be used: {count}", source.title()), problems }
    }

    /// The configuration could not even be read.
    pub(super) fn unreadable(place: &str, what: String, help: &str) -> Self {
        let help = if help.is_empty() { Vec::new() } else { vec![help.to_owned()] };
        let problem = Problem { place: place.to_owned(), what, excerpt: None, label: String::new(), help };
        Self { title: format!("{place} cannot be used: one problem"), problems: vec![problem] }
    }

    /// How many things are wrong.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.problems.len()
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.title)?;
        for problem in &self.problems {
            write!(f, "\n\n{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

// === impl Problem ===

impl Problem {
    fn new(source: &Source, complaint: Complaint) -> Self {
        let excerpt = match &complaint.at {
            Some(At::File(span)) => excerpt::cut(source.text(), *span, complaint.shown),
            _ => None,
        };
        let place = complaint.at.as_ref().map_or_else(|| source.title(), |at| source.place(at));
        Self { place, what: complaint.what, excerpt, label: complaint.label, help: complaint.help }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)?;
        let beside = match &self.excerpt {
            Some(excerpt) => excerpt.write(f, &self.label)?,
            None => false,
        };
        let label = Some(&self.label).filter(|label| !beside && !label.is_empty());
        for help in label.into_iter().chain(&self.help) {
            write!(f, "\n  {}", wrap(help, WIDTH - 4).join("\n    "))?;
        }
        Ok(())
    }
}

// === impl Warning ===

impl Warning {
    pub(super) fn new(source: &Source, notice: Notice) -> Self {
        Self { place: source.line(&notice.at), message: notice.message }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}
