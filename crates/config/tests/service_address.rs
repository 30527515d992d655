//! The service address: how it is written, and what is refused.

use std::path::Path;
use xenon_config::{Config, explain, parse};

fn text(address: &str, raft: &str) -> String {
    format!(
        r#"{{
"server": {{"endpoint": "10.0.0.1:8801"}},
"address": {{{address}}},
"raft": {{{raft}}},
"mysql": {{"admin": "root"}},
"replication": {{"user": "r", "passwd": "p"}}
}}"#
    )
}

fn read(address: &str) -> Config {
    parse(&text(address, ""), Path::new("f")).unwrap_or_else(|findings| panic!("{findings}")).config
}

fn told(address: &str, raft: &str) -> String {
    let findings = match parse(&text(address, raft), Path::new("f")) {
        Ok(loaded) => loaded.warnings,
        Err(findings) => findings,
    };
    findings.to_string()
}

#[test]
fn one_or_several_or_none() {
    let list = |address: &str| -> Vec<String> {
        read(address).address.service_address.iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        list(r#""service-address": ["10.0.0.100/24", "fd00::100/64"]"#),
        ["10.0.0.100/24", "fd00::100/64"]
    );
    assert_eq!(list(r#""service-address": "10.0.0.100""#), ["10.0.0.100/32"]);
    for none in ["", r#""service-address": []"#, r#""service-address": """#, r#""service-address": null"#] {
        assert_eq!(list(none), [""; 0], "{none}");
    }
    let loaded = parse(&text(r#""service-address": ["10.0.0.100/24"]"#, ""), Path::new("f")).unwrap();
    let shown =
        explain(&loaded).into_iter().find(|setting| setting.key == "address.service-address").unwrap();
    assert_eq!(shown.value.to_string(), r#"["10.0.0.100/24"]"#);
}

#[test]
fn what_cannot_be_one_is_refused_with_its_place() {
    let table = [
        (r#""service-address": ["10.0.0"]"#, "\"10.0.0\" is no IP address"),
        (r#""service-address": ["10.0.0.100/33"]"#, "is no IP address"),
        (r#""service-address": [7]"#, "expected text"),
        (r#""service-address": {}"#, "expected a list of addresses"),
        (r#""service-address": ["127.0.0.1/8"]"#, "no address that clients reach"),
        (r#""service-address": ["224.0.0.1/24"]"#, "no address that clients reach"),
        (r#""service-address": ["10.0.0.1/24"]"#, "this node's own address"),
        (r#""service-address": ["10.0.0.9/0"]"#, "prefix of no bits"),
        (r#""service-address": ["10.0.0.9/24", "10.0.0.9/32"]"#, "given twice"),
        (
            r#""service-address": ["10.0.0.9/24"], "service-interface": "eth0; reboot""#,
            "no name of a network interface",
        ),
    ];
    for (address, wanted) in table {
        let told = told(address, "");
        assert!(told.contains(wanted) && told.contains("f:3:"), "{address}: {told}");
    }
    let many: Vec<String> = (1..=9).map(|last| format!("\"10.1.0.{last}/24\"")).collect();
    assert!(
        told(&format!("\"service-address\": [{}]", many.join(",")), "").contains("9 addresses are too many")
    );
}

#[test]
fn what_is_odd_is_warned_of() {
    let both = told(
        r#""service-address": ["10.0.0.9/24"]"#,
        r#""leader-start-command": "ip addr add 10.0.0.9/24 dev eth0", "leader-stop-command": "true""#,
    );
    assert!(both.contains("warning") && both.contains("10.0.0.9 is moved by the agent and by"), "{both}");
    let other = told(
        r#""service-address": ["10.0.0.9/24"]"#,
        r#""leader-start-command": "curl http://10.0.0.99/", "leader-stop-command": "true""#,
    );
    assert_eq!(other, "", "another address that begins like it");
    assert!(told(r#""service-interface": "eth0""#, "").contains("does nothing without service-address"));
    assert!(
        told(r#""service-address": ["10.0.0.9/24"]"#, r#""witness": true"#)
            .contains("a witness never holds it")
    );
}
