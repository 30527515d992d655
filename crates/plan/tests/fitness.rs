//! Whether a node may stand at all: each reason with its sentence.

mod support;

use support::*;
use xenon_plan::health::Verdict;
use xenon_plan::{Process, Seen, unfit};

#[test]
fn fit() {
    for seen in [replica_of("old"), elected(), open_primary(), seen(fresh_server())] {
        assert_eq!(unfit(&seen), None);
    }
    let mut seen = replica_of("old");
    seen.health = Verdict::Missing(1);
    assert_eq!(unfit(&seen), None, "one miss is no hang");
    // A server started a moment ago: L2 starts its applier.
    replication_of(&mut seen).applier_running = false;
    assert_eq!(unfit(&seen), None);
}

#[test]
fn every_reason_is_told() {
    type Case = (fn(&mut Seen), &'static str);
    let table: [Case; 12] = [
        (|seen| seen.process = Process::Down, "does not run"),
        (|seen| seen.process = Process::StartDue, "does not run"),
        (|seen| seen.health = Verdict::Hung, "hangs"),
        (|seen| seen.health = Verdict::Dying, "shuts down"),
        (|seen| seen.health = Verdict::Dead, "dead"),
        (|seen| seen.health = Verdict::Starting, "still starting"),
        (|seen| seen.server = None, "has not answered yet"),
        (|seen| server_of(seen).gtid_mode_on = false, "set gtid_mode=ON"),
        (|seen| server_of(seen).log_bin = false, "set log_bin"),
        (|seen| server_of(seen).log_replica_updates = false, "log_replica_updates is off"),
        (|seen| server_of(seen).server_id = 0, "server_id is 0"),
        (
            |seen| {
                replication_of(seen).applier_running = false;
                replication_of(seen).applier_error = "duplicate key".to_owned();
            },
            "its applier has stopped: duplicate key",
        ),
    ];
    for (make_unfit, says) in table {
        let mut seen = replica_of("old");
        make_unfit(&mut seen);
        let reason = unfit(&seen).unwrap_or_default();
        assert!(reason.contains(says), "{says}: {reason}");
    }
}
