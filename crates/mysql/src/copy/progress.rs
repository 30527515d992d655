//! How far a CLONE is, as the server that receives it counts.

use std::time::Duration;

use crate::link::{Rows, named};
use crate::{Door, SqlError};

const WHAT: &str = "asking how far the copy is";

/// The stages in which bytes move, in order.
const STAGES: [&str; 3] = ["FILE COPY", "PAGE COPY", "REDO COPY"];

/// How far a copy is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CopyProgress {
    /// What is being done, in the server's words (`FILE COPY`); empty before the first.
    pub stage: String,
    /// Bytes copied.
    pub copied_bytes: u64,
    /// Bytes to be copied, as estimated so far: it grows with each stage. 0 when not known yet.
    pub estimate_bytes: u64,
    /// Bytes that came over the network.
    pub network_bytes: u64,
}

impl CopyProgress {
    /// Whole percent, at most 99 while it is not over.
    pub fn percent(&self) -> u8 {
        if self.estimate_bytes == 0 {
            return 0;
        }
        let percent = u128::from(self.copied_bytes) * 100 / u128::from(self.estimate_bytes);
        u8::try_from(percent.min(99)).unwrap_or(99)
    }
}

impl Door {
    /// How far the CLONE is that this server receives (or makes of itself), or how far the last one came.
    ///
    /// # Errors
    /// See [`SqlError`].
    pub async fn clone_progress(&self, deadline: Duration) -> Result<CopyProgress, SqlError> {
        let sql = "SELECT STAGE, STATE, ESTIMATE, DATA, NETWORK FROM performance_schema.clone_progress";
        Ok(decode(&self.ask(WHAT, sql, deadline).await?))
    }
}

fn decode(rows: &Rows) -> CopyProgress {
    let mut progress = CopyProgress::default();
    for row in rows {
        let column = |name: &str| named(row, &[name]).unwrap_or_default();
        let number = |name: &str| column(name).parse::<u64>().unwrap_or(0);
        let (stage, state) = (column("STAGE"), column("STATE"));
        if STAGES.contains(&stage.as_str()) {
            progress.copied_bytes += number("DATA");
            // A stage that found less than it had guessed is over all the same.
            progress.estimate_bytes +=
                if state == "Completed" { number("DATA") } else { number("ESTIMATE").max(number("DATA")) };
            progress.network_bytes += number("NETWORK");
        }
        // They come in order; the last that has begun is the one.
        if state != "Not Started" {
            progress.stage = stage;
        }
    }
    progress
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_is_never_a_hundred_before_the_end() {
        let at = |copied_bytes, estimate_bytes| CopyProgress {
            copied_bytes,
            estimate_bytes,
            ..CopyProgress::default()
        };
        assert_eq!(
            [at(0, 0), at(1, 3), at(3, 3), at(5, 3), at(u64::MAX, u64::MAX)].map(|p| p.percent()),
            [0, 33, 99, 99, 99]
        );
    }
}
