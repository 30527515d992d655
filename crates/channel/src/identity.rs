//! Who this process is on the channel: its certificate, and whose certificates it accepts.

use crate::names::{self, Naming};
use crate::{cluster_ca, own_ca};
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::time_provider::{DefaultTimeProvider, TimeProvider};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Both ends say it, so that a connection meant for another service of a shared CA ends in the handshake.
const ALPN: &[u8] = b"http/1.1";
/// 2026-01-01: inside the window of every certificate made from a secret.
const FIXED_TIME_UNIX_S: u64 = 1_767_225_600;

/// The certificate and key of this process, and the authority whose certificates it accepts. Cheap to clone.
#[derive(Clone)]
pub struct Identity {
    inner: Arc<Inner>,
}

struct Inner {
    name: String,
    naming: Naming,
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

impl Identity {
    /// An identity made from the secret that all nodes of a cluster share.
    ///
    /// `name` is the node's endpoint `host:port`, exactly as the others call it, or [`crate::CLI_NAME`]. The secret
    /// must be random: whoever sees a certificate can test guesses offline. Certificates made this way are checked
    /// against a fixed time, so the channel works whatever the clocks of the hosts say.
    ///
    /// # Errors
    /// An empty secret, or a name that is neither an endpoint nor [`crate::CLI_NAME`].
    pub fn from_secret(secret: &[u8], name: &str) -> Result<Self, IdentityError> {
        check_name(name)?;
        if secret.is_empty() {
            return Err(IdentityError::EmptySecret);
        }
        let issued = cluster_ca::issue(secret, name)?;
        let mut roots = RootCertStore::empty();
        roots.add(issued.ca).map_err(crypto)?;
        Self::assemble(
            name,
            Naming::Endpoint,
            roots,
            vec![issued.certificate],
            issued.key,
            Arc::new(FixedTime),
        )
    }

    /// An identity from PEM files of the operator's own CA: the CA's certificates, this node's certificate (with
    /// its chain), and its private key.
    ///
    /// A node's certificate must be valid for the host part of `name` (a DNS or IP subject alternative name) and
    /// for both server and client authentication; the command line ([`crate::CLI_NAME`]) may use any client
    /// certificate of the CA. Expiry is checked against the host's clock, as operators of a CA expect.
    ///
    /// # Errors
    /// Each names the file, what is wrong with it and what to try. A key file that others can read is refused.
    pub fn from_files(ca: &Path, cert: &Path, key: &Path, name: &str) -> Result<Self, IdentityError> {
        check_name(name)?;
        let files = own_ca::load(ca, cert, key, name)?;
        Self::assemble(name, Naming::Host, files.roots, files.chain, files.key, Arc::new(DefaultTimeProvider))
    }

    fn assemble(
        name: &str,
        naming: Naming,
        roots: RootCertStore,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        time: Arc<dyn TimeProvider>,
    ) -> Result<Self, IdentityError> {
        let provider = provider();
        let roots = Arc::new(roots);

        let verifier = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone())
            // The names of the CAs are of no use to a client that has one certificate.
            .clear_root_hint_subjects()
            .build()
            .map_err(crypto)?;
        let mut server = ServerConfig::builder_with_details(provider.clone(), time.clone())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(crypto)?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain.clone(), key.clone_key())
            .map_err(crypto)?;
        server.alpn_protocols = vec![ALPN.to_vec()];
        // No resumption: a full handshake is cheap between few nodes, and every connection proves its certificate
        // anew, also to a peer that restarted with another secret.
        server.send_tls13_tickets = 0;
        server.session_storage = Arc::new(NoServerSessionStorage {});

        let mut client = ClientConfig::builder_with_details(provider, time)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(crypto)?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .map_err(crypto)?;
        client.alpn_protocols = vec![ALPN.to_vec()];
        client.resumption = Resumption::disabled();

        Ok(Self {
            inner: Arc::new(Inner {
                name: name.to_owned(),
                naming,
                server: Arc::new(server),
                client: Arc::new(client),
            }),
        })
    }

    /// The name this process goes by: its endpoint, or [`crate::CLI_NAME`].
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    pub(crate) fn naming(&self) -> Naming {
        self.inner.naming
    }

    pub(crate) fn server_config(&self) -> Arc<ServerConfig> {
        self.inner.server.clone()
    }

    pub(crate) fn client_config(&self) -> Arc<ClientConfig> {
        self.inner.client.clone()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("name", &self.inner.name)
            .field("naming", &self.inner.naming)
            .finish_non_exhaustive()
    }
}

/// Given to every configuration by hand: a default of the whole process may be set by, or missing for, another crate.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn crypto(error: impl fmt::Display) -> IdentityError {
    IdentityError::Crypto { reason: error.to_string() }
}

fn check_name(name: &str) -> Result<(), IdentityError> {
    if name == names::CLI_NAME || names::split_endpoint(name).is_some() {
        return Ok(());
    }
    Err(IdentityError::BadName { name: name.to_owned() })
}

/// The time that certificates made from a secret are checked against.
#[derive(Debug)]
struct FixedTime;

impl TimeProvider for FixedTime {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(FIXED_TIME_UNIX_S)))
    }
}

/// Why there is no identity. Everything here is found at start and cured by the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The shared secret has no bytes.
    #[error("the cluster secret is empty; make one with `xenoncli init`, or give server.secret")]
    EmptySecret,
    /// The name is not an endpoint.
    #[error("{name:?} is no name for a node; give its endpoint as host:port, or [address]:port for IPv6")]
    BadName {
        /// What was given.
        name: String,
    },
    /// A file cannot be used.
    #[error("{role} {}: {problem}; {cure}", path.display())]
    File {
        /// What the file is for: `CA file`, `certificate file`, `key file`.
        role: &'static str,
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// What to try.
        cure: String,
    },
    /// Others may read or write the private key.
    #[error(
        "key file {}: any user of this host may read or change it (mode {mode:04o}); run: chmod 600 {}",
        path.display(), path.display()
    )]
    KeyExposed {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The cryptographic library refused; not expected with valid input.
    #[error("the TLS library refused this identity: {reason}; please report this")]
    Crypto {
        /// Its words.
        reason: String,
    },
}
