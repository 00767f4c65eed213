//! What a file should be once we are gone. Pure.

use std::path::Path;

use super::{
    daemon_json::{self, Desired, WhenEmpty},
    edit::Edit,
    engine::EngineFacts,
    journal::{Journal, Original},
    writer::Refusal,
};

/// The file without us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ending {
    /// Its bytes; `None`: there is no file.
    pub(super) bytes: Option<Vec<u8>>,
    /// Whose work it is.
    pub(super) file: FileLeft,
}

/// What a withdrawal made of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileLeft {
    /// To the byte what was there before us.
    AsBefore,
    /// Somebody else edited it since: theirs, without our entry.
    OnlyOursTakenOut,
}

/// The file that `journal` is about, whose content is `now`, without us. A content that we did not write is never
/// replaced by the original; only our entry goes.
pub(super) fn ending(now: Option<&[u8]>, file: &Path, journal: &Journal) -> Result<Ending, Refusal> {
    let original = journal.original.bytes();
    if journal.file == file && journal.wrote(now) {
        // Ours may have been in the original: put there by hand, or by an agent whose journal was lost.
        return Ok(match without(original, journal, WhenEmpty::KeepKey)? {
            Edit::Unchanged => Ending { bytes: original.map(<[u8]>::to_vec), file: FileLeft::AsBefore },
            edit => Ending { bytes: edit.over(original), file: FileLeft::OnlyOursTakenOut },
        });
    }
    let when_empty = if journal.writer.has_key(original)? { WhenEmpty::KeepKey } else { WhenEmpty::DropKey };
    let file = if now == original { FileLeft::AsBefore } else { FileLeft::OnlyOursTakenOut };
    Ok(match without(now, journal, when_empty)? {
        Edit::Unchanged => Ending { bytes: now.map(<[u8]>::to_vec), file },
        edit => Ending { bytes: edit.over(now), file: FileLeft::OnlyOursTakenOut },
    })
}

/// The content of `daemon.json` that makes a running dockerd drop our mirror when it reloads. It keeps its mirrors when the key is
/// missing, so the list is spelled out then, and the ending follows after.
pub(super) fn clearing(ending: &Ending) -> Result<Option<Vec<u8>>, Refusal> {
    let bytes = ending.bytes.as_deref();
    if daemon_json::mirrors(bytes)?.is_some() {
        return Ok(ending.bytes.clone());
    }
    Ok(daemon_json::edit(bytes, Desired::Empty, &EngineFacts::lenient())?.over(bytes))
}

/// Takes the edit of somebody else for what was there before us, from now on: what is written next builds on it.
pub(super) fn rebase(journal: &mut Journal, file: &Path, ending: &Ending) -> Result<(), Refusal> {
    journal.file = file.to_owned();
    journal.original = Original::of(ending.bytes.as_deref(), None)?;
    journal.written.clear();
    Ok(())
}

fn without(bytes: Option<&[u8]>, journal: &Journal, when_empty: WhenEmpty) -> Result<Edit, Refusal> {
    journal.writer.without(bytes, &journal.ours(), when_empty)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::{mirror_url::MirrorUrl, writer::Writer};

    const FILE: &str = "/etc/docker/daemon.json";

    fn journal(original: Option<&str>, written: &str) -> Journal {
        let original = Original::of(original.map(str::as_bytes), None).unwrap();
        let mirror = MirrorUrl::parse("http://127.0.0.1:797").unwrap();
        let mut journal = Journal::new(Writer::DaemonJson, FILE.into(), original, mirror);
        journal.will_write(Some(written.as_bytes()));
        journal
    }

    fn ask(original: Option<&str>, written: &str, now: Option<&str>, file: &str) -> (Option<String>, FileLeft) {
        let ending = ending(now.map(str::as_bytes), Path::new(file), &journal(original, written)).unwrap();
        (ending.bytes.map(|bytes| String::from_utf8(bytes).unwrap()), ending.file)
    }

    #[test]
    fn our_own_content_makes_room_for_the_original() {
        let ours = "{\n \"registry-mirrors\": [\"http://127.0.0.1:797\"] }";
        assert_eq!(ask(None, ours, Some(ours), FILE), (None, FileLeft::AsBefore));
        assert_eq!(ask(Some("{ }\r\n"), ours, Some(ours), FILE), (Some("{ }\r\n".into()), FileLeft::AsBefore));
        assert_eq!(ask(Some(""), ours, Some(ours), FILE), (Some(String::new()), FileLeft::AsBefore));
    }

    #[test]
    fn an_original_with_our_mirror_loses_it() {
        let original = r#"{"registry-mirrors":["https://a","http://127.0.0.1:797/"]}"#;
        let ours = r#"{"registry-mirrors":["http://127.0.0.1:797","https://a"]}"#;
        let left = (Some(r#"{"registry-mirrors":["https://a"]}"#.into()), FileLeft::OnlyOursTakenOut);
        assert_eq!(ask(Some(original), ours, Some(ours), FILE), left);
    }

    #[test]
    fn the_content_of_somebody_else_is_kept() {
        let ours = r#"{"registry-mirrors": ["http://127.0.0.1:797"]}"#;
        let theirs = r#"{"registry-mirrors": ["http://127.0.0.1:797"], "debug": true}"#;
        let kept = |text: &str| (Some(text.to_owned()), FileLeft::OnlyOursTakenOut);
        assert_eq!(ask(Some("{}"), ours, Some(theirs), FILE), kept(r#"{"debug": true}"#));
        assert_eq!(ask(None, ours, Some(theirs), FILE), kept(r#"{"debug": true}"#));
        let had_key = Some(r#"{"registry-mirrors": []}"#);
        assert_eq!(ask(had_key, ours, Some(theirs), FILE), kept(r#"{"registry-mirrors": [], "debug": true}"#));
        assert_eq!(ask(Some("{}"), ours, None, FILE), (None, FileLeft::OnlyOursTakenOut), "they removed the file");
        assert_eq!(ask(Some("{}"), ours, Some("{}"), FILE), (Some("{}".into()), FileLeft::AsBefore));
        assert_eq!(ask(Some("{ }"), ours, Some(ours), "/srv/d.json"), kept("{}"), "another file by now");
    }

    #[test]
    fn a_file_without_the_key_gets_an_empty_list_on_the_way() {
        let clear = |bytes: Option<&str>| {
            let bytes = bytes.map(|bytes| bytes.as_bytes().to_vec());
            clearing(&Ending { bytes, file: FileLeft::AsBefore })
                .unwrap()
                .map(|bytes| String::from_utf8(bytes).unwrap())
        };
        assert_eq!(clear(None).unwrap(), "{\n  \"registry-mirrors\": []\n}\n");
        assert_eq!(clear(Some(r#"{"debug":true}"#)).unwrap(), r#"{"debug":true,"registry-mirrors":[]}"#);
        assert_eq!(clear(Some(r#"{"registry-mirrors":["a"]}"#)).unwrap(), r#"{"registry-mirrors":["a"]}"#);
        assert_eq!(clear(Some(r#"{"registry-mirrors":null}"#)).unwrap(), r#"{"registry-mirrors":null}"#);
    }
}
