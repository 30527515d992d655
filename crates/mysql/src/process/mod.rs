//! The mysqld process: started directly, found again after the agent's own restart, watched, ended.

mod capabilities;
mod defaults_file;
mod exit;
mod find;
mod folder;
mod record;
mod restart;
mod start;
mod stat;
mod watch;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) use defaults_file::Defaults;
pub use exit::ExitRecord;
pub(crate) use find::{hold_all_below, works_in_folder};
pub use folder::folder_of;
pub use restart::{RestartDecision, RestartPolicy};
pub use start::{StartError, mysqld_version};
pub(crate) use start::{joined, spawn, user, version_of};
pub use watch::{ExitSeen, Mysqld, SeenBy};

/// How often [`Mysqld::wait_exit`] looks at the process unless told otherwise.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// How the agent runs its mysqld.
#[derive(Debug, Clone)]
pub struct MysqldOptions {
    /// The program; see [`find_mysqld`].
    pub mysqld: PathBuf,
    /// `--defaults-file` (`mysql.defaults-file`).
    pub defaults_file: PathBuf,
    /// Further arguments, before those that are forced (L5).
    pub extra_args: Vec<String>,
    /// Account to run as when the agent is root; the owner of the data folder when absent.
    pub user: Option<String>,
    /// The agent's own folder: holds `mysqld.pid` (which process) and `mysqld.out` (what it prints).
    pub meta_dir: PathBuf,
}

impl MysqldOptions {
    fn record_path(&self) -> PathBuf {
        self.meta_dir.join("mysqld.pid")
    }

    fn out_path(&self) -> PathBuf {
        self.meta_dir.join("mysqld.out")
    }
}

/// The mysqld program below `basedir` (`mysql.basedir`): in `bin`, `sbin` or `libexec`.
pub fn find_mysqld(basedir: &Path) -> Option<PathBuf> {
    ["bin", "sbin", "libexec"]
        .iter()
        .map(|folder| basedir.join(folder).join("mysqld"))
        .find(|path| path.is_file())
}
