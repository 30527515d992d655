//! A prepared copy becomes a data folder: without what belongs to the tool or to the donor, and with the donor's position.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use xenon_gtid::GtidSet;

use super::StreamError;
use crate::copy::sync_folder;
use crate::link::{Purpose, until};
use crate::literal::quoted;
use crate::{CopyError, Door, Scratch, ScratchOptions, ServerFacts, SqlError};

/// A statement.
const ASK: Duration = Duration::from_secs(30);
/// Redo was applied by the tool, so a start takes seconds; a large undo may take longer.
const START: Duration = Duration::from_secs(1800);
/// Shutting down writes out what the start has changed.
const STOP: Duration = Duration::from_secs(600);

/// Removes what is the tool's or the donor's and no data: its reports, the donor's logs (their transactions are in the
/// data, and a server would take the file for its own), its identity. Blocking.
///
/// # Errors
/// A file cannot be removed.
pub fn tidy_copy(folder: &Path) -> Result<(), StreamError> {
    let entries = std::fs::read_dir(folder).map_err(|error| StreamError::io("cannot read", folder, error))?;
    for entry in entries {
        let entry = entry.map_err(|error| StreamError::io("cannot read", folder, error))?;
        let name = entry.file_name();
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file() || kind.is_symlink());
        if is_file && name.to_str().is_some_and(is_not_data) {
            match std::fs::remove_file(entry.path()) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(StreamError::io("cannot remove", &entry.path(), error));
                }
                _ => {}
            }
        }
    }
    sync_folder(folder)?;
    crate::strip_identity(folder)?;
    Ok(())
}

fn is_not_data(name: &str) -> bool {
    let reports = ["xtrabackup_", "mariadb_backup_"].iter().any(|prefix| name.starts_with(prefix));
    let log = name.rsplit_once('.').is_some_and(|(base, number)| {
        !base.is_empty()
            && (number.len() >= 6 && number.bytes().all(|byte| byte.is_ascii_digit()) || number == "index")
    });
    reports || log || name == "backup-my.cnf"
}

/// Starts a scratch server on the copy, which proves it, and sees to it that it has the position that the tool has noted:
/// what its own table of GTIDs lacks is added, as purged. Gives what the server says, and stops it in order.
///
/// # Errors
/// No server starts on the copy, or it does not take the position.
pub async fn make_whole(
    options: &ScratchOptions,
    copy: &Path,
    position: &GtidSet,
) -> Result<ServerFacts, StreamError> {
    let scratch = Scratch::start_on(options, copy, START).await?;
    let settled = settle(&scratch, copy, position).await;
    match settled {
        Ok(facts) => {
            scratch.stop(STOP).await?;
            Ok(facts)
        }
        Err(error) => {
            scratch.kill().await?;
            Err(error)
        }
    }
}

async fn settle(scratch: &Scratch, copy: &Path, position: &GtidSet) -> Result<ServerFacts, StreamError> {
    let facts = scratch.facts(ASK).await?;
    let lacks = position.subtract(&facts.executed);
    if lacks.is_empty() {
        return Ok(facts);
    }
    scratch.door().add_purged(&lacks, ASK).await.map_err(CopyError::from)?;
    let facts = scratch.facts(ASK).await?;
    let lacks = position.subtract(&facts.executed);
    if lacks.is_empty() {
        return Ok(facts);
    }
    let why = format!("it does not take the position that the tool has noted; {lacks} is lacking");
    Err(CopyError::incomplete(copy, why).into())
}

impl Door {
    /// Tells a server that writes no binary log that these transactions are in its data.
    async fn add_purged(&self, set: &GtidSet, deadline: Duration) -> Result<(), SqlError> {
        let until = until(deadline);
        let mut link = self.open(Purpose::Reading, until).await?;
        let sql = format!("SET GLOBAL gtid_purged = {}", quoted(&format!("+{set}")));
        link.run("noting what the copy has", sql, until).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_no_data_goes() {
        let folder = tempfile::tempdir().expect("folder");
        let gone = [
            "xtrabackup_info",
            "xtrabackup_binlog_info",
            "backup-my.cnf",
            "binlog.000012",
            "binlog.index",
            "mariadb_backup_checkpoints",
            "auto.cnf",
            "mysqld-auto.cnf",
        ];
        let stays = ["ibdata1", "mysql.ibd", "undo_001", "ib_buffer_pool", "x.12345", "binlog"];
        for name in gone.iter().chain(&stays) {
            std::fs::write(folder.path().join(name), "x").expect("write");
        }
        std::fs::create_dir(folder.path().join("xtrabackup_of_an_application")).expect("create");
        tidy_copy(folder.path()).expect("tidied");
        assert!(gone.iter().all(|name| !folder.path().join(name).exists()));
        assert!(stays.iter().all(|name| folder.path().join(name).exists()));
        assert!(folder.path().join("xtrabackup_of_an_application").exists(), "a schema of that name");
    }
}
