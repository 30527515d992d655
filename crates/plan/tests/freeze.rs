//! V3, V5: which servers can be asked for the promise before a vote.

mod support;

use support::*;
use xenon_plan::health::Verdict;
use xenon_plan::{Process, freezable};

#[test]
fn v3_a_server_that_runs_and_does_not_hang() {
    for health in [Verdict::Serving, Verdict::Missing(1), Verdict::Starting, Verdict::Dying] {
        let mut seen = replica_of("old");
        seen.health = health;
        assert_eq!(freezable(&seen), Ok(()), "{health:?}");
    }
}

#[test]
fn v4_v5_no_vote_rests_on_a_server_that_cannot_be_asked() {
    let mut seen = open_primary();
    seen.health = Verdict::Hung;
    assert_eq!(freezable(&seen), Err("mysqld hangs".to_owned()));
    for process in [Process::Down, Process::StartDue] {
        let mut seen = open_primary();
        seen.process = process;
        assert_eq!(freezable(&seen), Err("mysqld does not run".to_owned()));
    }
}
