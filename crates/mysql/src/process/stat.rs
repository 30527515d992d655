//! `/proc/PID/task/PID/stat`: the cheapest look at a process that shows its exit at once.
//!
//! The kernel sets `PF_EXITING` at the start of an exit and makes a pidfd readable at its end, when the memory is freed:
//! tens of milliseconds later for a large server. The task's own file and not the process's: that one adds up the times
//! of all threads at each read, which grows with the number of connections.

use std::fs::File;
use std::io;

use rustix::io::{Errno, pread};
use rustix::process::Pid;

/// Field 9 of stat, `flags`: the thread is on its way out.
const PF_EXITING: u64 = 0x4;

/// An open stat file; each look is one `pread`.
#[derive(Debug)]
pub(super) struct StatFile {
    file: File,
}

/// What a look shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat {
    /// `R`, `S`, `D`, `Z` …
    pub(super) state: char,
    /// Process id of the parent.
    pub(super) parent: i32,
    pub(super) flags: u64,
    /// Start of the process, clock ticks since boot: with the pid it names a process for good.
    pub(super) start_ticks: u64,
}

impl Stat {
    /// Dead or dying.
    pub(super) fn is_exiting(&self) -> bool {
        matches!(self.state, 'Z' | 'X' | 'x') || self.flags & PF_EXITING != 0
    }
}

impl StatFile {
    pub(super) fn open(pid: Pid) -> io::Result<Self> {
        let pid = pid.as_raw_nonzero();
        Ok(Self { file: File::open(format!("/proc/{pid}/task/{pid}/stat"))? })
    }

    /// `None` when the process is gone altogether.
    pub(super) fn look(&self) -> io::Result<Option<Stat>> {
        let mut buffer = [0_u8; 512];
        match pread(&self.file, &mut buffer, 0) {
            Ok(0) | Err(Errno::SRCH) => Ok(None),
            Ok(length) => parse(&buffer[..length])
                .map(Some)
                .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "unreadable /proc stat line")),
            Err(error) => Err(error.into()),
        }
    }
}

/// One look at a process that no file is kept open for.
pub(super) fn look_once(pid: Pid) -> Option<Stat> {
    StatFile::open(pid).ok()?.look().ok()?
}

fn parse(line: &[u8]) -> Option<Stat> {
    // The second field is the name in parentheses, which may itself hold spaces and parentheses.
    let close = line.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(line.get(close + 1..)?).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    // From field 4 (parent) to field 9 (flags), and on to field 22 (start).
    let flags = fields.nth(4)?.parse().ok()?;
    let start_ticks = fields.nth(12)?.parse().ok()?;
    Some(Stat { state, parent, flags, start_ticks })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_line() {
        let line = b"4242 (my) sql d) S 17 4242 4242 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 40 0 987654 1 2 3";
        assert_eq!(
            parse(line),
            Some(Stat { state: 'S', parent: 17, flags: 4_194_560, start_ticks: 987_654 })
        );
        assert!(!parse(line).expect("parsed").is_exiting());
        assert_eq!(parse(b"4242 (x"), None);
    }

    #[test]
    fn sees_itself() {
        let stat = look_once(rustix::process::getpid()).expect("own stat");
        assert!(!stat.is_exiting());
        assert!(stat.start_ticks > 0);
    }
}
