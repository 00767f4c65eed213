//! Services around the registry. None of them works yet; the tables keep their spelling checked and their secrets
//! hidden.

use super::key::{Key, Kind, Scalar, duration, flag, integer, key, one, section, text, texts};

pub(super) const NOTIFICATIONS: &[Key] = &[
    section("events", NOTIFICATION_EVENTS, "what is in an event").go_name("EVENTCONFIG"),
    key("endpoints", Kind::List(&Kind::Section(ENDPOINT)), "who gets events"),
];
const NOTIFICATION_EVENTS: &[Key] = &[flag("includereferences", "name what a manifest refers to")];
const ENDPOINT: &[Key] = &[
    text("name", "its name"),
    flag("disabled", "switched off"),
    text("url", "where events are sent"),
    key("headers", Kind::Map(&Kind::List(&Kind::One(Scalar::Text))), "sent along").secret(),
    duration("timeout", "longest wait for an answer"),
    integer("threshold", "failures before a pause"),
    duration("backoff", "the pause"),
    texts("ignoredmediatypes", "types without events (old)"),
    section("ignore", IGNORE, "what has no events"),
];
const IGNORE: &[Key] = &[texts("mediatypes", "types without events"), texts("actions", "actions without events")];

/// 2.8 and 3.x have different keys; a file has one set or the other.
pub(super) const REDIS: &[Key] = &[
    // 2.8
    text("addr", "server (2.8)"),
    section("pool", REDIS_POOL, "connections (2.8)"),
    // Both
    text("password", "password").secret(),
    integer("db", "number of the database"),
    duration("dialtimeout", "longest wait for a connection"),
    duration("readtimeout", "longest wait for an answer"),
    duration("writetimeout", "longest time to send"),
    section("tls", REDIS_TLS, "TLS"),
    // 3.x
    texts("addrs", "servers"),
    text("clientname", "name of a connection"),
    integer("protocol", "version of the protocol"),
    text("username", "user"),
    text("sentinelusername", "user of the sentinels"),
    text("sentinelpassword", "password of the sentinels").secret(),
    text("mastername", "name of the master at the sentinels"),
    integer("maxretries", "attempts"),
    duration("minretrybackoff", "shortest pause between attempts"),
    duration("maxretrybackoff", "longest pause between attempts"),
    flag("contexttimeoutenabled", "deadlines of requests hold"),
    flag("poolfifo", "connections are used in turn"),
    integer("poolsize", "connections"),
    duration("pooltimeout", "longest wait for a free connection"),
    integer("minidleconns", "idle connections kept"),
    integer("maxidleconns", "idle connections allowed"),
    integer("maxactiveconns", "connections allowed"),
    duration("connmaxidletime", "how long one may be idle"),
    duration("connmaxlifetime", "how long one may live"),
    integer("maxredirects", "redirects in a cluster"),
    flag("readonly", "read from replicas"),
    flag("routebylatency", "ask the nearest"),
    flag("routerandomly", "ask any"),
    flag("disableidentity", "do not name the client library"),
    text("identitysuffix", "added to its name"),
    flag("unstableresp3", "unfinished parts of RESP3"),
];
const REDIS_POOL: &[Key] = &[
    integer("maxidle", "idle connections"),
    integer("maxactive", "connections"),
    duration("idletimeout", "how long one may be idle"),
];
const REDIS_TLS: &[Key] = &[
    flag("enabled", "use TLS (2.8)"),
    text("certificate", "client certificate"),
    text("key", "its key"),
    texts("rootcas", "CA files"),
];

pub(super) const REPORTING: &[Key] =
    &[section("bugsnag", BUGSNAG, "Bugsnag"), section("newrelic", NEWRELIC, "New Relic")];
const BUGSNAG: &[Key] =
    &[text("apikey", "API key").secret(), text("releasestage", "stage"), one("endpoint", Scalar::Text, "server")];
const NEWRELIC: &[Key] =
    &[text("licensekey", "licence key").secret(), text("name", "name of the application"), flag("verbose", "log more")];
