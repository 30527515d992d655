//! D1–D3: state in, steps out.

mod support;

use support::*;
use xenon_plan::health::Verdict;
use xenon_plan::{Address, Process, Role, Step, plan};

#[test]
fn d1_address_then_writes_then_sessions() {
    let seen = open_primary();
    assert_eq!(
        steps(&fenced(), &seen),
        [Step::AddressDown, Step::GoOffline, Step::CloseWrites, Step::KillSessions, Step::GoOnline]
    );
    let plan = plan(&fenced(), &seen);
    assert!(why(&plan, "address-down").contains("must not hold the address: no majority"));
    assert_eq!(why(&plan, "close-writes"), "no majority");
    assert!(why(&plan, "kill-sessions").contains("look for the new primary"));
}

#[test]
fn d1_only_what_is_still_to_be_done() {
    let mut seen = open_primary();
    seen.address = Address::Moving;
    assert_eq!(names(&fenced(), &seen), ["go-offline", "close-writes", "kill-sessions", "go-online"]);
    seen.address = Address::Away;
    server_of(&mut seen).read_only = true;
    assert_eq!(
        names(&fenced(), &seen),
        ["go-offline", "close-writes", "kill-sessions", "go-online"],
        "read_only alone is not closed"
    );
    server_of(&mut seen).super_read_only = true;
    assert_eq!(names(&fenced(), &seen), ["kill-sessions"]);
    seen.sessions_killed = true;
    assert!(plan(&fenced(), &seen).is_empty());
    seen.address = Address::Unknown;
    assert_eq!(names(&fenced(), &seen), ["address-down"]);
}

#[test]
fn d2_semi_sync_is_left_on_while_fenced() {
    let mut seen = open_primary();
    server_of(&mut seen).super_read_only = true;
    for waiting_sessions in [0, 1] {
        server_of(&mut seen).semi_sync_source.as_mut().unwrap().waiting_sessions = waiting_sessions;
        assert!(!names(&fenced(), &seen).iter().any(|name| name.starts_with("semi-sync")));
    }
}

#[test]
fn d3_commits_that_do_not_drain() {
    let mut seen = open_primary();
    seen.address = Address::Away;
    seen.drain_timed_out = true;
    assert_eq!(names(&fenced(), &seen), ["kill-mysqld"]);
    assert!(why(&plan(&fenced(), &seen), "kill-mysqld").contains("do not drain (D3): no majority"));
    // Drained after all.
    server_of(&mut seen).super_read_only = true;
    seen.health = Verdict::Serving;
    assert_eq!(names(&fenced(), &seen), ["kill-sessions"]);
}

#[test]
fn d2_a_primary_that_shuts_down_must_not_tell_its_waiting_commits_ok() {
    let mut seen = open_primary();
    seen.address = Address::Away;
    seen.health = Verdict::Dying;
    assert_eq!(names(&fenced(), &seen), ["kill-mysqld"]);
    assert!(why(&plan(&fenced(), &seen), "kill-mysqld").contains("would tell its waiting commits OK (D2)"));
    // One that was handed over, or never was the primary, shuts down in its own time.
    server_of(&mut seen).super_read_only = true;
    seen.sessions_killed = true;
    assert!(plan(&fenced(), &seen).is_empty());
}

#[test]
fn d3_a_server_that_hangs_and_may_be_open() {
    let mut seen = open_primary();
    seen.health = Verdict::Hung;
    assert_eq!(names(&fenced(), &seen), ["address-down", "kill-mysqld"]);
    assert!(why(&plan(&fenced(), &seen), "kill-mysqld").contains("hangs"));
    // It looked closed, but was the primary a moment ago: the look may be older than its opening.
    server_of(&mut seen).super_read_only = true;
    seen.address = Address::Away;
    assert_eq!(names(&fenced(), &seen), ["kill-mysqld"]);
    // Never seen.
    seen.sessions_killed = true;
    seen.server = None;
    assert_eq!(names(&fenced(), &seen), ["kill-mysqld"]);
}

#[test]
fn d3_is_no_reason_to_kill_a_replica_that_hangs_or_a_server_that_starts() {
    for role in [fenced(), follow("new")] {
        let mut seen = replica_of("old");
        seen.health = Verdict::Hung;
        assert!(plan(&role, &seen).is_empty());
        assert!(troubles(&role, &seen).contains("hangs"));
        for health in [Verdict::Missing(1), Verdict::Starting] {
            seen.health = health;
            assert!(!names(&role, &seen).contains(&"kill-mysqld"), "{health:?}");
        }
        // Recovery may take long, and is no hang.
        seen.health = Verdict::Starting;
        seen.server = None;
        assert!(plan(&role, &seen).is_empty());
    }
}

#[test]
fn i5_the_address_goes_though_the_server_is_dead_or_dying() {
    let roles = [
        fenced(),
        follow("new"),
        xenon_plan::Role::Removed,
        xenon_plan::Role::Invalid { errant: set("a:1") },
    ];
    for role in roles {
        let mut seen = open_primary();
        seen.health = Verdict::Dying;
        assert_eq!(names(&role, &seen), ["address-down", "kill-mysqld"], "{role:?}");
        seen.health = Verdict::Dead;
        seen.process = Process::Down;
        seen.server = None;
        assert_eq!(names(&role, &seen), ["address-down"], "{role:?}");
        // A picture of a server that is gone is no reason for steps.
        seen.server = open_primary().server;
        assert_eq!(names(&role, &seen), ["address-down"], "{role:?}");
    }
}

#[test]
fn d4_a_suspended_leader_is_closed_like_a_deposed_one_but_not_killed() {
    let suspended = Role::Suspended { reason: "no majority".to_owned() };
    let mut seen = open_primary();
    assert_eq!(names(&suspended, &seen), ["address-down", "go-offline", "close-writes", "kill-sessions"]);
    seen.address = Address::Away;
    seen.drain_timed_out = true;
    assert_eq!(names(&suspended, &seen), ["go-offline"], "its commits may yet be acknowledged");
    server_of(&mut seen).offline_mode = true;
    seen.offline_is_ours = true;
    assert!(plan(&suspended, &seen).is_empty());
    // The term stands: clients are let in. It does not: commits that cannot drain end with the process (D3).
    assert_eq!(names(&primary(), &seen), ["go-online", "address-up"]);
    assert_eq!(names(&fenced(), &seen), ["kill-mysqld"]);
}

#[test]
fn d4_a_server_that_was_sent_offline_comes_back_once_it_is_closed() {
    let mut seen = replica_of("new");
    server_of(&mut seen).offline_mode = true;
    assert!(plan(&follow("new"), &seen).is_empty(), "an operator did it");
    seen.offline_is_ours = true;
    assert_eq!(names(&follow("new"), &seen), ["go-online"]);
}

#[test]
fn d4_a_suspended_leader_that_shuts_down_would_tell_its_waiting_commits_ok() {
    let suspended = Role::Suspended { reason: "no majority".to_owned() };
    let mut seen = open_primary();
    seen.address = Address::Away;
    seen.health = Verdict::Dying;
    assert_eq!(names(&suspended, &seen), ["kill-mysqld"]);
    seen.health = Verdict::Hung;
    assert!(plan(&suspended, &seen).steps.is_empty());
    assert!(troubles(&suspended, &seen).contains("left alone"));
}
