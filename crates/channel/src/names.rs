//! How a certificate names a node.
//!
//! With a shared secret a certificate names the whole endpoint, port included: two nodes of one host are two senders.
//! A port has no place in a DNS name, so the endpoint's bytes are written as hexadecimal labels below a domain that
//! no resolver serves. With an operator's own CA the certificate names the host, as every other certificate does.

use rustls::pki_types::ServerName;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// The sender name of the command line, which has no endpoint.
pub const CLI_NAME: &str = "cli";

/// Reserved by ICANN for private use, so no public certificate can ever carry such a name.
const SUFFIX: &str = ".xenon.internal";
/// Even, so that no byte is split between two labels; with the `n-` of the first one under the limit of 63.
const LABEL_HEX: usize = 60;
/// More bytes than this would not fit into the 253 characters of a DNS name.
const LONGEST_SPELLED_OUT: usize = 112;

/// Which names the certificates of this cluster carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Naming {
    /// The encoded endpoint: certificates made from the shared secret.
    Endpoint,
    /// The host alone: certificates of the operator's own CA.
    Host,
}

impl Naming {
    /// The name that the certificate of `endpoint` must be valid for; `None` where the endpoint cannot have one.
    pub(crate) fn server_name(self, endpoint: &str) -> Option<ServerName<'static>> {
        let name = match self {
            Self::Endpoint => encode(endpoint),
            Self::Host => split_endpoint(endpoint)?.0.to_owned(),
        };
        ServerName::try_from(name).ok()
    }
}

/// The DNS name that stands for `endpoint` in a certificate.
pub(crate) fn encode(endpoint: &str) -> String {
    if endpoint.len() > LONGEST_SPELLED_OUT {
        return format!("h-{}{SUFFIX}", labels(&Sha256::digest(endpoint.as_bytes())));
    }
    format!("n-{}{SUFFIX}", labels(endpoint.as_bytes()))
}

fn labels(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2 + 4);
    for (index, byte) in bytes.iter().enumerate() {
        if index > 0 && (index * 2) % LABEL_HEX == 0 {
            text.push('.');
        }
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The endpoint that a certificate's DNS name stands for, for messages to people; `None` for any other name.
pub(crate) fn decode(dns_name: &str) -> Option<String> {
    let hex: Vec<u8> =
        dns_name.strip_prefix("n-")?.strip_suffix(SUFFIX)?.bytes().filter(|byte| *byte != b'.').collect();
    let bytes = hex
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect::<Option<Vec<u8>>>()?;
    String::from_utf8(bytes).ok()
}

/// The names that a certificate presents, made readable: `rustls` reports them as `DnsName("…")`.
pub(crate) fn readable(presented: &[String]) -> String {
    let names: Vec<String> = presented
        .iter()
        .map(|name| {
            let bare =
                name.strip_prefix("DnsName(\"").and_then(|rest| rest.strip_suffix("\")")).unwrap_or(name);
            decode(bare).unwrap_or_else(|| bare.to_owned())
        })
        .collect();
    if names.is_empty() {
        return "nobody".to_owned();
    }
    names.join(", ")
}

/// A name that no certificate of any cluster carries.
pub(crate) fn nobody() -> Option<ServerName<'static>> {
    ServerName::try_from("nobody.invalid").ok()
}

/// Host and port of `host:port` or `[v6]:port`; the brackets are taken off.
pub(crate) fn split_endpoint(endpoint: &str) -> Option<(&str, u16)> {
    let (host, port) = endpoint.rsplit_once(':')?;
    let port = port.parse().ok()?;
    let host = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?,
        // A bare IPv6 address would be ambiguous: its last group looks like a port.
        None if host.contains(':') => return None,
        None => host,
    };
    let odd = |c: char| c.is_control() || c.is_whitespace();
    (!host.is_empty() && !host.contains(odd)).then_some((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_survives_the_way_there_and_back() {
        for endpoint in ["127.0.1.1:8801", "[::1]:1", "cli", &"h".repeat(112)] {
            let name = encode(endpoint);
            assert!(ServerName::try_from(name.clone()).is_ok(), "{name}");
            assert_eq!(decode(&name).as_deref(), Some(endpoint));
        }
    }

    #[test]
    fn a_long_endpoint_is_hashed_into_a_valid_name() {
        let one = encode(&format!("{}:8801", "h".repeat(250)));
        let two = encode(&format!("{}:8802", "h".repeat(250)));
        assert!(ServerName::try_from(one.clone()).is_ok(), "{one}");
        assert_ne!(one, two);
        assert_eq!(decode(&one), None);
    }

    #[test]
    fn endpoints_split_into_host_and_port() {
        assert_eq!(split_endpoint("db1:8801"), Some(("db1", 8801)));
        assert_eq!(split_endpoint("[fe80::1]:8801"), Some(("fe80::1", 8801)));
        for bad in ["db1", ":8801", "db1:", "db1:70000", "::1:8801", "[::1:8801", "d b:1", "db\n:1"] {
            assert_eq!(split_endpoint(bad), None, "{bad}");
        }
    }

    #[test]
    fn no_other_name_is_read_as_an_endpoint() {
        for other in
            ["db1.example.com", "n-zz.xenon.internal", "n-6.xenon.internal.evil", "n-\u{e9}.xenon.internal"]
        {
            assert_eq!(decode(other), None, "{other}");
        }
    }
}
