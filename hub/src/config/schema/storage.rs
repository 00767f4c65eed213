//! `storage`: one driver, and what concerns all of them.
//!
//! A driver other than `filesystem` is refused: its user counts on content being in that store, and a hub that wrote
//! to its own disk instead would look well until the disk is full or the container is gone. The keys of every driver
//! are known all the same, so that such a file gets exactly one answer.

use super::key::{Key, Kind, Scalar, duration, flag, integer, key, one, section, text, texts};

pub(super) const STORAGE: &[Key] = &[
    section("filesystem", FILESYSTEM, "a folder of this machine").exclusive(),
    section("s3", S3, "S3 or a store like it").refused(LATER).exclusive(),
    section("s3aws", S3, "old name of s3").refused(LATER).exclusive(),
    section("azure", AZURE, "Azure blob storage").refused(LATER).exclusive(),
    section("gcs", GCS, "Google cloud storage").refused(LATER).exclusive(),
    section("swift", SWIFT, "OpenStack Swift (2.8)").refused(LATER).exclusive(),
    section("oss", OSS, "Alibaba OSS (2.8)").refused(LATER).exclusive(),
    section("inmemory", &[], "memory, for tests").refused(LATER_OR_NEVER).exclusive(),
    section("tag", TAG, "listing of tags"),
    section("delete", DELETE, "removal of content"),
    section("redirect", REDIRECT, "sending clients to the store"),
    section("cache", CACHE, "memory of what the store holds"),
    section("maintenance", MAINTENANCE, "upkeep"),
];
const LATER: &str = "this storage driver comes in a later version; use storage.filesystem for now";
const LATER_OR_NEVER: &str = "Larder keeps content on disk; use storage.filesystem";

const FILESYSTEM: &[Key] = &[
    // distribution's own default, so that a file without it finds the same folder again.
    text("rootdirectory", "folder for all content").or("/var/lib/registry"),
    integer("maxthreads", "file operations at once").no_effect("the hub sets its own limits"),
];

const TAG: &[Key] = &[integer("concurrencylimit", "tags read at once").no_effect("")];
const DELETE: &[Key] = &[flag("enabled", "content may be removed").or("false")];
const REDIRECT: &[Key] =
    &[flag("disable", "serve every blob from here").no_effect("the hub serves every blob itself").same_as(&["true"])];
const CACHE: &[Key] = &[
    one("blobdescriptor", DESCRIPTORS, "where sizes and types are kept")
        .no_effect("the hub keeps them in memory")
        .same_as(&["inmemory"]),
    one("layerinfo", DESCRIPTORS, "old name of blobdescriptor")
        .no_effect("the hub keeps them in memory")
        .same_as(&["inmemory"]),
    integer("blobdescriptorsize", "how many").no_effect(""),
];
const DESCRIPTORS: Scalar = Scalar::Word(&["redis", "inmemory"]);
const MAINTENANCE: &[Key] = &[
    section("uploadpurging", UPLOAD_PURGING, "removal of unfinished uploads").no_effect(NO_UPLOADS),
    section("readonly", READ_ONLY, "refusal of uploads"),
];
const NO_UPLOADS: &str = "a cache takes no uploads, so there is nothing to purge";
const UPLOAD_PURGING: &[Key] = &[
    flag("enabled", "switched on"),
    duration("age", "how old they must be"),
    duration("interval", "time between runs"),
    flag("dryrun", "only say what would be removed"),
];
// Harmless either way: a pull-through cache refuses every push.
const READ_ONLY: &[Key] =
    &[flag("enabled", "refuse uploads").no_effect("a cache refuses uploads in any case").same_as(&["true", "false"])];

const S3: &[Key] = &[
    text("accesskey", "access key").secret(),
    text("secretkey", "secret key").secret(),
    text("sessiontoken", "session token").secret(),
    text("region", "region"),
    text("regionendpoint", "URL of the store"),
    flag("forcepathstyle", "bucket in the path"),
    text("bucket", "bucket"),
    flag("encrypt", "encrypted in the store"),
    text("keyid", "key for it"),
    flag("secure", "HTTPS"),
    flag("skipverify", "no certificate check"),
    flag("v4auth", "signatures of version 4"),
    integer("chunksize", "bytes of an upload's part"),
    integer("multipartcopychunksize", "bytes of a copy's part"),
    integer("multipartcopymaxconcurrency", "parts copied at once"),
    integer("multipartcopythresholdsize", "bytes from which a copy has parts"),
    text("rootdirectory", "prefix of all names"),
    text("storageclass", "storage class"),
    text("useragent", "user agent"),
    text("objectacl", "access rule of each object"),
    flag("usedualstack", "IPv6 too"),
    flag("accelerate", "S3 acceleration"),
    flag("usefipsendpoint", "FIPS endpoints"),
    text("redirectendpoint", "host to redirect to"),
    text("loglevel", "what the client logs"),
];
const AZURE: &[Key] = &[
    text("accountname", "account"),
    text("accountkey", "its key").secret(),
    text("connectionstring", "both in one").secret(),
    section("credentials", AZURE_CREDENTIALS, "another way to log in"),
    text("container", "container"),
    text("realm", "domain of the service"),
    text("serviceurl", "URL of the service"),
    text("rootdirectory", "prefix of all names"),
    integer("max_retries", "attempts"),
    text("retry_delay", "pause between attempts"),
    flag("skipverify", "no certificate check"),
];
const AZURE_CREDENTIALS: &[Key] = &[
    text("type", "kind"),
    text("clientid", "client"),
    text("tenantid", "tenant"),
    text("secret", "its secret").secret(),
];
const GCS: &[Key] = &[
    text("bucket", "bucket"),
    text("keyfile", "file with the credentials"),
    key("credentials", Kind::Map(&Kind::Anything), "the credentials themselves").secret(),
    text("rootdirectory", "prefix of all names"),
    integer("chunksize", "bytes of an upload's part"),
    text("useragent", "user agent"),
    integer("maxconcurrency", "operations at once"),
];
const SWIFT: &[Key] = &[
    text("authurl", "URL of Keystone"),
    text("username", "user"),
    text("password", "password").secret(),
    text("region", "region"),
    text("container", "container"),
    text("tenant", "tenant"),
    text("tenantid", "tenant by id"),
    text("domain", "domain"),
    text("domainid", "domain by id"),
    text("tenantdomain", "domain of the tenant"),
    text("tenantdomainid", "the same by id"),
    text("trustid", "trust"),
    integer("authversion", "version of Keystone"),
    text("prefix", "prefix of all names"),
    text("rootdirectory", "prefix of all names"),
    text("endpointtype", "kind of endpoint"),
    flag("insecureskipverify", "no certificate check"),
    integer("chunksize", "bytes of a segment"),
    text("secretkey", "key of temporary URLs").secret(),
    text("accesskey", "id of that key").secret(),
    flag("tempurlcontainerkey", "a key for each container"),
    texts("tempurlmethods", "methods of temporary URLs"),
];
const OSS: &[Key] = &[
    text("accesskeyid", "access key").secret(),
    text("accesskeysecret", "secret key").secret(),
    text("region", "region"),
    text("bucket", "bucket"),
    text("endpoint", "host of the store"),
    flag("internal", "the network inside Alibaba"),
    flag("encrypt", "encrypted in the store"),
    text("encryptionkeyid", "key for it"),
    flag("secure", "HTTPS"),
    integer("chunksize", "bytes of an upload's part"),
    text("rootdirectory", "prefix of all names"),
];
