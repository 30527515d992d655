//! What clients are doing: asked before writes are closed for a handover (T1).

use std::time::Duration;

use mysql_async::Row;
use xenon_plan::Work;

use crate::link::text;
use crate::{Door, SqlError};

const WHAT: &str = "looking at what clients do";
/// More would only be counted.
const SESSIONS: usize = 1_000;

/// Sessions that run something, hold tables, or have changed rows and not committed. LOCK TABLES … WRITE keeps the intention lock
/// on everything that a statement holds only while it runs.
const ASK: &str = "SELECT t.PROCESSLIST_ID, t.PROCESSLIST_USER, \
       IF(t.PROCESSLIST_COMMAND = 'Sleep', '', COALESCE(LEFT(t.PROCESSLIST_INFO, 200), '')), \
       COALESCE(t.PROCESSLIST_TIME, 0), \
       t.PROCESSLIST_COMMAND = 'Sleep' AND EXISTS (SELECT 1 FROM performance_schema.metadata_locks AS m \
         WHERE m.OWNER_THREAD_ID = t.THREAD_ID AND m.OBJECT_TYPE = 'GLOBAL' AND m.LOCK_STATUS = 'GRANTED'), \
       COALESCE(x.trx_rows_modified, 0), COALESCE(TIMESTAMPDIFF(SECOND, x.trx_started, NOW()), 0) \
     FROM performance_schema.threads AS t \
     LEFT JOIN information_schema.INNODB_TRX AS x ON x.trx_mysql_thread_id = t.PROCESSLIST_ID \
     WHERE t.TYPE = 'FOREGROUND' AND t.PROCESSLIST_ID <> CONNECTION_ID() \
       AND t.PROCESSLIST_COMMAND NOT IN ('Daemon', 'Binlog Dump', 'Binlog Dump GTID') LIMIT 1000";

impl Door {
    /// What every client's session is doing now, up to a thousand of them.
    ///
    /// # Errors
    /// [`SqlError::Server`] on a server without performance schema: then nothing is known.
    pub async fn work(&self, deadline: Duration) -> Result<Vec<Work>, SqlError> {
        let rows = self.ask(WHAT, ASK, deadline).await?;
        Ok(rows.iter().take(SESSIONS).filter_map(work_of).collect())
    }
}

fn work_of(row: &Row) -> Option<Work> {
    let number = |index: usize| text(row, index).and_then(|text| text.parse().ok()).unwrap_or(0);
    Some(Work {
        session: text(row, 0)?.parse().ok()?,
        user: text(row, 1).unwrap_or_default(),
        statement: text(row, 2).unwrap_or_default(),
        seconds: number(3),
        locks_tables: number(4) == 1,
        rows_changed: number(5),
        open_s: number(6),
    })
}
