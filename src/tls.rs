//! TLS for the public side: a certificate out of PEM files, taken anew with the keys.
//!
//! rustls over aws-lc-rs, which is what speaks TLS with WeChat and the database as well.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use x509_cert::der::Decode as _;

use crate::clock::Timestamp;
use crate::config::{self, Problem, TlsFiles};

/// The certificate in force.
pub struct Tls(ArcSwap<Certified>);

/// One that may take its place.
pub struct NextTls(Arc<Certified>);

struct Certified {
    config: Arc<ServerConfig>,
    ends: Option<Timestamp>,
}

impl Tls {
    /// From `[http]`; none where a proxy does it.
    ///
    /// # Errors
    /// The files don't hold a certificate and its key.
    pub fn from_config(http: &config::Http) -> Result<Option<Self>, Vec<Problem>> {
        let Some(files) = &http.tls else { return Ok(None) };
        read(files).map(|certified| Some(Self(ArcSwap::new(certified)))).map_err(|problem| vec![problem])
    }

    /// What the files of another configuration hold, if they do.
    ///
    /// # Errors
    /// They don't; what is in force serves on.
    pub fn next(&self, http: &config::Http) -> Result<Option<NextTls>, Vec<Problem>> {
        let Some(files) = &http.tls else { return Ok(None) };
        read(files).map(|certified| Some(NextTls(certified))).map_err(|problem| vec![problem])
    }

    /// For every connection from now on.
    pub fn adopt(&self, next: NextTls) {
        self.0.store(next.0);
    }

    /// For the next connection.
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.0.load().config.clone())
    }

    /// When its own certificate ends: from then on nobody connects any more. None where that can't be read.
    pub fn ends(&self) -> Option<Timestamp> {
        self.0.load().ends
    }
}

/// The end of validity, RFC 5280 §4.1.2.5.
fn end(certificate: &CertificateDer<'_>) -> Option<Timestamp> {
    let certificate = x509_cert::Certificate::from_der(certificate).ok()?;
    let end = certificate.tbs_certificate().validity().not_after.to_unix_duration();
    Timestamp::from_second(i64::try_from(end.as_secs()).ok()?).ok()
}

fn read(files: &TlsFiles) -> Result<Arc<Certified>, Problem> {
    let certificate = |text: &str| Problem::new("http.tls_certificate_file", text);
    let private = |text: &str| Problem::new("http.tls_key_file", text);
    let chain: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(files.certificate.expose().as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|_| certificate("is not PEM: a certificate, then those that vouch for it"))?;
    if chain.is_empty() {
        return Err(certificate(
            "holds no certificate: PEM, the gateway's own first, then those that vouch for it",
        ));
    }
    let key = PrivateKeyDer::from_pem_slice(files.key.expose().as_bytes())
        .map_err(|_| private("holds no private key in PEM (an encrypted one can't be read here)"))?;
    let ends = chain.first().and_then(end);
    // TLS 1.2 and 1.3: WeChat's phones speak both.
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| certificate(&format!("TLS can't be set up: {error}")))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| certificate(&format!("and http.tls_key_file don't go together: {error}")))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(Certified { config: Arc::new(config), ends }))
}
