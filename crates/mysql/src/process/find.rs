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
    /// the pid file that the option file names. `None` when none of them leads to a running mysqld.
    ///
    /// `deadline` bounds the question to the server.
    pub async fn find(options: &MysqldOptions, door: &Door, deadline: Duration) -> Option<Self> {
        if let Some(found) = Self::find_by_record(options).await {
            return Some(found);
        }
        let from_server = match door.observe(deadline).await {
            Ok(state) => Some(Path::new(&state.data_dir).join(&state.pid_file)),
            Err(_) => None,
        };
        let options = options.clone();
        let work = move || {
            let defaults = Defaults::read(&options.defaults_file).ok();
            let log = defaults.as_ref().and_then(Defaults::error_log).unwrap_or_else(|| options.out_path());
            let in_file = defaults.as_ref().and_then(Defaults::pid_file);
            let mut mysqld =
                from_server.into_iter().chain(in_file).find_map(|path| hold_by_pid_file(&path))?;
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
