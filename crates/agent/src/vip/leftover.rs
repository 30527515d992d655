//! What an earlier life of this agent has left behind: the address, its guard, and the guard's last words.

use super::mark;
use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::fs::File;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;
use xenon_address::{Error, Routes, Service};

/// Connections to an address that is left over are reset within this.
const RESET: Duration = Duration::from_millis(20);
/// Marks that are looked at.
const MARKS: usize = 64;

/// Which of the addresses this host has.
pub(super) fn here(services: &[Service]) -> Result<Vec<IpAddr>, Error> {
    let held = Routes::open()?.addresses()?;
    let ours = services.iter().map(|service| service.ip);
    Ok(ours.filter(|ip| held.iter().any(|held| held.service.ip == *ip)).collect())
}

pub(super) fn remove(ips: &[IpAddr]) -> Result<(), Error> {
    // Their clients are told, where the kernel can do it.
    let _ = xenon_address::reset(ips, RESET);
    let mut routes = Routes::open()?;
    for ip in ips {
        routes.remove(*ip)?;
    }
    Ok(())
}

/// Guards that still run. Each holds a lock on its mark, so a number that another process has by now is none of them.
pub(super) fn guards(folder: &Path) -> Vec<OwnedFd> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let pids = entries.filter_map(|entry| {
        let name = entry.ok()?.file_name();
        name.to_str()?.strip_prefix("address-guard.")?.parse::<u32>().ok()
    });
    pids.take(MARKS).filter_map(|pid| living(folder, pid)).collect()
}

fn living(folder: &Path, pid: u32) -> Option<OwnedFd> {
    let path = mark(folder, pid);
    let process = Pid::from_raw(i32::try_from(pid).ok()?)?;
    // The process before its lock: one that begins later cannot be meant.
    let handle = pidfd_open(process, PidfdFlags::empty()).ok();
    let file = File::open(&path).ok()?;
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
        let _ = std::fs::remove_file(&path);
        return None;
    }
    handle
}

pub(super) fn end(guard: &OwnedFd) {
    // One that has ended by itself is ended, too.
    let _ = pidfd_send_signal(guard, Signal::KILL);
}

/// Where a guard writes what its agent was not there to hear.
pub(super) fn last_words(folder: &Path) -> PathBuf {
    folder.join("address-guard.said")
}

/// What a guard did while no agent was there.
pub(super) fn said(folder: &Path) -> Option<String> {
    let path = last_words(folder);
    let text = std::fs::read_to_string(&path).ok()?;
    let _ = std::fs::remove_file(&path);
    let text: String = text.trim().chars().filter(|letter| !letter.is_control()).take(500).collect();
    (!text.is_empty()).then(|| format!("while this agent was away: {text}"))
}
