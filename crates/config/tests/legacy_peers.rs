//! `peers.json` of the Go tool and of the Kubernetes operator.

use xenon_config::legacy_peers;

fn read(text: &str) -> String {
    match legacy_peers(text) {
        Ok(found) => {
            let list = |peers: &[xenon_config::Endpoint]| {
                peers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
            };
            format!(
                "{} {} [{}] [{}]",
                found.view_id,
                found.epoch_id,
                list(&found.peers),
                list(&found.idle_peers)
            )
        }
        Err(error) => error.to_string(),
    }
}

#[test]
fn what_is_found_in_the_field() {
    let table = [
        (
            r#"{"ViewID":182,"EpochID":2,"Peers":["10.0.0.1:8801","10.0.0.2:8801"],"IdlePeers":["10.0.0.3:8801"]}"#,
            "182 2 [10.0.0.1:8801,10.0.0.2:8801] [10.0.0.3:8801]",
        ),
        (
            r#"{"idlepeers":null,"peers":["db-0.db.ns:8801","db-1.db.ns:8801"]}"#,
            "0 0 [db-0.db.ns:8801,db-1.db.ns:8801] []",
        ),
        (r#"{"ViewID":null,"Peers":["a:1","a:1"," b:2 "],"More":{"x":1}}"#, "0 0 [a:1,b:2] []"),
        ("{}", "0 0 [] []"),
        ("", "not a peers.json: EOF parsing value"),
        ("[]", "not a peers.json: expected an object, found a list"),
        (r#"{"ViewID":"1"}"#, "ViewID: expected a whole number"),
        (r#"{"EpochID":-1}"#, "EpochID: expected a whole number"),
        (r#"{"Peers":"a:1"}"#, "Peers: expected a list of addresses"),
        (r#"{"IdlePeers":[1]}"#, "IdlePeers: expected a list of addresses"),
        (r#"{"Peers":["a"]}"#, "Peers: \"a\" has no port; write it like \"192.168.0.11:8801\""),
        ("[[[[[[[[[", "not a peers.json: too large or too deep"),
    ];
    for (text, wanted) in table {
        assert_eq!(read(text), wanted, "{text}");
    }
}
