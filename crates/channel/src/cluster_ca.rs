//! The certificate authority that every node derives from the shared secret, and the certificates it signs.

use crate::identity::IdentityError;
use crate::names;
use hkdf::Hkdf;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PKCS_ED25519, SerialNumber, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::Sha256;

/// Names the purpose and the version of the derivation: the same secret never makes the same key for anything else.
const SALT: &[u8] = b"xenon channel v1";
const INFO: &[u8] = b"cluster certificate authority, ed25519 seed";

/// RFC 8410: version 0, algorithm id-Ed25519, and the octet string that holds the octet string of the seed.
const ED25519_PKCS8: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// What one node needs: whom it trusts and what it shows.
pub(crate) struct Issued {
    pub(crate) ca: CertificateDer<'static>,
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) key: PrivateKeyDer<'static>,
}

/// Derives the cluster's CA from `secret` and issues a certificate with a fresh key for `name`.
pub(crate) fn issue(secret: &[u8], name: &str) -> Result<Issued, IdentityError> {
    let ca_key = ca_key(secret)?;
    let ca_params = ca_params()?;
    let ca = ca_params.self_signed(&ca_key).map_err(crypto)?;
    let issuer = Issuer::from_params(&ca_params, &ca_key);

    let key = KeyPair::generate_for(&PKCS_ED25519).map_err(crypto)?;
    let certificate = leaf_params(name)?.signed_by(&key, &issuer).map_err(crypto)?;
    Ok(Issued {
        ca: ca.der().clone(),
        certificate: certificate.der().clone(),
        key: PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
    })
}

fn ca_key(secret: &[u8]) -> Result<KeyPair, IdentityError> {
    let mut pkcs8 = [0_u8; 48];
    let (head, seed) = pkcs8.split_at_mut(ED25519_PKCS8.len());
    head.copy_from_slice(&ED25519_PKCS8);
    Hkdf::<Sha256>::new(Some(SALT), secret).expand(INFO, seed).map_err(crypto)?;
    KeyPair::try_from(&PrivatePkcs8KeyDer::from(pkcs8.as_slice())).map_err(crypto)
}

/// Everything is fixed: each node makes this certificate by itself, and the verifier compares subject and key.
fn ca_params() -> Result<CertificateParams, IdentityError> {
    let mut params = CertificateParams::new(Vec::new()).map_err(crypto)?;
    params.distinguished_name = subject("xenon cluster");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.serial_number = Some(SerialNumber::from(1_u64));
    valid_at_any_time(&mut params);
    Ok(params)
}

fn leaf_params(name: &str) -> Result<CertificateParams, IdentityError> {
    let mut params = CertificateParams::new(vec![names::encode(name)]).map_err(crypto)?;
    params.distinguished_name = subject("xenon node");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    // One certificate both answers and calls.
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    valid_at_any_time(&mut params);
    Ok(params)
}

fn subject(common_name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, common_name);
    subject
}

/// The window is a formality: verification runs on a fixed time, so that a host whose clock is years off still votes.
fn valid_at_any_time(params: &mut CertificateParams) {
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2120, 1, 1);
}

fn crypto(error: impl std::fmt::Display) -> IdentityError {
    IdentityError::Crypto { reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_nodes_derive_the_same_authority_and_different_keys() -> Result<(), IdentityError> {
        let one = issue(b"secret", "a:1")?;
        let two = issue(b"secret", "a:1")?;
        assert_eq!(one.ca, two.ca);
        assert_ne!(one.key.secret_der(), two.key.secret_der());
        assert_ne!(one.ca, issue(b"other secret", "a:1")?.ca);
        Ok(())
    }
}
