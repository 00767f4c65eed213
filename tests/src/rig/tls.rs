//! The rig's certificate authority, private as the one in front of an MSR is.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A certificate authority that nobody outside the rig trusts.
pub struct Ca {
    issuer: Issuer<'static, KeyPair>,
    der: CertificateDer<'static>,
    pem: String,
    folder: PathBuf,
}

/// A certificate with its key, as files and as bytes.
pub struct Certified {
    /// The certificate in PEM.
    pub cert_file: PathBuf,
    /// Its key in PEM (PKCS #8).
    pub key_file: PathBuf,
    pub(crate) cert: CertificateDer<'static>,
    pub(crate) key: KeyPair,
}

impl Ca {
    pub(crate) fn create(folder: &Path) -> Result<Self> {
        // Only the first call in a process does anything, and everything here uses the same library.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        fs::create_dir_all(folder)?;
        let mut params = params(&[], "Larder rig CA")?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?;
        let (pem, der) = (certificate.pem(), certificate.der().clone());
        fs::write(folder.join("ca.crt"), &pem)?;
        Ok(Self { issuer: Issuer::new(params, key), der, pem, folder: folder.to_owned() })
    }

    /// The authority's certificate, in PEM.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The file with [`Self::pem`].
    pub fn file(&self) -> PathBuf {
        self.folder.join("ca.crt")
    }

    pub(crate) fn der(&self) -> &CertificateDer<'static> {
        &self.der
    }

    /// A certificate for servers and clients, good for `names` (DNS names and IP addresses); files are called `label`.
    ///
    /// # Errors
    /// When a name is none, or a file cannot be written.
    pub fn certify(&self, label: &str, names: &[&str]) -> Result<Certified> {
        let mut params = params(names, label)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let cert = params.signed_by(&key, &self.issuer).with_context(|| format!("certifying {label}"))?;
        let (cert_file, key_file) =
            (self.folder.join(format!("{label}.crt")), self.folder.join(format!("{label}.key")));
        fs::write(&cert_file, cert.pem())?;
        fs::write(&key_file, key.serialize_pem())?;
        Ok(Certified { cert_file, key_file, cert: cert.der().clone(), key })
    }
}

impl Certified {
    /// What a TLS server written in Rust needs. HTTP/1.1 only: that is what is spoken to engines and registries here.
    pub(crate) fn server_config(&self) -> Result<Arc<rustls::ServerConfig>> {
        let key = PrivateKeyDer::try_from(self.key.serialize_der()).map_err(anyhow::Error::msg)?;
        let mut config =
            rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(vec![self.cert.clone()], key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

fn params(names: &[&str], common_name: &str) -> Result<CertificateParams> {
    let mut params = CertificateParams::new(names.iter().map(|&n| n.to_owned()).collect::<Vec<_>>())?;
    params.distinguished_name.push(DnType::CommonName, common_name);
    // rcgen's own default ends in the year 4096, which some clients refuse to read.
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2049, 1, 1);
    Ok(params)
}
