//! An empty transaction, whose acknowledgement releases the commits before it.

use std::time::Duration;

use xenon_gtid::Gtid;

use super::Control;
use crate::SqlError;
use crate::link::{Link, until};
use crate::literal::quoted;
use tokio::time::Instant;

impl Control {
    /// Writes the empty transaction `gtid` and returns when it is acknowledged: then whatever waited before it is, too.
    ///
    /// # Errors
    /// [`SqlError::Timeout`] when nobody acknowledged in time, or when a transaction of that number is under way.
    pub async fn release_commits(&mut self, gtid: &Gtid, deadline: Duration) -> Result<(), SqlError> {
        let outcome =
            write_empty(self.link()?, "releasing commits that wait", &gtid.to_string(), until(deadline))
                .await;
        if outcome.is_err() {
            // gtid_next may still name it: the next statement would be written under it.
            self.retire();
        }
        outcome
    }
}

/// After an error the link must not be used again.
pub(super) async fn write_empty(
    link: &mut Link,
    what: &str,
    gtid: &str,
    until: Instant,
) -> Result<(), SqlError> {
    let gtid = quoted(gtid);
    let sql = format!("SET SESSION gtid_next = {gtid}; BEGIN; COMMIT; SET SESSION gtid_next = 'AUTOMATIC'");
    link.run(what, sql, until).await
}
