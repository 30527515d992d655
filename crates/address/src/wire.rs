//! Frames out of an interface and claims in from it, by packet sockets.

use crate::Error;
use crate::frame::{self, Mac};
use crate::link::Link;
use nix::sys::socket::{LinkAddr, MsgFlags, recvfrom, setsockopt, sockopt::BindToDevice};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, Protocol, RecvFlags, SocketFlags, SocketType, ipproto, socket_with};
use std::io;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// Frames that are read at once, at most: on a busy network there is always one more.
const AT_ONCE: usize = 256;

/// Somebody has an address; without a hardware address when it was not said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// The address.
    pub ip: IpAddr,
    /// Whose.
    pub mac: Option<Mac>,
}

/// One Ethernet interface.
pub struct Wire {
    to: LinkAddr,
    mac: Mac,
    arp: OwnedFd,
    icmp: Option<OwnedFd>,
}

impl Wire {
    /// `ipv6`: hears neighbour discovery, too. `None` when the interface is no Ethernet: there is nobody to tell.
    ///
    /// # Errors
    /// No right to do so, or the interface has gone.
    pub fn open(link: &Link, ipv6: bool) -> Result<Option<Wire>, Error> {
        let Some(mac) = link.mac.filter(|_| !link.loopback) else { return Ok(None) };
        let failed = |error: io::Error| Error::of(format!("opening a packet socket on {}", link.name), error);
        let to = address(link.index).map_err(failed)?;
        // Of ARP alone: a socket that hears everything costs every packet of this host. Not bound to the interface: for that
        // the kernel waits until all its processors have seen it (10 ms), so what others say is told apart when it comes.
        let protocol = NonZeroU32::new(u32::from(0x0806_u16.to_be())).map(Protocol::from_raw);
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let arp = socket_with(AddressFamily::PACKET, SocketType::RAW, flags, protocol)
            .map_err(|error| failed(error.into()))?;
        let icmp = if ipv6 { Some(listen_icmp(&link.name).map_err(failed)?) } else { None };
        Ok(Some(Wire { to, mac, arp, icmp }))
    }

    pub(crate) fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        [Some(&self.arp), self.icmp.as_ref()].into_iter().flatten().map(AsFd::as_fd)
    }

    /// Asks who has it.
    ///
    /// # Errors
    /// The frame does not leave: the interface is down, say.
    pub fn ask(&self, ip: IpAddr) -> Result<(), Error> {
        self.send(&frame::probe(ip, self.mac))
            .map_err(|error| Error::of(format!("asking who has {ip}"), error))
    }

    /// Tells everybody that it is here.
    ///
    /// # Errors
    /// A frame does not leave.
    pub fn announce(&self, ip: IpAddr) -> Result<(), Error> {
        for frame in frame::announcements(ip, self.mac) {
            self.send(&frame).map_err(|error| Error::of(format!("announcing {ip}"), error))?;
        }
        Ok(())
    }

    fn send(&self, frame: &[u8]) -> io::Result<()> {
        nix::sys::socket::sendto(self.arp.as_raw_fd(), frame, &self.to, MsgFlags::empty())?;
        Ok(())
    }

    /// What others said since the last time.
    pub fn claims(&self) -> Vec<Probe> {
        let mut claims = Vec::new();
        let mut buffer = [0; 1600];
        for _ in 0..AT_ONCE {
            // It does not wait: the socket is made so.
            let Ok((length, from)) = recvfrom::<LinkAddr>(self.arp.as_raw_fd(), &mut buffer) else { break };
            if from.is_some_and(|from| from.ifindex() != self.to.ifindex()) {
                continue;
            }
            let claim = frame::arp_claim(buffer.get(..length).unwrap_or_default());
            claims.extend(claim.map(|(ip, mac)| Probe { ip: ip.into(), mac: Some(mac) }));
        }
        for _ in 0..AT_ONCE {
            let Some(icmp) = &self.icmp else { break };
            let Ok((_, length)) = rustix::net::recv(icmp, &mut buffer[..], RecvFlags::DONTWAIT) else {
                break;
            };
            let claim = frame::icmp_claim(buffer.get(..length).unwrap_or_default());
            claims.extend(claim.map(|(ip, mac)| Probe { ip: ip.into(), mac }));
        }
        // Frames of its own come back from some networks.
        claims.retain(|claim| claim.mac != Some(self.mac));
        claims
    }

    /// Waits until something is said, or the time is over.
    pub(crate) fn wait(&self, until: Instant) {
        let Some(left) = until.checked_duration_since(Instant::now()) else { return };
        let mut fds: Vec<PollFd<'_>> =
            self.fds().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
        // Whatever ends the waiting, the caller looks at the clock and at what came.
        let _ = poll(&mut fds, Some(&timespec(left)));
    }
}

pub(crate) fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: duration.subsec_nanos().into(),
    }
}

/// The kernel's own name for an interface among packet sockets.
fn address(index: u32) -> io::Result<LinkAddr> {
    nix::ifaddrs::getifaddrs()?
        .filter_map(|interface| interface.address?.as_link_addr().copied())
        .find(|address| u32::try_from(address.ifindex()) == Ok(index))
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the interface has gone"))
}

fn listen_icmp(name: &str) -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::INET6, SocketType::RAW, flags, Some(ipproto::ICMPV6))?;
    setsockopt(&socket, BindToDevice, &name.into())?;
    Ok(socket)
}
