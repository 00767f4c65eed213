//! The variables that Kubernetes makes for a service named `registry` or `registry-…` ("service links"). They look
//! like ours and mean nothing to us, so they get one warning together and no guess at what was meant.

use std::sync::Arc;

use crate::config::error::Notice;
use crate::config::node::At;

/// Whether a name without its prefix has the form `[…_]SERVICE_HOST`, `SERVICE_PORT[_NAME]`, `PORT` or
/// `PORT_5000_TCP[_ADDR|_PORT|_PROTO]`.
pub(super) fn is_service_link(path: &str) -> bool {
    let words: Vec<&str> = path.split('_').collect();
    (0..words.len()).any(|start| match &words[start..] {
        ["SERVICE", "HOST"] | ["SERVICE", "PORT", ..] | ["PORT"] => true,
        ["PORT", number, "TCP" | "UDP" | "SCTP", rest @ ..] => {
            number.parse::<u16>().is_ok() && matches!(rest, [] | ["ADDR" | "PORT" | "PROTO"])
        }
        _ => false,
    })
}

/// One warning for all of them.
pub(super) fn notice(names: &[String]) -> Option<Notice> {
    let first = names.first()?;
    let more = match names.len() {
        1 => String::new(),
        n => format!(" (and {} more like it)", n - 1),
    };
    let message = format!(
        "Kubernetes set this for a service{more}; it does nothing here. `enableServiceLinks: false` in the pod keeps \
         such variables out"
    );
    Some(Notice { at: At::Env(Arc::from(first.as_str())), message })
}

#[cfg(test)]
mod tests {
    use super::is_service_link;

    #[test]
    fn knows_service_links_by_their_form() {
        for name in ["PORT", "SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_HTTP", "PORT_5000_TCP", "PORT_5000_TCP_ADDR"]
        {
            assert!(is_service_link(name), "{name}");
            assert!(is_service_link(&format!("PROXY_{name}")), "{name}");
        }
        for name in ["HTTP_ADDR", "PORT_X_TCP", "PORT_5000_TCP_NAME", "SERVICE", "HTP_PORTS"] {
            assert!(!is_service_link(name), "{name}");
        }
    }
}
