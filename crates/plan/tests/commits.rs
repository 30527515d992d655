//! L6: commits that do not end.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test, in its helpers too")]

mod support;

use std::collections::BTreeSet;
use support::*;
use xenon_gtid::GtidSet;
use xenon_plan::disk::Disk;
use xenon_plan::observation::ServerState;
use xenon_plan::{Commits, DEAF_MS, LOST_MS, Standstill, WEDGED_MS, WEDGED_UNSURE_MS};

/// A primary with so many sessions that wait for an acknowledgement.
fn primary_with_waiting(waiting_sessions: u32) -> ServerState {
    let mut seen = open_primary();
    server_of(&mut seen).executed = set("a:1-10,m:1-5");
    server_of(&mut seen).semi_sync_source.as_mut().unwrap().waiting_sessions = waiting_sessions;
    seen.server.unwrap()
}

fn sessions(ids: &[u64]) -> BTreeSet<u64> {
    ids.iter().copied().collect()
}

/// Looks once a second, ticks four times as often.
fn watch(commits: &mut Commits, from_ms: u64, until_ms: u64, mut each_second: impl FnMut(&mut Commits)) {
    for now_ms in (from_ms..=until_ms).step_by(250) {
        if now_ms % 1_000 == 0 {
            each_second(commits);
        }
        commits.on_tick(now_ms);
    }
}

#[test]
fn an_acknowledgement_that_was_lost_is_told_from_one_that_is_on_its_way() {
    struct Case {
        what: &'static str,
        waiting: u32,
        held: &'static str,
        lasts_ms: u64,
        unreleased: Option<&'static str>,
    }
    let case = |what, waiting, held, lasts_ms, unreleased| Case { what, waiting, held, lasts_ms, unreleased };
    let table = [
        case("the voters have it", 1, "a:1-11", LOST_MS, Some("a:11")),
        case("not for long enough", 1, "a:1-11", LOST_MS - 1_000, None),
        case("nobody has it", 1, "a:1-10", 60_000, None),
        case("nothing waits here", 0, "a:1-11", 60_000, None),
        case("what others have written waits at nobody", 1, "a:1-10,b:99", 60_000, None),
    ];
    for Case { what, waiting, held, lasts_ms, unreleased } in table {
        let mut commits = Commits::default();
        let (server, held) = (primary_with_waiting(waiting), set(held));
        // The first look has nothing to be compared with, the second begins the wait.
        commits.on_look(&server, &held);
        watch(&mut commits, 1_000, 1_000 + lasts_ms, |commits| commits.on_look(&server, &held));
        assert_eq!(commits.unreleased().cloned(), unreleased.map(set), "{what}");
    }
}

#[test]
fn progress_ends_it_and_without_any_the_server_is_deaf() {
    let mut commits = Commits::default();
    let (mut server, held) = (primary_with_waiting(1), set("a:1-11"));
    commits.on_look(&server, &held);
    watch(&mut commits, 1_000, 1_000 + DEAF_MS, |commits| commits.on_look(&server, &held));
    assert!(matches!(commits.stand_still(&Disk::Well), Some(Standstill::Deaf { .. })));
    server.executed = set("a:1-11,a:1010,m:1-5");
    commits.on_look(&server, &held);
    assert_eq!(commits.unreleased(), None);
    assert_eq!(commits.stand_still(&Disk::Well), None);
}

#[test]
fn a_wedge_is_the_same_commits_for_long_on_a_quick_disk() {
    struct Case {
        what: &'static str,
        disk: Disk,
        lasts_ms: u64,
        /// Sessions that commit at each second.
        committing: fn(u64) -> Vec<u64>,
        /// The size of the binlog then.
        binlog_bytes: fn(u64) -> u64,
        wedged: bool,
    }
    let case = |what, disk, lasts_ms, committing, binlog_bytes, wedged| Case {
        what,
        disk,
        lasts_ms,
        committing,
        binlog_bytes,
        wedged,
    };
    let slow = Disk::Slow { waited_ms: 5_000 };
    let table = [
        case("stuck", Disk::Well, WEDGED_MS, |_| vec![7, 8], |_| 100, true),
        case("not for long enough", Disk::Well, WEDGED_MS - 1_000, |_| vec![7, 8], |_| 100, false),
        case("nobody commits", Disk::Well, 120_000, |_| vec![], |_| 100, false),
        case("others every time", Disk::Well, 120_000, |second| vec![second], |_| 100, false),
        case("a huge transaction is being written", Disk::Well, 120_000, |_| vec![7], |second| second, false),
        case("a huge transaction is being made durable", slow.clone(), 20_000, |_| vec![7], |_| 100, false),
        case("too long for that", slow, WEDGED_UNSURE_MS, |_| vec![7], |_| 100, true),
        case("nobody knows the disk", Disk::Unknown, WEDGED_UNSURE_MS, |_| vec![7], |_| 100, true),
    ];
    for Case { what, disk, lasts_ms, committing, binlog_bytes, wedged } in table {
        let mut commits = Commits::default();
        let mut second = 0;
        let server = primary_with_waiting(0);
        commits.on_look(&server, &GtidSet::new());
        watch(&mut commits, 1_000, 1_000 + lasts_ms, |commits| {
            second += 1;
            commits.on_look(&server, &GtidSet::new());
            commits.on_binlog(binlog_bytes(second));
            commits.on_sessions(&sessions(&committing(second)));
        });
        let found = matches!(commits.stand_still(&disk), Some(Standstill::Wedged { .. }));
        assert_eq!(found, wedged, "{what}");
    }
}

#[test]
fn those_that_wait_for_a_replica_are_no_wedge() {
    let mut commits = Commits::default();
    let server = primary_with_waiting(1);
    commits.on_look(&server, &GtidSet::new());
    watch(&mut commits, 1_000, 120_000, |commits| {
        commits.on_look(&server, &GtidSet::new());
        // Those behind the one that waits.
        commits.on_sessions(&sessions(&[7, 8]));
    });
    assert_eq!(commits.stand_still(&Disk::Well), None);
}

#[test]
fn sessions_are_asked_for_when_nothing_moves_and_now_and_then_only() {
    let mut commits = Commits::default();
    let server = primary_with_waiting(0);
    let asked: Vec<bool> = (0..8)
        .map(|_| {
            commits.on_look(&server, &GtidSet::new());
            commits.wants_sessions()
        })
        .collect();
    assert_eq!(asked, [false, false, false, true, false, false, true, false]);
    commits.on_sessions(&sessions(&[7]));
    commits.on_no_look();
    assert!(commits.wants_sessions(), "some commit: each time from here on");
}
