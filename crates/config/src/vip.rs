//! A virtual IP address, which follows the primary.

use crate::field::{Field, Mismatch, text};
use crate::node::{Node, Value, quoted};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A virtual IP address with the length of its network prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Vip {
    /// The address.
    pub address: IpAddr,
    /// Length of the prefix, bits.
    pub prefix: u8,
}

/// A text is no virtual IP address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no IP address; write it like 192.168.0.100 or 192.168.0.100/24")]
pub struct VipError(pub String);

impl FromStr for Vip {
    type Err = VipError;

    /// `192.168.0.100`, or with a prefix `192.168.0.100/24`; without one the address alone (/32 or /128).
    fn from_str(text: &str) -> Result<Self, VipError> {
        let refused = || VipError(text.to_owned());
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse::<u8>().map_err(|_| refused())?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| refused())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        match prefix.unwrap_or(longest) {
            prefix if prefix <= longest && !address.is_unspecified() => Ok(Vip { address, prefix }),
            _ => Err(refused()),
        }
    }
}

impl fmt::Display for Vip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl Field for Vip {
    fn read(node: &Node) -> Result<Self, Vec<Mismatch>> {
        let text = text(node)?.trim();
        text.parse().map_err(|_: VipError| {
            Mismatch::new(format!("{} is no IP address", quoted(text)), "write it like \"10.0.0.100/24\"")
        })
    }

    fn show(&self) -> serde_json::Value {
        self.to_string().into()
    }
}

/// One alone may stand without its list.
impl Field for Vec<Vip> {
    fn read(node: &Node) -> Result<Self, Vec<Mismatch>> {
        match &node.value {
            Value::List(items) => items.iter().map(Vip::read).collect(),
            Value::Text(text) if text.trim().is_empty() => Ok(Vec::new()),
            Value::Text(_) => Ok(vec![Vip::read(node)?]),
            _ => Err(Mismatch::new(
                format!("expected a list of addresses, found {}", node.kind()),
                "write it like [\"10.0.0.100/24\"]",
            )),
        }
    }

    fn show(&self) -> serde_json::Value {
        self.iter().map(Field::show).collect()
    }
}

impl JsonSchema for Vip {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Vip".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "examples": ["10.0.0.100/24", "fd00::100/64"]})
    }
}
