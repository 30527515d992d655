//! Where a server keeps its files, and its second door.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::link::{Purpose, text, until};
use crate::{Door, SqlError};

const WHAT: &str = "asking where mysqld keeps its files";

/// What does not change while a server runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Places {
    /// `@@datadir`.
    pub data: PathBuf,
    /// The folder of its binlog; `None` without one.
    pub binlog: Option<PathBuf>,
    /// The folder of its redo log.
    pub redo: Option<PathBuf>,
}

impl Door {
    /// Asks for the places, and takes note of the server's administrative interface: when an ordinary connection is turned
    /// away because there are too many, that one is used.
    ///
    /// # Errors
    /// See [`SqlError`].
    pub async fn places(&self, deadline: Duration) -> Result<Places, SqlError> {
        let until = until(deadline);
        let mut link = self.open(Purpose::Reading, until).await?;
        let sql = "SELECT @@datadir, @@log_bin_basename, @@innodb_log_group_home_dir";
        let sets = link.ask(WHAT, sql, until).await?;
        let row =
            sets.first().and_then(|rows| rows.first()).ok_or_else(|| SqlError::decode(WHAT, "no row"))?;
        let data = PathBuf::from(text(row, 0).unwrap_or_default());
        // Relative ones are meant from the data folder.
        let folder = |path: String| (!path.is_empty()).then(|| data.join(path));
        let binlog = text(row, 1).and_then(folder).and_then(|base| base.parent().map(Path::to_path_buf));
        let redo = text(row, 2).and_then(folder);
        // Since 8.0.14; before that there is none.
        if let Ok(sets) = link.ask(WHAT, "SELECT @@admin_address, @@admin_port", until).await {
            let row = sets.first().and_then(|rows| rows.first());
            let address = row.and_then(|row| text(row, 0)).unwrap_or_default();
            let port = row.and_then(|row| text(row, 1)?.parse().ok()).unwrap_or(0);
            self.note_admin_interface((!address.is_empty() && port > 0).then_some((address, port)));
        }
        Ok(Places { data, binlog, redo })
    }
}
