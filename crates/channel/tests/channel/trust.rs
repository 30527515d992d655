//! Who may talk to whom.

use crate::fixture::{LONG, OwnCa, client, echo, free_addr, identity, provider, serve};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use xenon_channel::{
    BindError, ChannelError, Client, ClientOptions, Identity, IdentityError, Limits, Server, ServerState,
};

#[tokio::test]
async fn another_secret_is_told_so_in_both_directions() {
    let ours = free_addr("127.0.102.1");
    let theirs = free_addr("127.0.102.2");
    let stranger = |name: &str| Identity::from_secret(b"another secret", name).unwrap();
    let server = serve(ours, echo);
    let other = stranger(&theirs.to_string());
    let _theirs = Server::bind(theirs, &other, Limits::default(), Arc::new(echo)).unwrap();

    let from_there = Client::new(stranger("a:1"), ClientOptions::default());
    let error = from_there.call::<_, ()>(&ours.to_string(), "/", &(), LONG).await.unwrap_err();
    assert_eq!(error, ChannelError::WrongSecret { peer: ours.to_string() });
    let text = error.to_string();
    assert!(text.contains("does not share this cluster's secret"), "{text}");
    assert!(!text.contains("another secret"), "{text}");

    let error = client("a:1").call::<_, ()>(&theirs.to_string(), "/", &(), LONG).await.unwrap_err();
    assert_eq!(error, ChannelError::WrongSecret { peer: theirs.to_string() });

    // The server has heard why, and tells its own operator.
    tokio::time::timeout(LONG, async {
        while server.state().untrusted == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    })
    .await
    .unwrap();
    assert_eq!(server.state(), ServerState { untrusted: 1, ..ServerState::default() });
}

#[tokio::test]
async fn a_node_that_answers_for_another_is_named() {
    let addr = free_addr("127.0.102.3");
    let elsewhere = identity("127.0.102.3:1");
    let _server = Server::bind(addr, &elsewhere, Limits::default(), Arc::new(echo)).unwrap();
    let error = client("a:1").call::<_, ()>(&addr.to_string(), "/", &(), LONG).await.unwrap_err();
    let ChannelError::WrongPeer { presented, .. } = &error else { panic!("{error:?}") };
    assert_eq!(presented, "127.0.102.3:1");
}

#[tokio::test]
async fn a_client_that_the_server_alone_refuses_learns_why() {
    let (ours, theirs) = (OwnCa::new(), OwnCa::new());
    let addr = free_addr("127.0.102.4");
    let server = ours.identity(&ours.issue("server", &["127.0.102.4"]), addr);
    let _server = Server::bind(addr, &server, Limits::default(), Arc::new(echo)).unwrap();

    // This one trusts both CAs, the server only its own: the refusal comes after the client's side is done.
    let both = ours.folder.path().join("both.pem");
    let pem = std::fs::read_to_string(&ours.ca).unwrap() + &std::fs::read_to_string(&theirs.ca).unwrap();
    std::fs::write(&both, pem).unwrap();
    let issued = theirs.issue("client", &["127.0.0.1"]);
    let identity = Identity::from_files(&both, &issued.cert, &issued.key, "cli").unwrap();
    let client = Client::new(identity, ClientOptions::default());
    for _ in 0..20 {
        let error =
            client.call::<_, ()>(&addr.to_string(), "/", &[0; 5000].as_slice(), LONG).await.unwrap_err();
        let ChannelError::Untrusted { reason, .. } = &error else { panic!("{error:?}") };
        assert!(reason.contains("does not accept this host's certificate"), "{reason}");
    }
}

#[tokio::test]
async fn no_certificate_no_answer() {
    let ca = OwnCa::new();
    let addr = free_addr("127.0.102.5");
    let server = ca.identity(&ca.issue("server", &["127.0.102.5"]), addr);
    let _server = Server::bind(addr, &server, Limits::default(), Arc::new(echo)).unwrap();
    for versions in [&[&rustls::version::TLS13], &[&rustls::version::TLS12]] {
        let mut roots = RootCertStore::empty();
        let pem = std::fs::read(&ca.ca).unwrap();
        roots.add(rustls::pki_types::pem::PemObject::from_pem_slice(&pem).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let tcp = TcpStream::connect(addr).await.unwrap();
        let connected = TlsConnector::from(Arc::new(config)).connect(ServerName::from(addr.ip()), tcp).await;
        // With TLS 1.3 the client's side is done before the server has looked.
        if let Ok(mut stream) = connected {
            let _ = stream.write_all(b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n").await;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.unwrap_err();
            assert!(answer.is_empty());
        }
    }
}

#[tokio::test]
async fn a_peer_that_speaks_no_tls_is_a_protocol_error() {
    let listener = tokio::net::TcpListener::bind("127.0.102.6:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.write_all(b"J\0\0\0\x0a9.7.4\0 this is a database\0").await.unwrap();
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
        }
    });
    let error = client("a:1").call::<_, ()>(&addr.to_string(), "/", &(), LONG).await.unwrap_err();
    assert!(matches!(error, ChannelError::Protocol { .. }), "{error:?}");
}

#[test]
fn identities_need_a_secret_and_a_name() {
    assert_eq!(Identity::from_secret(b"", "a:1").unwrap_err(), IdentityError::EmptySecret);
    for bad in ["", "db1", "db 1:8801", "db1:x", "a\n:1"] {
        let error = Identity::from_secret(b"s", bad).unwrap_err();
        assert!(matches!(error, IdentityError::BadName { .. }), "{bad:?}: {error:?}");
    }
    let shown = format!("{:?}", Identity::from_secret(b"hush", "a:1").unwrap());
    assert!(shown.contains("a:1") && !shown.contains("hush"), "{shown}");
    let long = format!("{}:8801", "h".repeat(250));
    assert_eq!(Identity::from_secret(b"s", &long).unwrap().name(), long);
}

#[tokio::test]
async fn an_address_that_cannot_be_listened_on_is_explained() {
    let addr = free_addr("127.0.102.7");
    let _server = serve(addr, echo);
    let bind = |addr| Server::bind(addr, &identity("a:1"), Limits::default(), Arc::new(echo)).unwrap_err();
    assert_eq!(bind(addr), BindError::AddressInUse { addr });
    assert!(bind(addr).to_string().contains("ss -ltnp"));
    let foreign = "192.0.2.1:8801".parse().unwrap();
    assert_eq!(bind(foreign), BindError::AddressNotHere { addr: foreign });
}

#[test]
fn a_server_without_a_runtime_is_an_error_not_a_panic() {
    let addr = free_addr("127.0.102.8");
    let error = Server::bind(addr, &identity(addr), Limits::default(), Arc::new(echo)).unwrap_err();
    assert_eq!(error, BindError::NoRuntime);
}
