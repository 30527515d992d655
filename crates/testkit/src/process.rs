//! Processes, found by what is in their arguments and told apart by the moment of their start.

use rustix::process::{Pid, PidfdFlags, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant};

pub use rustix::process::Signal;

/// How often [`Process::wait_dead`] looks.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// One process, for good: a number that the system gives out again is another process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// When it started, clock ticks since boot.
    pub start_ticks: u64,
}

impl Process {
    /// The process that has this number now.
    pub fn of(pid: i32) -> Option<Self> {
        Some(Self { pid, start_ticks: Stat::read(pid)?.start_ticks })
    }

    /// This very process.
    pub fn own() -> Option<Self> {
        Self::of(rustix::process::getpid().as_raw_nonzero().get())
    }

    /// All processes of a program that work in a folder or below it.
    pub(crate) fn working_below(program: &str, folder: &std::path::Path) -> Vec<Self> {
        let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
        let pids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        pids.filter(|pid| {
            let works =
                std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(folder));
            works && Stat::read(*pid).is_some_and(|stat| stat.name == program)
        })
        .filter_map(Self::of)
        .collect()
    }

    /// All processes of a program (by the last part of its path) that have exactly this argument.
    pub fn with_argument(program: &str, argument: &OsStr) -> Vec<Self> {
        let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
        entries
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok())
            .filter(|pid| has_argument(*pid, program, argument))
            .filter_map(Self::of)
            .filter(Self::is_alive)
            .collect()
    }

    /// It exists and has not ended; one that waits for its parent to take note of its end has ended.
    pub fn is_alive(&self) -> bool {
        Stat::read(self.pid).is_some_and(|stat| stat.start_ticks == self.start_ticks && !stat.has_ended())
    }

    /// Sends a signal to this process and to no other.
    ///
    /// # Errors
    /// It is gone (`NotFound`), or it belongs to another user.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        let gone = || io::Error::new(io::ErrorKind::NotFound, format!("process {} is gone", self.pid));
        let pid = Pid::from_raw(self.pid).ok_or_else(gone)?;
        let handle = pidfd_open(pid, PidfdFlags::empty()).map_err(|_| gone())?;
        // Looked at only after the handle is held: whatever has the number now keeps it from here on.
        if !self.is_alive() {
            return Err(gone());
        }
        pidfd_send_signal(&handle, signal)?;
        Ok(())
    }

    /// Waits until it has ended; says whether it has.
    pub fn wait_dead(&self, bound: Duration) -> bool {
        let until = Instant::now() + bound;
        while self.is_alive() {
            if Instant::now() >= until {
                return false;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        true
    }
}

/// What `/proc/PID/stat` says.
pub(crate) struct Stat {
    pub(crate) name: String,
    pub(crate) state: u8,
    pub(crate) parent: i32,
    pub(crate) start_ticks: u64,
}

impl Stat {
    pub(crate) fn read(pid: i32) -> Option<Self> {
        let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in parentheses may hold anything, parentheses too.
        let (before, rest) = text.rsplit_once(')')?;
        let name = before.split_once('(')?.1.to_owned();
        let mut fields = rest.split_ascii_whitespace();
        let state = *fields.next()?.as_bytes().first()?;
        let parent = fields.next()?.parse().ok()?;
        let start_ticks = fields.nth(17)?.parse().ok()?;
        Some(Self { name, state, parent, start_ticks })
    }

    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.state, b'Z' | b'X' | b'x')
    }
}

fn has_argument(pid: i32, program: &str, argument: &OsStr) -> bool {
    let Ok(line) = std::fs::read(format!("/proc/{pid}/cmdline")) else { return false };
    let mut arguments = line.split(|byte| *byte == 0);
    let first = arguments.next().map(|first| Path::new(OsStr::from_bytes(first)));
    if first.and_then(Path::file_name) != Some(OsStr::new(program)) {
        return false;
    }
    arguments.any(|given| given == argument.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_process_is_found_by_its_argument_ended_and_seen_gone() {
        let argument = "86399.25";
        let mut child = Command::new("sleep").arg(argument).spawn().expect("sleep runs");
        let pid = i32::try_from(child.id()).expect("pid");
        // A process that was started this moment may not have its arguments yet.
        let until = Instant::now() + Duration::from_secs(5);
        let mut found = Vec::new();
        while found.is_empty() && Instant::now() < until {
            found = Process::with_argument("sleep", OsStr::new(argument));
        }
        assert_eq!(found.iter().map(|process| process.pid).collect::<Vec<_>>(), [pid]);
        let process = found[0];
        assert!(process.is_alive());
        assert!(Process::with_argument("slee", OsStr::new(argument)).is_empty());

        let another = Process { start_ticks: process.start_ticks + 1, ..process };
        assert!(!another.is_alive());
        assert_eq!(another.signal(Signal::KILL).expect_err("not that one").kind(), io::ErrorKind::NotFound);

        process.signal(Signal::KILL).expect("kill");
        assert!(process.wait_dead(Duration::from_secs(5)));
        child.wait().expect("reaped");
        assert!(!process.is_alive());
    }
}
