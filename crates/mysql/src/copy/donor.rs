//! What a server must have, and must not have, so that CLONE copies all of it.

use std::time::Duration;

use crate::control::Control;
use crate::link::{text, until};
use crate::{Door, SqlError};

/// More tables than these are counted and not named.
const NAMED_MAX: usize = 20;
/// INSTALL PLUGIN: it is there already.
const PLUGIN_EXISTS: u16 = 1968;
const FUNCTION_EXISTS: u16 = 1125;

/// Tables whose rows CLONE does not copy, since they are not InnoDB's: a copy has them, empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// How many.
    pub count: u64,
    /// The first of them, `schema.table (ENGINE)`, at most 20.
    pub names: Vec<String>,
}

impl Door {
    /// The tables of applications that a CLONE of this server would copy without their rows (MyISAM, CSV, ARCHIVE …).
    /// A copy that must lose nothing is not made while there are any.
    ///
    /// # Errors
    /// See [`SqlError`].
    pub async fn left_out_by_clone(&self, deadline: Duration) -> Result<LeftOut, SqlError> {
        let what = "looking for tables that CLONE leaves out";
        // MEMORY tables are empty after each restart anyway, and the rows of the others live elsewhere.
        let sql = format!(
            "SELECT CONCAT(TABLE_SCHEMA, '.', TABLE_NAME, ' (', ENGINE, ')'), COUNT(*) OVER () \
             FROM information_schema.TABLES WHERE TABLE_TYPE = 'BASE TABLE' \
             AND ENGINE NOT IN ('InnoDB', 'MEMORY', 'BLACKHOLE', 'FEDERATED', 'PERFORMANCE_SCHEMA', 'MRG_MYISAM') \
             AND TABLE_SCHEMA NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema') \
             ORDER BY TABLE_SCHEMA, TABLE_NAME LIMIT {NAMED_MAX}"
        );
        let rows = self.ask(what, &sql, deadline).await?;
        let count = rows.first().and_then(|row| text(row, 1)?.parse().ok()).unwrap_or(0);
        Ok(LeftOut { count, names: rows.iter().filter_map(|row| text(row, 0)).collect() })
    }
}

impl Control {
    /// Loads the clone plugin where it is missing. Says whether it was loaded.
    ///
    /// Only for a server that we did not start: ours loads it itself. It writes to `mysql.plugin`, which `super_read_only`
    /// forbids, so that is lifted for the moment (`read_only` stays on, and nothing goes to the binlog).
    ///
    /// # Errors
    /// See [`SqlError`]; among them that the server has no such library.
    pub async fn load_clone_plugin(&mut self, deadline: Duration) -> Result<bool, SqlError> {
        let what = "loading the clone plugin";
        let until = until(deadline);
        let link = self.link()?;
        let sql = "SELECT @@global.super_read_only, (SELECT COUNT(*) FROM information_schema.PLUGINS \
                   WHERE PLUGIN_NAME = 'clone' AND PLUGIN_STATUS = 'ACTIVE')";
        let sets = link.ask(what, sql, until).await?;
        let row = sets.first().and_then(|rows| rows.first());
        let column = |index| row.and_then(|row| text(row, index)).unwrap_or_default();
        if column(1) == "1" {
            return Ok(false);
        }
        let (before, after) = if column(0) == "1" {
            ("SET GLOBAL read_only = 1; SET GLOBAL super_read_only = 0; ", "; SET GLOBAL super_read_only = 1")
        } else {
            ("", "")
        };
        let install = "INSTALL PLUGIN clone SONAME 'mysql_clone.so'";
        let sql =
            format!("SET SESSION sql_log_bin = 0; {before}{install}{after}; SET SESSION sql_log_bin = 1");
        let outcome = link.run(what, sql, until).await;
        if outcome.is_err() && !before.is_empty() {
            // The batch ended before its last statement.
            link.run(what, "SET GLOBAL super_read_only = 1", until).await?;
        }
        if outcome.is_err() {
            // sql_log_bin is still off: what this session wrote would be missing on the others.
            self.retire();
        }
        match outcome {
            Ok(()) => Ok(true),
            Err(error) if error.is_code(PLUGIN_EXISTS) || error.is_code(FUNCTION_EXISTS) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// First version with CLONE.
const CLONE_SINCE: crate::ServerVersion = crate::ServerVersion { major: 8, minor: 0, patch: 17 };
/// The plugin's library.
const LIBRARY: &str = "mysql_clone.so";

/// Why this host's mysqld program cannot receive a CLONE: it is too old, or its library is not there. `None` when it can,
/// as far as that can be seen without starting it.
pub async fn clone_missing(options: &crate::MysqldOptions) -> Option<String> {
    let version = crate::mysqld_version(&options.mysqld).await.ok()?;
    if version < CLONE_SINCE {
        return Some(format!("MySQL {version} has no CLONE, which came with {CLONE_SINCE}"));
    }
    let options = options.clone();
    tokio::task::spawn_blocking(move || library_missing(&options)).await.ok().flatten()
}

fn library_missing(options: &crate::MysqldOptions) -> Option<String> {
    let defaults =
        crate::process::Defaults::read(&options.defaults_file).ok()?.with_arguments(&options.extra_args);
    // Only a folder that is named is surely the one; where it is not, the server must tell.
    let folder = std::path::PathBuf::from(defaults.value("plugin_dir")?);
    let missing = folder.is_dir() && !folder.join(LIBRARY).exists();
    missing.then(|| format!("its server's folder of plugins {} has no {LIBRARY}", folder.display()))
}
