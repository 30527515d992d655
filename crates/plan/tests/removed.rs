//! L4: a node that was let go acknowledges nothing.

mod support;

use support::*;
use xenon_plan::observation::{ReceiverState, SemiSyncReplica};
use xenon_plan::{Role, Step, plan};

#[test]
fn l4_a_removed_follower_neither_receives_nor_acknowledges() {
    for receiver in [ReceiverState::Running, ReceiverState::Connecting] {
        let mut seen = replica_of("new");
        replication_of(&mut seen).receiver = receiver;
        assert_eq!(steps(&Role::Removed, &seen), [Step::StopReceiver, Step::SemiSyncReplica { on: false }]);
        assert!(why(&plan(&Role::Removed, &seen), "stop-receiver").contains("acknowledge nothing"));
    }
    let mut seen = replica_of("new");
    replication_of(&mut seen).receiver = ReceiverState::Stopped;
    assert_eq!(names(&Role::Removed, &seen), ["semi-sync-replica"]);
    server_of(&mut seen).semi_sync_replica = Some(SemiSyncReplica { enabled: false, operational: false });
    assert!(plan(&Role::Removed, &seen).is_empty());
    server_of(&mut seen).semi_sync_replica = None;
    assert!(plan(&Role::Removed, &seen).is_empty());
}

#[test]
fn d1_a_removed_primary_is_closed_and_its_semi_sync_left_on() {
    assert_eq!(
        names(&Role::Removed, &open_primary()),
        ["address-down", "go-offline", "close-writes", "kill-sessions", "go-online"]
    );
}

#[test]
fn roles_that_leave_mysqld_alone() {
    for role in [Role::Unmanaged, Role::Hold, Role::Stopped] {
        for mut seen in [replica_of("old"), open_primary(), elected()] {
            seen.drain_timed_out = true;
            for health in [
                xenon_plan::health::Verdict::Serving,
                xenon_plan::health::Verdict::Hung,
                xenon_plan::health::Verdict::Dying,
            ] {
                seen.health = health;
                assert!(plan(&role, &seen).is_empty(), "{role:?} {health:?}");
            }
        }
    }
}

#[test]
fn l5_mysqld_is_started_when_due_unless_the_agent_takes_no_part() {
    let mut seen = replica_of("old");
    seen.server = None;
    seen.health = xenon_plan::health::Verdict::Dead;
    seen.process = xenon_plan::Process::StartDue;
    for role in [Role::Unmanaged, Role::Hold, Role::Removed, primary(), fenced(), follow("new")] {
        assert_eq!(steps(&role, &seen), [Step::StartMysqld], "{role:?}");
    }
    assert!(plan(&Role::Stopped, &seen).is_empty());
    seen.process = xenon_plan::Process::Down;
    for role in [Role::Unmanaged, Role::Hold, Role::Removed, primary(), fenced(), follow("new")] {
        assert!(plan(&role, &seen).is_empty(), "{role:?}");
    }
}
