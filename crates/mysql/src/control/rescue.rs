//! W2: applying what was fetched from a dead server, by the server's own applier.
//!
//! The bytes are relay log files of a replication channel of their own, whose receiver never runs. Its applier executes
//! them as they are: GTIDs, tags, compressed and distributed transactions, DDL, all of a kind with what a source sends, and
//! it may do so while `super_read_only` is on. What is executed is in the binlog of this server; what is not yet is worth
//! nothing, so that a channel that an agent's crash has left over is thrown away, files and all.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Control;
use crate::SqlError;
use crate::link::{named, text, until};
use crate::literal::quoted;

/// The channel's name; small letters, as in the names of its files.
const CHANNEL: &str = "xenon_rescue";
/// No replication is configured, or no such channel.
const NO_CHANNEL: [u16; 3] = [1200, 1617, 3074];

/// Where the relay log files of the channel must be before it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RescueFiles {
    /// The list of them.
    pub index: PathBuf,
    /// Their path without the number.
    base: PathBuf,
    /// What stands in front of their names in the list, as this server writes it.
    prefix: String,
}

impl RescueFiles {
    /// Below the folder of the server's own relay logs: its `relay_log_basename`, `relay_log_index` and `relay_log`.
    pub fn new(relay_log_base: &str, relay_log_index: &str, relay_log: &str) -> Self {
        let folder =
            relay_log_base.rfind('/').map_or("./", |at| relay_log_base.get(..=at).unwrap_or_default());
        // A name without folder is below the data folder, and stands so in the list.
        let prefix = if relay_log.contains('/') { folder } else { "./" };
        let index = relay_log_index.strip_suffix(".index").unwrap_or(relay_log_index);
        Self {
            index: PathBuf::from(format!("{index}-{CHANNEL}.index")),
            base: PathBuf::from(format!("{relay_log_base}-{CHANNEL}")),
            prefix: prefix.to_owned(),
        }
    }

    /// The path of the file with this number, from 1 on.
    pub fn file(&self, number: usize) -> PathBuf {
        let mut path = self.base.clone().into_os_string();
        path.push(format!(".{number:06}"));
        PathBuf::from(path)
    }

    /// What the list must say of so many files.
    pub fn list(&self, count: usize) -> String {
        (1..=count).map(|number| format!("{}{}\n", self.prefix, name_of(&self.file(number)))).collect()
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

impl Control {
    /// Where the files must be put.
    ///
    /// # Errors
    /// This server's applier may commit in another order than the source: then what an applier that was stopped has
    /// executed can have holes, which a later marker would hide (V3).
    pub async fn rescue_files(&mut self, deadline: Duration) -> Result<RescueFiles, SqlError> {
        let what = "asking for the places of relay logs";
        let sql = "SELECT @@global.relay_log_basename, @@global.relay_log_index, @@global.relay_log; \
             SHOW GLOBAL VARIABLES WHERE Variable_name IN ('replica_preserve_commit_order', \
             'slave_preserve_commit_order') AND Value IN ('OFF', '0'); \
             SHOW GLOBAL VARIABLES WHERE Variable_name IN ('replica_parallel_workers', 'slave_parallel_workers') \
             AND Value > 1";
        let sets = self.link()?.ask(what, sql, until(deadline)).await?;
        let rows = |number: usize| sets.get(number).map(Vec::as_slice).unwrap_or_default();
        if !rows(1).is_empty() && !rows(2).is_empty() {
            return Err(SqlError::unsupported(
                what,
                "replica_preserve_commit_order is OFF here, so that what an applier was stopped at could have holes; set \
                 it to ON",
            ));
        }
        let column = |index: usize| rows(0).first().and_then(|row| text(row, index)).unwrap_or_default();
        let (base, index, given) = (column(0), column(1), column(2));
        if base.is_empty() || index.is_empty() {
            return Err(SqlError::decode(what, "the server names none".to_owned()));
        }
        Ok(RescueFiles::new(&base, &index, &given))
    }

    /// Stops and forgets the channel, with its files. Harmless when there is none; says whether there was one.
    pub async fn forget_rescue(&mut self, deadline: Duration) -> Result<bool, SqlError> {
        let what = "clearing away a rescue";
        let until = until(deadline);
        let link = self.link()?;
        let replica = link.dialect().words.replica;
        for sql in [
            format!("STOP {replica} FOR CHANNEL '{CHANNEL}'"),
            format!("RESET {replica} ALL FOR CHANNEL '{CHANNEL}'"),
        ] {
            match link.run(what, sql, until).await {
                Ok(()) => {}
                Err(error) if NO_CHANNEL.iter().any(|code| error.is_code(*code)) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Makes the channel, whose files are in their places, and starts its applier at the first of them.
    pub async fn begin_rescue(&mut self, files: &RescueFiles, deadline: Duration) -> Result<(), SqlError> {
        let what = "applying what was rescued";
        let until = until(deadline);
        let link = self.link()?;
        let words = link.dialect().words;
        let (replica, prefix) = (words.replica, words.source_option);
        let make = format!(
            "{} {prefix}HOST = 'xenon-rescue', {prefix}AUTO_POSITION = 0, RELAY_LOG_FILE = {}, RELAY_LOG_POS = 4 FOR CHANNEL \
             '{CHANNEL}'",
            words.change_source,
            quoted(&name_of(&files.file(1)))
        );
        link.run(what, make, until).await?;
        link.run(what, format!("START {replica} SQL_THREAD FOR CHANNEL '{CHANNEL}'"), until).await
    }

    /// Why the channel's applier has stopped; `None` while it runs.
    pub async fn rescue_error(&mut self, deadline: Duration) -> Result<Option<String>, SqlError> {
        let what = "looking at a rescue";
        let link = self.link()?;
        let sql = format!("SHOW {} STATUS FOR CHANNEL '{CHANNEL}'", link.dialect().words.replica);
        let sets = link.ask(what, sql, until(deadline)).await?;
        let Some(row) = sets.first().and_then(|rows| rows.first()) else {
            return Ok(Some("its channel is gone".to_owned()));
        };
        let get = |names: &[&str]| named(row, names).unwrap_or_default();
        if get(&["Replica_SQL_Running", "Slave_SQL_Running"]) == "Yes" {
            return Ok(None);
        }
        let error = get(&["Last_SQL_Error"]);
        let error = if error.is_empty() { "its applier was stopped by somebody".to_owned() } else { error };
        Ok(Some(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_stand_beside_the_servers_own_and_in_the_list_as_it_writes_them() {
        let files = RescueFiles::new("/data/relay", "/data/relay.index", "relay");
        assert_eq!(files.index, Path::new("/data/relay-xenon_rescue.index"));
        assert_eq!(files.file(12), Path::new("/data/relay-xenon_rescue.000012"));
        assert_eq!(files.list(2), "./relay-xenon_rescue.000001\n./relay-xenon_rescue.000002\n");
        let files = RescueFiles::new("/logs/relay", "/logs/list.index", "/logs/relay");
        assert_eq!(files.index, Path::new("/logs/list-xenon_rescue.index"));
        assert_eq!(files.list(1), "/logs/relay-xenon_rescue.000001\n");
    }
}
