//! `raft trytoleader`.

use crate::fixture::{Stage, done, lead, refused};
use serde_json::json;
use xenon_api::{EventKind, Request};

#[test]
fn the_leader_hands_over_and_this_node_serves() {
    let stage = Stage::cluster(2);
    let ids = stage.ids();
    stage.agents[0]
        .script(|request, _| matches!(request, Request::HandOver { .. }).then(|| done("handing over")));
    stage.later(1, 400, lead);
    let outcome = stage.run(1, "raft trytoleader");
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let begin = format!("{} leads, and its server is open for writes, after ", ids[1]);
    assert!(outcome.out.starts_with(&begin), "{}", outcome.out);
    assert_eq!(stage.agents[0].told(), [Request::HandOver { target: Some(ids[1].clone()) }]);
}

#[test]
fn a_handover_that_is_given_up_says_why() {
    let stage = Stage::cluster(2);
    // An older story must not be taken for this one.
    stage.agents[0]
        .event(EventKind::Handover, "handover to X given up: long ago; this node stays the leader");
    stage.event_later(
        0,
        700,
        EventKind::Handover,
        "handover to Y given up: a transaction did not end; this node stays the leader",
    );
    let outcome = stage.run(1, "raft trytoleader --output json");
    assert_eq!(outcome.code, 1, "{outcome:?}");
    let what = outcome.json()["what"].as_str().unwrap().to_owned();
    assert_eq!(
        what,
        format!(
            "{}: handover to Y given up: a transaction did not end; this node stays the leader",
            stage.ids()[0]
        )
    );
}

#[test]
fn whoever_serves_already_is_left_alone() {
    let stage = Stage::cluster(2);
    let id = &stage.ids()[0];
    let outcome = stage.run(0, "raft trytoleader --output json");
    assert_eq!(
        outcome.json(),
        json!({"ok": true, "message": format!("{id} leads already, and its server is open for writes"), "node": id})
    );
    assert!(stage.agents[0].told().is_empty());
}

#[test]
fn what_cannot_be_is_refused() {
    let stage = Stage::cluster(2);
    stage.agents[0].script(|request, _| {
        let ask = matches!(request, Request::HandOver { .. });
        ask.then(|| refused("it may not lead: its priority is 0", "name another node", None))
    });
    let outcome = stage.run(1, "raft trytoleader");
    assert_eq!(outcome.code, 1);
    let wanted = format!(
        "xenoncli: {} refuses: it may not lead: its priority is 0\n  try: name another node\n",
        stage.ids()[0]
    );
    assert_eq!(outcome.err, wanted);

    stage.agents[1].set(|status| status.state = "STOPPED".to_owned());
    let outcome = stage.run(1, "raft trytoleader");
    assert!(outcome.code == 1 && outcome.err.contains("xenoncli raft enable"), "{outcome:?}");

    stage.agents[1].set(|status| {
        status.state = "FOLLOWER".to_owned();
        status.leader = None;
    });
    let outcome = stage.run(1, "raft trytoleader");
    assert!(outcome.code == 1 && outcome.err.contains("no leader is known"), "{outcome:?}");

    let stage = Stage::of(1);
    let outcome = stage.run(0, "raft trytoleader");
    assert!(outcome.code == 1 && outcome.err.contains("is no member of a cluster"), "{outcome:?}");
}
