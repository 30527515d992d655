//! A broken applier is broken between two attempts, too.

mod support;

use support::*;
use xenon_plan::observation::ServerState;
use xenon_plan::{ApplierWatch, unfit};

/// A replica that has received b:1-12, with so much applied, and its applier's error while it does not run.
fn replica(executed: &str, error: Option<&str>) -> ServerState {
    let mut seen = replica_of("old");
    server_of(&mut seen).executed = set(executed);
    replication_of(&mut seen).retrieved = set("b:5-12");
    replication_of(&mut seen).applier_running = error.is_none();
    replication_of(&mut seen).applier_error = error.unwrap_or_default().to_owned();
    seen.server.unwrap_or_else(fresh_server)
}

#[test]
fn broken_until_it_makes_progress() {
    let stopped = || replica("b:1-10", Some("error 1062"));
    let tried_again = || replica("b:1-10", None);
    let goes_on = || replica("b:1-11", None);
    type Looks = Vec<ServerState>;
    let table: [(&str, Looks, bool); 7] = [
        ("never", vec![tried_again(), goes_on()], false),
        ("stopped", vec![stopped()], true),
        ("tried again, for long", [vec![stopped()], vec![tried_again(); 60]].concat(), true),
        ("goes on", vec![stopped(), goes_on()], true),
        ("goes on, for long", [vec![stopped()], vec![goes_on(); 7]].concat(), false),
        (
            "stops again",
            [vec![stopped()], vec![goes_on(); 4], vec![stopped()], vec![goes_on(); 4]].concat(),
            true,
        ),
        ("all is applied", vec![stopped(), replica("b:1-12", None)], false),
    ];
    for (what, looks, expected) in table {
        let mut watch = ApplierWatch::default();
        for (second, server) in (0..).zip(&looks) {
            watch.on_look(second * 1_000, server);
        }
        assert_eq!(watch.error().is_some(), expected, "{what}");
    }
}

#[test]
fn it_makes_the_node_unfit_while_it_looks_well() {
    let mut seen = replica_of("old");
    seen.faults.applier = Some("error 1062".to_owned());
    assert_eq!(unfit(&seen), Some("its applier has stopped: error 1062".to_owned()));
    assert!(troubles(&follow("old"), &seen).contains("error 1062"));
}
