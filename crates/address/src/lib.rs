//! The service address: an address of the network that follows the primary.
//!
//! A [`Keeper`] (a thread of the agent) takes it, announces it, watches it and gives it up. A guard ([`guard`], a process of
//! its own) takes it away when the agent does not say in time that it may stay. Both talk to the kernel directly: netlink
//! for addresses, packet sockets for ARP and neighbour discovery. `CAP_NET_ADMIN` and `CAP_NET_RAW` are all it takes.
//!
//! Whoever may hold the address may so until a [`Moment`] of the host's monotonic clock, which two processes read alike: a
//! message that is late changes nothing.

mod frame;
pub mod guard;
mod keeper;
mod link;
mod moment;
mod netlink;
mod rights;
mod route;
mod schedule;
mod sessions;
mod wire;
mod work;

pub use frame::Mac;
pub use keeper::{Command, Keeper, News, Settings, Taken};
pub use link::{Link, NoLink, choose};
pub use moment::Moment;
pub use rights::{Missing, check};
pub use route::{Held, Routes};
pub use sessions::reset;
pub use wire::{Probe, Wire};

use std::io;
use std::net::IpAddr;

/// An address with the length of its network's prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Service {
    /// The address.
    pub ip: IpAddr,
    /// Length of the prefix, bits.
    pub prefix: u8,
}

impl std::fmt::Display for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.ip, self.prefix)
    }
}

/// What the kernel was asked for and did not do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A capability is missing.
    #[error("{doing}: not allowed; {missing}")]
    NotAllowed {
        /// What was to be done.
        doing: String,
        /// Which capabilities are missing.
        missing: Missing,
    },
    /// The interface is not there, or none fits.
    #[error(transparent)]
    NoLink(#[from] NoLink),
    /// Anything else.
    #[error("{doing}: {source}")]
    Io {
        /// What was to be done.
        doing: String,
        /// What the system says.
        source: io::Error,
    },
}

impl Error {
    pub(crate) fn of(doing: impl Into<String>, source: impl Into<io::Error>) -> Error {
        let (doing, source) = (doing.into(), source.into());
        if source.kind() == io::ErrorKind::PermissionDenied {
            return Error::NotAllowed { doing, missing: check().err().unwrap_or_default() };
        }
        Error::Io { doing, source }
    }
}
