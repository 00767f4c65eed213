//! What a daemon needs beside its work: logs, metrics, health, a listener that drains, an admin socket, a way to stop.

pub mod admin;
pub mod descriptors;
pub mod health;
pub mod http;
mod lanes;
pub mod listener;
pub mod shutdown;
pub mod telemetry;
pub mod worker;

pub use health::Health;
pub use listener::Listener;
pub use shutdown::Shutdown;
