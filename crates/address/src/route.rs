//! Addresses and interfaces of this host, by netlink.

use crate::frame::Mac;
use crate::link::Link;
use crate::netlink::{
    ACK, CREATE, DUMP, Message, REPLACE, REQUEST, Received, Socket, attributes, messages, u16_at, u32_at,
};
use crate::{Error, Service};
use nix::sys::socket::SockProtocol;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::BorrowedFd;

const NEW_LINK: u16 = 16;
const DEL_LINK: u16 = 17;
const GET_LINK: u16 = 18;
const NEW_ADDRESS: u16 = 20;
const DEL_ADDRESS: u16 = 21;
const GET_ADDRESS: u16 = 22;

const GROUP_LINK: u32 = 0x1;
const GROUP_IPV4_ADDRESS: u32 = 0x10;
const GROUP_IPV6_ADDRESS: u32 = 0x100;

const IPV4: u8 = 2;
const IPV6: u8 = 10;

/// No detection of duplicates by the kernel: it takes a second, in which the address does not work. Ours is done before.
const NO_DETECTION: u8 = 0x02;

/// What is known of an address that this host has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Index of its interface.
    pub link: u32,
    /// The address and its prefix.
    pub service: Service,
    /// It has no end: whoever added it set no lifetime, and ours always have one.
    pub permanent: bool,
}

/// What has changed, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Added(IpAddr),
    Removed(IpAddr),
    Link,
    /// Events were lost: look anew.
    Lost,
}

/// Asks the kernel for addresses, and to change them.
pub struct Routes {
    socket: Socket,
}

impl Routes {
    /// # Errors
    /// There are no netlink sockets.
    pub fn open() -> Result<Routes, Error> {
        let socket = Socket::open(SockProtocol::NetlinkRoute, 0)
            .map_err(|error| Error::of("opening a netlink socket", error))?;
        Ok(Routes { socket })
    }

    /// All interfaces.
    ///
    /// # Errors
    /// The kernel does not say.
    pub fn links(&mut self) -> Result<Vec<Link>, Error> {
        let request = || Message::new(GET_LINK, REQUEST | DUMP).put(&[0; 16]);
        self.socket.dump(request, link).map_err(|error| Error::of("listing the interfaces", error))
    }

    /// All addresses.
    ///
    /// # Errors
    /// The kernel does not say.
    pub fn addresses(&mut self) -> Result<Vec<Held>, Error> {
        let request = || Message::new(GET_ADDRESS, REQUEST | DUMP).put(&[0; 8]);
        self.socket.dump(request, held).map_err(|error| Error::of("listing the addresses", error))
    }

    /// Adds an address, or makes one that is there last longer. The kernel itself removes it after `valid_s` seconds.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn add(&mut self, link: &Link, service: Service, valid_s: u32) -> Result<(), Error> {
        let octets = octets(service.ip);
        // An IPv6 address that is not preferred is not chosen as the source of this host's own connections, which would
        // break with it. IPv4 has other rules for that, and secondary addresses are not chosen.
        let preferred_s = if service.ip.is_ipv4() { valid_s } else { 0 };
        let mut lifetime = Vec::from(preferred_s.to_ne_bytes());
        lifetime.extend(valid_s.to_ne_bytes());
        lifetime.extend([0; 8]);
        let flags = if service.ip.is_ipv6() { NO_DETECTION } else { 0 };
        let message = Message::new(NEW_ADDRESS, REQUEST | ACK | CREATE | REPLACE)
            .put(&[family(service.ip), service.prefix, flags, 0])
            .put(&link.index.to_ne_bytes())
            .attribute(2, &octets)
            .attribute(1, &octets)
            .attribute(6, &lifetime);
        self.socket
            .ask(message)
            .map_err(|error| Error::of(format!("adding {service} to {}", link.name), error))
    }

    /// Removes an address wherever this host has it, with whatever prefix. Says from how many places.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn remove(&mut self, ip: IpAddr) -> Result<usize, Error> {
        let places: Vec<Held> = self.addresses()?.into_iter().filter(|held| held.service.ip == ip).collect();
        for held in &places {
            let message = Message::new(DEL_ADDRESS, REQUEST | ACK)
                .put(&[family(ip), held.service.prefix, 0, 0])
                .put(&held.link.to_ne_bytes())
                .attribute(2, &octets(ip));
            match self.socket.ask(message) {
                // It went by itself in this moment: that is what was wanted.
                Err(error) if error.raw_os_error() == Some(nix::errno::Errno::EADDRNOTAVAIL as i32) => {}
                done => done.map_err(|error| Error::of(format!("removing {ip}"), error))?,
            }
        }
        Ok(places.len())
    }
}

/// Hears of changes.
pub(crate) struct Changes {
    socket: Socket,
}

impl Changes {
    pub(crate) fn open() -> Result<Changes, Error> {
        let groups = GROUP_LINK | GROUP_IPV4_ADDRESS | GROUP_IPV6_ADDRESS;
        let socket = Socket::open(SockProtocol::NetlinkRoute, groups)
            .map_err(|error| Error::of("opening a netlink socket for events", error))?;
        Ok(Changes { socket })
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.socket.fd()
    }

    /// What has changed since the last time, at most so many datagrams of it.
    pub(crate) fn read(&mut self) -> Vec<Change> {
        let mut changes = Vec::new();
        for _ in 0..64 {
            match self.socket.event() {
                Ok(Some(bytes)) => changes.extend(messages(bytes).filter_map(|message| change(&message))),
                Ok(None) => break,
                Err(_) => {
                    changes.push(Change::Lost);
                    break;
                }
            }
        }
        changes
    }
}

fn change(message: &Received<'_>) -> Option<Change> {
    match message.kind {
        NEW_ADDRESS => Some(Change::Added(held_at(message)?.service.ip)),
        DEL_ADDRESS => Some(Change::Removed(held_at(message)?.service.ip)),
        NEW_LINK | DEL_LINK => Some(Change::Link),
        _ => None,
    }
}

fn held(message: &Received<'_>) -> Option<Held> {
    if message.kind == NEW_ADDRESS { held_at(message) } else { None }
}

fn held_at(message: &Received<'_>) -> Option<Held> {
    let body = message.body;
    let (prefix, link) = (*body.get(1)?, u32_at(body, 4)?);
    let find = |wanted: u16| {
        attributes(body.get(8..).unwrap_or_default())
            .find(|(kind, _)| *kind == wanted)
            .map(|(_, value)| value)
    };
    // Of a link from point to point the first is this end, the second the other one.
    let ip = address(find(2).or_else(|| find(1))?)?;
    let valid_s = find(6).and_then(|lifetime| u32_at(lifetime, 4)).unwrap_or(u32::MAX);
    Some(Held { link, service: Service { ip, prefix }, permanent: valid_s == u32::MAX })
}

fn link(message: &Received<'_>) -> Option<Link> {
    if message.kind != NEW_LINK {
        return None;
    }
    let body = message.body;
    let (kind, index, flags) = (u16_at(body, 2)?, u32_at(body, 4)?, u32_at(body, 8)?);
    let find = |wanted: u16| {
        attributes(body.get(16..).unwrap_or_default())
            .find(|(kind, _)| *kind == wanted)
            .map(|(_, value)| value)
    };
    let name = find(3)?;
    let name = String::from_utf8_lossy(name.strip_suffix(&[0]).unwrap_or(name)).into_owned();
    let ethernet = kind == 1;
    let mac = find(1).filter(|_| ethernet).and_then(|bytes| <[u8; 6]>::try_from(bytes).ok()).map(Mac);
    Some(Link {
        index,
        name,
        mac,
        up: flags & 0x1 != 0,
        carrier: flags & 0x1_0000 != 0,
        loopback: flags & 0x8 != 0,
    })
}

fn family(ip: IpAddr) -> u8 {
    if ip.is_ipv4() { IPV4 } else { IPV6 }
}

fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => Some(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?).into()),
        16 => Some(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).into()),
        _ => None,
    }
}
