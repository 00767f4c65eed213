//! The top level, and the sections that are too short for a file of their own.

use super::health::HEALTH;
use super::http::HTTP;
use super::key::{Key, Kind, Scalar, duration, flag, integer, key, one, section, text, texts};
use super::middleware::MIDDLEWARE;
use super::services::{NOTIFICATIONS, REDIS, REPORTING};
use super::storage::STORAGE;

/// The whole file.
pub(in crate::config) const ROOT: &[Key] = &[
    text("version", "form of this file"),
    section("log", LOG, "what is logged and how"),
    one("loglevel", LEVEL, "old name of log.level"),
    key("storage", Kind::Choice(STORAGE), "where content is kept"),
    key("auth", Kind::Choice(AUTH), "who may use the registry"),
    section("middleware", MIDDLEWARE, "parts put before the registry, its repositories or its storage"),
    section("http", HTTP, "listeners"),
    section("notifications", NOTIFICATIONS, "events sent to other services").no_effect("no events are sent"),
    section("redis", REDIS, "a Redis for shared state").no_effect("the hub needs no Redis"),
    section("health", HEALTH, "checks behind the health endpoint"),
    section("catalog", CATALOG, "listing of repositories").no_effect(""),
    section("tags", TAGS, "listing of tags").no_effect(""),
    section("proxy", PROXY, "the registry whose images are cached"),
    section("validation", VALIDATION, "checks of pushed manifests").no_effect(NO_PUSHES),
    section("policy", POLICY, "what may be pushed").no_effect(NO_PUSHES),
    section("compatibility", COMPATIBILITY, "schema 1 manifests (2.8)").no_effect(""),
    section("reporting", REPORTING, "error reporting services (2.8)").no_effect("nothing is reported to them"),
    section("larder", LARDER, "what only Larder has"),
];

/// Why nothing is lost when a rule about pushes does nothing.
pub(super) const NO_PUSHES: &str = "a pull-through cache takes no pushes, so there is nothing to check";

const LEVEL: Scalar = Scalar::Word(&["error", "warn", "info", "debug"]);

const LOG: &[Key] = &[
    section("accesslog", ACCESS_LOG, "one line for each request"),
    one("level", LEVEL, "least message logged").or("info"),
    one("formatter", Scalar::Word(&["text", "json", "logstash"]), "form of a log line").or("text"),
    key("fields", Kind::Map(&Kind::Anything), "added to each log line"),
    flag("reportcaller", "log the place in the code").no_effect("").same_as(&["false"]),
    key("hooks", Kind::List(&Kind::Section(LOG_HOOK)), "mails on log messages").no_effect("no mails are sent"),
];
const ACCESS_LOG: &[Key] = &[flag("disabled", "no line for each request").or("false")];
const LOG_HOOK: &[Key] = &[
    flag("disabled", "switched off"),
    text("type", "kind of hook"),
    texts("levels", "levels that trigger it"),
    section("options", LOG_MAIL, "the mail").go_name("MAILOPTIONS"),
];
const LOG_MAIL: &[Key] = &[section("smtp", LOG_SMTP, "mail server"), text("from", "sender"), texts("to", "recipients")];
const LOG_SMTP: &[Key] = &[
    text("addr", "mail server"),
    text("username", "user there"),
    text("password", "password there").secret(),
    flag("insecure", "no certificate check"),
];

/// Whoever set up a login must never get an open registry instead, so none of these may be passed over.
const AUTH: &[Key] = &[
    section("none", &[], "no login: what Larder does now").exclusive(),
    key("silly", Kind::Section(AUTH_SILLY), "any login, for tests").refused(NO_LOGIN).exclusive(),
    key("htpasswd", Kind::Section(AUTH_HTPASSWD), "logins in a file").refused(NO_LOGIN).exclusive(),
    key("token", Kind::Section(AUTH_TOKEN), "logins at a token service").refused(NO_LOGIN).exclusive(),
];
const NO_LOGIN: &str = "Larder checks no logins yet and would let everyone in; \
    remove the section, and keep the port from whom it must not serve (http.tls.clientcas, or a loopback http.addr)";
const AUTH_SILLY: &[Key] = &[text("realm", "realm"), text("service", "service")];
const AUTH_HTPASSWD: &[Key] = &[text("realm", "realm"), text("path", "file with the logins")];
const AUTH_TOKEN: &[Key] = &[
    text("realm", "URL of the token service"),
    text("service", "name of this registry there"),
    text("issuer", "issuer of the tokens"),
    text("rootcertbundle", "certificates that sign them"),
    text("jwks", "keys that sign them"),
    texts("signingalgorithms", "algorithms allowed"),
    flag("autoredirect", "send clients to the host they asked"),
    text("autoredirectpath", "path of the token service there"),
];

const CATALOG: &[Key] = &[integer("maxentries", "repositories in one answer")];
const TAGS: &[Key] = &[integer("maxtags", "tags in one answer")];

const PROXY: &[Key] = &[
    one("remoteurl", Scalar::Url, "registry to cache"),
    text("username", "user there"),
    text("password", "password there").secret(),
    section("exec", PROXY_EXEC, "a Docker credential helper to ask instead"),
    duration("ttl", "age limit of content").unset("none; room alone decides"),
    duration("cachewritetimeout", "limit for a blob's download").unset("none; silence alone ends one"),
];
const PROXY_EXEC: &[Key] = &[
    text("command", "the helper's command"),
    duration("lifetime", "how long its answer is used; 0 for one request").unset("as long as the hub runs"),
];

const VALIDATION: &[Key] = &[
    flag("enabled", "check manifests (old)"),
    flag("disabled", "do not check manifests"),
    section("manifests", VALIDATION_MANIFESTS, "what is checked"),
];
const VALIDATION_MANIFESTS: &[Key] = &[
    section("urls", VALIDATION_URLS, "URLs in manifests"),
    section("indexes", VALIDATION_INDEXES, "platforms in indexes"),
];
const VALIDATION_URLS: &[Key] = &[texts("allow", "URLs allowed"), texts("deny", "URLs denied")];
const VALIDATION_INDEXES: &[Key] = &[
    one("platforms", Scalar::Word(&["all", "none", "list"]), "platforms that must exist"),
    key("platformlist", Kind::List(&Kind::Section(PLATFORM)), "the list"),
];
const PLATFORM: &[Key] = &[text("architecture", "architecture"), text("os", "operating system")];

const POLICY: &[Key] = &[section("repository", POLICY_REPOSITORY, "repositories")];
const POLICY_REPOSITORY: &[Key] = &[texts("classes", "classes of content allowed")];

const COMPATIBILITY: &[Key] = &[section("schema1", COMPATIBILITY_SCHEMA1, "schema 1 manifests")];
const COMPATIBILITY_SCHEMA1: &[Key] =
    &[text("signingkeyfile", "key that signs them").go_name("TRUSTKEY"), flag("enabled", "accept them")];

/// Larder's own. Named like distribution's keys, which hold no separators, so that their variables split the same way.
const LARDER: &[Key] = &[
    one("registry", Scalar::Host, "whose images the upstream has").unset("its own host's"),
    one("cachesize", Scalar::Share, "most that fetched content may take").unset("all but the free floor"),
    one("freefloor", Scalar::Share, "stays free on the disk").or("10%"),
    duration("tagfreshness", "a tag is asked for again after").or("60s"),
    duration("stalelimit", "oldest answer if upstream fails").or("720h"),
    texts("ca", "more CA files for the upstream"),
    key("realms", Kind::List(&Kind::One(Scalar::Host)), "more hosts to get tokens from"),
];
