//! What the agent itself uses, as the kernel tells.

use super::names;
use super::page::Page;
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

pub(super) fn put(page: &mut Page, started_unix_ms: u64) {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    let nanoseconds = u64::try_from(used.tv_nsec).unwrap_or(0);
    page.put(&names::CPU, &[], format_args!("{}.{nanoseconds:09}", used.tv_sec));
    // Of procfs, and so no disk: the loop does not wait.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    page.put_known(&names::RESIDENT, number(&status, "VmRSS:").map(|kilobytes| kilobytes << 10));
    page.put_known(&names::VIRTUAL, number(&status, "VmSize:").map(|kilobytes| kilobytes << 10));
    // One of them is this look.
    let open = std::fs::read_dir("/proc/self/fd").ok().map(|files| files.count().saturating_sub(1));
    page.put_known(&names::FDS, open);
    page.put_known(&names::MAX_FDS, getrlimit(Resource::Nofile).current);
    page.put_known(&names::THREADS, number(&status, "Threads:"));
    page.put(&names::START, &[], super::seconds(started_unix_ms));
}

/// The first number of a line of `/proc/self/status`.
fn number(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}
