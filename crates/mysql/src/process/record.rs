//! `mysqld.pid` in the agent's folder: which process is ours, told apart from a later one of the same number.

use std::io::{self, Write};
use std::path::Path;

use rustix::process::Pid;

use super::stat::look_once;

/// Which process was started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ProcessRecord {
    pub(super) pid: Pid,
    /// Clock ticks since boot.
    pub(super) start_ticks: u64,
    /// Of which boot: ticks begin again at the next one.
    pub(super) boot: String,
}

impl ProcessRecord {
    pub(super) fn of(pid: Pid, start_ticks: u64) -> Self {
        Self { pid, start_ticks, boot: boot_id() }
    }

    /// Written beside, then renamed: a crash in between leaves the old one. Blocking.
    pub(super) fn save(&self, path: &Path) -> io::Result<()> {
        let beside = path.with_extension("pid.new");
        let mut file = std::fs::File::create(&beside)?;
        writeln!(file, "{} {} {}", self.pid.as_raw_nonzero(), self.start_ticks, self.boot)?;
        file.sync_all()?;
        std::fs::rename(&beside, path)
    }

    /// `None` when there is none that can be read. Blocking.
    pub(super) fn load(path: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(path).ok()?;
        let mut fields = text.split_ascii_whitespace();
        Some(Self {
            pid: Pid::from_raw(fields.next()?.parse().ok()?)?,
            start_ticks: fields.next()?.parse().ok()?,
            boot: fields.next()?.to_owned(),
        })
    }

    /// The very process still runs.
    pub(super) fn is_running(&self) -> bool {
        self.boot == boot_id()
            && look_once(self.pid)
                .is_some_and(|stat| stat.start_ticks == self.start_ticks && !stat.is_exiting())
            && is_mysqld(self.pid)
    }
}

/// The process looks like a MySQL server, by its name or by its command line (which has the name when it was started
/// through a loader).
pub(super) fn is_mysqld(pid: Pid) -> bool {
    let read =
        |name: &str| std::fs::read(format!("/proc/{}/{name}", pid.as_raw_nonzero())).unwrap_or_default();
    let has = |text: &[u8]| {
        [&b"mysqld"[..], b"mariadbd"].iter().any(|name| text.windows(name.len()).any(|w| w == *name))
    };
    has(&read("comm")) || has(&read("cmdline"))
}

fn boot_id() -> String {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let text = text.trim();
    if text.is_empty() { "unknown".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_comes_back_and_another_process_is_not_taken_for_it() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("mysqld.pid");
        let own = rustix::process::getpid();
        let record = ProcessRecord::of(own, look_once(own).expect("stat").start_ticks);
        record.save(&path).expect("save");
        assert_eq!(ProcessRecord::load(&path), Some(record.clone()));
        let other = ProcessRecord { start_ticks: record.start_ticks + 1, ..record };
        assert!(!other.is_running());
        std::fs::write(&path, "garbage").expect("write");
        assert_eq!(ProcessRecord::load(&path), None);
    }
}
