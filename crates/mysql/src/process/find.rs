//! Finding the mysqld that runs, after the agent itself was restarted.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Pid;

use super::defaults_file::Defaults;
use super::record::{ProcessRecord, is_mysqld};
use super::{Mysqld, MysqldOptions};
use crate::Door;

impl Mysqld {
    /// The mysqld that runs already: the one of the agent's own record, else the one that answers at `door`, else the one of
    /// the pid file that the option file names, else the one that works in the data folder. `None` when none of them leads to a running mysqld.
    ///
    /// `deadline` bounds the question to the server.
    pub async fn find(options: &MysqldOptions, door: &Door, deadline: Duration) -> Option<Self> {
        if let Some(found) = Self::find_by_record(options).await {
            return Some(found);
        }
        let (from_server, server_data_dir) = match door.observe(deadline).await {
            Ok(state) => {
                let folder = PathBuf::from(&state.data_dir);
                (Some(folder.join(&state.pid_file)), Some(folder))
            }
            Err(_) => (None, None),
        };
        let options = options.clone();
        let work = move || {
            let defaults = Defaults::read(&options.defaults_file).ok();
            let log = defaults.as_ref().and_then(Defaults::error_log).unwrap_or_else(|| options.out_path());
            let in_file = defaults.as_ref().and_then(Defaults::pid_file);
            let data_dir = defaults.as_ref().and_then(Defaults::data_dir).or(server_data_dir);
            let by_pid_file = from_server
                .into_iter()
                .chain(in_file)
                .find_map(|path| hold_by_pid_file(&path))
                // A pid file may be old, and its number a neighbour's by now.
                .filter(|mysqld| data_dir.as_deref().is_none_or(|folder| works_in(mysqld.raw_pid(), folder)));
            let mut mysqld = by_pid_file.or_else(|| hold_by_folder(data_dir.as_deref()?))?;
            let record = ProcessRecord::of(mysqld.raw_pid(), mysqld.start_ticks());
            if let Err(error) = record.save(&options.record_path()) {
                tracing::warn!(%error, path = %options.record_path().display(), "cannot note which mysqld is ours");
            }
            mysqld.log = Some((log, 0));
            Some(mysqld)
        };
        tokio::task::spawn_blocking(work).await.ok().flatten()
    }

    /// The mysqld of the agent's own record, if that very process still runs.
    pub(super) async fn find_by_record(options: &MysqldOptions) -> Option<Self> {
        let options = options.clone();
        let work = move || {
            let record = ProcessRecord::load(&options.record_path())?;
            let mut mysqld = Self::hold(record.pid).ok()?;
            if mysqld.start_ticks() != record.start_ticks || !record.is_running() {
                return None;
            }
            let log = Defaults::read(&options.defaults_file)
                .ok()
                .and_then(|defaults| defaults.error_log())
                .unwrap_or_else(|| options.out_path());
            mysqld.log = Some((log, 0));
            Some(mysqld)
        };
        tokio::task::spawn_blocking(work).await.ok().flatten()
    }
}

/// The file is the server's own and may be old: the process must run and be a mysqld.
fn hold_by_pid_file(path: &PathBuf) -> Option<Mysqld> {
    let pid = std::fs::read_to_string(path).ok()?.trim().parse().ok().and_then(Pid::from_raw)?;
    let mysqld = Mysqld::hold(pid).ok()?;
    (mysqld.is_alive() && is_mysqld(pid)).then_some(mysqld)
}

/// The mysqld that works in this data folder: it changes into it at its start. Finds one that answers nobody, too.
pub(super) fn hold_by_folder(data_dir: &Path) -> Option<Mysqld> {
    let processes = std::fs::read_dir("/proc").ok()?;
    processes.flatten().find_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok().and_then(Pid::from_raw)?;
        if !is_mysqld(pid) || !works_in(pid, data_dir) {
            return None;
        }
        Mysqld::hold(pid).ok().filter(Mysqld::is_alive)
    })
}

/// The process id of a mysqld that works in this data folder, living or dying. Blocking.
pub(crate) fn works_in_folder(data_dir: &Path) -> Option<i32> {
    let processes = std::fs::read_dir("/proc").ok()?;
    processes.flatten().find_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok().and_then(Pid::from_raw)?;
        (works_in(pid, data_dir) && is_mysqld(pid)).then(|| pid.as_raw_nonzero().get())
    })
}

/// Every mysqld that works somewhere below `folder`, in one that was removed meanwhile, too. Blocking.
pub(crate) fn hold_all_below(folder: &Path) -> Vec<Mysqld> {
    let (Ok(folder), Ok(processes)) = (std::fs::canonicalize(folder), std::fs::read_dir("/proc")) else {
        return Vec::new();
    };
    let below = |pid: Pid| {
        std::fs::read_link(format!("/proc/{}/cwd", pid.as_raw_nonzero()))
            .is_ok_and(|cwd| cwd.starts_with(&folder))
    };
    processes
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok().and_then(Pid::from_raw))
        .filter(|pid| below(*pid) && is_mysqld(*pid))
        .filter_map(|pid| {
            Mysqld::hold(pid).ok().filter(|mysqld| mysqld.is_alive() && below(mysqld.raw_pid()))
        })
        .collect()
}

fn works_in(pid: Pid, data_dir: &Path) -> bool {
    let folder = std::fs::canonicalize(data_dir);
    let cwd = std::fs::read_link(format!("/proc/{}/cwd", pid.as_raw_nonzero()));
    matches!((folder, cwd), (Ok(folder), Ok(cwd)) if folder == cwd)
}
