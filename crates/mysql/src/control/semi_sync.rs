//! Semi-synchronous replication: Raft's commit (L4), and what must never be undone (D2).

use std::time::Duration;

use tokio::time::Instant;

use super::{Control, ReadOnlyOutcome};
use crate::dialect::{semi_sync_in_new_words, semi_sync_in_old_words};
use crate::link::{Link, text, until};
use crate::{SqlError, look};

/// How long a commit waits for its acknowledgements, milliseconds: for ever.
///
/// Not the largest value that the server takes, so that adding it to a point in time does not overflow there.
pub const SEMI_SYNC_TIMEOUT_MS: u64 = 1_000_000_000_000_000_000;

/// How long closing a server that looks closed may take.
const CLOSE_AGAIN: Duration = Duration::from_secs(1);
/// The plugin of that name is not loaded.
const UNKNOWN_VARIABLE: u16 = 1193;
/// INSTALL PLUGIN: it is there already.
const PLUGIN_EXISTS: u16 = 1968;
const FUNCTION_EXISTS: u16 = 1125;

impl Control {
    /// Switches the source side on with `wait_for` acknowledgements a commit (W of L4), or changes W when it is on.
    ///
    /// Commits wait for ever, after the binlog is written (AFTER_SYNC), and also while no replica is connected; with `soft`
    /// (C5) not while none is. With `on` false it is [`Control::semi_sync_source_off`].
    pub async fn semi_sync_source(
        &mut self,
        on: bool,
        wait_for: u32,
        soft: bool,
        deadline: Duration,
    ) -> Result<(), SqlError> {
        if !on {
            return self.semi_sync_source_off(deadline).await;
        }
        let what = "switching semi-sync on";
        if wait_for == 0 {
            return Err(SqlError::unsupported(
                what,
                "a commit cannot wait for no acknowledgement; semi-sync wants at least 1",
            ));
        }
        // Enabled last: it is at no moment on with an older count or a finite timeout.
        let assignments = format!(
            "GLOBAL rpl_semi_sync_source_timeout = {SEMI_SYNC_TIMEOUT_MS}, \
             GLOBAL rpl_semi_sync_source_wait_for_replica_count = {wait_for}, \
             GLOBAL rpl_semi_sync_source_wait_no_replica = {}, \
             GLOBAL rpl_semi_sync_source_wait_point = 'AFTER_SYNC', \
             GLOBAL rpl_semi_sync_source_enabled = 1",
            u8::from(!soft)
        );
        self.set_semi_sync(what, &assignments, until(deadline)).await
    }

    /// Switches the source side off: only on a server that can have no waiting commit any more (D2), since each of those
    /// would be told OK though no voter has it. Takes about 0.8 s.
    ///
    /// # Errors
    /// [`SqlError::Unsupported`] while the server is not `super_read_only`: a client's commit may be waiting, or begin to.
    pub async fn semi_sync_source_off(&mut self, deadline: Duration) -> Result<(), SqlError> {
        let what = "switching semi-sync off";
        let until = until(deadline);
        let state = look::look(self.link()?, true, until).await?;
        let Some(source) = state.semi_sync_source else { return Ok(()) };
        if !source.enabled {
            return Ok(());
        }
        if !state.super_read_only {
            let waiting = source.waiting_sessions;
            return Err(SqlError::unsupported(
                what,
                format!(
                    "clients may still write here, and commits that wait ({waiting} now) would be told OK without an \
                     acknowledgement (rule D2); set super_read_only first"
                ),
            ));
        }
        // At once when it is in force; a SET that is still waiting for commits shows as on, too.
        if self.set_read_only(CLOSE_AGAIN).await? == ReadOnlyOutcome::TimedOut {
            return Err(SqlError::unsupported(
                what,
                "commits under way do not end, and would be told OK (rule D2)",
            ));
        }
        // super_read_only is in force, so every client's commit has ended; what may wait still is a marker
        // of the agent's own, whose OK nobody waits for.
        self.set_semi_sync(what, "GLOBAL rpl_semi_sync_source_enabled = 0", until).await
    }

    /// C5: switches the source side off on an open server. Commits that wait are told OK: only for a server without which
    /// nobody can be elected, so that nothing of it is lost. Takes about 0.8 s.
    pub async fn stop_waiting(&mut self, deadline: Duration) -> Result<(), SqlError> {
        self.set_semi_sync(
            "switching semi-sync off",
            "GLOBAL rpl_semi_sync_source_enabled = 0",
            until(deadline),
        )
        .await
    }

    /// Switches the replica side on or off; a running receiver takes it up when it starts next.
    pub async fn semi_sync_replica(&mut self, on: bool, deadline: Duration) -> Result<(), SqlError> {
        let assignment = format!("GLOBAL rpl_semi_sync_replica_enabled = {}", u8::from(on));
        self.set_semi_sync("switching the replica side of semi-sync", &assignment, until(deadline)).await
    }

    /// Loads the plugins of both sides where they are missing. Says whether anything was loaded.
    ///
    /// Only for a server that we did not start: ours loads them itself (L5). It writes to `mysql.plugin`, which
    /// `super_read_only` forbids, so that is lifted for the moment (`read_only` stays on, and nothing goes to the binlog).
    pub async fn load_semi_sync_plugins(&mut self, deadline: Duration) -> Result<bool, SqlError> {
        let what = "loading the semi-sync plugins";
        let until = until(deadline);
        let link = self.link()?;
        let words = link.dialect().words;
        let sql = "SELECT PLUGIN_NAME FROM information_schema.PLUGINS WHERE PLUGIN_NAME LIKE 'rpl\\_semi\\_sync\\_%' \
                   AND PLUGIN_STATUS = 'ACTIVE'";
        let sets = link.ask(what, sql, until).await?;
        let loaded: Vec<String> = sets
            .first()
            .map(|rows| {
                rows.iter().filter_map(|row| text(row, 0)).map(|name| name.to_ascii_lowercase()).collect()
            })
            .unwrap_or_default();
        let state = look::look(link, true, until).await?;
        let (before, after) = if state.super_read_only {
            ("SET GLOBAL read_only = 1; SET GLOBAL super_read_only = 0; ", "; SET GLOBAL super_read_only = 1")
        } else {
            ("", "")
        };
        let mut any = false;
        for (side, names) in [
            (words.semi_sync_source, ["rpl_semi_sync_source", "rpl_semi_sync_master"]),
            (words.semi_sync_replica, ["rpl_semi_sync_replica", "rpl_semi_sync_slave"]),
        ] {
            // Loaded under its old name on a newer server: the two exclude each other, and the old one does the same.
            if names.iter().any(|name| loaded.iter().any(|l| l == name)) {
                continue;
            }
            let install = format!("INSTALL PLUGIN rpl_semi_sync_{side} SONAME 'semisync_{side}.so'");
            let outcome = link.run(what, format!("{before}{install}{after}"), until).await;
            if outcome.is_err() && !before.is_empty() {
                // The batch ended before its last statement.
                link.run(what, "SET GLOBAL super_read_only = 1", until).await?;
            }
            match outcome {
                Ok(()) => any = true,
                Err(error) if error.is_code(PLUGIN_EXISTS) || error.is_code(FUNCTION_EXISTS) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(any)
    }

    /// `SET` with the names of the plugin that is loaded: a newer server may have the one with the old name.
    async fn set_semi_sync(&mut self, what: &str, new_words: &str, until: Instant) -> Result<(), SqlError> {
        let link: &mut Link = self.link()?;
        let new = semi_sync_in_new_words(new_words);
        let old = semi_sync_in_old_words(new_words);
        let (first, second) =
            if link.dialect().words.semi_sync_source == "source" { (new, old) } else { (old, new) };
        match link.run(what, format!("SET {first}"), until).await {
            Err(error) if error.is_code(UNKNOWN_VARIABLE) => {}
            outcome => return outcome,
        }
        match link.run(what, format!("SET {second}"), until).await {
            Err(error) if error.is_code(UNKNOWN_VARIABLE) => Err(SqlError::unsupported(
                what,
                "the semi-sync plugins are not loaded; start mysqld with them (plugin-load-add)",
            )),
            outcome => outcome,
        }
    }
}
