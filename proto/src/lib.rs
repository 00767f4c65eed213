//! The messages and services of `larder.v1`, generated from `proto/larder/v1/`.

/// Version 1 of the protocol between hub and agents.
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::semicolon_if_nothing_returned,
    clippy::needless_pass_by_value,
    reason = "generated; the comments of the .proto files are its documentation"
)]
pub mod v1 {
    tonic::include_proto!("larder.v1");
}

/// Largest message that either side takes, in bytes. The largest honest one is far below it.
pub const MAX_MESSAGE: usize = 1024 * 1024;
