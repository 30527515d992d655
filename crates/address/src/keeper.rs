//! The thread of the agent that has the address in its hands.
//!
//! It does nothing without being told, and holds nothing longer than it was told: `Hold` says until when. The agent's loop
//! says so with every heartbeat that a majority has answered, so a loop that hangs loses the address, too.

use crate::moment::Moment;
use crate::work::Work;
use crate::{Error, Mac, Service};
use rustix::event::{EventfdFlags, eventfd};
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::sync::{Arc, mpsc};
use std::time::Instant;

/// Commands that wait for the thread.
const QUEUE: usize = 64;
/// What is to be kept.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The addresses.
    pub services: Vec<Service>,
    /// Their interface; `None`: the one that has their network.
    pub interface: Option<String>,
}

/// What the agent wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// It may be wanted here soon: find out who has it.
    Prepare,
    /// Take it; it may stay until then.
    Take {
        /// Until when.
        until: Moment,
    },
    /// It may stay until then.
    Hold {
        /// Until when.
        until: Moment,
    },
    /// Give it up.
    Drop,
}

/// How it was taken.
#[derive(Debug, Clone, PartialEq)]
pub struct Taken {
    /// From the command to the last first announcement, milliseconds.
    pub ms: f64,
    /// What is where.
    pub places: Vec<(Service, String)>,
    /// Who said that it has one of them, and did not stop saying so.
    pub others: Vec<(IpAddr, Option<Mac>)>,
}

/// What has happened.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// It is here, and the network knows.
    Taken(Taken),
    /// It is not, or not wholly.
    NotTaken(String),
    /// It is not here any more.
    Dropped {
        /// Addresses that were removed.
        removed: usize,
        /// Connections to them that were reset.
        reset: usize,
        /// How long it took, milliseconds.
        ms: f64,
    },
    /// It may still be here.
    NotDropped(String),
    /// Nobody said in time that it may stay, so it was given up.
    Lapsed,
    /// Somebody had removed it, and it is back.
    PutBack {
        /// Which.
        ip: IpAddr,
        /// Where.
        link: String,
    },
    /// It was here without being wanted, and was removed.
    Uninvited(IpAddr),
    /// What is wrong now.
    Troubles(Vec<String>),
}

/// A handle of the thread.
pub struct Keeper {
    commands: mpsc::SyncSender<(Instant, Command)>,
    wake: Arc<OwnedFd>,
}

impl Keeper {
    /// Starts it. `tell` is called on it, and must not wait.
    ///
    /// # Errors
    /// No thread, or no netlink.
    pub fn start(settings: Settings, tell: impl Fn(News) + Send + 'static) -> Result<Keeper, Error> {
        let failed = |error: std::io::Error| Error::of("starting a thread for the address", error);
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|error| failed(error.into()))?;
        let wake = Arc::new(wake);
        let (commands, queue) = mpsc::sync_channel(QUEUE);
        let work = Work::new(settings, Box::new(tell))?;
        let ear = Arc::clone(&wake);
        std::thread::Builder::new()
            .name("address".to_owned())
            .spawn(move || work.run(&queue, &ear))
            .map_err(failed)?;
        Ok(Keeper { commands, wake })
    }

    /// Says what is wanted. `false`: the thread does not keep up, or is gone.
    pub fn send(&self, command: Command) -> bool {
        let sent = self.commands.try_send((Instant::now(), command)).is_ok();
        // A counter that is full wakes as well.
        let _ = rustix::io::write(&*self.wake, &1_u64.to_ne_bytes());
        sent
    }
}
