//! Who is who: TLS configurations, for servers and clients.

pub mod tls;
