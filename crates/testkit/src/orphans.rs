//! Taking note of the end of processes whose parent is gone.
//!
//! A server outlives the agent that started it. When it ends later, somebody has to take note of that (wait for it), or
//! it stays a zombie, and its successor refuses to start while the old number exists (MY-010259). A machine's first
//! process does so, but not that of every container. So the process that owns a local cluster becomes the parent of its
//! agents' orphans, and reaps them.

use crate::process::Stat;
use rustix::process::{
    Pid, WaitId, WaitIdOptions, WaitOptions, getpid, set_child_subreaper, waitid, waitpid,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Pause between two looks: well under the time that a server takes until it looks for its predecessor.
const EVERY: Duration = Duration::from_millis(20);

/// Reaps until it is dropped.
#[derive(Debug)]
pub(crate) struct Reaper {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Reaper {
    /// Reaps ended servers that have become this process's children; never another child, which its starter waits for.
    /// Where the system does not allow it, nothing is done: the machine's first process may do it as well.
    pub(crate) fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        if set_child_subreaper(Some(getpid())).is_err() {
            return Self { stop, thread: None };
        }
        let seen = stop.clone();
        let work = move || {
            while !seen.load(Ordering::Relaxed) {
                reap();
                std::thread::sleep(EVERY);
            }
        };
        let thread = std::thread::Builder::new().name("orphans".to_owned()).spawn(work).ok();
        Self { stop, thread }
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It ends within its pause; a panic in it has been printed.
            let _ = thread.join();
        }
        reap();
    }
}

fn reap() {
    // One cheap question first: going through all processes twenty times a second would be seen in measurements.
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    if !matches!(waitid(WaitId::All, look), Ok(Some(_))) {
        return;
    }
    let own = getpid().as_raw_nonzero().get();
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    for pid in entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok()) {
        let Some(stat) = Stat::read(pid) else { continue };
        if stat.parent == own
            && stat.has_ended()
            && stat.name == "mysqld"
            && let Some(pid) = Pid::from_raw(pid)
        {
            // Somebody else may have been quicker.
            let _ = waitpid(Some(pid), WaitOptions::NOHANG);
        }
    }
}
