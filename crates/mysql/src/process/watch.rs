//! A running mysqld: seen dying at once, signalled without mistaking another process for it, seen gone.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, pidfd_open, pidfd_send_signal, waitid,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

use super::LOOK_EVERY;
use super::stat::{StatFile, look_once};
use crate::link::until;

/// How a dead process is looked for until it is reaped.
const GONE_LOOK_EVERY: Duration = Duration::from_millis(2);

/// What showed that the process has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeenBy {
    /// Its flags or state in `/proc`: it is on its way out, its memory may not be freed yet.
    ProcStat,
    /// Its pidfd: it has ended.
    PidFd,
}

/// The process has ended or is about to; it serves no client any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExitSeen {
    /// What showed it.
    pub how: SeenBy,
}

/// At least one, which is the resolution of tokio's clock.
fn millis(pause: Duration) -> u64 {
    u64::try_from(pause.as_millis()).unwrap_or(u64::MAX).max(1)
}

/// A mysqld process, started by this agent or found.
///
/// Dropping it leaves the process alone.
#[derive(Debug)]
pub struct Mysqld {
    pid: Pid,
    start_ticks: u64,
    pidfd: OwnedFd,
    stat: StatFile,
    /// Pause between two looks, milliseconds; changed while it is being watched.
    look_every_ms: AtomicU64,
    /// The exit status, once the child is reaped; `None` when the process is not our child.
    pub(super) reaped: Option<watch::Receiver<Option<ExitStatus>>>,
    /// Where its last words are, and how long the file was when it started (0 when it was found).
    pub(super) log: Option<(PathBuf, u64)>,
}

impl Mysqld {
    /// Takes hold of a process. Fails when it is gone.
    pub(super) fn hold(pid: Pid) -> io::Result<Self> {
        // The pidfd first: if the number were given to another process in between, the start time read afterwards is that
        // of the other one, and whoever compares it with a record sees the difference.
        let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
        let stat = StatFile::open(pid)?;
        let Some(look) = stat.look()? else {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the process has ended"));
        };
        Ok(Self {
            pid,
            start_ticks: look.start_ticks,
            pidfd,
            stat,
            look_every_ms: AtomicU64::new(millis(LOOK_EVERY)),
            reaped: None,
            log: None,
        })
    }

    /// This agent has started it, so it began read-only (L5).
    pub fn is_child(&self) -> bool {
        self.reaped.is_some()
    }

    /// Process id.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Tells this process from every other of this boot, one with the same number included.
    pub fn start_id(&self) -> String {
        format!("{} {}", self.pid(), self.start_ticks)
    }

    pub(super) fn raw_pid(&self) -> Pid {
        self.pid
    }

    pub(super) fn start_ticks(&self) -> u64 {
        self.start_ticks
    }

    /// How often [`Mysqld::wait_exit`] looks; 10 ms at first. Tokio's clock has a resolution of 1 ms.
    pub fn look_every(&self, every: Duration) {
        self.look_every_ms.store(millis(every), Ordering::Relaxed);
    }

    /// It runs and is not on its way out. One cheap system call.
    pub fn is_alive(&self) -> bool {
        matches!(self.stat.look(), Ok(Some(stat)) if !stat.is_exiting())
    }

    /// Returns as soon as the process is seen ending: by its flags in `/proc`, looked at every few milliseconds, or by its
    /// pidfd, whichever is first. Cancel-safe.
    ///
    /// # Errors
    /// When the system cannot be asked (no file descriptors left).
    pub async fn wait_exit(&self) -> io::Result<ExitSeen> {
        let pidfd = self.async_pidfd()?;
        loop {
            tokio::select! {
                biased;
                () = sleep(Duration::from_millis(self.look_every_ms.load(Ordering::Relaxed))) => {
                    if !self.is_alive() {
                        return Ok(ExitSeen { how: SeenBy::ProcStat });
                    }
                }
                ready = pidfd.readable() => {
                    drop(ready?);
                    return Ok(ExitSeen { how: SeenBy::PidFd });
                }
            }
        }
    }

    /// SIGKILL. Does nothing when it has ended.
    pub fn kill(&self) -> io::Result<()> {
        self.signal(Signal::KILL)
    }

    /// SIGTERM: mysqld shuts down in order.
    pub fn terminate(&self) -> io::Result<()> {
        self.signal(Signal::TERM)
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        match pidfd_send_signal(&self.pidfd, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits until nothing is left of the process: ended, and reaped by its parent. A new mysqld refuses to start on the
    /// same data folder while its predecessor is a zombie (MY-010259).
    ///
    /// # Errors
    /// `TimedOut` when it still runs, or is a zombie whose parent doesn't reap it, after `deadline`.
    pub async fn gone(&self, deadline: Duration) -> io::Result<()> {
        let until = until(deadline);
        let late = |state: &str| {
            io::Error::new(io::ErrorKind::TimedOut, format!("mysqld, process {}, {state}", self.pid()))
        };
        let pidfd = self.async_pidfd()?;
        match timeout_at(until, pidfd.readable()).await {
            Ok(ready) => drop(ready?),
            Err(_) => return Err(late("still runs")),
        }
        if let Some(reaped) = &self.reaped {
            let mut reaped = reaped.clone();
            // An error says that the reaping task is gone, with the runtime; then the loop below sees for itself.
            match timeout_at(until, reaped.wait_for(Option::is_some)).await {
                Ok(Ok(_)) => return Ok(()),
                Ok(Err(_)) => {}
                Err(_) => return Err(late("has ended and is not reaped")),
            }
        }
        while self.is_unreaped() {
            // A process that we found may be ours to reap all the same: as process 1 of a container we inherit orphans.
            if self.reaped.is_none() {
                let _ = waitid(
                    WaitId::PidFd(std::os::fd::AsFd::as_fd(&self.pidfd)),
                    WaitIdOptions::EXITED | WaitIdOptions::NOHANG,
                );
            }
            if Instant::now() + GONE_LOOK_EVERY >= until {
                return Err(late("has ended, but its parent does not reap it"));
            }
            sleep(GONE_LOOK_EVERY).await;
        }
        Ok(())
    }

    // Deprecated since tokio 1.54 for descriptors that something else may close meanwhile, in favour of an unsafe function.
    // This one is owned, and unsafe code is denied here.
    #[expect(deprecated)]
    fn async_pidfd(&self) -> io::Result<AsyncFd<OwnedFd>> {
        AsyncFd::with_interest(self.pidfd.try_clone()?, Interest::READABLE)
    }

    fn is_unreaped(&self) -> bool {
        look_once(self.pid).is_some_and(|stat| stat.start_ticks == self.start_ticks)
    }
}
