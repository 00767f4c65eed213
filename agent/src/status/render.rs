//! How a status looks to a person. Pure.

use std::fmt::Write as _;

use jiff::Timestamp;
use larder_content::share::About;

use super::Status;
use crate::keeper::status::{FileStatus, KeeperStatus};

/// The width of the first column.
const NAME: usize = 9;

/// The whole status, as it is at `now`.
pub(crate) fn table(status: &Status, now: Timestamp) -> String {
    let Status { version, started, hub, engine, cache, alarms } = status;
    let mut text = format!("larder-agent {version}, up for {}\n\n", since(*started, now));
    let answers = match (hub.alive, &hub.registries) {
        (false, _) => "does not answer".to_owned(),
        (true, None) => "answers".to_owned(),
        (true, Some(registries)) => format!("answers, serves {}", registries.join(", ")),
    };
    row(&mut text, "Hub", &format!("{} {answers}", hub.url));
    match engine {
        None => row(&mut text, "Engine", "none: the mirror runs alone"),
        Some(keeper) => engine_rows(&mut text, keeper, now),
    }
    let most = cache.most.map_or_else(|| "unbounded".to_owned(), |most| format!("of {}", About(most)));
    let plural = |count: u64, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let under_way = match cache.downloads {
        0 => String::new(),
        count => format!(", {} under way", plural(count, "download")),
    };
    let kept = format!("{} {most} in {}, {}{under_way}", About(cache.bytes), cache.folder, plural(cache.blobs, "blob"));
    row(&mut text, "Cache", &kept);
    let served = match cache.hits.saturating_mul(100).checked_div(cache.requests) {
        None => "nothing was asked for yet".to_owned(),
        Some(percent) => format!(
            "{percent} % of {} were here; {} served, {} fetched",
            plural(cache.requests, "request"),
            About(cache.served_bytes),
            About(cache.fetched_bytes)
        ),
    };
    row(&mut text, "", &served);
    for (index, alarm) in alarms.iter().enumerate() {
        if index == 0 {
            text.push('\n');
        }
        row(&mut text, if index == 0 { "Alarms" } else { "" }, &format!("{}: {}", alarm.of, alarm.what));
    }
    text.trim_end().to_owned()
}

fn engine_rows(text: &mut String, keeper: &KeeperStatus, now: Timestamp) {
    let what = match &keeper.engine {
        None => "it has not answered yet".to_owned(),
        Some(engine) => {
            format!("Docker {}, {} image store, API {}", engine.version, engine.image_store, engine.api_version)
        }
    };
    row(text, "Engine", &what);
    if keeper.is_restored {
        row(text, "", "restored: left alone until the agent starts again");
    }
    for FileStatus { file, confirmed, problem } in &keeper.files {
        let state = match (confirmed, problem) {
            (_, Some(_)) => "not as it should be (see alarms)".to_owned(),
            (Some(then), None) => format!("confirmed {} ago", since(*then, now)),
            (None, None) => "not confirmed yet".to_owned(),
        };
        row(text, "", &format!("{file:<40} {state}"));
    }
}

fn row(text: &mut String, name: &str, rest: &str) {
    let _ = writeln!(text, "{name:<NAME$} {rest}");
}

/// How long ago, to two units.
fn since(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(then).as_secs().max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        keeper::status::EngineStatus,
        status::{Alarm, CacheStatus, HubStatus},
    };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn status() -> Status {
        Status {
            version: "1.2.3".to_owned(),
            started: at(0),
            hub: HubStatus {
                url: "https://hub:5000/".to_owned(),
                alive: true,
                registries: Some(vec!["docker.io".to_owned()]),
            },
            engine: Some(KeeperStatus {
                engine: Some(EngineStatus {
                    version: "28.5.2".to_owned(),
                    api_version: "1.51".to_owned(),
                    image_store: "containerd".to_owned(),
                }),
                files: vec![
                    FileStatus { file: "daemon.json".to_owned(), confirmed: Some(at(7200)), problem: None },
                    FileStatus {
                        file: "certs.d/docker.io/hosts.toml".to_owned(),
                        confirmed: None,
                        problem: Some("no TOML".to_owned()),
                    },
                ],
                ..KeeperStatus::default()
            }),
            cache: CacheStatus {
                folder: "/var/lib/larder-agent/cache".to_owned(),
                bytes: 3 << 30,
                most: Some(50 << 30),
                blobs: 214,
                downloads: 1,
                requests: 200,
                hits: 150,
                served_bytes: 5 << 30,
                fetched_bytes: 1 << 30,
            },
            alarms: vec![Alarm { of: "engine".to_owned(), what: "hosts.toml: no TOML".to_owned() }],
        }
    }

    #[test]
    fn a_person_sees_what_matters() {
        let expected = "\
larder-agent 1.2.3, up for 3 h 2 min

Hub       https://hub:5000/ answers, serves docker.io
Engine    Docker 28.5.2, containerd image store, API 1.51
          daemon.json                              confirmed 1 h 2 min ago
          certs.d/docker.io/hosts.toml             not as it should be (see alarms)
Cache     3.00 GiB of 50.0 GiB in /var/lib/larder-agent/cache, 214 blobs, 1 download under way
          75 % of 200 requests were here; 5.00 GiB served, 1.00 GiB fetched

Alarms    engine: hosts.toml: no TOML";
        assert_eq!(table(&status(), at(3 * 3600 + 120)), expected);
    }

    #[test]
    fn a_fresh_agent_says_so() {
        let mut status = status();
        status.hub.alive = false;
        status.engine = None;
        (status.cache.requests, status.cache.blobs, status.cache.downloads) = (0, 1, 0);
        status.alarms.clear();
        let text = table(&status, at(5));
        for part in
            ["up for 5 s", "does not answer", "the mirror runs alone", ", 1 blob\n", "nothing was asked for yet"]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
