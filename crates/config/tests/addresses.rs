//! Endpoints and listen addresses: what passes, and why the rest does not.

use xenon_config::{Endpoint, ListenAddress};

#[test]
fn endpoints() {
    let passes = [
        ("192.168.0.11:8801", "192.168.0.11", 8801),
        ("[::1]:8080", "::1", 8080),
        ("[fd00::1]:1", "fd00::1", 1),
        ("db-0.mysql.default.svc.cluster.local.:65535", "db-0.mysql.default.svc.cluster.local.", 65535),
        ("db_1:8801", "db_1", 8801),
        ("127.0.0.1:8801", "127.0.0.1", 8801),
    ];
    for (text, host, port) in passes {
        let endpoint: Endpoint = text.parse().unwrap();
        assert_eq!((endpoint.host(), endpoint.port()), (host, port), "{text}");
        assert_eq!(endpoint.to_string(), text);
    }
    let like = "write it like \"192.168.0.11:8801\"";
    let like6 = "write it like \"[fd00::11]:8801\"";
    let port = "give a port from 1 to 65535";
    let every = "is every address of this host, and the endpoint is the node's name for the others; write this host's own address, like \"192.168.0.11:8801\"";
    let name = "use an address, or a name of letters, digits, - and .";
    let long = format!("{}:1", "a".repeat(64));
    let refused = [
        ("", format!("is empty; {like}")),
        ("192.168.0.11", format!("\"192.168.0.11\" has no port; {like}")),
        ("http://192.168.0.11:8801", format!("\"http://192.168.0.11:8801\" is a URL; {like}")),
        (":8801", "\":8801\" has no host, and the endpoint is the node's name for the others; write this host's address before it, like \"192.168.0.11:8801\"".to_owned()),
        ("0.0.0.0:8801", format!("\"0.0.0.0:8801\" {every}")),
        ("[::]:8801", format!("\"[::]:8801\" {every}")),
        ("::1:8080", format!("\"::1:8080\" is an IPv6 address without brackets; {like6}")),
        ("[::1:8080", format!("\"[::1:8080\" has no closing bracket; {like6}")),
        ("[::1]", format!("\"[::1]\" has no port; {like}")),
        ("[::1]8080", format!("\"[::1]8080\" has no port; {like}")),
        ("[10.0.0.1]:1", format!("\"10.0.0.1\" is no IPv6 address; {like6}")),
        ("300.1.1.1:80", "\"300.1.1.1\" is no IPv4 address; correct the address".to_owned()),
        ("10.0.0.1:0", format!("\"0\" is no port; {port}")),
        ("10.0.0.1:65536", format!("\"65536\" is no port; {port}")),
        ("10.0.0.1:+80", format!("\"+80\" is no port; {port}")),
        ("10.0.0.1:", format!("\"\" is no port; {port}")),
        ("a b:1", format!("\"a b\" is neither an address nor a host name; {name}")),
        ("-a:1", format!("\"-a\" is neither an address nor a host name; {name}")),
        ("a..b:1", format!("\"a..b\" is neither an address nor a host name; {name}")),
        ("${HOST}:1", format!("\"${{HOST}}\" is neither an address nor a host name; {name}")),
        (&long, format!("\"{}\"… is neither an address nor a host name; {name}", "a".repeat(60))),
    ];
    for (text, wanted) in refused {
        assert_eq!(text.parse::<Endpoint>().unwrap_err().to_string(), wanted);
    }
}

#[test]
fn listen_addresses() {
    for (text, host, port) in [
        (":6060", None, 6060),
        ("0.0.0.0:1", Some("0.0.0.0"), 1),
        ("[::]:6060", Some("::"), 6060),
        ("h:2", Some("h"), 2),
    ] {
        let address: ListenAddress = text.parse().unwrap();
        assert_eq!((address.host(), address.port()), (host, port), "{text}");
        assert_eq!(address.to_string(), text);
    }
    assert_eq!(
        "6060".parse::<ListenAddress>().unwrap_err().to_string(),
        "\"6060\" has no port; write it like \"192.168.0.11:8801\""
    );
}

#[test]
fn loopback_is_no_name_for_others() {
    for (text, wanted) in [
        ("127.0.0.1:1", true),
        ("[::1]:1", true),
        ("localhost:1", true),
        ("10.0.0.1:1", false),
        ("h:1", false),
    ] {
        assert_eq!(text.parse::<Endpoint>().unwrap().is_loopback(), wanted, "{text}");
    }
}
