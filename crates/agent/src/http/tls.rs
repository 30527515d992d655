//! TLS of the HTTP API, when the config names a certificate.

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// A chain of certificates has a few kilobytes; more is a mistaken path.
const LONGEST_FILE_BYTES: u64 = 1 << 20;
/// Users outside owner and group.
const OTHERS: u32 = 0o006;

/// Certificate and key, as the config names them.
#[derive(Debug, Clone)]
pub(super) struct Files {
    pub(super) cert: PathBuf,
    pub(super) key: PathBuf,
}

/// Reads them.
pub(super) fn acceptor(files: &Files) -> Result<TlsAcceptor, String> {
    let (cert, _) = read(&files.cert)?;
    let (key, mode) = read(&files.key)?;
    if mode & OTHERS != 0 {
        return Err(format!("everybody on this host can read {} (chmod 600)", files.key.display()));
    }
    let chain = CertificateDer::pem_slice_iter(&cert)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| format!("{}: {error}", files.cert.display()))?;
    let key =
        PrivateKeyDer::from_pem_slice(&key).map_err(|error| format!("{}: {error}", files.key.display()))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| format!("{} and {}: {error}", files.cert.display(), files.key.display()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn read(path: &Path) -> Result<(Vec<u8>, u32), String> {
    let told = |error: std::io::Error| format!("{}: {error}", path.display());
    let file = File::open(path).map_err(told)?;
    // Asked of the open file, so that what was looked at is what is read.
    let mode = file.metadata().map_err(told)?.permissions().mode();
    let mut bytes = Vec::new();
    file.take(LONGEST_FILE_BYTES).read_to_end(&mut bytes).map_err(told)?;
    Ok((bytes, mode))
}
