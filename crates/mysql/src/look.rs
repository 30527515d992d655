//! One look: the statements, and their answer as a [`ServerState`].

use std::collections::HashMap;
use std::str::FromStr;

use mysql_async::Row;
use tokio::time::Instant;
use xenon_plan::observation::{
    ReceiverState, Replication, SemiSyncReplica, SemiSyncSource, ServerState, SourceAddress,
};

use crate::dialect::semi_sync_in_new_words;
use crate::link::{Link, Rows, named, text};
use crate::{Dialect, SqlError, lag};

const WHAT: &str = "looking at mysqld";

/// The plugin that has the variable is not loaded.
const UNKNOWN_VARIABLE: u16 = 1193;

/// Which of the statements has the semi-sync variables.
const SEMI_SYNC_VARIABLES: usize = 2;

/// Looks over `link`, in one round trip. `short`: without what needs a lock of the binlog.
pub(crate) async fn look(link: &mut Link, short: bool, until: Instant) -> Result<ServerState, SqlError> {
    let (dialect, known) = (link.dialect(), std::mem::take(&mut link.semi_sync_variables));
    let sets = match link.ask(WHAT, statements(&dialect, &known, short), until).await {
        // A plugin was unloaded since.
        Err(error) if !known.is_empty() && error.is_code(UNKNOWN_VARIABLE) => {
            link.ask(WHAT, statements(&dialect, &[], short), until).await?
        }
        outcome => outcome?,
    };
    link.semi_sync_variables = semi_sync_names(sets.get(SEMI_SYNC_VARIABLES));
    let mut state = decode(sets)?;
    tell_worker_error(link, &mut state, until).await?;
    lag::measure(link, &mut state, short, until).await?;
    Ok(state)
}

/// The names of the semi-sync variables, when both sides are loaded: naming them in a SELECT costs a tenth of searching all
/// variables for them. With a side missing it is searched for each time, so that a plugin loaded later is noticed.
fn semi_sync_names(rows: Option<&Rows>) -> Vec<String> {
    let Some(rows) = rows else { return Vec::new() };
    let names: Vec<String> = pairs(rows).into_keys().collect();
    let both = ["rpl_semi_sync_source_enabled", "rpl_semi_sync_replica_enabled"]
        .iter()
        .all(|wanted| names.iter().any(|name| name == wanted));
    if both { real_names(rows) } else { Vec::new() }
}

/// All statements of a look. The order matters: the retrieved set comes before the executed one, so that a transaction that
/// is applied in between is in both rather than in neither; the purged set before the executed one, so that it is part of it.
fn statements(dialect: &Dialect, semi_sync: &[String], short: bool) -> String {
    let words = dialect.words;
    let semi_sync = if semi_sync.is_empty() {
        "SHOW GLOBAL VARIABLES LIKE 'rpl_semi_sync%'".to_owned()
    } else {
        let columns: Vec<String> =
            semi_sync.iter().map(|name| format!("@@global.{name} AS {name}")).collect();
        format!("SELECT {}", columns.join(", "))
    };
    let binlog = if short { String::new() } else { format!("; {}", words.binlog_status) };
    format!(
        "SHOW {} STATUS FOR CHANNEL ''; \
         SELECT @@global.gtid_purged, @@global.gtid_executed, @@server_uuid, @@version, @@server_id, @@global.read_only, \
         @@global.super_read_only, @@pid_file, @@datadir, @@global.gtid_mode, @@global.log_bin, @@global.{}, \
         @@global.offline_mode, @@global.relay_log_recovery, @@global.sync_binlog, \
         @@global.innodb_flush_log_at_trx_commit, @@global.sync_relay_log; \
         {semi_sync}; \
         SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync%'{binlog}",
        words.replica, words.log_replica_updates
    )
}

/// Reads the answers to [`statements`].
fn decode(sets: Vec<Rows>) -> Result<ServerState, SqlError> {
    let mut sets = sets.into_iter();
    let mut next = || sets.next().unwrap_or_default();
    let (replication, server, variables, status, binlog) = (next(), next(), next(), next(), next());
    let Some(server) = server.first() else {
        return Err(SqlError::decode(WHAT, "no row of server variables"));
    };
    let column = |index: usize| text(server, index).unwrap_or_default();
    let variables = pairs(&variables);
    let status = pairs(&status);
    let (binlog_file, binlog_position) = match binlog.first() {
        Some(row) => (named(row, &["File"]).unwrap_or_default(), number(row, &["Position"])?),
        None => (String::new(), 0),
    };
    Ok(ServerState {
        purged: parse("gtid_purged", &column(0))?,
        executed: parse("gtid_executed", &column(1))?,
        server_uuid: parse("server_uuid", &column(2))?,
        version: column(3),
        server_id: parse("server_id", &column(4))?,
        read_only: is_on(&column(5)),
        // While SET waits for commits under way, the server shows this variable as on already; read_only follows when
        // both are in force (seen on 9.7.4).
        super_read_only: is_on(&column(5)) && is_on(&column(6)),
        replication: replication.first().map(replication_of).transpose()?.flatten(),
        semi_sync_source: semi_sync_source(&variables, &status)?,
        semi_sync_replica: semi_sync_replica(&variables, &status),
        pid_file: column(7),
        data_dir: column(8),
        gtid_mode_on: column(9).eq_ignore_ascii_case("ON"),
        log_bin: is_on(&column(10)),
        log_replica_updates: is_on(&column(11)),
        offline_mode: is_on(&column(12)),
        relay_log_recovery: is_on(&column(13)),
        synced: (14..=16).all(|index| column(index) == "1"),
        binlog_file,
        binlog_position,
    })
}

/// With several workers the applier's own error only points to the worker's, which says what is wrong. 3030 says only that
/// another one has failed.
async fn tell_worker_error(link: &mut Link, state: &mut ServerState, until: Instant) -> Result<(), SqlError> {
    let Some(replication) = &mut state.replication else { return Ok(()) };
    if replication.applier_running || replication.applier_error.is_empty() {
        return Ok(());
    }
    let sql = "SELECT LAST_ERROR_NUMBER, LAST_ERROR_MESSAGE FROM performance_schema.replication_applier_status_by_worker \
         WHERE CHANNEL_NAME = '' AND LAST_ERROR_NUMBER > 0 ORDER BY LAST_ERROR_NUMBER = 3030, LAST_ERROR_TIMESTAMP DESC \
         LIMIT 1";
    let rows = match link.ask(WHAT, sql, until).await {
        Ok(sets) => sets.into_iter().next().unwrap_or_default(),
        // No right to read it, or no such table: the applier's own words must do.
        Err(error) if error.code().is_some() => return Ok(()),
        Err(error) => return Err(error),
    };
    if let Some((number, message)) = rows.first().and_then(|row| Some((text(row, 0)?, text(row, 1)?))) {
        replication.applier_error = format!("error {number}: {message}");
    }
    Ok(())
}

/// A row of `SHOW REPLICA STATUS`; `None` when no source is configured.
fn replication_of(row: &Row) -> Result<Option<Replication>, SqlError> {
    let get = |names: &[&str]| named(row, names).unwrap_or_default();
    let host = get(&["Source_Host", "Master_Host"]);
    if host.is_empty() {
        return Ok(None);
    }
    let receiver = match get(&["Replica_IO_Running", "Slave_IO_Running"]).as_str() {
        "Yes" => ReceiverState::Running,
        "No" => ReceiverState::Stopped,
        "Connecting" => ReceiverState::Connecting,
        other => return Err(SqlError::decode(WHAT, format!("unknown receiver state '{other}'"))),
    };
    Ok(Some(Replication {
        source: SourceAddress { host, port: number(row, &["Source_Port", "Master_Port"])? },
        user: get(&["Source_User", "Master_User"]),
        auto_position: is_on(&get(&["Auto_Position"])),
        // "Ignored" is a server without TLS: then there is none.
        ssl: get(&["Source_SSL_Allowed", "Master_SSL_Allowed"]) == "Yes",
        connect_retry_s: number(row, &["Connect_Retry"])?,
        source_uuid: get(&["Source_UUID", "Master_UUID"]).parse().ok(),
        receiver,
        applier_running: get(&["Replica_SQL_Running", "Slave_SQL_Running"]) == "Yes",
        retrieved: parse("the retrieved GTID set", &get(&["Retrieved_Gtid_Set"]))?,
        receiver_error: get(&["Last_IO_Error"]),
        applier_error: get(&["Last_SQL_Error"]),
        seconds_behind: named(row, &["Seconds_Behind_Source", "Seconds_Behind_Master"])
            .map(|text| parse("the delay", &text))
            .transpose()?,
        lag_us: None,
        source_log_file: get(&["Source_Log_File", "Master_Log_File"]),
        read_source_log_pos: number(row, &["Read_Source_Log_Pos", "Read_Master_Log_Pos"])?,
    }))
}

/// Names of semi-sync variables and states in the new words, whichever plugin is loaded, with their values.
fn pairs(rows: &Rows) -> HashMap<String, String> {
    let new_words = |name: String| semi_sync_in_new_words(&name.to_ascii_lowercase());
    if let Some(row) = as_columns(rows) {
        let column = |index: usize| row.columns_ref().get(index).map(|column| column.name_str().into_owned());
        return (0..row.len()).filter_map(|i| Some((new_words(column(i)?), text(row, i)?))).collect();
    }
    rows.iter().filter_map(|row| Some((new_words(text(row, 0)?), text(row, 1)?))).collect()
}

/// The names as the server has them.
fn real_names(rows: &Rows) -> Vec<String> {
    match as_columns(rows) {
        Some(row) => row.columns_ref().iter().map(|column| column.name_str().into_owned()).collect(),
        None => rows.iter().filter_map(|row| text(row, 0)).collect(),
    }
}

/// The one row of a SELECT of variables; `None` for the two columns of SHOW.
fn as_columns(rows: &Rows) -> Option<&Row> {
    rows.first().filter(|row| row.len() != 2)
}

fn semi_sync_source(
    variables: &HashMap<String, String>,
    status: &HashMap<String, String>,
) -> Result<Option<SemiSyncSource>, SqlError> {
    let Some(enabled) = variables.get("rpl_semi_sync_source_enabled") else { return Ok(None) };
    let variable = |name: &str| variables.get(name).map(String::as_str).unwrap_or_default();
    let state = |name: &str| status.get(name).map(String::as_str).unwrap_or_default();
    Ok(Some(SemiSyncSource {
        enabled: is_on(enabled),
        wait_for_replicas: parse(
            "the semi-sync count",
            variable("rpl_semi_sync_source_wait_for_replica_count"),
        )?,
        timeout_ms: parse("the semi-sync timeout", variable("rpl_semi_sync_source_timeout"))?,
        after_sync: variable("rpl_semi_sync_source_wait_point").eq_ignore_ascii_case("AFTER_SYNC"),
        wait_no_replica: is_on(variable("rpl_semi_sync_source_wait_no_replica")),
        clients: parse("the semi-sync clients", state("rpl_semi_sync_source_clients"))?,
        waiting_sessions: parse("the sessions that wait", state("rpl_semi_sync_source_wait_sessions"))?,
        operational: is_on(state("rpl_semi_sync_source_status")),
    }))
}

fn semi_sync_replica(
    variables: &HashMap<String, String>,
    status: &HashMap<String, String>,
) -> Option<SemiSyncReplica> {
    let enabled = variables.get("rpl_semi_sync_replica_enabled")?;
    let operational = status.get("rpl_semi_sync_replica_status").is_some_and(|value| is_on(value));
    Some(SemiSyncReplica { enabled: is_on(enabled), operational })
}

fn is_on(value: &str) -> bool {
    value == "1" || value.eq_ignore_ascii_case("ON")
}

fn number<T: FromStr>(row: &Row, names: &[&str]) -> Result<T, SqlError> {
    parse(names.first().copied().unwrap_or_default(), &named(row, names).unwrap_or_default())
}

fn parse<T: FromStr>(name: &str, text: &str) -> Result<T, SqlError> {
    text.parse().map_err(|_| {
        let shown: String = text.chars().take(100).collect();
        SqlError::decode(WHAT, format!("{name} is '{shown}'"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_by_version() {
        let known = ["rpl_semi_sync_source_enabled".to_owned()];
        #[rustfmt::skip]
        let table = [
            ("8.0.20", "SHOW SLAVE STATUS FOR",   "@@global.log_slave_updates",   "SHOW MASTER STATUS"),
            ("8.0.25", "SHOW REPLICA STATUS FOR", "@@global.log_slave_updates",   "SHOW MASTER STATUS"),
            ("8.0.36", "SHOW REPLICA STATUS FOR", "@@global.log_replica_updates", "SHOW MASTER STATUS"),
            ("9.7.4",  "SHOW REPLICA STATUS FOR", "@@global.log_replica_updates", "SHOW BINARY LOG STATUS"),
        ];
        for (version, status, updates, status_of_binlog) in table {
            let dialect = Dialect::of(version).expect(version);
            let sql = statements(&dialect, &[], false);
            assert!(
                sql.starts_with(status) && sql.contains(updates) && sql.ends_with(status_of_binlog),
                "{version}: {sql}"
            );
            assert!(sql.contains("SHOW GLOBAL VARIABLES LIKE"));
            let sql = statements(&dialect, &known, true);
            assert!(!sql.contains(status_of_binlog), "a short one asks for no position: {sql}");
            assert!(
                sql.contains("SELECT @@global.rpl_semi_sync_source_enabled AS rpl_semi_sync_source_enabled;")
            );
        }
    }
}
