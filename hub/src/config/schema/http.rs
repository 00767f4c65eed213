//! `http`: listeners.

use super::key::{Key, Kind, Scalar, duration, flag, key, one, section, text, texts};

pub(super) const HTTP: &[Key] = &[
    one("addr", Scalar::Address, "where the hub is reached").or("127.0.0.1:5000"),
    // A socket file is as private as its folder, a TCP port is not: never one in place of the other.
    one("net", Scalar::Word(&["tcp", "unix"]), "kind of listener").or("tcp").refuses("unix", NO_UNIX),
    text("host", "URL of this registry as clients see it")
        .no_effect("a cache hands out no absolute URLs, so nothing is missing"),
    text("prefix", "path before /v2/").no_effect("the registry is served at /v2/"),
    text("secret", "signs the state of uploads")
        .secret()
        .no_effect("it signs uploads, and a cache takes none; it may stay in the file"),
    flag("relativeurls", "relative URLs in answers").no_effect("a cache hands out no URLs"),
    duration("draintimeout", "wait for answers at a stop").or("30s"),
    key("headers", Kind::Map(&Kind::List(&Kind::One(Scalar::Text))), "added to each answer"),
    section("tls", TLS, "serve HTTPS"),
    section("debug", DEBUG, "health and metrics"),
    section("http2", HTTP2, "HTTP/2"),
    section("h2c", H2C, "HTTP/2 without TLS"),
];
const NO_UNIX: &str = "Larder listens on TCP only, and a port is open to more than a socket file is; set net: tcp and \
    an addr that only those can reach who should";

const TLS: &[Key] = &[
    text("certificate", "certificate chain, PEM"),
    text("key", "its private key, PEM"),
    texts("clientcas", "CA files that client certificates must come from"),
    one("clientauth", CLIENT_AUTH, "asked of clients, with clientcas").unset("require-and-verify-client-cert"),
    // rustls speaks 1.2 and 1.3 only, so the two old ones ask for less than what is done.
    one("minimumtls", Scalar::Word(&["tls1.0", "tls1.1", "tls1.2", "tls1.3"]), "oldest version of TLS").unset("tls1.2"),
    texts("ciphersuites", "cipher suites allowed").no_effect("only modern suites are used, all with forward secrecy"),
    // Refused by a rule where it is the only certificate: plain HTTP instead of HTTPS is no small thing.
    section("letsencrypt", LETSENCRYPT, "certificates from Let's Encrypt").no_effect("no certificates are fetched"),
];
const CLIENT_AUTH: Scalar = Scalar::Word(&[
    "request-client-cert",
    "require-any-client-cert",
    "verify-client-cert-if-given",
    "require-and-verify-client-cert",
]);
const LETSENCRYPT: &[Key] = &[
    text("cachefile", "file for certificates"),
    text("email", "account"),
    texts("hosts", "names to ask for"),
    text("directoryurl", "another ACME service"),
];

const DEBUG: &[Key] = &[
    one("addr", Scalar::AddressOrOff, "health, metrics; \"\" is off").or("127.0.0.1:5001"),
    section("prometheus", PROMETHEUS, "metrics"),
];
const PROMETHEUS: &[Key] =
    &[flag("enabled", "serve metrics").or("true"), one("path", Scalar::UrlPath, "path of the metrics").or("/metrics")];

const HTTP2: &[Key] = &[flag("disabled", "no HTTP/2").no_effect("").same_as(&["false"])];
const H2C: &[Key] = &[flag("enabled", "HTTP/2 without TLS").no_effect("").same_as(&["false"])];
