//! Whether a hub may start where it is told to listen. Pure.
//!
//! With credentials of its own for the upstream, a hub hands private images to whoever reaches it, until access rules
//! tell callers apart: so it listens for this machine only, or asks for client certificates.

/// What decides.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Exposure {
    /// Credentials for the upstream are configured.
    pub(crate) has_login: bool,
    /// The folder holds what was fetched with credentials, now or before.
    pub(crate) was_filled: bool,
    /// Clients must show a certificate, and it is verified.
    pub(crate) verifies_clients: bool,
    /// Only this machine can reach the listener.
    pub(crate) is_loopback: bool,
}

/// Refuses a hub that would give private images to strangers; the error says what to do.
pub(crate) fn permit(exposure: Exposure) -> Result<(), &'static str> {
    let Exposure { has_login, was_filled, verifies_clients, is_loopback } = exposure;
    if verifies_clients || is_loopback {
        return Ok(());
    }
    match (has_login, was_filled) {
        (false, false) => Ok(()),
        (true, _) => Err(
            "refusing to start: with a login for the upstream, every image that this login can read would be given to \
             whoever reaches the port. Either listen on 127.0.0.1 (http.addr), or require client certificates \
             (http.tls.clientcas with http.tls.clientauth: require-and-verify-client-cert), or remove the login and \
             start with an empty folder",
        ),
        (false, true) => Err(
            "refusing to start: the folder was filled with a login for the upstream, and the private images in it would \
             be given to whoever reaches the port. Either listen on 127.0.0.1 (http.addr), or require client \
             certificates (http.tls.clientcas with http.tls.clientauth: require-and-verify-client-cert), or start with \
             an empty folder",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_and_a_login_do_not_meet() {
        for case in 0..16 {
            let [has_login, was_filled, verifies_clients, is_loopback] = [1, 2, 4, 8].map(|bit| case & bit != 0);
            let refused = permit(Exposure { has_login, was_filled, verifies_clients, is_loopback }).is_err();
            assert_eq!(refused, (has_login || was_filled) && !verifies_clients && !is_loopback);
        }
    }
}
