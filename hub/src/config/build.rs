//! From checked values to the hub's own types.
//!
//! By now every value has the kind that its key asks for and every key that works has its default, so little is left
//! that can be wrong: header names, status codes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use larder_content::Bounds;

use super::check::Value;
use super::error::Complaint;
use super::model::{
    ClientAuth, Clients, Config, FileCheck, Formatter, Freshness, Health, Http, HttpCheck, Level, Log, Pace, Storage,
    TcpCheck, Tls, Upstream,
};
use super::report::shown;

/// Why a value that is read here is there: a test walks the table for it.
const HAS_DEFAULT: &str = "the schema gives this key a default";

/// Headers by which both ends agree where an answer ends; a wrong one breaks every answer.
const FRAMING: [HeaderName; 6] = [
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::CONNECTION,
    header::TE,
    header::TRAILER,
    header::UPGRADE,
];

/// Makes the configuration.
pub(super) fn config(root: &Value, upstream: Upstream) -> Result<Config, Vec<Complaint>> {
    let mut complaints = Vec::new();
    let config = Config {
        log: log(root),
        http: listeners(root, &mut complaints),
        storage: storage(root),
        upstream,
        freshness: freshness(root),
        health: health(root, &mut complaints),
    };
    if complaints.is_empty() { Ok(config) } else { Err(complaints) }
}

fn log(root: &Value) -> Log {
    let new = root.get("log.level").filter(|level| level.at != super::node::At::Default);
    let level = new.and_then(Value::as_text).or_else(|| root.text("loglevel")).or_else(|| root.text("log.level"));
    let fields = root.get("log.fields").map_or(&[][..], Value::entries);
    Log {
        level: match level {
            Some("error") => Level::Error,
            Some("warn") => Level::Warn,
            Some("debug") => Level::Debug,
            _ => Level::Info,
        },
        formatter: match root.text("log.formatter") {
            Some("json") => Formatter::Json,
            Some("logstash") => Formatter::Logstash,
            _ => Formatter::Text,
        },
        fields: fields.iter().map(|(name, value)| (name.clone(), shown(value))).collect::<BTreeMap<_, _>>(),
        access_log: !root.flag("log.accesslog.disabled"),
    }
}

fn listeners(root: &Value, complaints: &mut Vec<Complaint>) -> Http {
    Http {
        addr: root.address("http.addr").expect(HAS_DEFAULT).clone(),
        tls: tls(root),
        headers: headers(root, "http.headers", false, complaints),
        drain_timeout: root.duration("http.draintimeout").expect(HAS_DEFAULT),
        debug_addr: root.address("http.debug.addr").cloned(),
        metrics_path: root
            .text("http.debug.prometheus.path")
            .filter(|_| root.flag("http.debug.prometheus.enabled"))
            .map(str::to_owned),
    }
}

fn tls(root: &Value) -> Option<Tls> {
    let tls = root.get("http.tls")?;
    let (certificate, key) = (tls.text("certificate")?, tls.text("key")?);
    let cas: Vec<PathBuf> = tls.texts("clientcas").into_iter().map(PathBuf::from).collect();
    let auth = match tls.text("clientauth") {
        Some("request-client-cert") => ClientAuth::Request,
        Some("require-any-client-cert") => ClientAuth::RequireAny,
        Some("verify-client-cert-if-given") => ClientAuth::VerifyIfGiven,
        _ => ClientAuth::RequireAndVerify,
    };
    Some(Tls {
        certificate: certificate.into(),
        key: key.into(),
        clients: (!cas.is_empty()).then_some(Clients { cas, auth }),
        only_tls13: tls.text("minimumtls") == Some("tls1.3"),
    })
}

fn headers(root: &Value, path: &str, sensitive: bool, complaints: &mut Vec<Complaint>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, values) in root.get(path).map_or(&[][..], Value::entries) {
        let Ok(header) = HeaderName::try_from(name) else {
            let what = format!("`{path}`: `{}` is not the name of a header", super::redact::key(name));
            complaints.push(Complaint::new(values.at.clone(), what).hidden());
            continue;
        };
        if FRAMING.contains(&header) {
            let what =
                format!("`{path}.{name}`: this header says where an answer ends, and is not for a configuration");
            complaints.push(Complaint::new(values.at.clone(), what).help("take it out"));
            continue;
        }
        for value in values.elements() {
            match HeaderValue::try_from(value.as_text().unwrap_or_default()) {
                Ok(mut text) => {
                    text.set_sensitive(sensitive);
                    headers.append(header.clone(), text);
                }
                Err(_) => {
                    let what = format!("`{path}.{name}`: a header's value is one line of plain characters");
                    complaints.push(Complaint::new(value.at.clone(), what).hidden());
                }
            }
        }
    }
    headers
}

fn storage(root: &Value) -> Storage {
    let bounds =
        Bounds { size: root.share("larder.cachesize"), free_floor: root.share("larder.freefloor").expect(HAS_DEFAULT) };
    Storage { root: root.text("storage.filesystem.rootdirectory").expect(HAS_DEFAULT).into(), bounds }
}

fn freshness(root: &Value) -> Freshness {
    Freshness {
        tag: root.duration("larder.tagfreshness").expect(HAS_DEFAULT),
        stale_limit: root.duration("larder.stalelimit").expect(HAS_DEFAULT),
    }
}

fn health(root: &Value, complaints: &mut Vec<Complaint>) -> Health {
    let storage = root.get("health.storagedriver").filter(|check| check.flag("enabled"));
    Health {
        storage: storage.map(pace),
        files: root.items("health.file").iter().filter_map(|check| file_check(check, complaints)).collect(),
        http: root.items("health.http").iter().filter_map(|check| http_check(check, complaints)).collect(),
        tcp: root.items("health.tcp").iter().filter_map(|check| tcp_check(check, complaints)).collect(),
    }
}

fn file_check(check: &Value, complaints: &mut Vec<Complaint>) -> Option<FileCheck> {
    let path = needed(check, "health.file", "file", complaints)?;
    Some(FileCheck { path: path.as_text()?.into(), interval: pace(check).interval })
}

fn http_check(check: &Value, complaints: &mut Vec<Complaint>) -> Option<HttpCheck> {
    let url = needed(check, "health.http", "uri", complaints)?.as_url()?.clone();
    let code = check.get("statuscode")?;
    let status = u16::try_from(check.integer("statuscode")?).ok().and_then(|code| StatusCode::from_u16(code).ok());
    if status.is_none() {
        let what = "`health.http`: `statuscode` is an HTTP status, like 200".to_owned();
        complaints.push(Complaint::new(code.at.clone(), what));
    }
    let headers = headers(check, "headers", true, complaints);
    Some(HttpCheck { url, headers, status: status?, timeout: timeout(check), pace: pace(check) })
}

fn tcp_check(check: &Value, complaints: &mut Vec<Complaint>) -> Option<TcpCheck> {
    let address = needed(check, "health.tcp", "addr", complaints)?.as_text()?.to_owned();
    Some(TcpCheck { address, timeout: timeout(check), pace: pace(check) })
}

fn needed<'a>(check: &'a Value, path: &str, key: &str, complaints: &mut Vec<Complaint>) -> Option<&'a Value> {
    let found = check.get(key);
    if found.is_none() {
        let what = format!("a check in `{path}` has no `{key}`");
        complaints.push(Complaint::new(check.at.clone(), what).hidden());
    }
    found
}

/// As in distribution, 0 stands for the default.
fn pace(check: &Value) -> Pace {
    let interval = check.duration("interval").filter(|interval| !interval.is_zero());
    Pace {
        interval: interval.unwrap_or(Duration::from_secs(10)),
        threshold: check.integer("threshold").unwrap_or(1).max(1),
    }
}

fn timeout(check: &Value) -> Duration {
    check.duration("timeout").filter(|timeout| !timeout.is_zero()).unwrap_or(Duration::from_secs(5))
}
