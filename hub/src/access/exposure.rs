//! Whether a hub may start where it is told to listen. Pure.
//!
//! With credentials of its own for the upstream, a hub hands private images to whoever reaches it, until access rules
//! tell callers apart: so it listens for this machine only, or asks for client certificates.

/// What decides.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Exposure {
    /// Credentials for the upstream are configured.
    pub(crate) has_login: bool,
    /// Clients must show a certificate, and it is verified.
    pub(crate) verifies_clients: bool,
    /// Only this machine can reach the listener.
    pub(crate) is_loopback: bool,
}

/// Refuses a hub that would give private images to strangers; the error says what to do.
pub(crate) fn permit(exposure: Exposure) -> Result<(), &'static str> {
    let Exposure { has_login, verifies_clients, is_loopback } = exposure;
    if !has_login || verifies_clients || is_loopback {
        return Ok(());
    }
    Err("refusing to start: with a login for the upstream, every image that this login can read would be given to \
         whoever reaches the port. Either listen on 127.0.0.1 (http.addr), or require client certificates \
         (http.tls.clientcas with http.tls.clientauth: require-and-verify-client-cert), or remove the login")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_and_a_login_do_not_meet() {
        for has_login in [false, true] {
            for verifies_clients in [false, true] {
                for is_loopback in [false, true] {
                    let refused = permit(Exposure { has_login, verifies_clients, is_loopback }).is_err();
                    assert_eq!(refused, has_login && !verifies_clients && !is_loopback);
                }
            }
        }
    }
}
