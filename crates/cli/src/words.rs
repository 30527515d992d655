//! How a node's status is put into the words of tables and old JSON forms.

use xenon_api::{MysqlStatus, NodeStatus};

/// What stands in every cell of a node that does not answer.
pub(crate) const UNKNOWN: &str = "UNKNOW";

/// `[ViewID:5 EpochID:2]@LEADER`.
pub(crate) fn raft(status: &NodeStatus) -> String {
    format!("[ViewID:{} EpochID:{}]@{}", status.view_id, status.epoch_id, status.state)
}

/// `RUNNING` or `NOTRUNNING`.
pub(crate) fn mysqld(status: &NodeStatus) -> &'static str {
    if status.mysqld.running { "RUNNING" } else { "NOTRUNNING" }
}

/// `ON` or `OFF`.
pub(crate) fn monitor(status: &NodeStatus) -> &'static str {
    if status.mysqld.monitor { "ON" } else { "OFF" }
}

/// `state:[NONE]` and, on the next line, `LastError:`.
pub(crate) fn backup(status: &NodeStatus) -> String {
    let text = format!("state:[{}]\nLastError:\n{}", status.backup.state, status.backup.last_error);
    text.trim().to_owned()
}

/// `ALIVE` or `DEAD`.
pub(crate) fn alive(mysql: &MysqlStatus) -> &'static str {
    if mysql.alive { "ALIVE" } else { "DEAD" }
}

/// `READWRITE` or `READONLY`; of a dead server nobody knows.
pub(crate) fn option(mysql: &MysqlStatus) -> &'static str {
    match mysql.writable {
        _ if !mysql.alive => UNKNOWN,
        true => "READWRITE",
        false => "READONLY",
    }
}

/// `[ALIVE] [READWRITE]`, `[ALIVE] [READONLY]` or `[DEAD] [UNKNOW]`.
pub(crate) fn mysql(status: &NodeStatus) -> String {
    format!("[{}] [{}]", alive(&status.mysql), option(&status.mysql))
}

/// Whether receiver and applier run. A primary has neither, and the Go tool says true of both; scripts that look for a
/// broken replica rely on it.
pub(crate) fn threads(status: &NodeStatus) -> (bool, bool) {
    let mysql = &status.mysql;
    match &mysql.replication {
        _ if !mysql.alive => (false, false),
        _ if mysql.writable => (true, true),
        Some(replication) => (replication.io_running, replication.sql_running),
        None => (false, false),
    }
}

/// `[true/true]`.
pub(crate) fn running(status: &NodeStatus) -> String {
    let (receiver, applier) = threads(status);
    format!("[{receiver}/{applier}]")
}

/// `[binlog.000002/1234]`: on a replica what it has read of its source, on a primary its own.
pub(crate) fn position(mysql: &MysqlStatus) -> String {
    match &mysql.replication {
        Some(replication) if !mysql.writable => {
            format!("[{}/{}]", replication.source_log_file, replication.read_source_log_pos)
        }
        _ => format!("[{}/{}]", mysql.binlog_file, mysql.binlog_position),
    }
}

/// Seconds that a replica is behind; empty where there are none to tell.
pub(crate) fn seconds_behind(mysql: &MysqlStatus) -> String {
    match &mysql.replication {
        _ if !mysql.alive => String::new(),
        _ if mysql.writable => "0".to_owned(),
        Some(replication) => {
            replication.seconds_behind.map(|seconds| seconds.to_string()).unwrap_or_default()
        }
        None => String::new(),
    }
}

/// What replication, else the server, last failed with.
pub(crate) fn last_error(mysql: &MysqlStatus) -> String {
    let replication = mysql.replication.as_ref().map(|replication| replication.last_error.clone());
    replication.filter(|error| !error.is_empty()).unwrap_or_else(|| mysql.last_error.clone())
}

/// The leader that a node knows; empty when it knows none.
pub(crate) fn leader(status: &NodeStatus) -> String {
    status.leader.as_ref().map(ToString::to_string).unwrap_or_default()
}
