//! The port: taken, crowded, and behind TLS.

use super::{BOUND, api, done};
use crate::http::listen;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

#[tokio::test]
async fn one_address_has_so_many_connections_and_leaves_them_when_silent() {
    let api = api(done).await;
    let mut silent = Vec::new();
    for _ in 0..64 {
        silent.push(TcpStream::connect(api.address).await.unwrap());
    }
    // Another one from there is closed without an answer, or reset; and when the silent ones have been closed, served again.
    let mut refused = false;
    let begun = Instant::now();
    while begun.elapsed() < BOUND {
        match api.get("/health").await.status {
            0 => refused = true,
            _ if refused => return,
            _ => {}
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("refused: {refused}, and not served afterwards");
}

#[tokio::test]
async fn a_port_that_is_taken_is_tried_again_and_told() {
    let held = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = held.local_addr().unwrap();
    let (told, mut trouble) = watch::channel(None);
    let router = axum::Router::new();
    let task = tokio::spawn(listen::run(address.to_string().parse().unwrap(), None, router, told));
    let why =
        timeout(BOUND, trouble.wait_for(Option::is_some)).await.expect("told").unwrap().clone().unwrap();
    assert!(why.contains(&address.to_string()) && why.contains("server.peer-address"), "{why}");
    drop(held);
    timeout(BOUND, trouble.wait_for(Option::is_none)).await.expect("bound in the end").unwrap();
    TcpStream::connect(address).await.expect("it listens");
    task.abort();
}

#[tokio::test]
async fn tls_with_the_operators_own_certificate() {
    use rustls::pki_types::{CertificateDer, ServerName};
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let files = crate::http::tls::Files { cert: folder.path().join("cert"), key: folder.path().join("key") };
    std::fs::write(&files.cert, made.cert.pem()).unwrap();
    std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
    let mode = |mode| {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&files.key, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(0o644);
    let why = crate::http::tls::acceptor(&files).err().expect("a key that everybody can read");
    assert!(why.contains("everybody on this host can read"), "{why}");
    mode(0o600);
    let acceptor = crate::http::tls::acceptor(&files).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = axum::Router::new().route("/", axum::routing::get(|| async { "behind TLS" }));
    tokio::spawn(listen::accept(listener, Some(acceptor), router));

    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from(made.cert.der().to_vec())).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let plain = TcpStream::connect(address).await.unwrap();
    let mut stream = connector.connect(ServerName::try_from("localhost").unwrap(), plain).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut got = String::new();
    let _ = timeout(BOUND, stream.read_to_string(&mut got)).await.expect("it ends");
    assert!(got.contains("behind TLS"), "{got}");
    // Without TLS: nothing is answered.
    let mut plain = TcpStream::connect(address).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut got = Vec::new();
    let _ = timeout(BOUND, plain.read_to_end(&mut got)).await.expect("it ends");
    assert!(!String::from_utf8_lossy(&got).contains("behind TLS"));
}
