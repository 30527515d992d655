//! L6: a disk that is full, read-only, failing, or answers nothing, told from one that is merely busy.

use crate::patience::Patience;
use std::fmt;

/// Less than this is none: InnoDB makes a file longer by up to four extents of 1 MiB at a time, and refuses the
/// statement when they are not to be had.
pub const NONE_LEFT_BYTES: u64 = 4 << 20;
/// One that was full has room again with this much free, or with an eighth of a small disk. A server that finds no room gives up
/// temporary files and its unfinished binlog, a few MiB, which it needs again at once (seen on 9.7.4): that ends nothing.
pub const ROOM_AGAIN_BYTES: u64 = 64 << 20;
const ROOM_AGAIN_PART: u64 = 8;
/// Little is left below both of these.
const LITTLE_LEFT_BYTES: u64 = 1 << 30;
const LITTLE_LEFT_PERCENT: u64 = 5;
/// So many bad reports in a row make a verdict: a file that somebody removes again a moment later does not.
const CONFIRMED: u32 = 2;
/// A write that takes longer is worth a word.
const SLOW_MS: u64 = 2_000;
/// A device that has finished nothing at all for so long is stalled.
pub const STALLED_MS: u64 = 8_000;
/// One that works on other things, or cannot be looked at, gets so long: a huge transaction's flush is no stall.
pub const BUSY_STALLED_MS: u64 = 30_000;

/// How an attempt to write a small file and make it durable ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// It is on the disk.
    Done,
    /// ENOSPC or EDQUOT.
    NoSpace,
    /// EROFS.
    ReadOnly,
    /// This agent may not write there, so it can only look at what is free.
    NotAllowed,
    /// The disk answered with an error; the system's own words.
    Failed(String),
}

/// What one attempt showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskReport {
    /// The attempt.
    pub written: Written,
    /// Bytes that mysqld may still use; `None` when the system does not say.
    pub free_bytes: Option<u64>,
    /// Size of the file system, bytes.
    pub total_bytes: u64,
    /// It is mounted read-only.
    pub read_only: bool,
}

impl DiskReport {
    /// Nothing was free at that moment; one such report alone is no verdict yet.
    pub fn is_full(&self) -> bool {
        of_report(self) == Disk::Full
    }
}

/// What is to be thought of a disk.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Disk {
    /// Not looked at yet.
    #[default]
    Unknown,
    /// It takes writes.
    Well,
    /// It takes writes, and little is free.
    Low {
        /// Bytes that are free.
        free_bytes: u64,
    },
    /// A write is under way for longer than it should be.
    Slow {
        /// For so long, milliseconds.
        waited_ms: u64,
    },
    /// Nothing is free.
    Full,
    /// It takes no writes.
    ReadOnly,
    /// It answers writes with this error.
    Failing(String),
    /// It has answered a write with nothing at all.
    Stalled {
        /// For so long, milliseconds.
        waited_ms: u64,
    },
}

impl Disk {
    /// Why a server whose files lie there cannot serve; `None` when it can.
    pub fn cannot_serve(&self) -> Option<String> {
        match self {
            Disk::Unknown | Disk::Well | Disk::Low { .. } | Disk::Slow { .. } => None,
            Disk::Full => Some("is full".to_owned()),
            Disk::ReadOnly => Some("is read-only".to_owned()),
            Disk::Failing(error) => Some(format!("fails: {error}")),
            Disk::Stalled { waited_ms } => {
                Some(format!("stalls: it has not finished a write for {} s", waited_ms / 1000))
            }
        }
    }

    /// What to do about it; empty when nothing.
    pub fn cure(&self) -> &'static str {
        match self {
            Disk::Unknown | Disk::Well | Disk::Slow { .. } => "",
            Disk::Low { .. } | Disk::Full => {
                "make room: PURGE BINARY LOGS, remove what is not the server's, or give it a larger disk"
            }
            Disk::ReadOnly => {
                "look at the kernel's log (dmesg), and mount it for writing again when it is sound"
            }
            Disk::Failing(_) | Disk::Stalled { .. } => {
                "look at the kernel's log (dmesg) and at the storage below it"
            }
        }
    }

    /// It answers as quickly as it should, so whatever waits does not wait for it.
    pub fn is_quick(&self) -> bool {
        matches!(self, Disk::Well | Disk::Low { .. })
    }

    /// How bad it is, for choosing what to show of several.
    fn severity(&self) -> u8 {
        match self {
            Disk::Unknown => 0,
            Disk::Well => 1,
            Disk::Low { .. } => 2,
            Disk::Slow { .. } => 3,
            Disk::Full => 4,
            Disk::ReadOnly => 5,
            Disk::Failing(_) => 6,
            Disk::Stalled { .. } => 7,
        }
    }
}

impl fmt::Display for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(why) = self.cannot_serve() {
            return f.write_str(&why);
        }
        match self {
            Disk::Low { free_bytes } => write!(f, "has only {} MiB left", free_bytes >> 20),
            Disk::Slow { waited_ms } => write!(f, "is slow: a write takes {} s already", waited_ms / 1000),
            _ => f.write_str("is well"),
        }
    }
}

/// Folders and their disks: the worst of them, with its folder's name.
pub fn worst<'a>(disks: impl IntoIterator<Item = (&'a str, Disk)>) -> (String, Disk) {
    let worst = disks.into_iter().max_by_key(|(_, disk)| disk.severity());
    worst.map_or_else(Default::default, |(folder, disk)| (folder.to_owned(), disk))
}

/// One folder's reports, and the time without one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DiskWatch {
    last: Option<DiskReport>,
    bad_in_a_row: u32,
    /// It was found full, and has had no room worth the name since.
    full: bool,
    since_report: Patience,
    /// As `since_report`, but only while the device has finished nothing.
    still: Patience,
}

impl DiskWatch {
    /// An attempt has ended.
    pub fn on_report(&mut self, report: DiskReport) {
        let disk = of_report(&report);
        self.bad_in_a_row = if disk.cannot_serve().is_some() { self.bad_in_a_row + 1 } else { 0 };
        if disk == Disk::Full {
            self.full |= self.bad_in_a_row >= CONFIRMED;
        } else if disk.cannot_serve().is_none() && has_room(&report) {
            self.full = false;
        }
        self.last = Some(report);
        self.since_report.reset();
        self.still.reset();
    }

    /// An attempt is under way at this moment. `still`: the device is known to have finished no write since the last call.
    pub fn on_waiting(&mut self, now_ms: u64, still: bool) {
        self.since_report.pass(now_ms);
        if still {
            self.still.pass(now_ms);
        } else {
            self.still.reset();
        }
    }

    /// Milliseconds since the attempt under way began.
    pub fn waited_ms(&self) -> u64 {
        self.since_report.waited_ms()
    }

    /// The last report was bad, and another is wanted soon.
    pub fn is_suspicious(&self) -> bool {
        self.bad_in_a_row > 0 && self.bad_in_a_row < CONFIRMED
    }

    /// What is to be thought of it.
    pub fn verdict(&self) -> Disk {
        let waited_ms = self.since_report.waited_ms();
        if self.still.waited_ms() >= STALLED_MS || waited_ms >= BUSY_STALLED_MS {
            return Disk::Stalled { waited_ms };
        }
        let Some(last) = &self.last else {
            return if waited_ms >= SLOW_MS { Disk::Slow { waited_ms } } else { Disk::Unknown };
        };
        let disk = of_report(last);
        if self.full && (disk == Disk::Full || disk.cannot_serve().is_none()) {
            return Disk::Full;
        }
        if disk.cannot_serve().is_some() {
            // A single bad report says nothing yet, in either direction.
            return if self.bad_in_a_row >= CONFIRMED { disk } else { Disk::Unknown };
        }
        if waited_ms >= SLOW_MS { Disk::Slow { waited_ms } } else { disk }
    }
}

fn has_room(report: &DiskReport) -> bool {
    let wanted = ROOM_AGAIN_BYTES.min(report.total_bytes / ROOM_AGAIN_PART);
    report.free_bytes.is_none_or(|free| free >= wanted)
}

fn of_report(report: &DiskReport) -> Disk {
    match &report.written {
        Written::NoSpace => return Disk::Full,
        Written::ReadOnly => return Disk::ReadOnly,
        Written::Failed(error) => return Disk::Failing(error.clone()),
        Written::NotAllowed if report.read_only => return Disk::ReadOnly,
        Written::Done | Written::NotAllowed => {}
    }
    let Some(free_bytes) = report.free_bytes else { return Disk::Well };
    if free_bytes < NONE_LEFT_BYTES {
        return Disk::Full;
    }
    let little =
        free_bytes < LITTLE_LEFT_BYTES && free_bytes / LITTLE_LEFT_PERCENT < report.total_bytes / 100;
    if little { Disk::Low { free_bytes } } else { Disk::Well }
}
