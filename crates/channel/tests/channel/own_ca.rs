//! Certificates of an operator's own CA.

use crate::fixture::{Issued, LONG, OwnCa, echo, free_addr, set_mode};
use rcgen::ExtendedKeyUsagePurpose;
use std::path::Path;
use std::sync::Arc;
use xenon_channel::{
    CLI_NAME, ChannelError, Client, ClientOptions, Identity, IdentityError, Incoming, Limits,
};
use xenon_channel::{Outgoing, Server};

#[tokio::test]
async fn nodes_and_command_line_talk_under_an_own_ca() {
    let ca = OwnCa::new();
    let addr = free_addr("127.0.103.1");
    let node = ca.identity(&ca.issue("node", &["127.0.103.1", "db1.example.com"]), addr);
    let handler = |incoming: Incoming| async move {
        let claims: Vec<String> = serde_json::from_slice(&incoming.body).unwrap();
        let named: Vec<bool> = claims.iter().map(|claim| incoming.peer.is_named(claim)).collect();
        Outgoing::json(&named)
    };
    let _server = Server::bind(addr, &node, Limits::default(), Arc::new(handler)).unwrap();

    let other = ca.identity(&ca.issue("other", &["db2.example.com"]), "db2.example.com:8801");
    let cli =
        ca.identity(&ca.issue_for("cli", &["laptop"], &[ExtendedKeyUsagePurpose::ClientAuth]), CLI_NAME);
    let claims =
        ["db2.example.com:8801", "db2.example.com:1", "db1.example.com:8801", "10.0.0.1:1", CLI_NAME];
    for (identity, expected) in
        [(other, [true, true, false, false, true]), (cli, [false, false, false, false, true])]
    {
        let client = Client::new(identity, ClientOptions::default());
        let named: Vec<bool> = client.call(&addr.to_string(), "/", &claims, LONG).await.unwrap();
        assert_eq!(named, expected);
    }
}

#[tokio::test]
async fn a_host_that_the_certificate_does_not_name_is_the_wrong_peer() {
    let ca = OwnCa::new();
    let addr = free_addr("127.0.103.2");
    let node = ca.identity(&ca.issue("node", &["db1.example.com"]), "db1.example.com:8801");
    let _server = Server::bind(addr, &node, Limits::default(), Arc::new(echo)).unwrap();
    let cli = ca.identity(&ca.issue("cli", &["laptop"]), CLI_NAME);
    let error = Client::new(cli, ClientOptions::default())
        .call::<_, ()>(&addr.to_string(), "/", &(), LONG)
        .await
        .unwrap_err();
    let ChannelError::WrongPeer { presented, .. } = &error else { panic!("{error:?}") };
    assert_eq!(presented, "db1.example.com");
}

#[tokio::test]
async fn another_ca_is_not_trusted() {
    let (ours, theirs) = (OwnCa::new(), OwnCa::new());
    let addr = free_addr("127.0.103.3");
    let node = theirs.identity(&theirs.issue("node", &["127.0.103.3"]), addr);
    let _server = Server::bind(addr, &node, Limits::default(), Arc::new(echo)).unwrap();
    let cli = ours.identity(&ours.issue("cli", &["laptop"]), CLI_NAME);
    let error = Client::new(cli, ClientOptions::default())
        .call::<_, ()>(&addr.to_string(), "/", &(), LONG)
        .await
        .unwrap_err();
    assert!(matches!(error, ChannelError::Untrusted { .. }), "{error:?}");
}

#[test]
fn each_mistake_in_the_files_is_explained() {
    let (ca, other) = (OwnCa::new(), OwnCa::new());
    let good = ca.issue("good", &["db1"]);
    let foreign = other.issue("foreign", &["db1"]);
    let server_only = ca.issue_for("server-only", &["db1"], &[ExtendedKeyUsagePurpose::ServerAuth]);
    let missing = ca.folder.path().join("missing");
    let empty = ca.folder.path().join("empty");
    std::fs::write(&empty, "").unwrap();
    let load =
        |ca: &Path, issued: &Issued, name: &str| Identity::from_files(ca, &issued.cert, &issued.key, name);
    let text = |result: Result<Identity, IdentityError>| result.unwrap_err().to_string();
    let with = |cert: &Path, key: &Path| Issued { cert: cert.to_owned(), key: key.to_owned() };

    load(&ca.ca, &good, "db1:8801").unwrap();
    for (error, parts) in [
        (text(load(&missing, &good, "db1:8801")), ["CA file", "missing", "No such file"]),
        (text(load(&empty, &good, "db1:8801")), ["CA file", "empty", "holds no certificate"]),
        (
            text(load(&ca.ca, &with(&missing, &good.key), "db1:8801")),
            ["certificate file", "missing", "No such file"],
        ),
        (
            text(load(&ca.ca, &with(&good.cert, &server_only.key), "db1:8801")),
            ["key file", "does not fit", "good.crt"],
        ),
        (text(load(&ca.ca, &foreign, "db1:8801")), ["certificate file", "not issued by the CA", "ca.pem"]),
        (text(load(&ca.ca, &good, "db9:8801")), ["certificate file", "it names db1", "alternative name db9"]),
        (
            text(load(&ca.ca, &server_only, "db1:8801")),
            ["certificate file", "extended key usage", "clientAuth"],
        ),
        (text(load(Path::new("/dev/zero"), &good, "db1:8801")), ["CA file", "larger", "PEM"]),
    ] {
        for part in parts {
            assert!(error.contains(part), "{part:?} is not in: {error}");
        }
    }
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let ca = OwnCa::new();
    let issued = ca.issue("node", &["db1"]);
    for (mode, fine) in [(0o600, true), (0o640, true), (0o400, true), (0o644, false), (0o602, false)] {
        set_mode(&issued.key, mode);
        let loaded = Identity::from_files(&ca.ca, &issued.cert, &issued.key, "db1:8801");
        match loaded {
            Ok(_) => assert!(fine, "{mode:o}"),
            Err(error) => {
                assert!(!fine, "{mode:o}: {error}");
                assert!(error.to_string().contains("chmod 600"), "{error}");
            }
        }
    }
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_without_a_restart() {
    let (old, new) = (OwnCa::new(), OwnCa::new());
    let addr = free_addr("127.0.103.4");
    let node = |ca: &OwnCa| ca.identity(&ca.issue("node", &["127.0.103.4"]), addr);
    let cli = |ca: &OwnCa| ca.identity(&ca.issue("cli", &["laptop"]), CLI_NAME);
    let server = Server::bind(addr, &node(&old), Limits::default(), Arc::new(echo)).unwrap();
    let client = Client::new(cli(&old), ClientOptions::default());
    let call = async |client: &Client| client.call::<_, u8>(&addr.to_string(), "/", &1, LONG).await;
    assert_eq!(call(&client).await.unwrap(), 1);

    server.renew(node(&new));
    assert_eq!(call(&client).await.unwrap(), 1, "the open connection stays");
    client.renew(cli(&new));
    assert_eq!(call(&client).await.unwrap(), 1);
    let late = Client::new(cli(&old), ClientOptions::default());
    assert!(matches!(call(&late).await.unwrap_err(), ChannelError::Untrusted { .. }));
}
