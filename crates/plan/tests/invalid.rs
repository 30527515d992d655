//! F2: an errant node is closed, follows nobody, and says what it has.

mod support;

use support::*;
use xenon_plan::observation::ReceiverState;
use xenon_plan::{Role, plan};

fn invalid() -> Role {
    Role::Invalid { errant: set("a:7-9") }
}

#[test]
fn f2_an_errant_follower_stops_following_and_names_them() {
    for receiver in [ReceiverState::Running, ReceiverState::Connecting] {
        let mut seen = replica_of("new");
        replication_of(&mut seen).receiver = receiver;
        assert_eq!(names(&invalid(), &seen), ["stop-receiver"], "so it acknowledges nothing");
        assert!(why(&plan(&invalid(), &seen), "stop-receiver").contains("F2"));
    }
    let mut seen = replica_of("new");
    replication_of(&mut seen).receiver = ReceiverState::Stopped;
    assert!(plan(&invalid(), &seen).is_empty());
    let troubles = troubles(&invalid(), &seen);
    assert!(troubles.contains(&format!("{OWN}:7-9")) && troubles.contains("3 transaction(s)"), "{troubles}");
}

#[test]
fn f2_an_errant_primary_is_closed_and_its_semi_sync_left_on() {
    assert_eq!(
        names(&invalid(), &open_primary()),
        ["address-down", "go-offline", "close-writes", "kill-sessions", "go-online"]
    );
}

#[test]
fn d3_one_that_is_killed_gets_no_other_step() {
    let mut seen = open_primary();
    server_of(&mut seen).replication = Some(replication("new"));
    seen.drain_timed_out = true;
    assert_eq!(names(&invalid(), &seen), ["address-down", "kill-mysqld"]);
}
