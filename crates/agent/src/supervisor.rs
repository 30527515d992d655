//! What systemd is told: that the agent is ready, what it does, that its loop turns, that it stops (`Type=notify`,
//! `WatchdogSec=`).
//!
//! Written here and not by a library because the loop must never wait: when systemd does not read its socket, these messages
//! are dropped.

use crate::agent::Agent;
use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;
use tokio::time::Instant;
use xenon_election::State;

/// Longest line of status, characters.
const LINE: usize = 200;

/// The service manager that started this agent, if one did.
#[derive(Debug, Default)]
pub(crate) struct Supervisor {
    socket: Option<UnixDatagram>,
    /// Between two signs of life: half of what it allows.
    every: Option<Duration>,
    next: Option<Instant>,
    told: String,
}

impl Supervisor {
    /// As the environment names it.
    pub(crate) fn of_environment() -> Supervisor {
        let text = |name| std::env::var(name).ok();
        let Some(path) = std::env::var_os("NOTIFY_SOCKET") else { return Supervisor::default() };
        let is_for_us = text("WATCHDOG_PID").is_none_or(|pid| pid == std::process::id().to_string());
        let watchdog = text("WATCHDOG_USEC").filter(|_| is_for_us).and_then(|micros| micros.parse().ok());
        Supervisor::open(&path, watchdog.map(Duration::from_micros))
    }

    fn open(path: &OsStr, watchdog: Option<Duration>) -> Supervisor {
        let socket = match connect(path) {
            Ok(socket) => socket,
            Err(error) => {
                tracing::warn!(%error, "NOTIFY_SOCKET names no socket that can be used: the service manager is told nothing");
                return Supervisor::default();
            }
        };
        let every = watchdog.map(|bound| bound / 2).filter(|every| !every.is_zero());
        Supervisor { socket: Some(socket), every, next: None, told: String::new() }
    }

    /// The channel listens and the loop is about to turn.
    pub(crate) fn ready(&mut self) {
        self.send("READY=1");
        self.next = self.every.map(|every| Instant::now() + every);
    }

    /// The loop must turn by then.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        self.next
    }

    /// Called by the loop itself, so that a loop that hangs gives no sign of life.
    fn ping(&mut self) {
        let now = Instant::now();
        if let (Some(next), Some(every)) = (self.next, self.every)
            && next <= now
        {
            self.next = Some(now + every);
            self.send("WATCHDOG=1");
        }
    }

    /// One line for `systemctl status`, when it is another one than before.
    fn status(&mut self, line: String) {
        if self.told != line {
            let shown: String = line.chars().filter(|letter| !letter.is_control()).take(LINE).collect();
            self.send(&format!("STATUS={shown}"));
            self.told = line;
        }
    }

    /// The loop has ended.
    pub(crate) fn stopping(&self) {
        self.send("STOPPING=1");
    }

    fn send(&self, message: &str) {
        if let Some(socket) = &self.socket
            && let Err(error) = socket.send(message.as_bytes())
        {
            tracing::debug!(%error, message, "the service manager did not take a message");
        }
    }
}

fn connect(path: &OsStr) -> std::io::Result<UnixDatagram> {
    let address = match path.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(path)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.connect_addr(&address)?;
    Ok(socket)
}

impl Agent {
    /// At the end of every turn of the loop.
    pub(crate) fn tell_supervisor(&mut self) {
        if self.supervisor.socket.is_none() {
            return;
        }
        self.supervisor.ping();
        let line = self.one_line();
        self.supervisor.status(line);
    }

    fn one_line(&self) -> String {
        let record = self.core.record();
        let (state, term) = (self.core.state(), record.term);
        let what = match (state, self.core.leader()) {
            _ if record.config.is_none() => "member of no cluster".to_owned(),
            (State::Leader, _) if self.local.promoted == Some(term) => {
                format!("LEADER, primary of term {term}")
            }
            (State::Leader, _) => format!("LEADER of term {term}, not yet open for writes"),
            (_, Some(leader)) => format!("{}; {leader} leads in term {term}", state.word()),
            (_, None) => format!("{}; no leader is heard, term {term}", state.word()),
        };
        let paused = if self.core.is_paused() { "; paused" } else { "" };
        let troubles = match self.local.troubles.len() {
            0 => String::new(),
            count => format!("; {count} trouble(s): xenoncli cluster status"),
        };
        format!("{what}{paused}{troubles}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fake {
        socket: UnixDatagram,
        _folder: tempfile::TempDir,
    }

    impl Fake {
        fn new(watchdog: Option<Duration>) -> (Fake, Supervisor) {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("notify");
            let socket = UnixDatagram::bind(&path).expect("a socket");
            socket.set_nonblocking(true).expect("its mode");
            let supervisor = Supervisor::open(path.as_os_str(), watchdog);
            (Fake { socket, _folder: folder }, supervisor)
        }

        fn heard(&self) -> Vec<String> {
            let mut bytes = [0; 4096];
            let mut heard = Vec::new();
            while let Ok(length) = self.socket.recv(&mut bytes) {
                heard.push(String::from_utf8_lossy(&bytes[..length]).into_owned());
            }
            heard
        }
    }

    #[tokio::test(start_paused = true)]
    async fn signs_of_life_come_at_half_of_the_bound() {
        let (fake, mut supervisor) = Fake::new(Some(Duration::from_secs(10)));
        assert_eq!(supervisor.wake_at(), None, "nothing is due before it is ready");
        supervisor.ready();
        for _ in 0..100 {
            supervisor.ping();
        }
        assert_eq!(fake.heard(), ["READY=1"]);
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(supervisor.wake_at(), Some(Instant::now()), "the loop is woken for it");
        supervisor.ping();
        supervisor.ping();
        assert_eq!(fake.heard(), ["WATCHDOG=1"]);
        supervisor.stopping();
        assert_eq!(fake.heard(), ["STOPPING=1"]);
    }

    #[tokio::test]
    async fn a_status_is_told_once_and_is_one_line() {
        let (fake, mut supervisor) = Fake::new(None);
        supervisor.status("LEADER\nREADY=1".to_owned());
        supervisor.status("LEADER\nREADY=1".to_owned());
        assert_eq!(fake.heard(), ["STATUS=LEADERREADY=1"]);
        supervisor.status("ä".repeat(5000));
        assert_eq!(fake.heard()[0].chars().count(), "STATUS=".len() + LINE);
        supervisor.ready();
        assert_eq!(supervisor.wake_at(), None, "nobody wants signs of life");
    }

    #[tokio::test]
    async fn a_manager_that_does_not_read_stops_nobody() {
        let (_fake, mut supervisor) = Fake::new(None);
        for number in 0..100_000 {
            supervisor.status(format!("{number}"));
        }
    }

    #[tokio::test]
    async fn abstract_sockets_and_none_at_all() {
        let name = format!("xenon-supervisor-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("a name");
        let socket = UnixDatagram::bind_addr(&address).expect("a socket");
        Supervisor::open(OsStr::new(&format!("@{name}")), None).ready();
        let mut bytes = [0; 100];
        assert_eq!(socket.recv(&mut bytes).expect("a message"), "READY=1".len());
        let mut none = Supervisor::open(OsStr::new("/no/such/socket"), Some(Duration::from_secs(1)));
        none.ready();
        none.ping();
        none.stopping();
    }
}
