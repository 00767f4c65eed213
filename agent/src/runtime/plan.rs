//! What is to be done to point the engine at our mirror by one file. Pure: the file, the engine and the journal as they
//! are, to a plan or a refusal.

use std::path::{Path, PathBuf};

use super::{
    daemon_json::{self, Desired, WhenEmpty},
    engine::{EngineFacts, MirrorFlag},
    hosts_toml::{self, Foreign, Origin},
    journal::{Journal, Original},
    mirror_url::{MirrorUrl, same_mirror},
    target::Snapshot,
    writer::{NotUtf8, Refusal, Writer},
};

/// All that a plan depends on.
pub(super) struct Situation<'a> {
    /// Our mirror.
    pub(super) mirror: &'a MirrorUrl,
    /// Whether the mirrors of others go.
    pub(super) adopt: bool,
    /// The file, and what only its kind depends on.
    pub(super) kind: Kind<'a>,
    /// Its path as dockerd names it.
    pub(super) named: &'a Path,
    /// The same with its links followed.
    pub(super) file: &'a Path,
    /// The folders that must be created for it.
    pub(super) new_folders: &'a [PathBuf],
    /// Its content.
    pub(super) now: &'a Snapshot,
    /// The journal of the edit before this one; always at rest.
    pub(super) previous: Option<&'a Journal>,
}

/// Which file it is.
pub(super) enum Kind<'a> {
    /// `daemon.json`.
    DaemonJson {
        /// The mirrors in `/info`.
        live: &'a [String],
        /// The engine.
        facts: &'a EngineFacts,
    },
    /// A `hosts.toml`.
    HostsToml {
        /// The writer, for the journal.
        writer: &'a Writer,
        /// How the registry itself is reached, which the file must say.
        origin: &'a Origin,
    },
}

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// Nothing: file and engine have our mirror first.
    Nothing,
    /// The file has it, the engine does not: it was not signalled, or the agent was down at the time.
    Reload,
    /// The file needs it.
    Write {
        /// The new content of the file.
        bytes: Vec<u8>,
        /// The journal to begin with.
        journal: Box<Journal>,
    },
}

/// Why the engine is not pointed at our mirror. Nothing was touched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PlanRefusal {
    /// The file must not be edited.
    #[error(transparent)]
    File(Refusal),
    /// dockerd reads another file.
    #[error(
        "dockerd was started with --config-file {}, and this agent would edit {}: give the agent the folder of dockerd's file",
        dockerd.display(), ours.display()
    )]
    OtherFile {
        /// The file that dockerd reads.
        dockerd: PathBuf,
        /// The file that we would edit.
        ours: PathBuf,
    },
    /// The engine has mirrors that are not in the file, and its command line cannot be seen.
    #[error(
        "the engine uses mirrors that daemon.json does not have ({}), so dockerd probably runs with --registry-mirror, \
         and with that flag and `registry-mirrors` in daemon.json it would not start again: move them to daemon.json",
        .0.join(", ")
    )]
    MirrorsFromElsewhere(Vec<String>),
}

impl<E: Into<Refusal>> From<E> for PlanRefusal {
    fn from(refusal: E) -> Self {
        Self::File(refusal.into())
    }
}

/// Makes the plan.
pub(super) fn plan(situation: &Situation<'_>) -> Result<Plan, PlanRefusal> {
    let Situation { mirror, previous, .. } = *situation;
    let now = situation.now.bytes.as_deref();
    if let Kind::DaemonJson { facts, .. } = situation.kind {
        check_file(situation, facts)?;
    }
    // Entries of earlier ports go: nobody listens there any more.
    let mut retired = previous.map(Journal::ours).unwrap_or_default();
    retired.retain(|earlier| earlier != mirror);
    let then = then(situation, &retired)?;
    if let Kind::DaemonJson { live, facts } = situation.kind {
        check_flag(situation, live, facts)?;
    }
    let Some(bytes) = then.filter(|then| Some(then.as_slice()) != now) else {
        return Ok(if is_live(situation) { Plan::Nothing } else { Plan::Reload });
    };
    let mut journal = begin(situation, now)?;
    journal.retired = retired;
    journal.will_write(Some(&bytes));
    Ok(Plan::Write { bytes, journal: Box::new(journal) })
}

/// What the file should hold.
fn then(situation: &Situation<'_>, retired: &[MirrorUrl]) -> Result<Option<Vec<u8>>, PlanRefusal> {
    let Situation { mirror, adopt, previous, .. } = *situation;
    let now = situation.now.bytes.as_deref();
    match situation.kind {
        Kind::DaemonJson { facts, .. } => {
            let cleaned = daemon_json::edit(now, Desired::Without(retired, WhenEmpty::KeepKey), facts)?.over(now);
            let desired = if adopt { Desired::Only(mirror) } else { Desired::First(mirror) };
            Ok(daemon_json::edit(cleaned.as_deref(), desired, facts)?.over(cleaned.as_deref()))
        }
        Kind::HostsToml { origin, .. } => {
            // What we say of the origin may have changed. As long as the file is as we left it, it is made anew.
            let own = previous.filter(|previous| previous.file == situation.file && previous.wrote(now));
            let base = own.map_or(now, |previous| previous.original.bytes());
            let foreign = if adopt { Foreign::TakeOut } else { Foreign::Keep };
            let first = hosts_toml::First { ours: mirror, retired, foreign, origin };
            Ok(hosts_toml::edit(base, hosts_toml::Desired::First(first))?.over(base))
        }
    }
}

/// Whether the engine goes by the file as it is.
fn is_live(situation: &Situation<'_>) -> bool {
    let Situation { mirror, .. } = *situation;
    match situation.kind {
        Kind::DaemonJson { live, .. } => {
            let alone = !situation.adopt || live.len() == 1;
            live.first().is_some_and(|first| mirror.is(first)) && alone
        }
        Kind::HostsToml { .. } => true,
    }
}

/// What was there before us stays what it was while the file is as we left it; after an edit of somebody else it is
/// what they made of it.
fn begin(situation: &Situation<'_>, now: Option<&[u8]>) -> Result<Journal, NotUtf8> {
    let Situation { mirror, file, new_folders, previous, .. } = *situation;
    if let Some(previous) = previous.filter(|previous| previous.file == file && previous.wrote(now)) {
        return Ok(previous.again(mirror.clone()));
    }
    let mode = situation.now.attributes.map(|attributes| attributes.mode);
    let writer = match situation.kind {
        Kind::DaemonJson { .. } => Writer::DaemonJson,
        Kind::HostsToml { writer, .. } => writer.clone(),
    };
    let mut journal = Journal::new(writer, file.to_owned(), Original::of(now, mode)?, mirror.clone());
    journal.new_folders = new_folders.to_vec();
    Ok(journal)
}

fn check_file(situation: &Situation<'_>, facts: &EngineFacts) -> Result<(), PlanRefusal> {
    match &facts.config_file {
        Some(dockerd) if dockerd != situation.named && dockerd != situation.file => {
            Err(PlanRefusal::OtherFile { dockerd: dockerd.clone(), ours: situation.named.to_owned() })
        }
        _ => Ok(()),
    }
}

fn check_flag(situation: &Situation<'_>, live: &[String], facts: &EngineFacts) -> Result<(), PlanRefusal> {
    if facts.mirror_flag != MirrorFlag::Unknown {
        return Ok(());
    }
    let mut known = daemon_json::mirrors(situation.now.bytes.as_deref())?.unwrap_or_default();
    let ours = situation.previous.map(Journal::ours).unwrap_or_default();
    known.extend(ours.iter().chain([situation.mirror]).map(|ours| ours.as_str().to_owned()));
    let unknown = |live: &&String| !known.iter().any(|known| same_mirror(known, live));
    let elsewhere: Vec<String> = live.iter().filter(unknown).cloned().collect();
    if elsewhere.is_empty() { Ok(()) } else { Err(PlanRefusal::MirrorsFromElsewhere(elsewhere)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::{engine::Dialect, journal::Phase};

    const FILE: &str = "/etc/docker/daemon.json";
    const OURS: &str = "http://127.0.0.1:797/";

    fn mirror(port: u16) -> MirrorUrl {
        MirrorUrl::parse(&format!("http://127.0.0.1:{port}")).unwrap()
    }

    fn facts() -> EngineFacts {
        EngineFacts { dialect: Dialect::BomRefused, ..EngineFacts::lenient() }
    }

    fn ask(
        now: Option<&str>,
        live: &[&str],
        facts: &EngineFacts,
        previous: Option<&Journal>,
    ) -> Result<Plan, PlanRefusal> {
        let live: Vec<String> = live.iter().map(|&live| live.to_owned()).collect();
        let now = Snapshot { bytes: now.map(|now| now.as_bytes().to_vec()), attributes: None };
        plan(&Situation {
            mirror: &mirror(797),
            named: Path::new(FILE),
            file: Path::new(FILE),
            new_folders: &[],
            now: &now,
            kind: Kind::DaemonJson { live: &live, facts },
            adopt: false,
            previous,
        })
    }

    fn written(plan: Result<Plan, PlanRefusal>) -> (String, Journal) {
        let Ok(Plan::Write { bytes, journal }) = plan else { panic!("{plan:?}") };
        assert_eq!(journal.phase, Phase::Planned);
        assert!(journal.wrote(Some(&bytes)), "the journal knows the content before it is written");
        (String::from_utf8(bytes).unwrap(), *journal)
    }

    /// The journal of an agent that turned `before` into `after`, with its mirror at `port`.
    fn earlier(before: &str, after: &str, port: u16) -> Journal {
        let original = Original::of(Some(before.as_bytes()), None).unwrap();
        let mut journal = Journal::new(Writer::DaemonJson, FILE.into(), original, mirror(port));
        journal.will_write(Some(after.as_bytes()));
        journal.phase = Phase::Confirmed;
        journal
    }

    #[test]
    fn what_is_right_is_left_alone() {
        let right = Some(r#"{"registry-mirrors":["http://127.0.0.1:797"]}"#);
        assert_eq!(ask(right, &[OURS], &facts(), None), Ok(Plan::Nothing));
        assert_eq!(ask(right, &[], &facts(), None), Ok(Plan::Reload));
        assert_eq!(ask(right, &["https://a/", OURS], &facts(), None), Ok(Plan::Reload));
    }

    #[test]
    fn the_first_edit_remembers_what_was_there() {
        let (bytes, journal) = written(ask(Some("{}"), &[], &facts(), None));
        assert_eq!(bytes, r#"{"registry-mirrors": ["http://127.0.0.1:797"]}"#);
        assert_eq!(journal.original.bytes(), Some(b"{}".as_slice()));
        assert_eq!(written(ask(None, &[], &facts(), None)).1.original, Original::Absent);
    }

    #[test]
    fn an_edit_over_our_own_keeps_the_first_original() {
        let ours = r#"{"registry-mirrors": ["http://127.0.0.1:1797"]}"#;
        let previous = earlier("{}", ours, 1797);
        let (bytes, journal) = written(ask(Some(ours), &["http://127.0.0.1:1797/"], &facts(), Some(&previous)));
        assert_eq!(bytes, r#"{"registry-mirrors": ["http://127.0.0.1:797"]}"#, "the earlier port is gone");
        assert_eq!(journal.original.bytes(), Some(b"{}".as_slice()));
        assert!(journal.wrote(Some(ours.as_bytes())));
        assert_eq!(journal.ours(), [mirror(797), mirror(1797)]);
    }

    #[test]
    fn an_edit_over_somebody_elses_takes_theirs_for_the_original() {
        let previous = earlier("{}", r#"{"registry-mirrors": ["http://127.0.0.1:797"]}"#, 797);
        let theirs = r#"{"debug": true}"#;
        let (_, journal) = written(ask(Some(theirs), &[OURS], &facts(), Some(&previous)));
        assert_eq!(journal.original.bytes(), Some(theirs.as_bytes()));
        assert_eq!(journal.written.len(), 1);
    }

    #[test]
    fn another_file_of_dockerd_is_refused() {
        let with = |file: &str| EngineFacts { config_file: Some(file.into()), ..facts() };
        assert!(ask(Some("{}"), &[], &with(FILE), None).is_ok());
        let refusal = ask(Some("{}"), &[], &with("/srv/d.json"), None).unwrap_err();
        assert!(refusal.to_string().contains("--config-file /srv/d.json"), "{refusal}");
    }

    #[test]
    fn mirrors_of_unknown_origin_are_taken_for_a_flag_when_the_command_line_is_hidden() {
        let hidden = EngineFacts { mirror_flag: MirrorFlag::Unknown, ..facts() };
        let file = Some(r#"{"registry-mirrors":["https://a"]}"#);
        assert!(ask(file, &["https://a/", OURS], &hidden, None).is_ok());
        assert_eq!(
            ask(file, &["https://a/", "https://b/"], &hidden, None),
            Err(PlanRefusal::MirrorsFromElsewhere(vec!["https://b/".into()]))
        );
        assert!(ask(file, &["https://b/"], &facts(), None).is_ok(), "a command line that was read is believed");
        let earlier = earlier("{}", "{}", 1797);
        assert!(ask(file, &["http://127.0.0.1:1797/"], &hidden, Some(&earlier)).is_ok(), "our own of yesterday");
    }

    #[test]
    fn a_refused_file_is_a_refused_plan() {
        let refused = ask(Some("[]"), &[], &facts(), None);
        assert!(matches!(
            refused,
            Err(PlanRefusal::File(Refusal::DaemonJson(daemon_json::Refusal::NotAnObject { .. })))
        ));
    }
}
