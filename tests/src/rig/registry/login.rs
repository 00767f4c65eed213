//! Getting past a registry's challenge, as a client does it.

use anyhow::{Context as _, Result, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use url::Url;

use super::Credentials;
use crate::rig::http::Http;

/// The value of the `Authorization` header with which `who` may do `actions` on `repository`; `None` if the registry
/// lets everybody in. A token is whatever the token server gives: it may hold fewer rights than were asked for.
pub(crate) fn authorize(
    http: &Http,
    registry: &str,
    who: Option<&Credentials>,
    repository: &str,
    actions: &str,
) -> Result<Option<String>> {
    let ping = http.get(format!("{registry}/v2/")).send()?;
    if ping.status != 401 {
        return Ok(None);
    }
    let challenge = ping.header("www-authenticate").context("401 without a challenge")?.to_owned();
    if challenge.starts_with("Basic ") {
        return Ok(who.map(basic));
    }
    let Some(realm) = parameter(&challenge, "realm") else { bail!("a challenge without a realm: {challenge}") };
    let mut url = Url::parse(realm).with_context(|| format!("the realm {realm}"))?;
    if let Some(service) = parameter(&challenge, "service") {
        url.query_pairs_mut().append_pair("service", service);
    }
    url.query_pairs_mut().append_pair("scope", &format!("repository:{repository}:{actions}"));
    let mut request = http.get(url.as_str());
    if let Some(who) = who {
        request = request.basic(&who.user, &who.password);
    }
    let answer: Value = request.send()?.expect(200).context("asking for a token")?.json()?;
    let token = answer["token"].as_str().context("an answer without a token")?;
    Ok(Some(format!("Bearer {token}")))
}

fn basic(who: &Credentials) -> String {
    format!("Basic {}", STANDARD.encode(format!("{}:{}", who.user, who.password)))
}

/// A parameter of a challenge such as `Bearer realm="…",service="…"`.
fn parameter<'a>(challenge: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = challenge.split_once(&format!("{name}=\""))?;
    rest.split('"').next()
}
