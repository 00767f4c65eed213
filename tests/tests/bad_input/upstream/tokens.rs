//! The upstream asks for tokens, and its token server fails; or the upstream leads the hub, which has a password, to
//! others. What is sent to whom is looked at from the other side.

use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use larder_tests::rig::{
    access::Kind,
    faults::{
        Ending::{Fin, Rst},
        Fault::{self, *},
        FaultyUpstream, TOKEN, When,
    },
    registry::Credentials,
    story,
};
use serde_json::json;

use super::{
    after, ask_all,
    cases::{
        AGENT, Case, DENIED, Fate, HEADERS, INVALID, LIMITED, NO_BLOB, Setting, UNAVAILABLE, answer, case, within,
    },
    rows::{
        Row,
        Target::{self, *},
    },
};
use crate::{
    report::Report,
    world::{PASSWORD, TIERS, World},
};

/// A manifest, and a blob that the hub has to ask for before it knows whose it is.
const BOTH: &[Target] = &[Digest, BlobHead];
const SERVED: &[Fate] = &[Fate::Served];
/// Whatever a token server does, it says nothing of what the registry has.
const NOT_TOLD: &[Fate] = &[INVALID, UNAVAILABLE, DENIED];

/// Of the token server.
#[rustfmt::skip]
const TOKENS: &[Case] = &[
    within(HEADERS, case("token: hangs before headers", BOTH, |_, _| Hang, &[UNAVAILABLE], &[NO_BLOB])),
    within(AGENT, case("token: hangs in the body", BOTH, |_, _| HangAfter(20), &[UNAVAILABLE], &[NO_BLOB])),
    within(HEADERS, case("token: drips 20 bytes a second", BOTH, |_, _| Drip(20), SERVED, SERVED)),
    case("token: ends the connection (FIN)", BOTH, |_, _| Drop(Fin), &[UNAVAILABLE], &[NO_BLOB]),
    case("token: ends the connection (RST)", BOTH, |_, _| Drop(Rst), &[UNAVAILABLE], &[NO_BLOB]),
    case("token: a web page with 200", BOTH, |_, _| Html(200), &[INVALID], &[NO_BLOB]),
    case("token: 500", BOTH, |_, _| Status(500), &[UNAVAILABLE], &[NO_BLOB]),
    case("token: 429, Retry-After: 7", BOTH, |_, _| RateLimited(7), &[LIMITED], &[NO_BLOB]),
    case("token: 401", BOTH, |_, _| Status(401), &[DENIED], &[NO_BLOB]),
    case("token: 403", BOTH, |_, _| Status(403), &[DENIED], &[NO_BLOB]),
    case("token: 404", BOTH, |_, _| Status(404), NOT_TOLD, &[NO_BLOB]),
    case("token: one bit flipped", BOTH, |_, _| token(&json!({ "token": "the-tokem-of-the-rig" })), &[DENIED], &[NO_BLOB]),
    case("token: Content-Length 7 too large", BOTH, |_, _| LengthOff(7), &[UNAVAILABLE, INVALID], &[NO_BLOB]),
    case("token: Content-Length 7 too small", BOTH, |_, _| LengthOff(-7), &[INVALID], &[NO_BLOB]),
    case("token: body cut (RST)", BOTH, |_, _| CutAfter(20, Rst), &[UNAVAILABLE], &[NO_BLOB]),
    case("token: 10 MB", BOTH, |_, _| Padded(10 << 20), &[INVALID], &[NO_BLOB]),
    case("token: gzip", BOTH, |_, _| Gzip, &[INVALID], &[NO_BLOB]),
    case("token: unheard-of Content-Type", BOTH, |_, _| MediaType("x/y".to_owned()), SERVED, SERVED),
    case("token: redirect to a dead host", BOTH, |_, _| Redirect("http://127.0.0.1:9".to_owned()), &[UNAVAILABLE], &[NO_BLOB]),
    case("token: redirect to another host", BOTH, |at, _| Redirect(at.other.clone()), SERVED, SERVED),
    case("token: redirect in a loop", BOTH, |at, _| Redirect(at.own.clone()), &[INVALID], &[NO_BLOB]),
    case("token: empty", BOTH, |_, _| token(&json!({ "token": "" })), &[INVALID], &[NO_BLOB]),
    case("token: a number", BOTH, |_, _| token(&json!({ "token": 7 })), &[INVALID], &[NO_BLOB]),
    case("token: with a line break", BOTH, |_, _| token(&json!({ "token": "a\r\nX-Evil: 1" })), &[INVALID], &[NO_BLOB]),
    case("token: lives for 2^64 s", BOTH, |_, _| token(&json!({ "token": TOKEN, "expires_in": u64::MAX })), SERVED, SERVED),
    case("token: lives for 2^40 s", BOTH, |_, _| token(&json!({ "token": TOKEN, "expires_in": 1_u64 << 40 })), SERVED, SERVED),
    case("token: lives for no time", BOTH, |_, _| token(&json!({ "token": TOKEN, "expires_in": 0 })), SERVED, SERVED),
];

/// Of the registry, to one that brings a password.
#[rustfmt::skip]
const REGISTRY: &[Case] = &[
    case("redirect to another host, with a token", BOTH, |at, _| Redirect(at.other.clone()), SERVED, SERVED),
    case("401 with a realm of another host", BOTH, |at, _| challenge(&format!("Bearer realm=\"{}/token\"", elsewhere(at))), &[DENIED], &[NO_BLOB]),
    case("401 with a dead realm", BOTH, |_, _| challenge("Bearer realm=\"http://127.0.0.1:9/token\""), &[UNAVAILABLE], &[NO_BLOB]),
    case("401 with a realm that is no URL", BOTH, |_, _| challenge("Bearer realm=\"http://[::1\""), &[INVALID], &[NO_BLOB]),
    case("401 with the realm file:///etc/passwd", BOTH, |_, _| challenge("Bearer realm=\"file:///etc/passwd\""), &[INVALID], &[NO_BLOB]),
    case("401 with nonsense", BOTH, |_, _| challenge("=,\"\\"), &[DENIED], &[NO_BLOB]),
    case("401 again and again, Bearer", BOTH, |at, _| challenge(&format!("Bearer realm=\"{}/token\"", at.own)), &[DENIED], &[NO_BLOB]),
    case("401 again and again, Basic", BOTH, |_, _| challenge("Basic realm=\"x\""), &[DENIED], &[NO_BLOB]),
    case("401 with 100 kB of challenge", BOTH, |_, _| challenge(&"Basic x=y,".repeat(10_000)), &[DENIED], &[NO_BLOB]),
];

#[test]
fn the_token_server_fails() -> Result<()> {
    story(|rig| {
        let (rows, last) = (plan()?, Row::new(&REGISTRY[0], 999, Digest, "hub")?);
        let images = || rows.iter().chain([&last]).map(|row| &row.image);
        let upstream = images().fold(rig.faulty_upstream("upstream").bearer(), |builder, image| builder.image(image));
        let upstream = upstream.start()?;
        let other = images().fold(rig.faulty_upstream("other"), |builder, image| builder.image(image)).start()?;
        let setting = Setting { own: upstream.url().to_owned(), other: other.url().to_owned() };
        let login = Credentials { user: "ann".to_owned(), password: PASSWORD.to_owned() };
        let world = World::start(rig, "tokens", upstream.url(), |hub| {
            hub.credentials(&login).adjust(|config| config["log"] = json!({ "level": "debug" }))
        })?;
        for row in &rows {
            let is_of_token = TOKENS.iter().any(|case| case.name == row.case.name);
            let when = if is_of_token {
                When::from(Kind::Token).saying(&format!("{}%3Apull", row.repository().replace('/', "%2F")))
            } else {
                When::from(row.kind()).saying(&format!("/{}/", row.repository()))
            };
            upstream.fault(when, (row.case.fault)(&setting, row));
        }

        let mut report = Report::new("the token server fails");
        let answers = ask_all(&world, &rows)?;
        for (row, answer) in rows.iter().zip(&answers) {
            report.row(row.name(), row.tier, answer.brief(), answer.elapsed, row.judge(answer));
        }
        report.wrongs(after::logged(&world, &rows, &answers));
        report.wrongs(after::kept(&world, &rows, &answers)?);
        report.wrongs(seen(&other));
        upstream.heal();
        world.agent_sees_hub()?;
        report.wrongs(after::healed(&world, &rows, &answers)?);
        report.wrongs(moved(&world, &upstream, &other, &last)?);
        report.wrongs(world.farewell()?);
        report.finish()
    })
}

fn plan() -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for case in TOKENS.iter().chain(REGISTRY) {
        for target in case.on {
            for tier in TIERS {
                rows.push(Row::new(case, rows.len(), *target, tier)?);
            }
        }
    }
    Ok(rows)
}

/// Nobody but the upstream gets to see a token or a password.
fn seen(other: &FaultyUpstream) -> Vec<String> {
    let log = other.log();
    let with = log.iter().filter_map(|entry| Some((entry, entry.header("authorization")?)));
    let mut wrong: Vec<String> = with
        .map(|(entry, value)| format!("another host was sent {value:?}: {} {}", entry.method, entry.path))
        .collect();
    if log.of(Kind::Blob) == 0 || log.of(Kind::Token) == 0 {
        wrong.push(format!("the redirects were not followed:\n{}", log.summary()));
    }
    wrong
}

/// A token server that was named once, and is gone when the upstream names its own again: that may cost one request, and
/// no more.
fn moved(world: &World<'_>, upstream: &FaultyUpstream, other: &FaultyUpstream, last: &Row) -> Result<Vec<String>> {
    let hub = |path: &str| world.hub.get(path).limit(Duration::from_secs(10)).send();
    let realm = format!("Bearer realm=\"{}/token\"", other.url());
    // Nobody has a token for this one yet.
    let absent = "/v2/library/moved/manifests/absent";
    upstream.fault(When::always().saying("library/moved/").times(1), challenge(&realm));
    let first = hub(absent)?.status;
    other.refuse();
    let mut answers = Vec::new();
    for _ in 0..2 {
        let now = hub(&last.path())?;
        answers.push(format!("{} {}", now.status, now.text().chars().take(80).collect::<String>()));
    }
    let served = answers.last().is_some_and(|last| last.starts_with("200"));
    let wrong = (!served).then(|| {
        format!("the upstream once named another token server, which is gone ({first}); since then: {answers:?}")
    });
    Ok(wrong.into_iter().collect())
}

/// A token server's answer.
fn token(body: &serde_json::Value) -> Fault {
    let body = Bytes::from(body.to_string());
    answer("200 OK", &[("Content-Type", "application/json"), ("Content-Length", &body.len().to_string())], &body)
}

fn challenge(text: &str) -> Fault {
    answer("401 Who", &[("WWW-Authenticate", text), ("Content-Length", "0")], &Bytes::new())
}

/// The other host, by a name that is not the upstream's.
fn elsewhere(setting: &Setting) -> String {
    setting.other.replace("127.0.0.1", "localhost")
}
