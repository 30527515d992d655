//! What the tests share: servers, clients, and an own CA that lets a test speak raw TLS.

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use xenon_channel::{Client, ClientOptions, Handler, Identity, Incoming, Limits, Outgoing, Server};

pub(crate) const SECRET: &[u8] = b"a secret of this test cluster";
/// Long enough never to pass on a busy machine: what a test that hangs waits for.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// A port of `ip` that was free a moment ago; nobody else uses this address.
pub(crate) fn free_addr(ip: &str) -> SocketAddr {
    TcpListener::bind(format!("{ip}:0")).unwrap().local_addr().unwrap()
}

pub(crate) fn identity(name: impl ToString) -> Identity {
    Identity::from_secret(SECRET, &name.to_string()).unwrap()
}

pub(crate) fn client(name: impl ToString) -> Client {
    Client::new(identity(name), ClientOptions::default())
}

pub(crate) fn serve(addr: SocketAddr, handler: impl Handler) -> Server {
    serve_within(addr, Limits::default(), handler)
}

pub(crate) fn serve_within(addr: SocketAddr, limits: Limits, handler: impl Handler) -> Server {
    Server::bind(addr, &identity(addr), limits, Arc::new(handler)).unwrap()
}

/// Answers with the JSON it was sent.
pub(crate) async fn echo(incoming: Incoming) -> Outgoing {
    Outgoing { status: 200, body: incoming.body.to_vec() }
}

/// Answers with the sender's port, which tells connections apart.
pub(crate) async fn sender_port(incoming: Incoming) -> Outgoing {
    Outgoing::json(&incoming.peer.addr().port())
}

/// A CA as an operator would have one, in files.
pub(crate) struct OwnCa {
    params: CertificateParams,
    key: KeyPair,
    pub(crate) folder: TempDir,
    pub(crate) ca: PathBuf,
}

/// A certificate and its key, in files.
pub(crate) struct Issued {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
}

impl OwnCa {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let ca = folder.path().join("ca.pem");
        std::fs::write(&ca, params.self_signed(&key).unwrap().pem()).unwrap();
        Self { params, key, folder, ca }
    }

    /// A certificate for hosts or addresses, good for servers and clients.
    pub(crate) fn issue(&self, file: &str, hosts: &[&str]) -> Issued {
        let both = [ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        self.issue_for(file, hosts, &both)
    }

    pub(crate) fn issue_for(&self, file: &str, hosts: &[&str], usages: &[ExtendedKeyUsagePurpose]) -> Issued {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let mut params = CertificateParams::new(hosts).unwrap();
        params.extended_key_usages = usages.to_vec();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &Issuer::from_params(&self.params, &self.key)).unwrap();
        let issued = Issued {
            cert: self.folder.path().join(format!("{file}.crt")),
            key: self.folder.path().join(format!("{file}.key")),
        };
        std::fs::write(&issued.cert, certificate.pem()).unwrap();
        std::fs::write(&issued.key, key.serialize_pem()).unwrap();
        set_mode(&issued.key, 0o600);
        issued
    }

    pub(crate) fn identity(&self, issued: &Issued, name: impl ToString) -> Identity {
        Identity::from_files(&self.ca, &issued.cert, &issued.key, &name.to_string()).unwrap()
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(read_certificate(&self.ca)).unwrap();
        roots
    }

    /// A TLS connection whose every byte the test decides.
    pub(crate) async fn raw_client(&self, addr: SocketAddr, issued: &Issued) -> TlsStream<TcpStream> {
        let config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(self.roots())
            .with_client_auth_cert(vec![read_certificate(&issued.cert)], read_key(&issued.key))
            .unwrap();
        let tcp = TcpStream::connect(addr).await.unwrap();
        let name = ServerName::from(addr.ip());
        TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap()
    }

    /// A server side whose every byte the test decides; it asks no certificate.
    pub(crate) fn raw_acceptor(&self, issued: &Issued) -> TlsAcceptor {
        let config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![read_certificate(&issued.cert)], read_key(&issued.key))
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}

pub(crate) fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

pub(crate) fn set_mode(path: &std::path::Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn read_certificate(path: &std::path::Path) -> CertificateDer<'static> {
    use rustls::pki_types::pem::PemObject;
    CertificateDer::from_pem_file(path).unwrap()
}

fn read_key(path: &std::path::Path) -> PrivateKeyDer<'static> {
    use rustls::pki_types::pem::PemObject;
    PrivateKeyDer::from_pem_file(path).unwrap()
}
