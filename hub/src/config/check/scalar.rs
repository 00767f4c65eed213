//! One value read as the kind its key asks for. Pure.

use std::net::{IpAddr, Ipv6Addr};

use larder_content::{Share, share::BadShare};
use url::Url;

use super::value::Data;
use crate::config::address::{self, ListenAddress};
use crate::config::duration::{self, BadDuration};
use crate::config::nearest::nearest;
use crate::config::schema::Scalar;

/// Why a value does not fit.
pub(super) struct Bad {
    /// Goes on after the value: "is not a duration".
    pub(super) what: String,
    /// What to write instead.
    pub(super) hint: String,
}

/// Reads `text`; `plain` if YAML had it without quotes.
pub(super) fn read(scalar: Scalar, text: &str, plain: bool) -> Result<Data, Bad> {
    match scalar {
        Scalar::Text => Ok(Data::Text(text.to_owned())),
        Scalar::Bool => boolean(text, plain).map(Data::Bool),
        Scalar::Integer => integer(text).map(Data::Integer),
        Scalar::Duration => duration_of(text, plain),
        Scalar::Share => share(text).map(Data::Share),
        Scalar::Word(words) => word(text, words).map(Data::Text),
        Scalar::AddressOrOff if text.is_empty() => Ok(Data::Off),
        Scalar::Address | Scalar::AddressOrOff => listen_address(text).map(Data::Address),
        Scalar::HostPort => host_port(text).map(Data::Text),
        Scalar::Host => host(text).map(Data::Text),
        Scalar::Url => url(text).map(Data::Url),
        Scalar::UrlPath => url_path(text).map(Data::Text),
    }
}

fn bad<T>(what: &str, hint: &str) -> Result<T, Bad> {
    Err(Bad { what: what.to_owned(), hint: hint.to_owned() })
}

/// Distribution reads YAML 1.1, where `yes` and `on` are true too. In quotes only the obvious two count.
fn boolean(text: &str, plain: bool) -> Result<bool, Bad> {
    match text {
        "true" | "True" | "TRUE" => Ok(true),
        "false" | "False" | "FALSE" => Ok(false),
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" if plain => Ok(true),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" if plain => Ok(false),
        _ => bad("is not a yes or no", "write true or false"),
    }
}

fn integer(text: &str) -> Result<u32, Bad> {
    if text.strip_prefix('-').is_some_and(|rest| rest.parse::<u32>().is_ok()) {
        return bad("is less than zero", "write a whole number, 0 or more");
    }
    text.parse().or_else(|_| bad("is not a whole number", "write digits only"))
}

fn duration_of(text: &str, plain: bool) -> Result<Data, Bad> {
    let read = match text.parse() {
        Ok(number) if plain => duration::nanoseconds(number),
        _ => duration::parse(text),
    };
    read.map(Data::Duration).map_err(|why| {
        let hint = match &why {
            BadDuration::Unit(unit) => in_hours(text, unit.trim()),
            BadDuration::NoUnit => Some(format!("write a unit behind each number, like {text}s")),
            BadDuration::Negative => Some("write 0s or more".to_owned()),
            BadDuration::TooLong => Some("the longest is about 292 years".to_owned()),
            BadDuration::Form => None,
        };
        let hint = hint.unwrap_or_else(|| "write it like 10s, 1h30m or 168h (units: ns, us, ms, s, m, h)".to_owned());
        Bad { what: "is not a duration".to_owned(), hint }
    })
}

/// `7d` is a wish that can be granted in another unit.
fn in_hours(text: &str, unit: &str) -> Option<String> {
    let hours = match unit {
        "d" | "day" | "days" => 24,
        "w" | "week" | "weeks" => 7 * 24,
        _ => return None,
    };
    let count: u64 = text.strip_suffix(unit)?.trim().parse().ok()?;
    Some(format!("the largest unit is the hour: write {}h", count.checked_mul(hours)?))
}

fn share(text: &str) -> Result<Share, Bad> {
    text.parse().map_err(|error: BadShare| Bad { what: "is no amount of a disk".to_owned(), hint: error.to_string() })
}

fn word(text: &str, words: &[&str]) -> Result<String, Bad> {
    let lower = text.to_lowercase();
    if words.contains(&lower.as_str()) {
        return Ok(lower);
    }
    let what = format!("is none of {}", words.join(", "));
    let hint =
        nearest(&lower, words.iter().copied()).map_or_else(String::new, |meant| format!("did you mean {meant}?"));
    Err(Bad { what, hint })
}

fn listen_address(text: &str) -> Result<ListenAddress, Bad> {
    text.parse().map_err(|error: address::BadAddress| Bad {
        what: "is not an address to listen on".to_owned(),
        hint: error.to_string(),
    })
}

fn host_port(text: &str) -> Result<String, Bad> {
    match text.parse::<ListenAddress>() {
        Ok(address) if address.port() > 0 && !text.starts_with(':') => Ok(text.to_owned()),
        _ => bad("is not host:port", "write it like redis.example.com:6379"),
    }
}

fn host(text: &str) -> Result<String, Bad> {
    let port_is_fine = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let bracketed = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let is_host = match bracketed {
        Some(inner) => inner.parse::<Ipv6Addr>().is_ok(),
        None => host.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv4()) || address::is_name(host),
    };
    if is_host && port.is_none_or(port_is_fine) {
        return Ok(text.to_ascii_lowercase());
    }
    bad("is not a host", "write only the host, like auth.example.com or auth.example.com:8443")
}

fn url(text: &str) -> Result<Url, Bad> {
    if !text.contains("://") {
        let hint = if text.contains('@') { String::new() } else { format!(": write https://{text}") };
        return bad("has no scheme", &format!("a URL begins with https:// or http://{hint}"));
    }
    let Ok(url) = Url::parse(text) else {
        return bad("is not a URL", "write it like https://registry.example.com");
    };
    if !matches!(url.scheme(), "http" | "https") {
        return bad("is neither http nor https", "write it like https://registry.example.com");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return bad(
            "holds a user name or a password",
            "take out what stands before the @; the upstream's login goes into proxy.username and proxy.password",
        );
    }
    if url.fragment().is_some() {
        return bad("has a #fragment", "take it out");
    }
    Ok(url)
}

fn url_path(text: &str) -> Result<String, Bad> {
    if text.starts_with('/') && text.chars().all(|c| c.is_ascii_graphic() && !"?#".contains(c)) {
        return Ok(text.to_owned());
    }
    bad("is not a path", "write it like /metrics")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(scalar: Scalar, text: &str, plain: bool) -> bool {
        read(scalar, text, plain).is_ok()
    }

    #[test]
    fn a_boolean_is_what_distribution_takes_for_one() {
        for text in ["true", "True", "yes", "on", "Y"] {
            assert!(matches!(read(Scalar::Bool, text, true), Ok(Data::Bool(true))), "{text}");
        }
        assert!(fits(Scalar::Bool, "false", false));
        assert!(!fits(Scalar::Bool, "yes", false));
        assert!(!fits(Scalar::Bool, "1", true));
        assert!(!fits(Scalar::Bool, "enabled", true));
    }

    #[test]
    fn a_bare_number_is_nanoseconds_and_a_quoted_one_has_no_unit() {
        assert!(matches!(read(Scalar::Duration, "1000", true), Ok(Data::Duration(d)) if d.as_nanos() == 1000));
        let hint = read(Scalar::Duration, "60", false).err().unwrap().hint;
        assert_eq!(hint, "write a unit behind each number, like 60s");
    }

    #[test]
    fn days_are_turned_into_hours() {
        for (text, hint) in
            [("7d", "write 168h"), ("2 weeks", "write 336h"), ("7dd", "10s, 1h30m"), ("1h7d", "10s, 1h30m")]
        {
            let found = read(Scalar::Duration, text, true).err().unwrap().hint;
            assert!(found.contains(hint), "{text}: {found}");
        }
    }

    #[test]
    fn a_url_names_a_scheme_and_no_user() {
        for text in ["https://registry-1.docker.io", "http://10.0.0.1:5000/", "https://[::1]:5000/mirror"] {
            assert!(fits(Scalar::Url, text, true), "{text}");
        }
        for (text, what) in [
            ("registry-1.docker.io", "has no scheme"),
            ("localhost:5000", "has no scheme"),
            ("ftp://a", "neither http nor https"),
            ("https://", "is not a URL"),
            ("https://me:pw@a", "a user name or a password"),
            ("https://me@a", "a user name or a password"),
            ("https://a/#b", "fragment"),
        ] {
            let found = read(Scalar::Url, text, true).err().unwrap().what;
            assert!(found.contains(what), "{text}: {found}");
        }
    }

    #[test]
    fn a_host_may_have_a_port_and_nothing_else() {
        for text in ["auth.docker.io", "AUTH.example.com:8443", "10.0.0.1", "[::1]:5000", "[::1]"] {
            assert!(fits(Scalar::Host, text, true), "{text}");
        }
        for text in ["https://auth.docker.io", "a/b", "a:", "a:0", "::1", "a:b:c", "me@a"] {
            assert!(!fits(Scalar::Host, text, true), "{text}");
        }
    }
}
