//! The five tables about all nodes, and the same as JSON.

use crate::session::Answer;
use crate::table::Table;
use crate::words;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::{Value, json};
use xenon_api::NodeStatus;

/// A table with a row for each node.
pub(crate) struct View {
    /// Key of the list in the JSON object.
    name: &'static str,
    columns: &'static [&'static str],
    /// Key of each column in the JSON object of a row.
    keys: &'static [&'static str],
    /// The cells after the first, which is the node's name.
    cells: fn(&NodeStatus) -> Vec<String>,
}

/// `cluster status`
pub(crate) const STATUS: View = View {
    name: "status",
    columns: &["ID", "Raft", "Mysqld", "Monitor", "Backup", "Mysql", "IO/SQL_RUNNING", "MyLeader"],
    keys: &[
        "id",
        "raft",
        "mysqld-info",
        "monitor-info",
        "backup-info",
        "mysql-info",
        "slave-info",
        "myleader",
    ],
    cells: |status| {
        vec![
            words::raft(status),
            words::mysqld(status).to_owned(),
            words::monitor(status).to_owned(),
            words::backup(status),
            words::mysql(status),
            words::running(status),
            words::leader(status),
        ]
    },
};

/// `cluster gtid`
pub(crate) const GTID: View = View {
    name: "gtid",
    columns: &["ID", "Raft", "Mysql", "Executed_GTID_Set", "Retrieved_GTID_Set"],
    keys: &["id", "raft", "mysql", "executed-gtid-set", "retrieved-gtid-set"],
    cells: |status| {
        let replication = status.mysql.replication.as_ref();
        vec![
            status.state.clone(),
            words::alive(&status.mysql).to_owned(),
            // One source a line, as servers print it.
            format!("{:#}", status.mysql.executed),
            replication.map(|replication| format!("{:#}", replication.retrieved)).unwrap_or_default(),
        ]
    },
};

/// `cluster mysql`
pub(crate) const MYSQL: View = View {
    name: "mysql",
    columns: &[
        "ID",
        "Raft",
        "Mysql",
        "Option",
        "Master_Log_File/Pos",
        "IO/SQL_Running",
        "Seconds_Behind",
        "Last_Error",
    ],
    keys: &[
        "id",
        "raft",
        "mysql",
        "option",
        "master-log-file-pos",
        "io-sql-running",
        "seconds-behind",
        "last-error",
    ],
    cells: |status| {
        let mysql = &status.mysql;
        vec![
            status.state.clone(),
            words::alive(mysql).to_owned(),
            words::option(mysql).to_owned(),
            words::position(mysql),
            words::running(status),
            words::seconds_behind(mysql),
            words::last_error(mysql),
        ]
    },
};

/// `cluster raft`
pub(crate) const RAFT: View = View {
    name: "raft",
    columns: &[
        "ID",
        "Raft",
        "IdleCnt",
        "LPromotes",
        "LDegrades",
        "LGetHeartbeats",
        "LGetVotes",
        "CPromotes",
        "CDegrades",
        "Raft@Mysql",
        "StateUptimes(sec)",
    ],
    keys: &[
        "id",
        "raft",
        "idle-count",
        "leader-promotes",
        "leader-degrades",
        "leader-get-heartbeats",
        "leader-get-votes",
        "candidate-promotes",
        "candidate-degrades",
        "raft-mysql",
        "state-uptimes",
    ],
    cells: |status| {
        let counters = &status.counters;
        vec![
            words::raft(status),
            counters.idle_count.to_string(),
            counters.leader_promotes.to_string(),
            counters.leader_degrades.to_string(),
            counters.leader_gets_heartbeats.to_string(),
            counters.leader_gets_votes.to_string(),
            counters.candidate_promotes.to_string(),
            counters.candidate_degrades.to_string(),
            format!("{}@{}", status.state, words::option(&status.mysql)),
            status.state_uptime_s.to_string(),
        ]
    },
};

/// `cluster xenon`
pub(crate) const XENON: View = View {
    name: "xenon",
    columns: &["ID", "Status", "Config", "Uptimes"],
    keys: &["id", "status", "config", "uptimes"],
    cells: |status| vec!["ONLINE".to_owned(), status.config_path.clone(), status.uptime_s.to_string()],
};

impl View {
    fn row(&self, answer: &Answer) -> Vec<String> {
        let cells = match answer.status() {
            Some(status) => (self.cells)(status),
            None => self.columns.iter().skip(1).map(|_| words::UNKNOWN.to_owned()).collect(),
        };
        std::iter::once(answer.id.clone()).chain(cells).collect()
    }

    /// For people.
    pub(crate) fn table(&self, answers: &[Answer]) -> Table {
        Table::new(self.columns, answers.iter().map(|answer| self.row(answer)).collect())
    }

    /// For programs: `exactly` as the Go tool, every value as the table's text; else with each node's whole status
    /// (`detail`) or why there is none (`error`).
    pub(crate) fn json(&self, answers: &[Answer], exactly: bool) -> Object {
        let rows = answers.iter().map(|answer| {
            let texts = self.row(answer).into_iter().map(Value::from);
            let mut row: Vec<(&str, Value)> = self.keys.iter().copied().zip(texts).collect();
            if !exactly {
                let error = answer.status.as_ref().err().map(|failure| failure.what().to_owned());
                row.push(("detail", json!(answer.status())));
                row.push(("error", json!(error)));
            }
            Object::new(row)
        });
        let rows: Vec<Object> = rows.collect();
        Object(vec![(self.name, Part::List(rows))])
    }
}

/// A JSON object whose keys keep their order: people compare such lines by eye.
#[derive(Debug, Clone)]
pub(crate) struct Object(Vec<(&'static str, Part)>);

/// What a key of an [`Object`] leads to.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
enum Part {
    Value(Value),
    List(Vec<Object>),
}

impl Object {
    /// An object of plain values.
    pub(crate) fn new(parts: Vec<(&'static str, Value)>) -> Self {
        Self(parts.into_iter().map(|(key, value)| (key, Part::Value(value))).collect())
    }
}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

/// What a person should know of the nodes and no cell has room for, a line each. `local` is this host's node, whose
/// failure is told elsewhere.
pub(crate) fn troubles(local: &str, answers: &[Answer]) -> Vec<String> {
    let cluster = answers
        .iter()
        .find(|answer| answer.id == local)
        .and_then(Answer::status)
        .and_then(|status| status.cluster);
    let mut lines = Vec::new();
    for answer in answers {
        let mut tell = |text: String| {
            let line = format!("{}: {text}", answer.id);
            if !lines.contains(&line) {
                lines.push(line);
            }
        };
        match &answer.status {
            Ok(status) => {
                if cluster.is_some() && status.cluster.is_some() && status.cluster != cluster {
                    tell("belongs to another cluster".to_owned());
                }
                of_node(status).into_iter().for_each(&mut tell);
            }
            Err(failure) if answer.id != local => {
                // The channel's words begin with the node as well.
                let what = failure.what();
                tell(what.strip_prefix(answer.id.as_str()).unwrap_or(what).trim_start().to_owned());
            }
            Err(_) => {}
        }
    }
    lines
}

fn of_node(status: &NodeStatus) -> Vec<String> {
    let mut lines = Vec::new();
    let mysql = &status.mysql;
    if status.cluster.is_some() && !status.members.iter().any(|member| member.id == status.id) {
        lines.push("is no member of the cluster any more".to_owned());
    } else if !status.errant.is_empty() {
        lines.push(format!("has transactions that the leader lacks: {}", status.errant));
    } else if let Some(why) = status.unfit.as_deref().filter(|_| status.state != "IDLE") {
        lines.push(format!("may not lead: {why}"));
    }
    lines.extend(status.troubles.iter().cloned());
    if !status.mysqld.running && !status.mysqld.last_error.is_empty() {
        lines.push(format!("mysqld: {}", status.mysqld.last_error));
    }
    if status.mysqld.running && !mysql.alive && !mysql.last_error.is_empty() {
        lines.push(format!("mysqld does not answer: {}", mysql.last_error));
    }
    if let Some(replication) =
        mysql.replication.as_ref().filter(|it| mysql.alive && !it.last_error.is_empty())
    {
        lines.push(format!("replication: {}", replication.last_error));
    }
    lines
}

#[cfg(test)]
mod tests;
