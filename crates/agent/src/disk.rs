//! Writing to the server's disks as the server would: a small file, made durable, in a thread of its own for each disk.
//!
//! A disk that stalls keeps its thread in the kernel, where nothing ends it; so there is one thread for a disk and never
//! a second, and the loop counts the time without a report.

use crate::input::Input;
use rustix::fs::{Mode, OFlags, StatVfsMountFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;
use tokio::time::Instant;
use xenon_mysql::folder_of;
use xenon_plan::Folder;
use xenon_plan::disk::{DiskReport, DiskWatch, Written};

/// Pause between two attempts.
const EVERY: Duration = Duration::from_secs(2);
/// Pause before an attempt that is to confirm a bad one.
const CONFIRM: Duration = Duration::from_millis(300);
/// An attempt under way for so long is worth a look at the device.
const LOOK_AT_DEVICE_MS: u64 = 1_000;
/// Written in one attempt: one block of most file systems.
const BLOCK: [u8; 4096] = [0x78; 4096];
/// Its name where the system makes no file without one.
const NAME: &str = "xenon-disk-probe.tmp";

/// What a thread looks at. Changes while it runs: the process restarts, the binlog moves on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) folder: PathBuf,
    /// The process, when it runs and works in this folder.
    pub(crate) worker: Option<i32>,
    /// mysqld may use what the file system keeps back for root.
    pub(crate) as_root: bool,
    /// The binlog that is being written.
    pub(crate) binlog: Option<PathBuf>,
}

/// What one attempt showed.
pub(crate) struct DiskNews {
    /// Which folder it was.
    pub(crate) folder: PathBuf,
    pub(crate) report: DiskReport,
    /// Where the process works.
    pub(crate) place: Folder,
    /// The size of the binlog.
    pub(crate) binlog_bytes: Option<u64>,
}

/// One disk: its thread, and what came of it.
pub(crate) struct WatchedDisk {
    pub(crate) target: Target,
    pub(crate) watch: DiskWatch,
    /// Closes with it, which ends the thread.
    orders: Sender<Target>,
    /// The next attempt begins then.
    next: Instant,
    /// Where the kernel counts what the device has done; `None` when it is no device.
    counters: Option<PathBuf>,
    finished_writes: Option<u64>,
}

impl WatchedDisk {
    /// Starts a thread for it. `None` when none can be made: then this disk is not watched.
    pub(crate) fn start(
        target: Target,
        device: u64,
        inputs: tokio::sync::mpsc::Sender<Input>,
    ) -> Option<Self> {
        let (orders, inbox) = channel();
        let first = target.clone();
        let work = move || attempts(first, &inbox, &inputs);
        if let Err(error) = std::thread::Builder::new().name("xenon-disk".to_owned()).spawn(work) {
            tracing::warn!(%error, folder = %target.folder.display(), "this disk cannot be watched");
            return None;
        }
        let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
        let counters = PathBuf::from(format!("/sys/dev/block/{major}:{minor}/stat"));
        Some(Self {
            target,
            watch: DiskWatch::default(),
            orders,
            next: Instant::now(),
            counters: counters.exists().then_some(counters),
            finished_writes: None,
        })
    }

    /// From the next attempt on.
    pub(crate) fn retarget(&mut self, target: Target) {
        if target != self.target {
            self.target = target.clone();
            // Its thread is gone only together with the loop.
            let _ = self.orders.send(target);
        }
    }

    pub(crate) fn on_news(&mut self, report: DiskReport) {
        self.watch.on_report(report);
        self.next = Instant::now() + if self.watch.is_suspicious() { CONFIRM } else { EVERY };
        self.finished_writes = None;
    }

    /// Time goes by.
    pub(crate) fn on_tick(&mut self, now: Instant, now_ms: u64) {
        if now < self.next {
            return;
        }
        let mut still = self.counters.is_some();
        if self.watch.waited_ms() >= LOOK_AT_DEVICE_MS
            && let Some(counters) = &self.counters
        {
            let finished = finished_writes(counters);
            // Compared from the first look on; before it nobody knows.
            still = finished.is_some() && self.finished_writes.is_none_or(|before| finished == Some(before));
            self.finished_writes = finished;
        }
        self.watch.on_waiting(now_ms, still);
    }
}

/// Writes that the device has finished since boot: the fifth number. Answered by the kernel from memory.
fn finished_writes(counters: &Path) -> Option<u64> {
    std::fs::read_to_string(counters).ok()?.split_ascii_whitespace().nth(4)?.parse().ok()
}

fn attempts(mut target: Target, orders: &Receiver<Target>, inputs: &tokio::sync::mpsc::Sender<Input>) {
    let mut was_bad = false;
    loop {
        let report = attempt(&target);
        let is_bad = !matches!(report.written, Written::Done | Written::NotAllowed);
        let news = DiskNews {
            place: target.worker.map_or(Folder::Unknown, |pid| folder_of(pid, &target.folder)),
            binlog_bytes: target.binlog.as_ref().and_then(|path| Some(std::fs::metadata(path).ok()?.len())),
            folder: target.folder.clone(),
            report,
        };
        if inputs.blocking_send(Input::Disk(Box::new(news))).is_err() {
            return;
        }
        let pause = if is_bad && !was_bad { CONFIRM } else { EVERY };
        was_bad = is_bad;
        match orders.recv_timeout(pause) {
            // At once: it is another process, or another file.
            Ok(other) => target = other,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn attempt(target: &Target) -> DiskReport {
    let written = match write_block(&target.folder) {
        Ok(()) => Written::Done,
        Err(error) => of_error(&error),
    };
    let Ok(space) = rustix::fs::statvfs(&target.folder) else {
        return DiskReport { written, free_bytes: None, total_bytes: 0, read_only: false };
    };
    let free = if target.as_root { space.f_bfree } else { space.f_bavail };
    DiskReport {
        written,
        // Some file systems count nothing.
        free_bytes: (space.f_blocks > 0).then(|| free.saturating_mul(space.f_frsize)),
        total_bytes: space.f_blocks.saturating_mul(space.f_frsize),
        read_only: space.f_flag.contains(StatVfsMountFlags::RDONLY),
    }
}

/// What an error says of the disk. Most say something of this agent only: its rights, its descriptors, its view of the
/// files.
fn of_error(error: &std::io::Error) -> Written {
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::NOSPC | Errno::DQUOT) => Written::NoSpace,
        Some(Errno::ROFS) => Written::ReadOnly,
        Some(Errno::IO | Errno::STALE | Errno::NXIO | Errno::UCLEAN | Errno::REMOTEIO) => {
            Written::Failed(error.to_string())
        }
        _ => Written::NotAllowed,
    }
}

/// A file without a name leaves nothing behind, whatever becomes of this agent meanwhile.
fn write_block(folder: &Path) -> std::io::Result<()> {
    let mode = Mode::RUSR | Mode::WUSR;
    match rustix::fs::open(folder, OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC, mode) {
        Ok(file) => write_durably(File::from(file)),
        Err(Errno::OPNOTSUPP | Errno::ISDIR) => {
            let path = folder.join(NAME);
            let outcome = File::create(&path).and_then(write_durably);
            let removed = std::fs::remove_file(&path);
            outcome.and(removed)
        }
        Err(error) => Err(error.into()),
    }
}

fn write_durably(mut file: File) -> std::io::Result<()> {
    file.write_all(&BLOCK)?;
    file.sync_data()
}

/// The device of a folder. Blocking.
pub(crate) fn device_of(folder: &Path) -> Option<u64> {
    std::fs::metadata(folder).ok().map(|meta| meta.dev())
}

#[cfg(test)]
mod tests {
    use super::*;
    use xenon_plan::disk::Disk;

    fn target(folder: &Path) -> Target {
        Target { folder: folder.to_owned(), worker: None, as_root: true, binlog: None }
    }

    #[test]
    fn an_attempt_leaves_nothing_behind() {
        let folder = tempfile::tempdir().expect("folder");
        let report = attempt(&target(folder.path()));
        assert_eq!(report.written, Written::Done);
        assert!(report.total_bytes > 0 && report.free_bytes.is_some());
        assert_eq!(std::fs::read_dir(folder.path()).expect("list").count(), 0);
    }

    #[test]
    fn what_says_nothing_of_the_disk_is_no_fault_of_it() {
        let folder = tempfile::tempdir().expect("folder");
        let report = attempt(&target(&folder.path().join("nowhere")));
        assert_eq!(report.written, Written::NotAllowed);
        let mut watch = DiskWatch::default();
        watch.on_report(report.clone());
        watch.on_report(report);
        assert_eq!(watch.verdict(), Disk::Well);
        for errno in [Errno::ACCESS, Errno::MFILE, Errno::NOENT] {
            assert_eq!(of_error(&errno.into()), Written::NotAllowed);
        }
        assert_eq!(of_error(&Errno::NOSPC.into()), Written::NoSpace);
        assert_eq!(of_error(&Errno::ROFS.into()), Written::ReadOnly);
        assert!(matches!(of_error(&Errno::IO.into()), Written::Failed(_)));
    }
}
