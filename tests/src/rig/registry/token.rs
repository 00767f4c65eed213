//! A token server as the one of an MSR or of Docker Hub: it says who one is and what one may do.
//!
//! Distribution 2.8 takes a JWT when `iss` and `aud` are the configured issuer and service, when it is signed with a
//! key whose certificate, carried along as `x5c`, leads to one of `rootcertbundle`, and when an `access` claim covers
//! the request. (Its specification: `docs/spec/auth/jwt.md` there.)

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result};
use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Value, json};
use url::Url;

use super::{Rules, config::TokenSettings};
use crate::rig::{
    ground::Ground,
    serve::{Server, answering},
};

const ISSUER: &str = "larder-rig-tokens";

/// A request for a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRequest {
    /// Who asked; `None` for nobody in particular.
    pub user: Option<String>,
    /// What was asked for, one `repository:NAME:ACTIONS` each.
    pub scopes: Vec<String>,
    /// 200, or 401 for a wrong password.
    pub status: u16,
}

/// A running token server.
pub struct TokenServer {
    server: Server,
    realm: String,
    root_cert_bundle: PathBuf,
    service: String,
    desk: Arc<Desk>,
}

/// What the server decides by, and what it has seen.
struct Desk {
    service: String,
    lifetime: Duration,
    key: EcdsaKeyPair,
    certificate: String,
    rules: Mutex<Rules>,
    requests: Mutex<Vec<TokenRequest>>,
}

impl TokenServer {
    pub(crate) fn start(
        ground: Arc<Ground>,
        name: &str,
        address: SocketAddr,
        host: &str,
        rules: Rules,
        lifetime: Duration,
    ) -> Result<Self> {
        let ip = address.ip().to_string();
        let tls = ground.ca().certify(&format!("{name}-tokens"), &[host, &ip])?;
        let signer = ground.ca().certify(&format!("{name}-signer"), &[])?;
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, signer.key.serialized_der())?;
        let service = format!("{name}.rig");
        let desk = Arc::new(Desk {
            service: service.clone(),
            lifetime,
            key,
            certificate: STANDARD.encode(&signer.cert),
            rules: Mutex::new(rules),
            requests: Mutex::default(),
        });
        let root_cert_bundle = ground.ca().file();
        let answers = Arc::clone(&desk);
        let handler = answering(move |request| answers.answer(&request));
        let server = Server::start(ground, address, Some(&tls), handler)?;
        let port = if address.port() == 443 { String::new() } else { format!(":{}", address.port()) };
        let realm = format!("https://{host}{port}/auth/token");
        Ok(Self { server, realm, root_cert_bundle, service, desk })
    }

    pub(crate) fn settings(&self) -> TokenSettings {
        TokenSettings {
            realm: self.realm.clone(),
            service: self.service.clone(),
            issuer: ISSUER.to_owned(),
            root_cert_bundle: self.root_cert_bundle.clone(),
        }
    }

    /// Where clients are sent to.
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// The requests so far, the refused ones included.
    pub fn requests(&self) -> Vec<TokenRequest> {
        lock(&self.desk.requests).clone()
    }

    /// Forgets the requests so far.
    pub fn reset_requests(&self) {
        lock(&self.desk.requests).clear();
    }

    /// From now on other rules hold. Tokens that are out stay good for their time.
    pub fn set_rules(&self, rules: Rules) {
        *lock(&self.desk.rules) = rules;
    }

    /// Connecting is refused from now on.
    pub fn stop(&self) {
        self.server.refuse();
    }

    /// Serves again, on the same port.
    ///
    /// # Errors
    /// When the port is taken.
    pub fn restart(&self) -> Result<()> {
        self.server.listen()
    }
}

impl Desk {
    fn answer(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let user = basic_user(request);
        let scopes = scopes(request);
        let known = user.as_ref().is_none_or(|(name, password)| lock(&self.rules).knows(name, password));
        let (status, body) = match known {
            true => (200, self.grant(user.as_ref().map(|(name, _)| name.as_str()), &scopes)),
            false => (401, Ok(json!({ "details": "incorrect username or password" }))),
        };
        let (status, body) = body.map_or_else(|e| (500, json!({ "details": format!("{e:#}") })), |b| (status, b));
        lock(&self.requests).push(TokenRequest { user: user.map(|(name, _)| name), scopes, status });
        let mut response = Response::new(Bytes::from(body.to_string()));
        *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
        response.headers_mut().insert("content-type", http::HeaderValue::from_static("application/json"));
        response
    }

    fn grant(&self, user: Option<&str>, scopes: &[String]) -> Result<Value> {
        let rules = lock(&self.rules).clone();
        let access: Vec<Value> = scopes
            .iter()
            .filter_map(|scope| {
                // A repository's name may hold a colon only in the port of its host, which is not part of it here.
                let mut parts = scope.splitn(3, ':');
                let (kind, name, actions) = (parts.next()?, parts.next()?, parts.next()?);
                let actions = rules.allowed(user, name, &actions.split(',').collect::<Vec<_>>());
                (!actions.is_empty()).then(|| json!({ "type": kind, "name": name, "actions": actions }))
            })
            .collect();
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let claims = json!({
            "iss": ISSUER,
            "sub": user.unwrap_or_default(),
            "aud": self.service,
            "exp": now + self.lifetime.as_secs(),
            "nbf": now - 5,
            "iat": now,
            "jti": format!("{now}-{}", lock(&self.requests).len()),
            "access": access,
        });
        let token = self.sign(&claims)?;
        Ok(json!({ "token": token, "access_token": token, "expires_in": self.lifetime.as_secs() }))
    }

    fn sign(&self, claims: &Value) -> Result<String> {
        let header = json!({ "typ": "JWT", "alg": "ES256", "x5c": [self.certificate] });
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let signed = format!("{}.{}", encode(&header), encode(claims));
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes()).context("signing a token")?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

fn basic_user(request: &Request<Bytes>) -> Option<(String, String)> {
    let value = request.headers().get("authorization")?.to_str().ok()?;
    let plain = String::from_utf8(STANDARD.decode(value.strip_prefix("Basic ")?).ok()?).ok()?;
    let (user, password) = plain.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

fn scopes(request: &Request<Bytes>) -> Vec<String> {
    // The URL parser wants a whole URL; only the query matters.
    let Ok(url) = Url::parse(&format!("https://rig{}", request.uri())) else { return vec![] };
    let scopes = url.query_pairs().filter(|(name, _)| name == "scope");
    scopes.flat_map(|(_, value)| value.split(' ').map(str::to_owned).collect::<Vec<_>>()).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
