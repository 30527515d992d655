//! L6: what is wrong with a server that answers, and what follows from it.

mod support;

use support::*;
use xenon_gtid::Gtid;
use xenon_plan::disk::Disk;
use xenon_plan::{Faults, Folder, Process, Role, Seen, Standstill, Step, plan, unfit};

fn moved() -> Folder {
    Folder::Moved("/old".to_owned())
}

#[test]
fn what_keeps_a_server_from_serving_makes_it_unfit_and_is_told() {
    type Case = (fn(&mut Faults), &'static str, &'static str);
    let table: [Case; 9] = [
        (|faults| faults.disk = Disk::Full, "the disk of /data is full", "PURGE BINARY LOGS"),
        (|faults| faults.disk = Disk::ReadOnly, "the disk of /data is read-only", "dmesg"),
        (|faults| faults.disk = Disk::Failing("EIO".to_owned()), "the disk of /data fails: EIO", "dmesg"),
        (
            |faults| faults.disk = Disk::Stalled { waited_ms: 8_500 },
            "has not finished a write for 8 s",
            "dmesg",
        ),
        (|faults| faults.folder = moved(), "its data folder /data was moved to /old", "move it back"),
        (
            |faults| faults.folder = Folder::Missing,
            "its data folder /data holds no data",
            "rebuild this node",
        ),
        (|faults| faults.folder = Folder::Deleted, "its data folder /data was deleted", "rebuild this node"),
        (
            |faults| faults.standstill = Some(Standstill::Wedged { sessions: 3, waited_ms: 8_000 }),
            "no commit has ended for 8 s, 3 of them under way",
            "SHOW ENGINE INNODB STATUS",
        ),
        (
            |faults| faults.standstill = Some(Standstill::Deaf { waited_ms: 15_000 }),
            "have waited for 15 s",
            "",
        ),
    ];
    for (make, why, cure) in table {
        let mut seen = replica_of("old");
        seen.faults.data_folder = "/data".to_owned();
        seen.faults.disk_folder = "/data".to_owned();
        make(&mut seen.faults);
        let said = unfit(&seen).unwrap_or_default();
        assert!(said.contains(why), "{why}: {said}");
        assert_eq!(seen.faults.cannot_serve(), Some(said));
        for role in [follow("old"), fenced(), primary(), Role::Hold] {
            let troubles = troubles(&role, &seen);
            assert!(troubles.contains(cure), "{cure}: {troubles}");
        }
    }
}

#[test]
fn a_lost_data_folder_is_a_better_reason_than_a_server_that_does_not_run() {
    let mut seen = Seen { process: Process::Down, server: None, ..replica_of("old") };
    assert_eq!(unfit(&seen).as_deref(), Some("its mysqld does not run"));
    seen.faults.folder = Folder::Missing;
    assert!(unfit(&seen).is_some_and(|why| why.contains("was deleted or moved away")));
    assert!(troubles(&Role::Hold, &seen).contains("mysqld is not started"));
    // A disk is no reason of its own: it may be what the server died of, or not.
    seen.faults.folder = Folder::Unknown;
    seen.faults.disk = Disk::Full;
    assert_eq!(unfit(&seen).as_deref(), Some("its mysqld does not run"));
}

#[test]
fn what_only_may_become_worse_is_told() {
    for disk in [Disk::Low { free_bytes: 700 << 20 }, Disk::Slow { waited_ms: 4_000 }] {
        let mut seen = open_primary();
        seen.faults.disk = disk.clone();
        assert_eq!(unfit(&seen), None);
        assert!(plan(&primary(), &seen).is_empty());
        assert!(troubles(&primary(), &seen).contains(&disk.to_string()), "{disk}");
    }
    assert_eq!(Disk::Low { free_bytes: 700 << 20 }.to_string(), "has only 700 MiB left");
}

#[test]
fn a_voter_whose_data_folder_is_lost_acknowledges_nothing_more() {
    for folder in [Folder::Deleted, moved()] {
        let mut seen = replica_of("old");
        seen.faults.folder = folder;
        assert_eq!(names(&follow("old"), &seen), ["semi-sync-replica", "stop-receiver", "start-receiver"]);
        assert_eq!(steps(&follow("old"), &seen)[0], Step::SemiSyncReplica { on: false });
    }
}

#[test]
fn lost_acknowledgements_are_released_by_a_later_transaction() {
    let release = |number: u64| Step::ReleaseCommits { gtid: Gtid::untagged(uuid(OWN), number) };
    let mut seen = open_primary();
    seen.faults.unreleased = Some(set("a:11-12"));
    assert_eq!(steps(&primary(), &seen), [release(1_012)], "far ahead of what is known");
    let plan = plan(&primary(), &seen);
    assert!(why(&plan, "release-commits").contains("a later one releases them"), "{plan:?}");
    assert!(plan.troubles.join("").contains("lost"), "{plan:?}");
    // Its own earlier one counts.
    server_of(&mut seen).executed = set("a:1-10,a:1012,m:1-5");
    assert_eq!(steps(&primary(), &seen), [release(2_012)]);
}

#[test]
fn nobody_but_an_open_primary_releases_anything() {
    type Case = (Role, fn() -> Seen);
    let closed = Role::Primary {
        term: TERM,
        markers: uuid(MARKERS),
        acknowledgements: 1,
        soft: false,
        closed: true,
        handed_over: false,
    };
    let table: [Case; 4] = [
        (closed, open_primary),
        (fenced(), open_primary),
        (primary(), elected),
        (follow("old"), || replica_of("old")),
    ];
    for (role, make) in table {
        let mut seen = make();
        seen.faults.unreleased = Some(set("a:11"));
        assert!(!names(&role, &seen).contains(&"release-commits"), "{role:?}");
    }
}

#[test]
fn d3_clients_that_have_taken_every_connection_do_not_keep_a_deposed_server_open() {
    let mut seen = open_primary();
    seen.faults.locked_out = true;
    assert!(plan(&primary(), &seen).is_empty(), "by itself it is no reason to depose it");
    assert!(troubles(&primary(), &seen).contains("max_connections"));
    assert!(names(&fenced(), &seen).contains(&"kill-mysqld"));
    // After a restart of the agent nothing is known of it.
    seen.server = None;
    seen.sessions_killed = true;
    assert!(names(&follow("new"), &seen).contains(&"kill-mysqld"));
    // A replica all along is left alone.
    let mut seen = replica_of("old");
    seen.faults.locked_out = true;
    assert!(!names(&follow("old"), &seen).contains(&"kill-mysqld"));
}

#[test]
fn a_broken_applier_is_told_whatever_the_node_is_to_be() {
    for role in [follow("old"), fenced(), Role::Hold, Role::Invalid { errant: set("b:9") }] {
        let mut seen = replica_of("old");
        replication_of(&mut seen).applier_running = false;
        replication_of(&mut seen).applier_error = "error 1062: duplicate key".to_owned();
        let troubles = troubles(&role, &seen);
        assert_eq!(troubles.matches("error 1062: duplicate key").count(), 1, "{role:?}: {troubles}");
        assert!(troubles.contains("may not lead"), "{troubles}");
    }
}
