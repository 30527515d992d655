//! The term marker (L3): the term, written into the very set that elections compare.

use std::time::Duration;

use xenon_gtid::Uuid;

use super::Control;
use super::release::write_empty;
use crate::SqlError;
use crate::link::{text, until};
use crate::literal::quoted;

const WHAT: &str = "writing the term's marker";

/// What writing a marker came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarkerWritten {
    /// It is committed; with semi-sync on, that many voters have acknowledged it.
    Written,
    /// It was executed before.
    AlreadyThere,
}

impl Control {
    /// Writes the empty transaction `cluster:term`, and returns when it is committed: with semi-sync on, when it is
    /// acknowledged.
    ///
    /// Can be repeated. If an earlier attempt still waits for its acknowledgement, this one waits for that one.
    ///
    /// # Errors
    /// [`SqlError::Timeout`] when nobody acknowledged in time: the marker is in the binlog then and may be acknowledged
    /// later.
    ///
    /// `super_read_only` does not refuse it (seen on 9.7): an empty transaction changes no table. So who may write a marker
    /// is for the caller's term to say, not for the server.
    pub async fn write_marker(
        &mut self,
        cluster: &Uuid,
        term: u64,
        deadline: Duration,
    ) -> Result<MarkerWritten, SqlError> {
        let until = until(deadline);
        let name = format!("{cluster}:{term}");
        let gtid = quoted(&name);
        let link = self.link()?;
        let sets =
            link.ask(WHAT, format!("SELECT GTID_SUBSET({gtid}, @@global.gtid_executed)"), until).await?;
        if sets.first().and_then(|rows| rows.first()).and_then(|row| text(row, 0)).as_deref() == Some("1") {
            return Ok(MarkerWritten::AlreadyThere);
        }
        if let Err(error) = write_empty(link, WHAT, &name, until).await {
            // gtid_next may still name the marker: the next statement would be written under it.
            self.retire();
            return Err(error);
        }
        Ok(MarkerWritten::Written)
    }
}
