//! F1, F3, S3: state in, steps out.

mod support;

use support::*;
use xenon_plan::observation::{ReceiverState, SemiSyncReplica};
use xenon_plan::{Address, Role, Step, Variables, plan};

#[test]
fn f1_nothing_is_left_to_do_for_a_follower() {
    assert!(plan(&follow("new"), &replica_of("new")).is_empty());
}

#[test]
fn f1_a_server_that_followed_nobody() {
    let seen = seen(fresh_server());
    let expected = [
        Step::SemiSyncReplica { on: true },
        Step::PointAnew { source: address("new") },
        Step::StartReceiver,
        Step::StartApplier,
        Step::SetVariables { role: Variables::Replica },
    ];
    assert_eq!(steps(&follow("new"), &seen), expected);
    let plan = plan(&follow("new"), &seen);
    assert_eq!(why(&plan, "point-anew"), "new:3306 is the primary");
    assert!(why(&plan, "semi-sync-replica").contains("voters acknowledge (L4)"));
}

#[test]
fn d1_a_deposed_primary_is_closed_before_it_follows_and_before_semi_sync_goes_off() {
    let seen = open_primary();
    assert_eq!(
        names(&follow("new"), &seen),
        [
            "address-down",
            "go-offline",
            "close-writes",
            "kill-sessions",
            "go-online",
            "semi-sync-replica",
            "point-anew",
            "start-receiver",
            // Up to a second; the new primary's marker waits for the receiver meanwhile.
            "semi-sync-source-off",
            "start-applier",
            "set-variables"
        ]
    );
}

#[test]
fn d3_one_that_does_not_drain_gets_no_other_step() {
    let mut seen = open_primary();
    seen.address = Address::Away;
    seen.drain_timed_out = true;
    assert_eq!(names(&follow("new"), &seen), ["kill-mysqld"]);
}

#[test]
fn s3_a_follower_is_pointed_elsewhere_with_its_applier_running() {
    let seen = replica_of("old");
    assert_eq!(
        steps(&follow("new"), &seen),
        [Step::StopReceiver, Step::Repoint { source: address("new") }, Step::StartReceiver]
    );
    let plan = plan(&follow("new"), &seen);
    assert_eq!(why(&plan, "stop-receiver"), "it follows old:3306, but new:3306 is the primary");
    assert!(why(&plan, "repoint").contains("relay logs are kept (S3)"));
    // As after a vote, with transactions still to be applied.
    let mut seen = replica_of("old");
    replication_of(&mut seen).receiver = ReceiverState::Stopped;
    replication_of(&mut seen).retrieved = set("b:5-12");
    assert_eq!(names(&follow("new"), &seen), ["repoint", "start-receiver"]);
}

#[test]
fn s3_an_applier_must_be_seen_to_run_before_the_source_changes() {
    let mut seen = replica_of("old");
    let replication = replication_of(&mut seen);
    replication.receiver = ReceiverState::Stopped;
    replication.applier_running = false;
    replication.retrieved = set("b:5-12");
    assert_eq!(names(&follow("new"), &seen), ["start-applier"]);
    // A receiver that runs may have got something since the look.
    replication_of(&mut seen).retrieved = set("b:5-10");
    replication_of(&mut seen).receiver = ReceiverState::Running;
    assert_eq!(names(&follow("new"), &seen), ["start-applier"]);
    // Nothing to lose: no waiting.
    replication_of(&mut seen).receiver = ReceiverState::Stopped;
    assert_eq!(
        names(&follow("new"), &seen),
        ["stop-replication", "point-anew", "start-receiver", "start-applier"]
    );
}

#[test]
fn s3_a_broken_applier_keeps_its_relay_logs_and_says_so() {
    let mut seen = replica_of("old");
    let replication = replication_of(&mut seen);
    replication.applier_running = false;
    replication.applier_error = "duplicate key".to_owned();
    replication.retrieved = set("b:5-12");
    assert_eq!(names(&follow("new"), &seen), ["start-applier"]);
    seen.retry_due = false;
    assert!(plan(&follow("new"), &seen).is_empty());
    let troubles = troubles(&follow("new"), &seen);
    assert!(troubles.contains("duplicate key") && troubles.contains("follows no one"), "{troubles}");
    // At the right source it goes on receiving and acknowledging.
    assert!(plan(&follow("old"), &seen).is_empty());
    replication_of(&mut seen).receiver = ReceiverState::Stopped;
    assert_eq!(names(&follow("old"), &seen), ["start-receiver"]);
}

#[test]
fn s3_settings_that_are_not_ours_change_only_with_everything_applied() {
    let foreign: [fn(&mut xenon_plan::observation::Replication); 4] = [
        |replication| replication.user = "somebody".to_owned(),
        |replication| replication.ssl = false,
        |replication| replication.auto_position = false,
        |replication| replication.connect_retry_s = 60,
    ];
    for (index, make_foreign) in foreign.into_iter().enumerate() {
        let mut seen = replica_of("new");
        make_foreign(replication_of(&mut seen));
        // What it has received until it stopped, only the next look shows.
        assert_eq!(names(&follow("new"), &seen), ["stop-receiver"], "{index}");
        replication_of(&mut seen).receiver = ReceiverState::Stopped;
        let anew = ["stop-replication", "point-anew", "start-receiver", "start-applier"];
        assert_eq!(names(&follow("new"), &seen), anew, "{index}");
        replication_of(&mut seen).retrieved = set("b:5-12");
        let steps = steps(&follow("new"), &seen);
        assert_eq!(steps[..2], [Step::WaitApplied { set: set("b:5-12") }, Step::StopReplication], "{index}");
        replication_of(&mut seen).applier_running = false;
        assert_eq!(names(&follow("new"), &seen)[..2], ["start-applier", "wait-applied"], "{index}");
        replication_of(&mut seen).applier_error = "duplicate key".to_owned();
        seen.retry_due = false;
        assert!(plan(&follow("new"), &seen).is_empty(), "{index}");
        assert!(troubles(&follow("new"), &seen).contains("duplicate key"), "{index}");
    }
}

#[test]
fn f1_threads_that_stopped_are_started() {
    let mut seen = replica_of("new");
    replication_of(&mut seen).receiver = ReceiverState::Stopped;
    replication_of(&mut seen).applier_running = false;
    assert_eq!(names(&follow("new"), &seen), ["start-receiver", "start-applier"]);
    replication_of(&mut seen).receiver_error = "got fatal error 1236".to_owned();
    replication_of(&mut seen).applier_error = "duplicate key".to_owned();
    assert_eq!(names(&follow("new"), &seen), ["start-receiver", "start-applier"]);
    seen.retry_due = false;
    assert!(plan(&follow("new"), &seen).is_empty());
    let troubles = troubles(&follow("new"), &seen);
    assert!(troubles.contains("1236") && troubles.contains("duplicate key"), "{troubles}");
}

#[test]
fn w5_one_that_was_gone_for_too_long_says_that_it_needs_a_rebuild() {
    let mut seen = replica_of("new");
    seen.retry_due = false;
    replication_of(&mut seen).receiver = ReceiverState::Stopped;
    replication_of(&mut seen).receiver_error =
        "Got fatal error 1236 from source when reading data from binary log: \
        'Cannot replicate because the source purged required binary logs.'"
            .to_owned();
    assert!(troubles(&follow("new"), &seen).starts_with("this node needs a rebuild"));
    replication_of(&mut seen).receiver_error =
        "Got fatal error 1236 from source: log event too long".to_owned();
    assert!(troubles(&follow("new"), &seen).starts_with("the receiver has stopped"));
}

#[test]
fn f1_one_that_cannot_connect_is_left_to_try_and_told() {
    let mut seen = replica_of("new");
    replication_of(&mut seen).receiver = ReceiverState::Connecting;
    replication_of(&mut seen).receiver_error = "connection refused".to_owned();
    server_of(&mut seen).semi_sync_replica = Some(SemiSyncReplica { enabled: true, operational: false });
    assert!(plan(&follow("new"), &seen).is_empty());
    assert!(troubles(&follow("new"), &seen).contains("connection refused"));
}

#[test]
fn l4_only_voters_acknowledge_and_the_receiver_takes_it_up() {
    let learner = Role::Replica { source: address("new"), acknowledge: false };
    assert_eq!(names(&learner, &replica_of("new")), ["semi-sync-replica", "stop-receiver", "start-receiver"]);
    // The agent crashed in between: the switch alone is not enough, in either direction.
    for (role, enabled) in [(&learner, false), (&follow("new"), true)] {
        let mut seen = replica_of("new");
        server_of(&mut seen).semi_sync_replica = Some(SemiSyncReplica { enabled, operational: !enabled });
        assert_eq!(names(role, &seen), ["stop-receiver", "start-receiver"]);
        server_of(&mut seen).semi_sync_replica = Some(SemiSyncReplica { enabled, operational: enabled });
        assert!(plan(role, &seen).is_empty());
    }
    let mut seen = replica_of("new");
    server_of(&mut seen).semi_sync_replica = None;
    assert!(plan(&learner, &seen).is_empty());
    assert_eq!(names(&follow("new"), &seen)[0], "semi-sync-replica");
}

#[test]
fn f3_a_follower_that_somebody_opened_is_closed() {
    let mut seen = replica_of("new");
    server_of(&mut seen).super_read_only = false;
    assert_eq!(names(&follow("new"), &seen), ["close-writes", "kill-sessions"]);
}

#[test]
fn f1_an_account_that_cannot_be_made_right_keeps_no_voter_from_following() {
    let mut seen = replica_of("old");
    seen.account_checked = false;
    let names = names(&follow("new"), &seen);
    assert_eq!(names, ["stop-receiver", "repoint", "start-receiver", "ensure-account"]);
}

#[test]
fn d2_an_applier_never_starts_while_its_commits_would_wait_for_acknowledgements() {
    for (source, foreign) in [("new", false), ("new", true), ("old", false)] {
        let mut seen = replica_of(source);
        server_of(&mut seen).semi_sync_source = Some(semi_sync_source(true));
        let replication = replication_of(&mut seen);
        replication.receiver = ReceiverState::Stopped;
        replication.applier_running = false;
        replication.retrieved = set("b:5-12");
        replication.auto_position = !foreign;
        let names = names(&follow("new"), &seen);
        let at = |name| names.iter().position(|other| *other == name).unwrap();
        assert!(at("semi-sync-source-off") < at("start-applier"), "{names:?}");
        assert_eq!(names.iter().filter(|name| **name == "semi-sync-source-off").count(), 1, "{names:?}");
    }
    let mut seen = replica_of("new");
    server_of(&mut seen).semi_sync_source = Some(semi_sync_source(true));
    assert_eq!(names(&follow("new"), &seen), ["semi-sync-source-off"]);
}
