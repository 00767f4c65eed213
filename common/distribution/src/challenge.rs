//! What a 401 asks for (RFC 9110 section 11.6.1, and distribution's token specification). Pure.

/// One challenge of a `WWW-Authenticate` header that we can answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Challenge {
    /// A user name and a password, sent to whoever asks.
    Basic,
    /// A token that `realm` gives out.
    Bearer {
        /// The URL to ask for a token.
        realm: String,
        /// Whom the token is for.
        service: Option<String>,
        /// What the token must allow.
        scope: Option<String>,
    },
}

/// The challenge to answer among those of a response's `WWW-Authenticate` headers: Bearer before Basic, the first of a
/// kind. `None` if there is none that we know.
pub fn choose<'a>(headers: impl IntoIterator<Item = &'a str>) -> Option<Challenge> {
    let challenges: Vec<Challenge> = headers.into_iter().flat_map(parse).collect();
    let bearer = challenges.iter().find(|challenge| matches!(challenge, Challenge::Bearer { .. }));
    bearer.or(challenges.first()).cloned()
}

/// The challenges of one header; several may stand in it, separated by commas, as their parameters are.
fn parse(header: &str) -> Vec<Challenge> {
    let mut found: Vec<(String, Vec<(String, String)>)> = Vec::new();
    let mut rest = header;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let word_end = rest.find([' ', '\t', '=', ',']).unwrap_or(rest.len());
        let (word, after) = rest.split_at(word_end);
        if word.is_empty() {
            break;
        }
        match (after.trim_start().strip_prefix('='), found.last_mut()) {
            (Some(value), Some((_, parameters))) => {
                let (value, after) = read_value(value.trim_start());
                parameters.push((word.to_ascii_lowercase(), value));
                rest = after;
            }
            (Some(_), None) => break,
            (None, _) => {
                found.push((word.to_ascii_lowercase(), Vec::new()));
                rest = after;
            }
        }
    }
    found.into_iter().filter_map(|(scheme, parameters)| known(&scheme, parameters)).collect()
}

/// A token or a quoted string, and what follows it.
fn read_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([' ', '\t', ',']).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            other => value.push(other),
        }
    }
    (value, "")
}

fn known(scheme: &str, parameters: Vec<(String, String)>) -> Option<Challenge> {
    let (mut realm, mut service, mut scope) = (None, None, None);
    for (name, value) in parameters {
        match name.as_str() {
            "realm" => realm = Some(value),
            "service" => service = Some(value),
            "scope" => scope = Some(value),
            _ => {}
        }
    }
    match scheme {
        "basic" => Some(Challenge::Basic),
        "bearer" => Some(Challenge::Bearer { realm: realm?, service, scope }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Option<Challenge> {
        let own = |text: Option<&str>| text.map(str::to_owned);
        Some(Challenge::Bearer { realm: realm.to_owned(), service: own(service), scope: own(scope) })
    }

    #[test]
    fn reads_what_registries_send() {
        for (headers, expected) in [
            (
                vec![
                    r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/x:pull""#,
                ],
                bearer("https://auth.docker.io/token", Some("registry.docker.io"), Some("repository:library/x:pull")),
            ),
            (
                vec![r#"Bearer realm="https://a/t",scope="repository:x:pull,push""#],
                bearer("https://a/t", None, Some("repository:x:pull,push")),
            ),
            (vec![r#"bearer Realm=https://a/t , service = s"#], bearer("https://a/t", Some("s"), None)),
            (vec![r#"Basic realm="say \"x\", please""#], Some(Challenge::Basic)),
            (vec![r#"Basic realm="x", Bearer realm="https://a/t""#], bearer("https://a/t", None, None)),
            (vec!["Basic realm=x", "Bearer realm=y"], bearer("y", None, None)),
            (vec!["Negotiate", "Basic"], Some(Challenge::Basic)),
            (vec!["Negotiate YWJj=="], None),
            (vec!["Bearer service=s"], None),
            (vec![r#"Bearer realm="unterminated"#], bearer("unterminated", None, None)),
            (vec!["", "=", ",,,", "=x,y"], None),
            (vec![], None),
        ] {
            assert_eq!(choose(headers.iter().copied()), expected, "{headers:?}");
        }
    }
}
