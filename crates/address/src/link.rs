//! Which interface an address belongs on.

use crate::Service;
use crate::frame::Mac;
use crate::route::Held;
use std::net::IpAddr;

/// An interface of this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its index.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its hardware address, when it is an Ethernet (or behaves like one): else there is nobody to announce to.
    pub mac: Option<Mac>,
    /// It is switched on.
    pub up: bool,
    /// It is connected to something.
    pub carrier: bool,
    /// It is the loopback.
    pub loopback: bool,
}

/// There is no interface for an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoLink {
    /// The one that the configuration names is not there.
    #[error("this host has no interface {name:?} (address.service-interface); it has {others}")]
    Named {
        /// The name.
        name: String,
        /// What there is.
        others: String,
    },
    /// None has an address of the same network.
    #[error(
        "no interface of this host has an address in the network of {service}: name the one to use \
         (address.service-interface), or correct the prefix"
    )]
    Unknown {
        /// The address.
        service: Service,
    },
}

/// The interface for an address: the one that is named, else the one that has an address of the same network.
///
/// # Errors
/// There is none.
pub fn choose(service: Service, name: Option<&str>, links: &[Link], held: &[Held]) -> Result<Link, NoLink> {
    if let Some(name) = name {
        return links.iter().find(|link| link.name == name).cloned().ok_or_else(|| {
            let others: Vec<&str> = links.iter().map(|link| link.name.as_str()).take(16).collect();
            NoLink::Named { name: name.to_owned(), others: others.join(", ") }
        });
    }
    let beside = held
        .iter()
        .filter(|held| held.service.ip != service.ip)
        .filter(|held| {
            same_network(held.service.ip, service.ip, held.service.prefix)
                || same_network(held.service.ip, service.ip, service.prefix)
        })
        .filter_map(|held| links.iter().find(|link| link.index == held.link && !link.loopback));
    // One that is up before one that is not.
    beside
        .max_by_key(|link| (link.up, link.carrier, std::cmp::Reverse(link.index)))
        .cloned()
        .ok_or(NoLink::Unknown { service })
}

/// What is added. The host's own address in that network brings the route already; then the address comes as a host address,
/// as one of a network could become the primary one of its network, and take the host's own with it when it goes.
pub(crate) fn as_added(service: Service, link: &Link, held: &[Held]) -> Service {
    let covered = held
        .iter()
        .filter(|held| held.link == link.index && held.service.ip != service.ip)
        .any(|held| same_network(held.service.ip, service.ip, held.service.prefix));
    let whole = if service.ip.is_ipv4() { 32 } else { 128 };
    if covered { Service { prefix: whole, ..service } } else { service }
}

/// The first `prefix` bits are equal. With no bits nothing is said.
fn same_network(one: IpAddr, other: IpAddr, prefix: u8) -> bool {
    let bits = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => (u128::from(u32::from(ip)) << 96, 32),
        IpAddr::V6(ip) => (u128::from(ip), 128),
    };
    let ((a, width), (b, other_width)) = (bits(one), bits(other));
    width == other_width && prefix > 0 && prefix <= width && (a ^ b) >> (128 - u32::from(prefix)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(index: u32, name: &str) -> Link {
        Link { index, name: name.to_owned(), mac: None, up: true, carrier: true, loopback: index == 1 }
    }

    fn held(link: u32, ip: &str, prefix: u8) -> Held {
        Held { link, service: service(ip, prefix), permanent: true }
    }

    fn service(ip: &str, prefix: u8) -> Service {
        Service { ip: ip.parse().unwrap(), prefix }
    }

    #[test]
    fn the_one_that_has_the_network() {
        let links = [link(1, "lo"), link(2, "eth0"), link(3, "eth1")];
        let there = [
            held(1, "127.0.0.1", 8),
            held(2, "10.0.0.1", 24),
            held(3, "10.1.0.1", 16),
            held(3, "fd00::1", 64),
        ];
        let name = |ip: &str, prefix: u8| {
            choose(service(ip, prefix), None, &links, &there)
                .map(|link| link.name)
                .map_err(|error| error.to_string())
        };
        assert_eq!(name("10.0.0.100", 24).unwrap(), "eth0");
        // Given as a host address: the network of the host's own address counts.
        assert_eq!(name("10.1.9.100", 32).unwrap(), "eth1");
        assert_eq!(name("fd00::100", 128).unwrap(), "eth1");
        assert!(name("10.7.0.1", 24).unwrap_err().contains("10.7.0.1/24"));
        // Not the loopback, and not because the address itself is there.
        assert!(name("127.0.0.9", 8).is_err());
        let left = [held(2, "10.7.0.1", 24)];
        assert!(choose(service("10.7.0.1", 24), None, &links, &left).is_err());
        assert_eq!(choose(service("10.7.0.1", 24), Some("eth1"), &links, &there).unwrap().name, "eth1");
        let error = choose(service("10.7.0.1", 24), Some("eth9"), &links, &there).unwrap_err().to_string();
        assert!(error.contains("eth9") && error.contains("lo, eth0, eth1"), "{error}");
    }

    #[test]
    fn beside_the_hosts_own_it_is_a_host_address() {
        let eth0 = link(2, "eth0");
        let there = [held(2, "10.0.0.1", 24), held(3, "10.9.0.1", 24)];
        assert_eq!(as_added(service("10.0.0.100", 24), &eth0, &there).prefix, 32);
        assert_eq!(as_added(service("10.9.0.100", 24), &eth0, &there).prefix, 24);
        assert_eq!(as_added(service("fd00::100", 64), &eth0, &[held(2, "fd00::1", 64)]).prefix, 128);
    }
}
