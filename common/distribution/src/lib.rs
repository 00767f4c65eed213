//! The OCI distribution protocol, both halves: [`server`] answers it over a trait, [`client`] asks it.
//!
//! What either must decide (which route, which range, where a redirect may lead, who may see a credential) is a pure
//! function in a module of its own.

pub mod challenge;
pub mod client;
pub mod error;
pub mod origin;
pub mod range;
pub mod route;
pub mod server;

pub use client::Client;
pub use error::{Code, Error};
pub use server::Registry;
