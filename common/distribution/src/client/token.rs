//! Tokens, by what they allow (distribution's token specification, `docs/content/spec/auth/token.md`).

use std::time::{Duration, Instant};

use http::{HeaderValue, header};
use larder_content::{Fault, SourceError};
use moka::{Expiry, future::Cache};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use url::Url;

use super::{
    Login,
    transport::{Ask, Transport},
};

/// Most tokens kept; one per repository in use.
const KEPT: u64 = 10_000;
/// Largest answer of a token server that is read, in bytes.
const MAX_ANSWER: usize = 256 * 1024;
/// How long a token lives when its server does not say (the specification's default).
const DEFAULT_LIFE: Duration = Duration::from_secs(60);
/// The longest that one is believed to live.
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 3600);

/// What a token is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    realm: String,
    service: Option<String>,
    scope: String,
    username: Option<String>,
}

#[derive(Debug, Clone)]
struct Token {
    header: HeaderValue,
    life: Duration,
}

/// Tokens that are still good. Asking for one that somebody else is asking for waits for that answer.
#[derive(Debug)]
pub(super) struct Tokens(Cache<Key, Token>);

/// A token is used for four fifths of its life, so that none runs out on its way.
struct Life;

impl Expiry<Key, Token> for Life {
    fn expire_after_create(&self, _: &Key, token: &Token, _: Instant) -> Option<Duration> {
        Some(token.life * 4 / 5)
    }
}

/// A token server's answer. Servers name the token by either field; some send no times.
#[derive(Deserialize)]
struct Answer {
    token: Option<SecretString>,
    access_token: Option<SecretString>,
    /// Seconds. The specification has a whole number; servers also send `300.0` and `"300"`.
    expires_in: Option<serde_json::Value>,
}

impl Tokens {
    pub(super) fn new() -> Self {
        Self(Cache::builder().max_capacity(KEPT).expire_after(Life).build())
    }

    /// A token for `scope`; `renew`: not the one that is kept.
    pub(super) async fn get(
        &self,
        transport: &Transport,
        realm: Url,
        service: Option<String>,
        scope: &str,
        login: Option<&Login>,
        renew: bool,
    ) -> Result<HeaderValue, SourceError> {
        let key = Key {
            realm: realm.to_string(),
            service,
            scope: scope.to_owned(),
            username: login.map(|login| login.username.clone()),
        };
        if renew {
            self.0.invalidate(&key).await;
        }
        let asking = ask(transport, realm, key.clone(), login);
        match self.0.try_get_with(key, asking).await {
            Ok(token) => Ok(token.header),
            Err(error) => Err((*error).clone()),
        }
    }
}

async fn ask(transport: &Transport, mut url: Url, key: Key, login: Option<&Login>) -> Result<Token, SourceError> {
    {
        let mut query = url.query_pairs_mut();
        if let Some(service) = &key.service {
            query.append_pair("service", service);
        }
        query.append_pair("scope", &key.scope);
        if let Some(username) = &key.username {
            query.append_pair("account", username);
        }
    }
    let ask = Ask::get(url).with(header::ACCEPT, HeaderValue::from_static("application/json"));
    let deadline = transport.small_deadline();
    let fetching = fetch(transport, &ask, &key, login);
    tokio::time::timeout(deadline, fetching).await.unwrap_or_else(|_| {
        Err(transport.error(Fault::TimedOut, format!("its token server took longer than {deadline:?}")))
    })
}

async fn fetch(transport: &Transport, ask: &Ask, key: &Key, login: Option<&Login>) -> Result<Token, SourceError> {
    let response = transport.send(ask, login.map(Login::authorization).as_ref()).await?;
    let who = login.map_or("anonymous".to_owned(), |login| format!("user {:?}", login.username));
    let response = transport.accept(response, ask).map_err(|error| match error.fault {
        Fault::Denied => transport.error(Fault::Denied, format!("its token server refused {who} for {}", key.scope)),
        // That there is no token server there says nothing of the image.
        Fault::NotFound => transport.error(Fault::Invalid, "its token server answered with 404 Not Found"),
        _ => error,
    })?;
    let body = super::manifests::read_limited(transport, response, MAX_ANSWER, ask).await?;
    let answer: Answer = serde_json::from_slice(&body)
        .map_err(|_| transport.error(Fault::Invalid, "its token server's answer is not a token"))?;
    let token = answer.token.or(answer.access_token).filter(|token| !token.expose_secret().is_empty());
    let token = token.ok_or_else(|| transport.error(Fault::Invalid, "its token server's answer holds no token"))?;
    let mut header = HeaderValue::try_from(format!("Bearer {}", token.expose_secret()))
        .map_err(|_| transport.error(Fault::Invalid, "its token server's token cannot be sent"))?;
    header.set_sensitive(true);
    Ok(Token { header, life: life(answer.expires_in.as_ref()) })
}

/// How long a token lives, whatever its server makes of the number.
fn life(expires_in: Option<&serde_json::Value>) -> Duration {
    let seconds = expires_in.and_then(|value| value.as_f64().or_else(|| value.as_str()?.trim().parse().ok()));
    match seconds {
        Some(seconds) if seconds >= 1.0 => Duration::from_secs_f64(seconds.min(LONGEST_LIFE.as_secs_f64())),
        _ => DEFAULT_LIFE,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_tokens_life_is_sane() {
        let seconds = Duration::from_secs;
        for (said, expected) in [
            (json!(300), seconds(300)),
            (json!(300.0), seconds(300)),
            (json!("300"), seconds(300)),
            (json!(u64::MAX), LONGEST_LIFE),
            (json!(1e300), LONGEST_LIFE),
            (json!("inf"), LONGEST_LIFE),
            (json!("NaN"), DEFAULT_LIFE),
            (json!(0), DEFAULT_LIFE),
            (json!(-5), DEFAULT_LIFE),
            (json!(null), DEFAULT_LIFE),
            (json!({}), DEFAULT_LIFE),
        ] {
            assert_eq!(life(Some(&said)), expected, "{said}");
        }
        assert_eq!(life(None), DEFAULT_LIFE);
    }
}
