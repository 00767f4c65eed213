//! The table of every key: distribution's `version: 0.1` (2.8 and 3.x), MSR's content cache, and our own section.
//!
//! Everything that is said about keys comes from here: what is allowed where, the nearest spelling, the names of
//! environment variables, defaults, what is redacted, `config check --explain`. A key that works is one that
//! [`build`](super::build) reads. The others are sorted by one question: *if it is passed over, can its user be
//! harmed without noticing?* If not, it warns ([`Status::NoEffect`]). If so, it is refused ([`Status::Refused`], or
//! [`rules`](super::rules) where it takes more than one key to tell), and the reason stands beside it.

mod health;
mod http;
mod key;
mod middleware;
mod root;
mod services;
mod storage;
mod walk;

pub(super) use self::key::{Fallback, Key, Kind, Scalar, Status};
pub(super) use self::middleware::COMMON as COMMON_MIDDLEWARE;
pub(super) use self::root::ROOT;
pub(super) use self::walk::{all, never_secret, secret_names};
