//! What a check-up asks servers: this host's own, and whether the replication account gets into the others.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::link::{Link, Login, Over, Purpose, text, until};
use crate::{Door, DoorOptions, Secret, SqlError};

const WHAT: &str = "checking mysqld's settings";
/// So many threads are listed.
const THREADS: usize = 4096;

/// What the server says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServerSettings {
    /// Global variables, names in lower case.
    pub variables: BTreeMap<String, String>,
    /// Plugins that matter, lower case, with their status.
    pub plugins: BTreeMap<String, String>,
    /// What the administrative account may do, a GRANT statement each.
    pub grants: Vec<String>,
    /// The server's offset from UTC, seconds.
    pub utc_offset_s: Option<i64>,
}

/// A thread of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerThread {
    /// Its number in the system.
    pub os_id: u32,
    /// `thread/sql/one_connection`.
    pub name: String,
    /// Who is served and how far it is, without the statement's text: `app@10.0.0.1, Query for 3 s, executing`.
    pub session: String,
}

impl Door {
    /// Settings, plugins and rights.
    ///
    /// # Errors
    /// As [`Door::observe`].
    pub async fn settings(&self, deadline: Duration) -> Result<ServerSettings, SqlError> {
        let until = until(deadline);
        let mut link = self.open(Purpose::Reading, until).await?;
        let sql = "SHOW GLOBAL VARIABLES; \
             SELECT PLUGIN_NAME, PLUGIN_STATUS FROM information_schema.PLUGINS \
               WHERE PLUGIN_NAME LIKE 'rpl\\_semi\\_sync%' OR PLUGIN_NAME = 'clone'; \
             SHOW GRANTS; SELECT TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(), NOW())";
        let sets = link.ask(WHAT, sql, until).await?;
        let pairs = |index: usize| -> BTreeMap<String, String> {
            let rows = sets.get(index).map(Vec::as_slice).unwrap_or_default();
            rows.iter()
                .filter_map(|row| {
                    Some((text(row, 0)?.to_ascii_lowercase(), text(row, 1).unwrap_or_default()))
                })
                .collect()
        };
        let first = |index: usize| sets.get(index).and_then(|rows| rows.first()).and_then(|row| text(row, 0));
        Ok(ServerSettings {
            variables: pairs(0),
            plugins: pairs(1),
            grants: sets
                .get(2)
                .map(|rows| rows.iter().filter_map(|row| text(row, 0)).collect())
                .unwrap_or_default(),
            utc_offset_s: first(3).and_then(|text| text.parse().ok()),
        })
    }

    /// The server's threads with their numbers in the system.
    ///
    /// # Errors
    /// [`SqlError::Server`] on a server without performance schema.
    pub async fn threads(&self, deadline: Duration) -> Result<Vec<ServerThread>, SqlError> {
        let until = until(deadline);
        let mut link = self.open(Purpose::Reading, until).await?;
        // Never PROCESSLIST_INFO: statements hold data, and sometimes passwords.
        let sql = "SELECT THREAD_OS_ID, NAME, PROCESSLIST_USER, PROCESSLIST_HOST, PROCESSLIST_COMMAND, PROCESSLIST_TIME, \
             PROCESSLIST_STATE FROM performance_schema.threads WHERE THREAD_OS_ID IS NOT NULL LIMIT 4096";
        let sets = link.ask("listing the server's threads", sql, until).await?;
        let rows = sets.into_iter().next().unwrap_or_default();
        Ok(rows.iter().take(THREADS).filter_map(thread_of).collect())
    }
}

fn thread_of(row: &mysql_async::Row) -> Option<ServerThread> {
    let of = |index: usize| text(row, index).filter(|text| !text.is_empty());
    let mut session = Vec::new();
    if let Some(user) = of(2) {
        session.push(format!("{user}@{}", of(3).unwrap_or_default()));
    }
    if let Some(command) = of(4) {
        session.push(format!("{command} for {} s", of(5).unwrap_or_else(|| "0".to_owned())));
    }
    session.extend(of(6));
    Some(ServerThread { os_id: of(0)?.parse().ok()?, name: of(1)?, session: session.join(", ") })
}

/// Logs in to a server over TCP, with TLS when `tls` says so, and gives what the account may do, a GRANT statement each.
///
/// # Errors
/// As [`Door::observe`].
pub async fn rights_at(
    host: &str,
    port: u16,
    user: &str,
    password: &Secret,
    tls: bool,
    deadline: Duration,
) -> Result<Vec<String>, SqlError> {
    let options = DoorOptions {
        host: host.to_owned(),
        port,
        socket: None,
        user: user.to_owned(),
        password: password.clone(),
        connect_deadline: deadline,
    };
    let door = Door::new(options.clone());
    let over = if tls { Over::Tls } else { Over::PlainTcp };
    let login = Login { user: user.to_owned(), password: password.clone(), over };
    let until = until(deadline);
    let mut link = Link::open(&options, &login, Purpose::Reading, door.abandoned_list(), until).await?;
    let sets = link.ask("asking for the account's rights", "SHOW GRANTS", until).await?;
    Ok(sets.first().map(|rows| rows.iter().filter_map(|row| text(row, 0)).collect()).unwrap_or_default())
}
