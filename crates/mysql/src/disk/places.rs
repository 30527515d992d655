//! Where a server keeps its logs, and what of its set is not in them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use xenon_gtid::{GtidSet, Uuid};

use crate::link::{Rows, text};
use crate::process::{Defaults, MysqldOptions};
use crate::{Door, SqlError};

const WHAT: &str = "asking mysqld for its log files";

/// Where a server keeps its logs, as it said when it was last seen alive. To be kept by the caller, across its own
/// restarts, and renewed from time to time: `gtid_purged` grows, though what it gains from the purging of files is in
/// the later files, too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPlaces {
    /// `@@datadir`.
    pub data_dir: PathBuf,
    /// `@@log_bin_index`, the list of binary log files; `None` when the server writes no binary log.
    pub binlog_index: Option<PathBuf>,
    /// `@@relay_log_index`, the list of relay log files of the default channel.
    pub relay_log_index: PathBuf,
    /// `@@log_replica_updates`: what a replica applies is in its binary log.
    pub log_replica_updates: bool,
    /// The default channel has a source, so there must be relay logs.
    pub follows: bool,
    /// `@@gtid_purged`: what the server has executed and does not have in its binary log.
    pub purged: GtidSet,
    /// `@@server_uuid`; `None` when it is not known: then whose folder it is is not checked.
    pub server_uuid: Option<Uuid>,
}

impl LogPlaces {
    /// Guesses from the option file and the arguments what a server that was never seen would say. `purged` must be
    /// known from elsewhere: no file outside of InnoDB has it. Blocking.
    ///
    /// # Errors
    /// A sentence that says which option is missing or not understood.
    pub fn from_options(options: &MysqldOptions, purged: GtidSet) -> Result<Self, String> {
        let defaults = Defaults::read(&options.defaults_file)
            .map_err(|error| format!("cannot read {}: {error}", options.defaults_file.display()))?
            .with_arguments(&options.extra_args);
        let data_dir = defaults
            .data_dir()
            .ok_or_else(|| format!("{} names no datadir", options.defaults_file.display()))?;
        let off = |names: &[&str]| names.iter().any(|name| defaults.is_off(name));
        let binlog = defaults.value("log_bin").unwrap_or("binlog");
        let log_bin = !defaults.has("skip_log_bin") && !defaults.has("disable_log_bin");
        // Without a value both are named after the host, or after the file with the process id.
        let Some(relay_log) = defaults.value("relay_log") else {
            return Err(
                "relay-log is not set, so its files have the name of the host; set it in the option file"
                    .to_owned(),
            );
        };
        if log_bin && defaults.has("log_bin") && defaults.value("log_bin").is_none() {
            return Err(
                "log-bin has no value, so its files have the name of the host; give it one".to_owned()
            );
        }
        let index = |option: &str, base: &str| {
            let name = defaults.value(option).unwrap_or(base);
            let name = Path::new(name).with_extension("index");
            data_dir.join(name)
        };
        let places = Self {
            binlog_index: log_bin.then(|| index("log_bin_index", binlog)),
            relay_log_index: index("relay_log_index", relay_log),
            log_replica_updates: !off(&["log_replica_updates", "log_slave_updates"])
                && !defaults.has("skip_log_replica_updates")
                && !defaults.has("skip_log_slave_updates"),
            follows: false,
            purged,
            server_uuid: None,
            data_dir,
        };
        Ok(places)
    }
}

impl Door {
    /// Where the server keeps its logs, for the day when it is dead. On a connection of its own; not for every second.
    ///
    /// # Errors
    /// As [`Door::observe`].
    pub async fn log_places(&self, deadline: Duration) -> Result<LogPlaces, SqlError> {
        let rows = self.ask_once(WHAT, statements, deadline).await?;
        decode(&rows)
    }
}

fn statements(dialect: &crate::Dialect) -> String {
    format!(
        "SELECT @@datadir, @@global.log_bin, @@global.log_bin_index, @@global.relay_log_index, @@global.{}, \
         @@global.gtid_purged, @@server_uuid; SHOW {} STATUS FOR CHANNEL ''",
        dialect.words.log_replica_updates, dialect.words.replica
    )
}

fn decode(sets: &[Rows]) -> Result<LogPlaces, SqlError> {
    let Some(row) = sets.first().and_then(|rows| rows.first()) else {
        return Err(SqlError::decode(WHAT, "no row of server variables"));
    };
    let column = |index: usize| text(row, index).unwrap_or_default();
    let data_dir = PathBuf::from(column(0));
    let is_on = |value: String| value == "1" || value.eq_ignore_ascii_case("ON");
    let bad = |name: &str| SqlError::decode(WHAT, format!("{name} is not understood"));
    Ok(LogPlaces {
        binlog_index: is_on(column(1)).then(|| data_dir.join(column(2))),
        relay_log_index: data_dir.join(column(3)),
        log_replica_updates: is_on(column(4)),
        follows: sets.get(1).is_some_and(|rows| !rows.is_empty()),
        purged: column(5).parse().map_err(|_| bad("gtid_purged"))?,
        server_uuid: Some(column(6).parse().map_err(|_| bad("server_uuid"))?),
        data_dir,
    })
}
