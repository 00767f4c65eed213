//! What the keeper says of itself: which files the engine goes by, since when, and what is wrong.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::runtime::writer::Writer;

/// The engine's configuration, as it was at the last look.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeeperStatus {
    /// The engine, once it answered.
    pub(crate) engine: Option<EngineStatus>,
    /// When it was last looked at.
    pub(crate) looked: Option<Timestamp>,
    /// The files that are ours to keep, in their order.
    pub(crate) files: Vec<FileStatus>,
    /// What keeps all of it from being done.
    pub(crate) problem: Option<String>,
    /// It was restored: nothing is done until the agent starts again.
    pub(crate) is_restored: bool,
}

/// The engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EngineStatus {
    pub(crate) version: String,
    pub(crate) api_version: String,
    /// `classic` or `containerd`.
    pub(crate) image_store: String,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileStatus {
    /// In the engine's configuration folder.
    pub(crate) file: String,
    /// When the engine was last seen to go by it.
    pub(crate) confirmed: Option<Timestamp>,
    /// Why it does not.
    pub(crate) problem: Option<String>,
}

/// Puts the files together as looks at them come in.
#[derive(Debug, Default)]
pub(super) struct Files(BTreeMap<Writer, FileStatus>);

impl Files {
    /// The engine goes by it, as was just confirmed; or was before, and nothing changed since.
    pub(super) fn confirmed(&mut self, writer: &Writer, is_news: bool, now: Timestamp) {
        let file = self.entry(writer);
        file.problem = None;
        if is_news || file.confirmed.is_none() {
            file.confirmed = Some(now);
        }
    }

    /// It does not. Whether that is news.
    pub(super) fn failed(&mut self, writer: &Writer, problem: String) -> bool {
        let file = self.entry(writer);
        let is_news = file.problem.as_ref() != Some(&problem);
        (file.confirmed, file.problem) = (None, Some(problem));
        is_news
    }

    /// It is not ours to keep any more.
    pub(super) fn dismissed(&mut self, writer: &Writer) {
        self.0.remove(writer);
    }

    pub(super) fn all(&self) -> Vec<FileStatus> {
        self.0.values().cloned().collect()
    }

    fn entry(&mut self, writer: &Writer) -> &mut FileStatus {
        let new = || FileStatus { file: writer.to_string(), confirmed: None, problem: None };
        self.0.entry(writer.clone()).or_insert_with(new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_confirmation_is_as_old_as_it_is() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let (mut files, writer) = (Files::default(), Writer::DaemonJson);
        files.confirmed(&writer, true, at(1));
        files.confirmed(&writer, false, at(2));
        assert_eq!(files.all()[0].confirmed, Some(at(1)));
        assert!(files.failed(&writer, "why".to_owned()) && !files.failed(&writer, "why".to_owned()));
        assert_eq!((files.all()[0].confirmed, files.all()[0].problem.as_deref()), (None, Some("why")));
        files.confirmed(&writer, false, at(3));
        assert_eq!((files.all()[0].confirmed, files.all()[0].problem.as_deref()), (Some(at(3)), None));
        files.dismissed(&writer);
        assert!(files.all().is_empty());
    }
}
