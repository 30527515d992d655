//! Addresses: the endpoint that names a node, and where the HTTP API listens.

use crate::field::{Field, Mismatch, text};
use crate::node::{Node, quoted};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Why a text is no address, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}; {cure}")]
pub struct AddressError {
    /// What is wrong with it.
    pub what: String,
    /// What to write instead.
    pub cure: String,
}

fn refuse<T>(what: impl Into<String>, cure: impl Into<String>) -> Result<T, AddressError> {
    Err(AddressError { what: what.into(), cure: cure.into() })
}

/// `host:port` of an agent, which is also the node's name: an IPv4 address, an IPv6 address in brackets, or a host name.
///
/// Two endpoints are the same node when their texts are equal; nothing is resolved.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Endpoint {
    host: String,
    port: u16,
}

impl Endpoint {
    /// The address or host name, an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, never 0.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The host is this very machine's loopback, which no other node can reach.
    pub fn is_loopback(&self) -> bool {
        match self.host.parse::<IpAddr>() {
            Ok(address) => address.is_loopback(),
            Err(_) => self.host.eq_ignore_ascii_case("localhost"),
        }
    }
}

impl Default for Endpoint {
    /// 127.0.0.1:8080.
    fn default() -> Self {
        Endpoint { host: Ipv4Addr::LOCALHOST.to_string(), port: 8080 }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_address(f, &self.host, self.port)
    }
}

fn write_address(f: &mut fmt::Formatter<'_>, host: &str, port: u16) -> fmt::Result {
    if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
}

impl FromStr for Endpoint {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (host, port) = split(text)?;
        let Some(host) = host else {
            return refuse(
                format!("{} has no host, and the endpoint is the node's name for the others", quoted(text)),
                format!("write this host's address before it, like \"192.168.0.11:{port}\""),
            );
        };
        if host.parse::<IpAddr>().is_ok_and(|address| address.is_unspecified()) {
            return refuse(
                format!(
                    "{} is every address of this host, and the endpoint is the node's name for the others",
                    quoted(text)
                ),
                format!("write this host's own address, like \"192.168.0.11:{port}\""),
            );
        }
        Ok(Endpoint { host, port })
    }
}

/// Where the HTTP API listens: `host:port`, or `:port` for every address of the host.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ListenAddress {
    host: Option<String>,
    port: u16,
}

impl ListenAddress {
    /// The address or host name, an IPv6 address without its brackets; `None` means every address of this host.
    pub fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// The port, never 0.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Both cannot listen at the same time on one host.
    pub(crate) fn collides(&self, endpoint: &Endpoint) -> bool {
        let everywhere = match &self.host {
            None => true,
            Some(host) => host.parse::<IpAddr>().is_ok_and(|address| address.is_unspecified()),
        };
        self.port == endpoint.port && (everywhere || self.host.as_deref() == Some(endpoint.host()))
    }
}

impl Default for ListenAddress {
    /// :6060.
    fn default() -> Self {
        ListenAddress { host: None, port: 6060 }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            None => write!(f, ":{}", self.port),
            Some(host) => write_address(f, host, self.port),
        }
    }
}

impl FromStr for ListenAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (host, port) = split(text)?;
        Ok(ListenAddress { host, port })
    }
}

/// Host (absent in `:8080`) and port of a text.
fn split(text: &str) -> Result<(Option<String>, u16), AddressError> {
    let example = "write it like \"192.168.0.11:8801\"";
    if text.is_empty() {
        return refuse("is empty", example);
    }
    if text.contains("://") {
        return refuse(format!("{} is a URL", quoted(text)), example);
    }
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((host, port)) => (host, port.strip_prefix(':')),
            None => {
                return refuse(
                    format!("{} has no closing bracket", quoted(text)),
                    "write it like \"[fd00::11]:8801\"",
                );
            }
        },
        None => match text.rsplit_once(':') {
            Some((host, _)) if host.contains(':') => {
                return refuse(
                    format!("{} is an IPv6 address without brackets", quoted(text)),
                    "write it like \"[fd00::11]:8801\"",
                );
            }
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let Some(port) = port else {
        return refuse(format!("{} has no port", quoted(text)), example);
    };
    let port = match port.parse::<u16>() {
        Ok(number) if number > 0 && port.bytes().all(|b| b.is_ascii_digit()) => number,
        _ => return refuse(format!("{} is no port", quoted(port)), "give a port from 1 to 65535"),
    };
    if host.is_empty() {
        return Ok((None, port));
    }
    check_host(host, text.starts_with('['))?;
    Ok((Some(host.to_owned()), port))
}

/// Checks a host without port, an IPv6 address without brackets; it must be one host that others can reach.
pub(crate) fn check_lone_host(host: &str) -> Result<(), AddressError> {
    if host.parse::<IpAddr>().is_ok_and(|address| address.is_unspecified()) {
        return refuse(
            format!("{} is every address of this host", quoted(host)),
            "write the host's own address",
        );
    }
    check_host(host, host.matches(':').count() > 1)
}

/// An address, or a name that a resolver could know.
fn check_host(host: &str, in_brackets: bool) -> Result<(), AddressError> {
    if in_brackets {
        return match host.parse::<Ipv6Addr>() {
            Ok(_) => Ok(()),
            Err(_) => {
                refuse(format!("{} is no IPv6 address", quoted(host)), "write it like \"[fd00::11]:8801\"")
            }
        };
    }
    if host.parse::<Ipv4Addr>().is_ok() {
        return Ok(());
    }
    if host.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return refuse(format!("{} is no IPv4 address", quoted(host)), "correct the address");
    }
    // With one dot at the end, as full names may have.
    let labels = host.strip_suffix('.').unwrap_or(host).split('.');
    let fits = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if host.len() <= 253 && labels.into_iter().all(fits) {
        return Ok(());
    }
    refuse(
        format!("{} is neither an address nor a host name", quoted(host)),
        "use an address, or a name of letters, digits, - and .",
    )
}

macro_rules! address_field {
    ($type:ty, $name:literal, $example:literal) => {
        impl Field for $type {
            fn read(node: &Node) -> Result<Self, Vec<Mismatch>> {
                text(node)?.trim().parse().map_err(|error: AddressError| Mismatch::new(error.what, error.cure))
            }

            fn show(&self) -> serde_json::Value {
                serde_json::Value::String(self.to_string())
            }
        }

        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": "string", "examples": [$example]})
            }
        }
    };
}

address_field!(Endpoint, "Endpoint", "192.168.0.11:8801");
address_field!(ListenAddress, "ListenAddress", ":6060");
