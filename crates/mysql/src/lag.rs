//! How far a replica is behind, finer than the whole seconds that the server tells.
//!
//! A replica that has applied all that it received is not behind; nothing is asked then, so a quiet cluster pays nothing for
//! it. Else it is as old as the oldest transaction that its workers have in hand. Times are those at which the transactions
//! were committed where they come from: two hosts whose clocks differ see the difference here.

use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;
use xenon_plan::observation::{ReceiverState, ServerState};

use crate::SqlError;
use crate::link::{Link, Rows, text};

const WHAT: &str = "measuring how far replication is behind";

/// In hand: of each worker, and of the coordinator, which hands them out. Done: of each worker, when its last one was
/// committed there and applied here. Times in seconds since 1970; 0 is none.
const STATEMENTS: &str = "SELECT UNIX_TIMESTAMP(APPLYING_TRANSACTION_ORIGINAL_COMMIT_TIMESTAMP), \
     UNIX_TIMESTAMP(LAST_APPLIED_TRANSACTION_ORIGINAL_COMMIT_TIMESTAMP), \
     UNIX_TIMESTAMP(LAST_APPLIED_TRANSACTION_END_APPLY_TIMESTAMP) \
     FROM performance_schema.replication_applier_status_by_worker WHERE CHANNEL_NAME = ''; \
     SELECT UNIX_TIMESTAMP(PROCESSING_TRANSACTION_ORIGINAL_COMMIT_TIMESTAMP) \
     FROM performance_schema.replication_applier_status_by_coordinator WHERE CHANNEL_NAME = ''";

/// Fills in how far the replica is behind. `short`: with no more questions to a server that answers slowly.
pub(crate) async fn measure(
    link: &mut Link,
    state: &mut ServerState,
    short: bool,
    until: Instant,
) -> Result<(), SqlError> {
    let nothing_left = state.unapplied().is_empty();
    let Some(replication) = &mut state.replication else { return Ok(()) };
    if replication.receiver != ReceiverState::Running || !replication.applier_running {
        return Ok(());
    }
    if nothing_left {
        replication.lag_us = Some(0);
        return Ok(());
    }
    let told = replication.seconds_behind.map(|seconds| seconds.saturating_mul(1_000_000));
    if short {
        replication.lag_us = told;
        return Ok(());
    }
    let measured = match link.ask(WHAT, STATEMENTS, until).await {
        Ok(sets) => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            behind(&Times::of(&sets), u64::try_from(now.as_micros()).unwrap_or(u64::MAX))
        }
        // No right to read it, or no such column: the server's own word must do.
        Err(error) if error.code().is_some() => None,
        Err(error) => return Err(error),
    };
    replication.lag_us = measured.or(told);
    Ok(())
}

/// Of one look, microseconds since 1970.
#[derive(Debug, Default, PartialEq, Eq)]
struct Times {
    /// When the transactions were committed that are in hand.
    in_hand: Vec<u64>,
    /// When one that is done was applied here, and committed there.
    done: Vec<(u64, u64)>,
}

impl Times {
    fn of(sets: &[Rows]) -> Times {
        let mut times = Times::default();
        let rows = |index: usize| sets.get(index).into_iter().flatten();
        for row in rows(0) {
            let at = |column: usize| text(row, column).and_then(|text| micros(&text));
            times.in_hand.extend(at(0));
            times.done.extend(at(2).zip(at(1)));
        }
        times.in_hand.extend(rows(1).filter_map(|row| micros(&text(row, 0)?)));
        times
    }
}

/// The age of the oldest in hand. Between two transactions nothing is in hand: then how old the newest was when it was
/// applied, a moment ago. `None` when there is neither.
fn behind(times: &Times, now: u64) -> Option<u64> {
    let oldest = times.in_hand.iter().min().map(|committed| now.saturating_sub(*committed));
    let newest = || times.done.iter().max().map(|(applied, committed)| applied.saturating_sub(*committed));
    oldest.or_else(newest)
}

/// `1732783405.123456` as microseconds; `None` for none.
fn micros(text: &str) -> Option<u64> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let fraction: String = fraction.chars().chain("000000".chars()).take(6).collect();
    let micros = seconds.parse::<u64>().ok()?.checked_mul(1_000_000)?.checked_add(fraction.parse().ok()?)?;
    (micros > 0).then_some(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_the_server() {
        assert_eq!(micros("1732783405.123456"), Some(1_732_783_405_123_456));
        assert_eq!(micros("1732783405.5"), Some(1_732_783_405_500_000));
        assert_eq!(micros("1732783405"), Some(1_732_783_405_000_000));
        for none in ["0.000000", "0", "", "-1.0", "abc", "1.x", "99999999999999999999"] {
            assert_eq!(micros(none), None, "{none}");
        }
    }

    #[test]
    fn the_oldest_in_hand_counts_else_the_newest_that_is_done() {
        let both = Times { in_hand: vec![900, 400, 700], done: vec![(800, 100)] };
        assert_eq!(behind(&both, 1000), Some(600));
        let between = Times { in_hand: vec![], done: vec![(500, 100), (900, 650), (0, 0)] };
        assert_eq!(behind(&between, 1000), Some(250), "of the one applied last");
        assert_eq!(behind(&Times::default(), 1000), None);
        let ahead = Times { in_hand: vec![2000], done: vec![] };
        assert_eq!(behind(&ahead, 1000), Some(0), "a clock that is ahead makes nothing negative");
    }
}
