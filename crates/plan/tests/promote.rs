//! L2: state in, steps out, in the order that the rule gives.

mod support;

use support::*;
use xenon_plan::health::Verdict;
use xenon_plan::observation::ReceiverState;
use xenon_plan::{Address, Process, Role, Step, Variables, is_promoted, plan};

#[test]
fn l2_a_candidate_with_everything_applied() {
    let seen = elected();
    let expected = [
        Step::StopReplication,
        Step::SemiSyncSourceOn { acknowledgements: 1, soft: false },
        Step::AllowOwnWrites,
        Step::WriteMarker { markers: uuid(MARKERS), term: TERM },
        Step::SetVariables { role: Variables::Primary },
        Step::Open,
        Step::AddressUp,
        Step::ForgetSource,
    ];
    assert_eq!(steps(&primary(), &seen), expected);
    let plan = plan(&primary(), &seen);
    assert!(why(&plan, "semi-sync-source-on").contains("majority"));
    assert!(why(&plan, "write-marker").contains("majority follows this term (L3)"));
    assert!(why(&plan, "open").contains("marker is acknowledged"));
}

#[test]
fn l2_what_was_received_is_applied_before_anything_is_written() {
    let mut seen = elected();
    replication_of(&mut seen).retrieved = set("b:5-12");
    assert_eq!(names(&primary(), &seen)[..2], ["wait-applied", "stop-replication"]);
    assert_eq!(steps(&primary(), &seen)[0], Step::WaitApplied { set: set("b:5-12") });

    replication_of(&mut seen).applier_running = false;
    assert_eq!(names(&primary(), &seen)[..3], ["start-applier", "wait-applied", "stop-replication"]);
}

#[test]
fn l2_what_a_running_receiver_got_is_known_only_after_it_has_stopped() {
    for receiver in [ReceiverState::Running, ReceiverState::Connecting] {
        let mut seen = elected();
        replication_of(&mut seen).receiver = receiver;
        assert_eq!(names(&primary(), &seen), ["stop-receiver"], "{receiver:?}");
        assert!(why(&plan(&primary(), &seen), "stop-receiver").contains("term 5"));
    }
}

#[test]
fn l2_an_applier_that_stopped_with_an_error_is_not_passed_over() {
    let mut seen = elected();
    let replication = replication_of(&mut seen);
    replication.retrieved = set("b:5-12");
    replication.applier_running = false;
    replication.applier_error = "duplicate key".to_owned();
    seen.retry_due = false;
    assert_eq!(names(&primary(), &seen), [""; 0]);
    assert!(troubles(&primary(), &seen).contains("duplicate key"));
    seen.retry_due = true;
    assert_eq!(names(&primary(), &seen)[..2], ["start-applier", "wait-applied"]);
}

#[test]
fn l2_a_follower_that_somebody_opened_is_closed_before_it_waits_for_its_applier() {
    let mut seen = elected();
    server_of(&mut seen).read_only = false;
    server_of(&mut seen).super_read_only = false;
    replication_of(&mut seen).retrieved = set("b:5-12");
    let names = names(&primary(), &seen);
    assert_eq!(
        names,
        [
            "close-writes",
            "wait-applied",
            "stop-replication",
            "semi-sync-source-on",
            "allow-own-writes",
            "write-marker",
            "set-variables",
            "open",
            "address-up",
            "forget-source"
        ]
    );
}

#[test]
fn d3_one_that_cannot_be_closed_before_its_marker_is_killed() {
    let mut seen = elected();
    server_of(&mut seen).super_read_only = false;
    replication_of(&mut seen).retrieved = set("b:5-12");
    seen.drain_timed_out = true;
    assert_eq!(names(&primary(), &seen), ["kill-mysqld"]);
    assert!(why(&plan(&primary(), &seen), "kill-mysqld").contains("do not drain (D3)"));
}

#[test]
fn l2_the_applier_does_not_wait_for_acknowledgements() {
    // As on servers that had semi-sync switched on in their own config, on all nodes and for ever.
    let mut seen = elected();
    replication_of(&mut seen).retrieved = set("b:5-12");
    server_of(&mut seen).semi_sync_source = Some(semi_sync_source(true));
    let expected = [
        "semi-sync-source-off",
        "wait-applied",
        "stop-replication",
        "semi-sync-source-on",
        "allow-own-writes",
    ];
    assert_eq!(names(&primary(), &seen)[..5], expected);
    assert_eq!(names(&primary_with(0), &seen)[..4], [&expected[..3], &expected[4..]].concat());
    server_of(&mut seen).super_read_only = false;
    let closed_first = names(&primary(), &seen);
    assert_eq!(closed_first[..2], ["close-writes", "semi-sync-source-off"], "D2: drained before");
}

#[test]
fn l2_a_promotion_goes_on_where_it_was_interrupted() {
    // Semi-sync is on and the marker is not acknowledged yet.
    let mut seen = open_primary();
    seen.address = Address::Away;
    server_of(&mut seen).read_only = true;
    server_of(&mut seen).executed = set("b:1-10,m:1-4");
    assert_eq!(names(&primary(), &seen), ["write-marker", "open", "address-up"]);
    // The marker is acknowledged.
    server_of(&mut seen).executed = set("b:1-10,m:1-5");
    assert_eq!(names(&primary(), &seen), ["open", "address-up"]);
    server_of(&mut seen).super_read_only = true;
    assert_eq!(names(&primary(), &seen), ["allow-own-writes", "open", "address-up"]);
    // Open, and the agent was restarted: nothing but what it forgot.
    let mut seen = open_primary();
    seen.address = Address::Unknown;
    seen.account_checked = false;
    seen.variables = None;
    assert_eq!(names(&primary(), &seen), ["ensure-account", "set-variables", "address-up"]);
}

#[test]
fn l2_nothing_is_left_to_do_for_an_open_primary() {
    assert!(plan(&primary(), &open_primary()).is_empty());
    let seen = open_primary();
    assert!(is_promoted(seen.server.as_ref().unwrap(), TERM, &uuid(MARKERS)));
    assert!(!is_promoted(seen.server.as_ref().unwrap(), TERM + 1, &uuid(MARKERS)));
    assert!(!is_promoted(elected().server.as_ref().unwrap(), 4, &uuid(MARKERS)), "closed");
}

#[test]
fn l4_semi_sync_is_right_only_in_all_its_settings() {
    let wrong: [fn(&mut xenon_plan::observation::SemiSyncSource); 5] = [
        |source| source.enabled = false,
        |source| source.wait_for_replicas = 2,
        |source| source.timeout_ms = 10_000,
        |source| source.wait_no_replica = false,
        |source| source.after_sync = false,
    ];
    for (index, make_wrong) in wrong.into_iter().enumerate() {
        let mut seen = open_primary();
        make_wrong(server_of(&mut seen).semi_sync_source.as_mut().unwrap());
        assert_eq!(
            steps(&primary(), &seen),
            [Step::SemiSyncSourceOn { acknowledgements: 1, soft: false }],
            "{index}"
        );
        // Closed: before it is opened.
        server_of(&mut seen).read_only = true;
        server_of(&mut seen).super_read_only = true;
        assert_eq!(names(&primary(), &seen), ["semi-sync-source-on", "allow-own-writes", "open"], "{index}");
    }
    let seen = open_primary();
    assert_eq!(steps(&primary_with(2), &seen), [Step::SemiSyncSourceOn { acknowledgements: 2, soft: false }]);
}

#[test]
fn l4_without_the_plugin_it_is_loaded_before_the_server_opens() {
    let mut seen = elected();
    server_of(&mut seen).semi_sync_source = None;
    let plan = plan(&primary(), &seen);
    assert!(why(&plan, "semi-sync-source-on").contains("plugin is not loaded"));
    let names = names(&primary(), &seen);
    let at = |name| names.iter().position(|other| *other == name).unwrap();
    assert!(at("semi-sync-source-on") < at("allow-own-writes"), "{names:?}");
}

#[test]
fn l4_a_cluster_of_one_voter_waits_for_nobody() {
    let mut seen = elected();
    assert!(!names(&primary_with(0), &seen).iter().any(|name| name.starts_with("semi-sync")));
    server_of(&mut seen).semi_sync_source = None;
    assert!(!names(&primary_with(0), &seen).iter().any(|name| name.starts_with("semi-sync")));
}

#[test]
fn c5_a_leader_that_nobody_can_be_elected_without_lets_waiting_commits_go_on() {
    let seen = open_primary();
    assert_eq!(names(&primary_with(0), &seen), ["stop-waiting"]);
    let mut off = open_primary();
    server_of(&mut off).semi_sync_source = Some(semi_sync_source(false));
    assert!(plan(&primary_with(0), &off).is_empty());
    // Not open yet: the marker waits for nobody either.
    let mut closed = elected();
    server_of(&mut closed).semi_sync_source = Some(semi_sync_source(true));
    let names = names(&primary_with(0), &closed);
    assert!(names.contains(&"semi-sync-source-off") && !names.contains(&"stop-waiting"), "{names:?}");
}

#[test]
fn c5_two_voters_wait_only_while_a_replica_is_connected() {
    let soft = Role::Primary {
        term: TERM,
        markers: uuid(MARKERS),
        acknowledgements: 1,
        soft: true,
        closed: false,
        handed_over: false,
    };
    let mut seen = open_primary();
    assert_eq!(steps(&soft, &seen), [Step::SemiSyncSourceOn { acknowledgements: 1, soft: true }]);
    server_of(&mut seen).semi_sync_source.as_mut().unwrap().wait_no_replica = false;
    assert!(plan(&soft, &seen).is_empty());
    assert_eq!(steps(&primary(), &seen), [Step::SemiSyncSourceOn { acknowledgements: 1, soft: false }]);
}

#[test]
fn t1_closed_for_a_handover_and_nothing_else() {
    let closed = Role::Primary {
        term: TERM,
        markers: uuid(MARKERS),
        acknowledgements: 1,
        soft: false,
        closed: true,
        handed_over: false,
    };
    let mut seen = open_primary();
    seen.variables = None;
    assert_eq!(names(&closed, &seen), ["close-writes"]);
    assert!(why(&plan(&closed, &seen), "close-writes").contains("T1"));
    server_of(&mut seen).super_read_only = true;
    assert!(plan(&closed, &seen).is_empty());
}

#[test]
fn s3_a_primary_forgets_its_source_only_with_everything_applied() {
    let mut seen = open_primary();
    server_of(&mut seen).replication = Some(replication("old"));
    // What comes in until it has stopped, the next look shows.
    assert_eq!(names(&primary(), &seen), ["stop-replication"]);
    replication_of(&mut seen).receiver = ReceiverState::Stopped;
    assert_eq!(names(&primary(), &seen), ["stop-replication", "forget-source"]);
    replication_of(&mut seen).applier_running = false;
    assert_eq!(names(&primary(), &seen), ["forget-source"]);
    replication_of(&mut seen).retrieved = set("b:5-12");
    assert!(plan(&primary(), &seen).is_empty());
    assert!(troubles(&primary(), &seen).contains("2 received transaction(s)"));
}

#[test]
fn l6_nothing_is_asked_of_a_server_that_goes_down_or_is_not_there() {
    let mut seen = elected();
    seen.health = Verdict::Dying;
    assert!(plan(&primary(), &seen).is_empty());
    let mut seen = elected();
    seen.process = Process::Down;
    assert!(plan(&primary(), &seen).is_empty());
    seen.process = Process::Running;
    seen.server = None;
    assert!(plan(&primary(), &seen).is_empty());
    // A primary that hangs or starts is handed over, never killed for being the leader.
    for health in [Verdict::Hung, Verdict::Starting, Verdict::Missing(1)] {
        let mut seen = open_primary();
        seen.health = health;
        assert!(plan(&primary(), &seen).is_empty(), "{health:?}");
    }
}
