//! Global variables that an operator sets on one server.

use std::time::Duration;

use crate::control::OURS;
use crate::link::{Purpose, until};
use crate::literal::quoted;
use crate::{Dialect, Door, SqlError};

/// One variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GlobalValue {
    /// Its name.
    pub name: String,
    /// What it is to be.
    pub value: GlobalTo,
    /// `SET PERSIST`.
    pub persist: bool,
}

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GlobalTo {
    /// The server's default.
    Default,
    /// A number as it was written.
    Number(String),
    /// Text.
    Text(String),
}

/// Beside [`OURS`], where an operator's config is read: what would break the agent's picture of the server.
const OURS_TOO: [(&str, &str); 9] = [
    ("gtid_mode", "elections rest on GTIDs: without them no node can tell what it has"),
    ("enforce_gtid_consistency", "a transaction without a GTID could not be told apart, and be lost unseen"),
    ("gtid_executed", "elections rest on GTID sets (S3)"),
    ("server_id", "replicas tell their sources apart by it; change it in the option file, and restart"),
    ("server_uuid", "GTIDs are named by it"),
    ("offline_mode", "the agent sends clients away with it when a primary is deposed (D4)"),
    ("binlog_format", "only rows can be compared and rescued after a crash"),
    (
        "binlog_expire_logs_auto_purge",
        "the agent purges, when every member has what goes; for the server's own: raft.purge-binlog-disabled",
    ),
    ("sql_log_bin", "a write that is not in the binlog is on one node only"),
];

impl Door {
    /// Sets global variables, in one statement, in order. Nothing goes to the binlog by it.
    ///
    /// # Errors
    /// [`SqlError::Unsupported`] for what is the agent's own, with the reason; else what the server says.
    pub async fn set_globals(&self, values: &[GlobalValue], deadline: Duration) -> Result<(), SqlError> {
        let what = "setting global variables";
        let until = until(deadline);
        let mut link = self.open(Purpose::Changing, until).await?;
        let sql = statement(what, &link.dialect(), values)?;
        link.run(what, sql, until).await
    }
}

fn statement(what: &str, dialect: &Dialect, values: &[GlobalValue]) -> Result<String, SqlError> {
    let mut parts = Vec::new();
    for GlobalValue { name, value, persist } in values {
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.') {
            return Err(SqlError::unsupported(what, "this is not the name of a variable"));
        }
        let name = dialect.variable(name);
        if let Some(why) = why_ours(&name) {
            return Err(SqlError::unsupported(&format!("setting {name}"), why));
        }
        let value = match value {
            GlobalTo::Default => "DEFAULT".to_owned(),
            GlobalTo::Number(number) if is_plain(number) => number.clone(),
            GlobalTo::Number(text) | GlobalTo::Text(text) => quoted(text),
        };
        let scope = if *persist { "PERSIST" } else { "GLOBAL" };
        parts.push(format!("{scope} {name} = {value}"));
    }
    if parts.is_empty() {
        return Err(SqlError::unsupported(what, "no variable is named"));
    }
    Ok(format!("SET {}", parts.join(", ")))
}

fn is_plain(number: &str) -> bool {
    !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-'))
}

fn why_ours(name: &str) -> Option<&'static str> {
    let new = crate::dialect::semi_sync_in_new_words(name);
    // Of a component or plugin's variable the part behind the dot counts, too.
    let bare = new.rsplit('.').next().unwrap_or(&new);
    let listed = OURS.iter().chain(&OURS_TOO).find(|(ours, _)| *ours == bare).map(|(_, why)| *why);
    let semi_sync = bare.starts_with("rpl_semi_sync_").then_some("the agent switches semi-sync (L4, D2)");
    listed.or(semi_sync)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(name: &str, value: GlobalTo) -> Result<String, SqlError> {
        let dialect = Dialect::of("9.7.4").expect("a version");
        statement("x", &dialect, &[GlobalValue { name: name.to_owned(), value, persist: false }])
    }

    #[test]
    fn statements_are_put_together_anew() {
        assert_eq!(
            set("sync_binlog", GlobalTo::Number("1".into())).expect("it may"),
            "SET GLOBAL sync_binlog = 1"
        );
        assert_eq!(
            set("a", GlobalTo::Text("x'; DROP".into())).expect("it may"),
            r"SET GLOBAL a = 'x\'; DROP'"
        );
        assert_eq!(
            set("slave_net_timeout", GlobalTo::Default).expect("it may"),
            "SET GLOBAL replica_net_timeout = DEFAULT"
        );
        assert_eq!(set("a", GlobalTo::Number("1; DROP".into())).expect("it may"), "SET GLOBAL a = '1; DROP'");
    }

    #[test]
    fn the_agents_own_are_refused_with_the_reason() {
        for name in [
            "read_only",
            "super_read_only",
            "rpl_semi_sync_master_enabled",
            "rpl_semi_sync_source_timeout",
            "rpl_semi_sync_source_trace_level",
            "gtid_mode",
            "gtid_purged",
            "offline_mode",
            "server_id",
            "a b",
        ] {
            let error = set(name, GlobalTo::Default).expect_err(name);
            assert!(matches!(error, SqlError::Unsupported { .. }), "{name}: {error}");
        }
    }
}
