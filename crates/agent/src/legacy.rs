//! Taking over the member list of the Go tool (`peers.json`), once, on the very first start.

use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::Path;
use xenon_config::{LegacyPeers, legacy_peers};
use xenon_election::{ConfigId, GroupConfig, Member, NodeId, Record, Rejoin, Standing};
use xenon_gtid::Uuid;

/// The Go tool's file in `raft.meta-datadir`.
const FILE: &str = "peers.json";

/// A first record out of the Go tool's member list; `None` when there is none, or it knows nobody else.
///
/// # Errors
/// The file is there and cannot be used: starting as a node without a cluster would surprise its owner.
pub(crate) fn record(meta_dir: &Path, me: &NodeId) -> anyhow::Result<Option<Record>> {
    let path = meta_dir.join(FILE);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            anyhow::bail!("cannot read {}: {error}; make it readable, or move it away", path.display())
        }
    };
    let peers = legacy_peers(&text).map_err(|error| {
        anyhow::anyhow!(
            "{} of the Go tool: {error}; repair it, or move it away to start as a new node",
            path.display()
        )
    })?;
    Ok(config(&peers, me).map(|config| Record { config: Some(config), ..Record::default() }))
}

/// Every node makes the same config out of the same list, so nobody has to tell anybody: the cluster's UUID is derived
/// from the members. Lists that differ make two clusters, of which the smaller UUID prevails (C4).
fn config(peers: &LegacyPeers, me: &NodeId) -> Option<GroupConfig> {
    let mut members = BTreeMap::new();
    for idle in &peers.idle_peers {
        members.insert(NodeId::new(idle.to_string()), Member::new(Standing::Idle));
    }
    for voter in &peers.peers {
        members.insert(NodeId::new(voter.to_string()), Member::voter());
    }
    if members.len() < 2 || !members.contains_key(me) {
        return None;
    }
    let mut hash = Sha256::new();
    for (id, member) in &members {
        hash.update(id.as_str());
        hash.update([b'\n', u8::from(member.standing == Standing::Idle)]);
    }
    let digest: [u8; 32] = hash.finalize().into();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    // Version 8 of RFC 9562: content of one's own choice.
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let cluster = Uuid::from_bytes(bytes);
    Some(GroupConfig {
        cluster,
        id: ConfigId { term: 0, version: 1 },
        members,
        paused: false,
        rejoin: Rejoin::default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, me: &str) -> anyhow::Result<Option<Record>> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), text).unwrap();
        record(folder.path(), &NodeId::new(me))
    }

    #[test]
    fn every_member_makes_the_same_cluster_of_it() {
        let a = r#"{"ViewID":5,"EpochID":2,"Peers":["10.0.0.1:8801","10.0.0.2:8801"],"IdlePeers":["10.0.0.3:8801"]}"#;
        let b = r#"{"Peers":["10.0.0.2:8801","10.0.0.1:8801"],"IdlePeers":["10.0.0.3:8801"]}"#;
        let (first, second) = (read(a, "10.0.0.1:8801").unwrap(), read(b, "10.0.0.2:8801").unwrap());
        assert_eq!(first, second);
        let config = first.unwrap().config.unwrap();
        assert_eq!(config.voters().count(), 2);
        assert_eq!(config.standing(&NodeId::new("10.0.0.3:8801")), Some(Standing::Idle));
    }

    #[test]
    fn a_list_without_others_or_without_this_node_is_no_cluster() {
        assert_eq!(read(r#"{"Peers":["10.0.0.1:8801"]}"#, "10.0.0.1:8801").unwrap(), None);
        assert_eq!(read(r#"{"Peers":["10.0.0.1:8801","10.0.0.2:8801"]}"#, "10.0.0.9:8801").unwrap(), None);
        assert_eq!(record(Path::new("/nonexistent"), &NodeId::new("a:1")).unwrap(), None);
    }

    #[test]
    fn a_damaged_file_stops_the_start_and_says_what_to_do() {
        let error = read("{", "10.0.0.1:8801").unwrap_err().to_string();
        assert!(error.contains("move it away"), "{error}");
    }
}
