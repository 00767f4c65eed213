//! `health`: the checks behind `/debug/health`.

use super::key::{Key, Kind, Scalar, duration, flag, integer, key, one, section, text};

/// In distribution a check without a timeout waits for ever; here every wait has an end.
const TIMEOUT: &str = "5s";
const INTERVAL: &str = "10s";

pub(super) const HEALTH: &[Key] = &[
    section("storagedriver", STORAGE_DRIVER, "check of the storage"),
    key("file", Kind::List(&Kind::Section(FILE)), "unhealthy while a file exists").go_name("FILECHECKERS"),
    key("http", Kind::List(&Kind::Section(HTTP)), "unhealthy unless a URL answers").go_name("HTTPCHECKERS"),
    key("tcp", Kind::List(&Kind::Section(TCP)), "unhealthy unless a port accepts").go_name("TCPCHECKERS"),
];

const STORAGE_DRIVER: &[Key] = &[
    flag("enabled", "check the storage").or("true"),
    duration("interval", "time between checks").or(INTERVAL),
    integer("threshold", "failures until unhealthy").or("3"),
];
const FILE: &[Key] = &[
    text("file", "the file"),
    duration("interval", "time between checks").or(INTERVAL),
    integer("threshold", "has no meaning for files").no_effect("distribution reads it for files too, and ignores it"),
];
const HTTP: &[Key] = &[
    one("uri", Scalar::Url, "the URL, asked with HEAD"),
    key("headers", Kind::Map(&Kind::List(&Kind::One(Scalar::Text))), "sent along").secret(),
    integer("statuscode", "the answer that is well").or("200"),
    duration("timeout", "longest wait for the answer").or(TIMEOUT),
    duration("interval", "time between checks").or(INTERVAL),
    integer("threshold", "failures until unhealthy").or("1"),
];
const TCP: &[Key] = &[
    one("addr", Scalar::HostPort, "the port"),
    duration("timeout", "longest wait for a connection").or(TIMEOUT),
    duration("interval", "time between checks").or(INTERVAL),
    integer("threshold", "failures until unhealthy").or("1"),
];
