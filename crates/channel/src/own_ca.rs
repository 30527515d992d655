//! Certificates of the operator's own CA, read from PEM files and checked before the first connection needs them.

use crate::identity::{IdentityError, provider};
use crate::names::{self, CLI_NAME, Naming};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, RootCertStore};
use std::fmt::Display;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

const CA: &str = "CA file";
const CERT: &str = "certificate file";
const KEY: &str = "key file";

/// A chain of certificates has a few kilobytes; more is a mistaken path, such as a device or a log.
const LONGEST_FILE_BYTES: u64 = 1 << 20;
/// The permission bits that let users outside owner and group read or write.
const OTHERS: u32 = 0o006;

pub(crate) struct Files {
    pub(crate) roots: RootCertStore,
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
}

pub(crate) fn load(ca: &Path, cert: &Path, key_path: &Path, name: &str) -> Result<Files, IdentityError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(CA, ca)? {
        roots
            .add(certificate)
            .map_err(|error| file(CA, ca, error, "give the certificate of a CA in PEM form"))?;
    }
    let chain = certificates(CERT, cert)?;
    let key = private_key(key_path)?;

    let pair = CertifiedKey::from_der(chain.clone(), key.clone_key(), &provider());
    if let Err(error) = pair {
        let problem = format!("it does not fit the certificate {}: {error}", cert.display());
        let cure = "give the key that this certificate was requested with";
        return Err(file(KEY, key_path, problem, cure));
    }
    check_accepted(&roots, &chain, name).map_err(|error| not_accepted(ca, cert, name, &error))?;
    Ok(Files { roots, chain, key })
}

fn certificates(role: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    let cure = "give a file with -----BEGIN CERTIFICATE----- blocks";
    let pem = contents(role, path, open(role, path)?)?;
    let found = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| file(role, path, error, cure))?;
    if found.is_empty() {
        return Err(file(role, path, "it holds no certificate", cure));
    }
    Ok(found)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, IdentityError> {
    let opened = open(KEY, path)?;
    // Asked of the open file, not of the path, so that what was checked is what is read.
    let metadata = opened.metadata().map_err(|error| file(KEY, path, error, "check the path"))?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & OTHERS != 0 {
        let path = path.to_owned();
        return Err(IdentityError::KeyExposed { path, mode });
    }
    let pem = contents(KEY, path, opened)?;
    let cure = "give an unencrypted PEM key (PKCS#8, SEC1 or PKCS#1)";
    PrivateKeyDer::from_pem_slice(&pem).map_err(|error| file(KEY, path, error, cure))
}

fn open(role: &'static str, path: &Path) -> Result<File, IdentityError> {
    let cure = "check the path, and that this user may read it";
    File::open(path).map_err(|error| file(role, path, error, cure))
}

fn contents(role: &'static str, path: &Path, opened: File) -> Result<Vec<u8>, IdentityError> {
    let mut bytes = Vec::new();
    opened
        .take(LONGEST_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| file(role, path, error, "check that it is a plain file"))?;
    if bytes.len() as u64 > LONGEST_FILE_BYTES {
        return Err(file(role, path, "it is larger than 1 MiB", "give a PEM file"));
    }
    Ok(bytes)
}

/// Asks now what every peer will ask in the handshake: a wrong certificate is found at start, not in a failover.
fn check_accepted(
    roots: &RootCertStore,
    chain: &[CertificateDer<'static>],
    name: &str,
) -> Result<(), rustls::Error> {
    let Some((leaf, intermediates)) = chain.split_first() else {
        return Err(rustls::Error::NoCertificatesPresented);
    };
    let roots = Arc::new(roots.clone());
    let now = UnixTime::now();
    WebPkiClientVerifier::builder_with_provider(roots.clone(), provider())
        .build()
        .map_err(|error| rustls::Error::General(error.to_string()))?
        .verify_client_cert(leaf, intermediates, now)?;
    if name == CLI_NAME {
        return Ok(());
    }
    let host = Naming::Host
        .server_name(name)
        .ok_or_else(|| rustls::Error::General(format!("{name} has no host that a certificate can name")))?;
    WebPkiServerVerifier::builder_with_provider(roots, provider())
        .build()
        .map_err(|error| rustls::Error::General(error.to_string()))?
        .verify_server_cert(leaf, intermediates, &host, &[], now)?;
    Ok(())
}

fn not_accepted(ca: &Path, cert: &Path, name: &str, error: &rustls::Error) -> IdentityError {
    let ca = ca.display();
    let host = names::split_endpoint(name).map_or(name, |(host, _)| host);
    let rustls::Error::InvalidCertificate(reason) = error else {
        return file(CERT, cert, error, "give a certificate for servers and clients, with its chain");
    };
    let (problem, cure) = match reason {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => (
            format!("it was not issued by the CA in {ca}"),
            "give the CA that issued it, and intermediate certificates after it in the certificate file"
                .to_owned(),
        ),
        CertificateError::NotValidForName => (
            format!("it does not name the host {host} of this node"),
            format!("issue it with the subject alternative name {host}"),
        ),
        CertificateError::NotValidForNameContext { presented, .. } => (
            format!("it names {}, not the host {host} of this node", names::readable(presented)),
            format!("issue it with the subject alternative name {host}"),
        ),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => (
            format!("its extended key usage is too narrow: {error}"),
            "issue it with serverAuth and clientAuth: an agent both answers and calls".to_owned(),
        ),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            (error.to_string(), "renew it, or set this host's clock".to_owned())
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            (error.to_string(), "set this host's clock".to_owned())
        }
        _ => (error.to_string(), "give an X.509 v3 certificate with a subject alternative name".to_owned()),
    };
    file(CERT, cert, problem, cure)
}

fn file(role: &'static str, path: &Path, problem: impl Display, cure: impl Display) -> IdentityError {
    IdentityError::File { role, path: path.to_owned(), problem: problem.to_string(), cure: cure.to_string() }
}
