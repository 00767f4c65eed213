//! `middleware`: distribution's plug-ins, and the one by which MSR's content cache names its upstream.
//!
//! A name we do not know is refused in `check`: middleware of the registry or of repositories may decide who reads
//! what, and to go on without it would open a door. What MSR calls `downstream` we read; the storage ones that ship
//! with distribution only choose where a client fetches a blob, which is from the hub in any case.

use super::key::{Key, Kind, Scalar, duration, flag, key, section, text, texts};

pub(super) const MIDDLEWARE: &[Key] = &[
    key("registry", Kind::Middleware(REGISTRY), "parts before the registry"),
    key("repository", Kind::Middleware(&[]), "parts before each repository"),
    key("storage", Kind::Middleware(STORAGE), "parts before the storage"),
];

/// Each key is a name; its section is the options.
const REGISTRY: &[Key] = &[section("downstream", DOWNSTREAM, "MSR's content cache")];

const DOWNSTREAM: &[Key] = &[
    key("upstreams", Kind::List(&Kind::Either(Scalar::Url, UPSTREAM_2_2)), "registry to cache"),
    texts("cas", "CA files to trust for it"),
    duration("blobttl", "age limit of content").unset("none; room alone decides"),
];
/// The form of DTR 2.2, which later versions still read.
const UPSTREAM_2_2: &[Key] = &[
    key("originhost", Kind::One(Scalar::Url), "the DTR"),
    key("upstreamhosts", Kind::List(&Kind::One(Scalar::Url)), "where to fetch what it has"),
];

const STORAGE: &[Key] = &[
    section("cloudfront", CLOUDFRONT, "redirects to CloudFront").no_effect(NO_REDIRECT),
    section("redirect", &[text("baseurl", "where to")], "redirects").no_effect(NO_REDIRECT),
    section("rewrite", REWRITE, "changes redirects").no_effect(NO_REDIRECT),
];
const NO_REDIRECT: &str = "the hub serves every blob itself";
const CLOUDFRONT: &[Key] = &[
    text("baseurl", "where to"),
    text("privatekey", "key file"),
    text("keypairid", "its name"),
    duration("duration", "how long a redirect holds"),
    text("ipfilteredby", "clients that are served directly"),
    text("awsregion", "their regions"),
    duration("updatefrequency", "time between updates of the ranges"),
    duration("updatefrenquency", "the same, as distribution once spelled it"),
    text("iprangesurl", "where the ranges come from"),
];
const REWRITE: &[Key] =
    &[text("scheme", "scheme to set"), text("host", "host to set"), text("trimpathprefix", "prefix to cut")];

/// What every middleware has beside its options.
pub(in crate::config) const COMMON: &[Key] = &[text("name", "its name"), flag("disabled", "switched off").or("false")];
