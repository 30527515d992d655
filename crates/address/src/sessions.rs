//! Connections to an address that goes: their clients are told at once.
//!
//! Without it, a client that waits for an answer waits until it loses patience: what the server still sends cannot leave
//! from an address that is not here any more, and the client has nothing to send that somebody could refuse.

use crate::Error;
use crate::netlink::{ACK, DUMP, Message, REQUEST, Socket};
use nix::sys::socket::SockProtocol;
use std::net::IpAddr;
use std::time::{Duration, Instant};

const BY_FAMILY: u16 = 20;
const DESTROY: u16 = 21;
const TCP: u8 = 6;
/// All states but listening and those in which nobody waits any more.
const STATES: u32 = !(1 << 10 | 1 << 6 | 1 << 7 | 1 << 0);
const FAMILIES: [u8; 2] = [2, 10];
/// Family, state, timer, retransmissions; then what names the connection.
const ID: std::ops::Range<usize> = 4..52;

/// Resets the TCP connections whose end here is one of these addresses. Says how many; stops at the bound, for the address
/// goes with or without it.
///
/// # Errors
/// The kernel cannot do so (`CONFIG_INET_DIAG_DESTROY`), or does not let us.
pub fn reset(ips: &[IpAddr], bound: Duration) -> Result<usize, Error> {
    let until = Instant::now() + bound;
    let failed = |error: std::io::Error| Error::of("resetting connections", error);
    let mut socket = Socket::open(SockProtocol::NetlinkSockDiag, 0).map_err(failed)?;
    let mut count = 0;
    for family in FAMILIES {
        let request = || {
            Message::new(BY_FAMILY, REQUEST | DUMP)
                .put(&[family, TCP, 0, 0])
                .put(&STATES.to_ne_bytes())
                .put(&[0; 48])
        };
        let found = socket
            .dump(request, |message| {
                let id = message.body.get(ID)?;
                local(family, id).filter(|ip| ips.contains(ip)).map(|_| id.to_vec())
            })
            .map_err(failed)?;
        for id in found {
            if Instant::now() > until {
                return Ok(count);
            }
            let message = Message::new(DESTROY, REQUEST | ACK)
                .put(&[family, TCP, 0, 0])
                .put(&STATES.to_ne_bytes())
                .put(&id);
            match socket.ask(message) {
                Ok(()) => count += 1,
                // It ended by itself.
                Err(error) if error.raw_os_error() == Some(nix::errno::Errno::ENOENT as i32) => {}
                Err(error) => return Err(failed(error)),
            }
        }
    }
    Ok(count)
}

/// This host's end: ports, then the source's 16 bytes. A server that listens for both families has IPv4 as mapped IPv6.
fn local(family: u8, id: &[u8]) -> Option<IpAddr> {
    let source: [u8; 16] = id.get(4..20)?.try_into().ok()?;
    if family == 2 {
        let [a, b, c, d, ..] = source;
        return Some(IpAddr::from([a, b, c, d]));
    }
    Some(IpAddr::from(source).to_canonical())
}
