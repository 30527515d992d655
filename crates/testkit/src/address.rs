//! Addresses: every node has its own, on the loopback network or on its host, all with the same ports, as hosts have.

use anyhow::{Result, bail};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};

/// Ports that are tried in turn: those that users know first.
const PORTS: [(u16, u16); 4] = [(8801, 3306), (18801, 13306), (28801, 23306), (38801, 33306)];
/// Blocks of addresses that are tried.
const TRIES: usize = 40;
/// Addresses of a cluster: room for nodes that are added later.
const BLOCK: u8 = 16;

/// Where the nodes of one cluster are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Block {
    /// The address before the first node's.
    base: Ipv4Addr,
    /// Port of the agents; the next one is that of their HTTP API.
    pub(crate) agent_port: u16,
    /// Port of the servers.
    pub(crate) mysql_port: u16,
    /// These are hosts of their own: nobody else listens there.
    on_hosts: bool,
}

impl Block {
    /// A block of which all of the first `nodes` addresses have both ports free.
    pub(crate) fn choose(nodes: usize) -> Result<Self> {
        if nodes == 0 || nodes >= usize::from(BLOCK) {
            bail!("a local cluster has 1 to {} nodes, not {nodes}", BLOCK - 1);
        }
        for ports in PORTS {
            for _ in 0..TRIES / PORTS.len() {
                // Never 127.0.0.*, where other programs of this machine listen.
                let third: u8 = rand::random_range(1..=254);
                let last: u8 = rand::random_range(0..15) * BLOCK;
                let block = Self {
                    base: Ipv4Addr::new(127, 0, third, last),
                    agent_port: ports.0,
                    mysql_port: ports.1,
                    on_hosts: false,
                };
                if (0..nodes).all(|index| block.is_free(index)) {
                    return Ok(block);
                }
            }
        }
        bail!(
            "no free addresses were found: in {TRIES} places of 127.0.0.0/8, one of the ports {} was taken at each; \
             something listens on these ports on all addresses (see with: ss -ltn)",
            PORTS.map(|(agent, mysql)| format!("{agent}, {mysql}")).join(", ")
        )
    }

    /// The addresses of the hosts of a [`Network`](crate::Network).
    pub(crate) fn on_hosts() -> Self {
        let (agent_port, mysql_port) = PORTS[0];
        Self { base: Ipv4Addr::new(10, 77, 0, 0), agent_port, mysql_port, on_hosts: true }
    }

    /// The address of one node, counted from 0.
    pub(crate) fn address(&self, index: usize) -> Ipv4Addr {
        let [a, b, c, d] = self.base.octets();
        let step = u8::try_from(index + 1).unwrap_or(u8::MAX);
        Ipv4Addr::new(a, b, c, d.saturating_add(step))
    }

    /// Nobody listens on any port of a node's address.
    pub(crate) fn is_free(&self, index: usize) -> bool {
        if self.on_hosts {
            return true;
        }
        let address = self.address(index);
        [self.agent_port, self.agent_port + 1, self.mysql_port]
            .into_iter()
            .all(|port| TcpListener::bind(SocketAddrV4::new(address, port)).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_has_different_addresses_with_free_ports() {
        let block = Block::choose(3).expect("free addresses");
        assert_ne!(block.address(0), block.address(1));
        assert_eq!(block.address(0).octets()[2], block.address(2).octets()[2]);
        let held = TcpListener::bind(SocketAddrV4::new(block.address(1), block.mysql_port)).expect("bind");
        assert!(!block.is_free(1));
        drop(held);
        assert!(Block::choose(0).is_err());
        assert!(Block::choose(16).is_err());
    }
}
