//! `peers.json` of the Go tool: the member list that it kept under `raft.meta-datadir`.

use crate::address::{AddressError, Endpoint};
use crate::node::{Node, Value};
use crate::parse::TEXT_LIMIT_BYTES;
use crate::places::places;

/// What the Go tool remembered of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LegacyPeers {
    /// Its term; 0 when absent.
    pub view_id: u64,
    /// Its version of the member list; 0 when absent.
    pub epoch_id: u64,
    /// Members that vote, this node included, each once.
    pub peers: Vec<Endpoint>,
    /// Members that only follow, each once.
    pub idle_peers: Vec<Endpoint>,
}

/// Why a `peers.json` cannot be taken over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LegacyPeersError {
    /// Not a JSON object.
    #[error("not a peers.json: {0}")]
    Syntax(String),
    /// A key holds something else than it should.
    #[error("{key}: expected {expected}")]
    Type {
        /// The key, as the Go tool spells it.
        key: &'static str,
        /// What it should hold.
        expected: &'static str,
    },
    /// A member is no address.
    #[error("{key}: {error}")]
    Address {
        /// The key, as the Go tool spells it.
        key: &'static str,
        /// Why.
        error: AddressError,
    },
}

/// Reads a `peers.json`: ViewID, EpochID, Peers, IdlePeers, in any case as the Go tool did. The Kubernetes operator
/// wrote the lists alone; what is absent or null is 0 or empty. Other keys are ignored.
///
/// # Errors
/// See [`LegacyPeersError`].
pub fn legacy_peers(text: &str) -> Result<LegacyPeers, LegacyPeersError> {
    let places = places(text);
    if text.len() > TEXT_LIMIT_BYTES || places.depth > 8 {
        return Err(LegacyPeersError::Syntax("too large or too deep".to_owned()));
    }
    let root = Node::parse(text, &places).map_err(|error| LegacyPeersError::Syntax(error.to_string()))?;
    let Value::Object(members) = root.value else {
        return Err(LegacyPeersError::Syntax(format!("expected an object, found {}", root.kind())));
    };
    let mut found = LegacyPeers::default();
    for member in &members {
        match member.key.to_ascii_lowercase().as_str() {
            "viewid" => found.view_id = number("ViewID", &member.node)?,
            "epochid" => found.epoch_id = number("EpochID", &member.node)?,
            "peers" => found.peers = list("Peers", &member.node)?,
            "idlepeers" => found.idle_peers = list("IdlePeers", &member.node)?,
            _ => {}
        }
    }
    Ok(found)
}

fn number(key: &'static str, node: &Node) -> Result<u64, LegacyPeersError> {
    match node.value {
        Value::Null => Ok(0),
        Value::Whole(number) => Ok(number),
        _ => Err(LegacyPeersError::Type { key, expected: "a whole number" }),
    }
}

fn list(key: &'static str, node: &Node) -> Result<Vec<Endpoint>, LegacyPeersError> {
    let items = match &node.value {
        Value::Null => return Ok(Vec::new()),
        Value::List(items) => items,
        _ => return Err(LegacyPeersError::Type { key, expected: "a list of addresses" }),
    };
    let mut endpoints: Vec<Endpoint> = Vec::new();
    for item in items {
        let Value::Text(text) = &item.value else {
            return Err(LegacyPeersError::Type { key, expected: "a list of addresses" });
        };
        let endpoint = text.trim().parse().map_err(|error| LegacyPeersError::Address { key, error })?;
        if !endpoints.contains(&endpoint) {
            endpoints.push(endpoint);
        }
    }
    Ok(endpoints)
}
