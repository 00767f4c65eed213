//! Answering challenges.
//!
//! Nothing is sent before it is asked for, and then it is remembered how this registry asks, so that the next request
//! needs no refusal first.

use std::sync::{Arc, PoisonError, RwLock};

use http::{HeaderValue, header};
use larder_content::{Fault, SourceError};
use reqwest::Response;

use super::{Credentials, token::Tokens, transport::Transport};
use crate::{
    challenge::{self, Challenge},
    origin,
};

/// What is known of how a registry wants to be asked.
pub(super) struct Auth {
    credentials: Arc<dyn Credentials>,
    realms: Vec<String>,
    /// The registry's last challenge, its scope left out: it differs by repository.
    learned: RwLock<Option<Challenge>>,
    tokens: Tokens,
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Auth").field("learned", &self.learned).finish_non_exhaustive()
    }
}

impl Auth {
    pub(super) fn new(credentials: Arc<dyn Credentials>, realms: Vec<String>) -> Self {
        Self { credentials, realms, learned: RwLock::new(None), tokens: Tokens::new() }
    }

    /// The `Authorization` for a request in `scope`, as far as earlier challenges tell.
    pub(super) async fn known(&self, transport: &Transport, scope: &str) -> Result<Option<HeaderValue>, SourceError> {
        let learned = self.learned.read().unwrap_or_else(PoisonError::into_inner).clone();
        match learned {
            None => Ok(None),
            Some(challenge) => self.authorization(transport, challenge, scope, false).await.map(Some),
        }
    }

    /// Forgets how the registry wants to be asked: where tokens were had from is no longer so, and it will say anew.
    pub(super) fn forget(&self) {
        *self.learned.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The `Authorization` that the challenge in `response` asks for. `was_sent`: something was sent and refused, so
    /// what is cached is worth nothing.
    pub(super) async fn answer(
        &self,
        transport: &Transport,
        response: &Response,
        scope: &str,
        was_sent: bool,
    ) -> Result<HeaderValue, SourceError> {
        let headers = response.headers().get_all(header::WWW_AUTHENTICATE);
        let Some(challenge) = challenge::choose(headers.iter().filter_map(|value| value.to_str().ok())) else {
            return Err(transport.error(Fault::Denied, "refused (401) without a challenge that can be answered"));
        };
        if was_sent && challenge == Challenge::Basic {
            return Err(transport.error(Fault::Denied, "refused the user name and password"));
        }
        let wanted = match &challenge {
            Challenge::Bearer { scope: Some(wanted), .. } if only_pulls(wanted) => wanted.clone(),
            _ => scope.to_owned(),
        };
        let answer = self.authorization(transport, challenge.clone(), &wanted, was_sent).await?;
        // Remembered once it worked, without the scope: that is the repository's.
        let general = match challenge {
            Challenge::Basic => Challenge::Basic,
            Challenge::Bearer { realm, service, .. } => Challenge::Bearer { realm, service, scope: None },
        };
        *self.learned.write().unwrap_or_else(PoisonError::into_inner) = Some(general);
        Ok(answer)
    }

    async fn authorization(
        &self,
        transport: &Transport,
        challenge: Challenge,
        scope: &str,
        renew: bool,
    ) -> Result<HeaderValue, SourceError> {
        let login = self.credentials.get().await;
        let login = login.map_err(|why| transport.error(Fault::Denied, format!("no credentials: {why}")))?;
        match challenge {
            Challenge::Basic => {
                let login = login.ok_or_else(|| {
                    transport.error(Fault::Denied, "it asks for a user name and password, and none is configured")
                })?;
                Ok(login.authorization())
            }
            Challenge::Bearer { realm, service, .. } => {
                let url = origin::realm(transport.base(), &realm).map_err(|refusal| {
                    transport.error(Fault::Invalid, format!("its token realm {realm:?} is not asked: {refusal}"))
                })?;
                if login.is_some() && !origin::realm_is_own(transport.base(), &url, &self.realms) {
                    let host = url.host_str().unwrap_or_default();
                    return Err(transport.error(
                        Fault::Denied,
                        format!(
                            "its token realm is on {host}, which is not its own domain, so the credentials were not \
                             sent; if that is right, list {host:?} under larder.realms"
                        ),
                    ));
                }
                self.tokens.get(transport, url, service, scope, login.as_ref(), renew).await
            }
        }
    }
}

/// Whether a token for `scope` could do no more than pull: an upstream must not have us ask for more in our name.
fn only_pulls(scope: &str) -> bool {
    let mut items = scope.split_whitespace();
    items.all(|item| item.starts_with("repository:") && item.rsplit(':').next() == Some("pull"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_that_pulls() {
        assert!(only_pulls("repository:library/x:pull") && only_pulls("repository:a:pull repository:b:pull"));
        for scope in ["repository:x:pull,push", "repository:x:*", "registry:catalog:*", "pull", "repository:x:delete"] {
            assert!(!only_pulls(scope), "{scope}");
        }
    }
}
