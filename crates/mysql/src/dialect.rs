//! The words that differ between server versions, as tables.
//!
//! | since | what changed |
//! |---|---|
//! | 8.0.22 | `START/STOP/RESET/SHOW REPLICA` |
//! | 8.0.23 | `CHANGE REPLICATION SOURCE TO SOURCE_…` |
//! | 8.0.26 | variables and plugins named source and replica; `--skip-replica-start` |
//! | 8.2.0 | `SHOW BINARY LOG STATUS` |
//! | 8.4.0 | the old words are gone |
//!
//! Source: the release notes of those versions.

use std::fmt;

use crate::SqlError;

/// Version of a server as three numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerVersion {
    /// 8 of 8.0.36.
    pub major: u32,
    /// 0 of 8.0.36.
    pub minor: u32,
    /// 36 of 8.0.36.
    pub patch: u32,
}

impl ServerVersion {
    const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self { major, minor, patch }
    }

    /// Reads what `@@version` prints (`8.0.36-28`, `9.7.4-1+b1`). `None` when it doesn't begin with a version.
    pub fn parse(text: &str) -> Option<Self> {
        let numbers = text.split(|c: char| !c.is_ascii_digit() && c != '.').next()?;
        let mut parts = numbers.split('.');
        let major = parts.next()?.parse().ok()?;
        let minor = parts.next()?.parse().ok()?;
        let patch = parts.next().and_then(|p| p.parse().ok()).unwrap_or(0);
        Some(Self { major, minor, patch })
    }
}

impl fmt::Display for ServerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// The two families of servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// MySQL 8.0 to 8.3, where old words are still understood.
    V80,
    /// MySQL 8.4 and later, where only the new ones are.
    V84,
}

/// The words of one range of versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words {
    /// `REPLICA` of `START REPLICA`.
    pub replica: &'static str,
    /// Start of the statement that names a source.
    pub change_source: &'static str,
    /// Prefix of that statement's options.
    pub source_option: &'static str,
    /// Option that fetches the source's public key.
    pub public_key_option: &'static str,
    /// Statement that shows the current binlog position.
    pub binlog_status: &'static str,
    /// Variable that makes a replica write what it applies to its own binlog.
    pub log_replica_updates: &'static str,
    /// Side names inside semi-sync variables and plugins: the source's.
    pub semi_sync_source: &'static str,
    /// And the replica's.
    pub semi_sync_replica: &'static str,
    /// The semi-sync count variable counts these.
    pub wait_for: &'static str,
    /// `wait_no_replica` or `wait_no_slave`.
    pub wait_no: &'static str,
    /// mysqld option that keeps replication from starting.
    pub skip_start_option: &'static str,
}

const OLD: Words = Words {
    replica: "SLAVE",
    change_source: "CHANGE MASTER TO",
    source_option: "MASTER_",
    public_key_option: "GET_MASTER_PUBLIC_KEY",
    binlog_status: "SHOW MASTER STATUS",
    log_replica_updates: "log_slave_updates",
    semi_sync_source: "master",
    semi_sync_replica: "slave",
    wait_for: "wait_for_slave_count",
    wait_no: "wait_no_slave",
    skip_start_option: "--skip-slave-start",
};

const REPLICA_STATEMENTS: Words = Words { replica: "REPLICA", ..OLD };

const SOURCE_STATEMENTS: Words = Words {
    change_source: "CHANGE REPLICATION SOURCE TO",
    source_option: "SOURCE_",
    public_key_option: "GET_SOURCE_PUBLIC_KEY",
    ..REPLICA_STATEMENTS
};

const NEW_VARIABLES: Words = Words {
    log_replica_updates: "log_replica_updates",
    semi_sync_source: "source",
    semi_sync_replica: "replica",
    wait_for: "wait_for_replica_count",
    wait_no: "wait_no_replica",
    skip_start_option: "--skip-replica-start",
    ..SOURCE_STATEMENTS
};

const NEW: Words = Words { binlog_status: "SHOW BINARY LOG STATUS", ..NEW_VARIABLES };

/// First version of each table, newest first.
const TABLES: [(ServerVersion, &Words); 5] = [
    (ServerVersion::new(8, 2, 0), &NEW),
    (ServerVersion::new(8, 0, 26), &NEW_VARIABLES),
    (ServerVersion::new(8, 0, 23), &SOURCE_STATEMENTS),
    (ServerVersion::new(8, 0, 22), &REPLICA_STATEMENTS),
    (ServerVersion::new(8, 0, 0), &OLD),
];

/// Variables whose names changed in 8.0.26, old and new. Semi-sync ones follow by rule, see [`Dialect::variable`].
const RENAMED: [(&str, &str); 20] = [
    ("init_slave", "init_replica"),
    ("log_slave_updates", "log_replica_updates"),
    ("log_slow_slave_statements", "log_slow_replica_statements"),
    ("master_verify_checksum", "source_verify_checksum"),
    ("rpl_stop_slave_timeout", "rpl_stop_replica_timeout"),
    ("skip_slave_start", "skip_replica_start"),
    ("slave_checkpoint_group", "replica_checkpoint_group"),
    ("slave_checkpoint_period", "replica_checkpoint_period"),
    ("slave_compressed_protocol", "replica_compressed_protocol"),
    ("slave_exec_mode", "replica_exec_mode"),
    ("slave_load_tmpdir", "replica_load_tmpdir"),
    ("slave_max_allowed_packet", "replica_max_allowed_packet"),
    ("slave_net_timeout", "replica_net_timeout"),
    ("slave_parallel_type", "replica_parallel_type"),
    ("slave_parallel_workers", "replica_parallel_workers"),
    ("slave_pending_jobs_size_max", "replica_pending_jobs_size_max"),
    ("slave_preserve_commit_order", "replica_preserve_commit_order"),
    ("slave_sql_verify_checksum", "replica_sql_verify_checksum"),
    ("slave_transaction_retries", "replica_transaction_retries"),
    ("slave_type_conversions", "replica_type_conversions"),
];

/// Which words a server understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialect {
    /// The server's version.
    pub version: ServerVersion,
    /// Its family.
    pub family: Family,
    /// Its words.
    pub words: &'static Words,
}

impl Dialect {
    /// The dialect of a server that says `@@version` = `text`.
    ///
    /// # Errors
    /// [`SqlError::Unsupported`] for MariaDB and for MySQL before 8.0.
    pub fn of(text: &str) -> Result<Self, SqlError> {
        let what = "choosing the words for this server";
        if text.to_ascii_lowercase().contains("mariadb") {
            return Err(SqlError::unsupported(
                what,
                format!("{text} is MariaDB; this version of Xenon runs MySQL 8.0 and later"),
            ));
        }
        let Some(version) = ServerVersion::parse(text) else {
            return Err(SqlError::unsupported(what, format!("'{text}' does not look like a MySQL version")));
        };
        let Some((_, words)) = TABLES.iter().find(|(since, _)| version >= *since) else {
            return Err(SqlError::unsupported(
                what,
                format!("MySQL {version} is too old; upgrade it to 8.0 or later first"),
            ));
        };
        let family = if version >= ServerVersion::new(8, 4, 0) { Family::V84 } else { Family::V80 };
        Ok(Self { version, family, words })
    }

    /// `name` as this server calls it: `rpl_semi_sync_master_timeout` on 8.4 becomes `rpl_semi_sync_source_timeout`,
    /// and the other way round on old servers. Any other name comes back in lower case.
    pub fn variable(&self, name: &str) -> String {
        let name = name.to_ascii_lowercase();
        let new_names = self.words.log_replica_updates == NEW.log_replica_updates;
        if name.starts_with("rpl_semi_sync_") {
            return self.semi_sync_variable(&name, new_names);
        }
        let renamed = RENAMED.iter().find(|(old, new)| name == *old || name == *new);
        match renamed {
            Some((_, new)) if new_names => (*new).to_owned(),
            Some((old, _)) => (*old).to_owned(),
            None => name,
        }
    }

    fn semi_sync_variable(&self, name: &str, new_names: bool) -> String {
        if new_names { semi_sync_in_new_words(name) } else { semi_sync_in_old_words(name) }
    }
}

/// `rpl_semi_sync_master_wait_no_slave` → `rpl_semi_sync_source_wait_no_replica`.
pub(crate) fn semi_sync_in_new_words(name: &str) -> String {
    name.replace("_master_", "_source_").replace("slave", "replica")
}

/// `rpl_semi_sync_source_wait_no_replica` → `rpl_semi_sync_master_wait_no_slave`.
pub(crate) fn semi_sync_in_old_words(name: &str) -> String {
    name.replace("_source_", "_master_").replace("replica", "slave")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_by_version() {
        #[rustfmt::skip]
        let table = [
            // version        REPLICA    option     semi-sync  log_…_updates          status                    start option             family
            ("8.0.20",        "SLAVE",   "MASTER_", "master",  "log_slave_updates",   "SHOW MASTER STATUS",     "--skip-slave-start",    Family::V80),
            ("8.0.22",        "REPLICA", "MASTER_", "master",  "log_slave_updates",   "SHOW MASTER STATUS",     "--skip-slave-start",    Family::V80),
            ("8.0.25-15",     "REPLICA", "SOURCE_", "master",  "log_slave_updates",   "SHOW MASTER STATUS",     "--skip-slave-start",    Family::V80),
            ("8.0.26",        "REPLICA", "SOURCE_", "source",  "log_replica_updates", "SHOW MASTER STATUS",     "--skip-replica-start",  Family::V80),
            ("8.0.36-28.1",   "REPLICA", "SOURCE_", "source",  "log_replica_updates", "SHOW MASTER STATUS",     "--skip-replica-start",  Family::V80),
            ("8.4.0",         "REPLICA", "SOURCE_", "source",  "log_replica_updates", "SHOW BINARY LOG STATUS", "--skip-replica-start",  Family::V84),
            ("9.7.4-1+b1",    "REPLICA", "SOURCE_", "source",  "log_replica_updates", "SHOW BINARY LOG STATUS", "--skip-replica-start",  Family::V84),
        ];
        for (version, replica, option, semi_sync, updates, status, start, family) in table {
            let d = Dialect::of(version).expect(version);
            let w = d.words;
            assert_eq!(
                (
                    w.replica,
                    w.source_option,
                    w.semi_sync_source,
                    w.log_replica_updates,
                    w.binlog_status,
                    w.skip_start_option,
                    d.family
                ),
                (replica, option, semi_sync, updates, status, start, family),
                "{version}"
            );
        }
    }

    #[test]
    fn others_are_refused_clearly() {
        for (version, says) in [
            ("5.7.44-log", "too old"),
            ("10.11.6-MariaDB-1", "MariaDB"),
            ("5.5.5-10.6.1-MariaDB", "MariaDB"),
            ("abc", "does not look"),
        ] {
            let error = Dialect::of(version).expect_err(version).to_string();
            assert!(error.contains(says), "{version}: {error}");
        }
    }

    #[test]
    fn variables_follow_the_server() {
        let (old, new) = (Dialect::of("8.0.25").expect("old"), Dialect::of("9.7.4").expect("new"));
        for (given, in_old, in_new) in [
            (
                "rpl_semi_sync_master_wait_no_slave",
                "rpl_semi_sync_master_wait_no_slave",
                "rpl_semi_sync_source_wait_no_replica",
            ),
            ("rpl_semi_sync_source_timeout", "rpl_semi_sync_master_timeout", "rpl_semi_sync_source_timeout"),
            ("Slave_Parallel_Workers", "slave_parallel_workers", "replica_parallel_workers"),
            ("replica_net_timeout", "slave_net_timeout", "replica_net_timeout"),
            ("sync_binlog", "sync_binlog", "sync_binlog"),
        ] {
            assert_eq!(
                (old.variable(given), new.variable(given)),
                (in_old.to_owned(), in_new.to_owned()),
                "{given}"
            );
        }
    }
}
