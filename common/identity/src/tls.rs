//! TLS configurations from files.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion,
    server::{NoClientAuth, WebPkiClientVerifier, danger::ClientCertVerifier},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};

/// HTTP/2, then HTTP/1.1: one port serves gRPC by the one and the registry protocol by the other.
pub const ALPN_ANY: &[&str] = &["h2", "http/1.1"];

/// Why a TLS configuration cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or does not hold what it should.
    #[error("cannot use {}: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Certificate, key and options do not go together.
    #[error("the TLS settings do not go together: {0}")]
    Unfit(String),
}

/// What a server asks of its clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientAuth {
    /// No certificate.
    None,
    /// A certificate of one of these CAs if they have one.
    IfGiven(Vec<PathBuf>),
    /// A certificate of one of these CAs.
    Required(Vec<PathBuf>),
}

/// What a server shows and accepts.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// PEM file of the certificate and its chain.
    pub certificate: PathBuf,
    /// PEM file of its key.
    pub key: PathBuf,
    /// What clients must show.
    pub client_auth: ClientAuth,
    /// Whether TLS 1.2 is refused.
    pub only_tls13: bool,
}

/// Makes aws-lc the process's crypto. Call it first in every `main` and test: without it, rustls panics where two
/// libraries could be chosen.
pub fn install_provider() {
    // Fails only where one is installed already, which is what was wanted.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// Who a client is: PEM files of its certificate, with its chain, and of its key.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// A client that trusts the system's CAs and those in `more`, and shows `identity` to whoever asks.
pub fn client(more: &[PathBuf], identity: Option<&Identity>) -> Result<ClientConfig, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in rustls_native_certs::load_native_certs().certs {
        // One that cannot be parsed is one CA fewer; the system's list has hundreds.
        let _ = roots.add(certificate);
    }
    if roots.is_empty() {
        // An image FROM scratch has no list of its own.
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    for path in more {
        add_all(&mut roots, path)?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(unfit)?;
    let builder = builder.with_root_certificates(roots);
    match identity {
        None => Ok(builder.with_no_client_auth()),
        Some(Identity { certificate, key }) => {
            let chain = certificates(certificate)?;
            let key = PrivateKeyDer::from_pem_file(key).map_err(|error| file(key, error))?;
            builder.with_client_auth_cert(chain, key).map_err(unfit)
        }
    }
}

/// A server by `settings`, offering the protocols `alpn`.
pub fn server(settings: &ServerSettings, alpn: &[&str]) -> Result<ServerConfig, TlsError> {
    let chain = certificates(&settings.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&settings.key).map_err(|error| file(&settings.key, error))?;
    let versions: &[&SupportedProtocolVersion] =
        if settings.only_tls13 { &[&rustls::version::TLS13] } else { rustls::ALL_VERSIONS };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(versions).map_err(unfit)?;
    let mut config = builder
        .with_client_cert_verifier(verifier(&settings.client_auth)?)
        .with_single_cert(chain, key)
        .map_err(unfit)?;
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    Ok(config)
}

fn verifier(client_auth: &ClientAuth) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let (cas, required) = match client_auth {
        ClientAuth::None => return Ok(Arc::new(NoClientAuth)),
        ClientAuth::IfGiven(cas) => (cas, false),
        ClientAuth::Required(cas) => (cas, true),
    };
    let mut roots = RootCertStore::empty();
    for path in cas {
        add_all(&mut roots, path)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let builder = if required { builder } else { builder.allow_unauthenticated() };
    builder.build().map_err(unfit)
}

fn add_all(roots: &mut RootCertStore, path: &Path) -> Result<(), TlsError> {
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|error| file(path, error))?;
    }
    Ok(())
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).map_err(|error| file(path, error))?.collect();
    let found = found.map_err(|error| file(path, error))?;
    if found.is_empty() { Err(file(path, "there is no certificate (PEM) in it")) } else { Ok(found) }
}

fn file(path: &Path, why: impl std::fmt::Display) -> TlsError {
    TlsError::File { path: path.to_owned(), why: why.to_string() }
}

fn unfit(why: impl std::fmt::Display) -> TlsError {
    TlsError::Unfit(why.to_string())
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    #[test]
    fn says_which_file_is_wrong_and_how() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::io::Write::write_all(&mut std::fs::File::create(&path).unwrap(), text.as_bytes()).unwrap();
            path
        };
        let pair = KeyPair::generate().unwrap();
        let own = CertificateParams::new(["larder-hub".to_owned()]).unwrap().self_signed(&pair).unwrap();
        let certificate = put("cert.pem", &own.pem());
        let key = put("key.pem", &pair.serialize_pem());
        let other_key = put("other.pem", &KeyPair::generate().unwrap().serialize_pem());
        let junk = put("junk.pem", "hello");

        let settings = |certificate: &PathBuf, key: &PathBuf, client_auth| ServerSettings {
            certificate: certificate.clone(),
            key: key.clone(),
            client_auth,
            only_tls13: false,
        };
        let required = ClientAuth::Required(vec![certificate.clone()]);
        assert!(server(&settings(&certificate, &key, required), ALPN_ANY).is_ok());
        let identity = |key: &PathBuf| Identity { certificate: certificate.clone(), key: key.clone() };
        assert!(client(std::slice::from_ref(&certificate), Some(&identity(&key))).is_ok());
        assert!(client(&[], Some(&identity(&other_key))).unwrap_err().to_string().contains("do not go together"));
        for (settings, needle) in [
            (settings(&junk, &key, ClientAuth::None), "junk.pem: there is no certificate"),
            (settings(&certificate, &junk, ClientAuth::None), "junk.pem"),
            (settings(&certificate, &folder.path().join("absent"), ClientAuth::None), "absent"),
            (settings(&certificate, &other_key, ClientAuth::None), "do not go together"),
            (settings(&certificate, &key, ClientAuth::Required(vec![junk.clone()])), "junk.pem"),
            (settings(&certificate, &key, ClientAuth::IfGiven(vec![])), "do not go together"),
        ] {
            let error = server(&settings, ALPN_ANY).unwrap_err().to_string();
            assert!(error.contains(needle), "{error}");
        }
        assert!(client(&[junk], None).unwrap_err().to_string().contains("junk.pem"));
    }
}
