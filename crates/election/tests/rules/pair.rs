//! C5: two voters, and one beside a witness.

use crate::kit::*;
use crate::show;
use xenon_election::*;

const M2: &str = "n1:1,M:2";

/// n1 leads n2; both have the config.
fn pair() -> Node {
    let mut node = Node::leader(2, config(1, 1, "n1 n2"), "n1:1");
    node.look_on(M2).hear_all(M2);
    node
}

/// n1 leads; n2 has data, n3 is a witness.
fn beside_witness() -> Node {
    let mut node = Node::leader(2, witnessed("n1 n2 n3"), "n1:1");
    node.look_on(M2).reply("n2", 1, M2);
    node.witness_reply("n3", 1);
    node
}

fn witnessed(members: &str) -> GroupConfig {
    let mut config = config(1, 1, members);
    config.members.get_mut(&id("n3")).unwrap().witness = true;
    config
}

fn rounds(node: &mut Node, count: usize) {
    for _ in 0..count {
        node.fire(Timer::Heartbeat);
    }
}

#[test]
fn c5_a_pair_waits_softly_once_both_have_the_config() {
    let mut node = Node::elected(2, config(1, 1, "n1 n2"), "n1:1");
    node.did("mysqld: lead term 2 W=1");
    node.hear_all("n1:1").did("mysqld: lead term 2 W=1 soft");
    // Three wait strictly.
    let three = Node::leader(2, three(), "n1:1");
    assert!(matches!(three.core.directive(), Directive::Lead { soft: false, acknowledgements: 1, .. }));
}

#[test]
fn c5_a_partner_that_is_silent_is_not_waited_for_and_waited_for_again_when_it_is_back() {
    let mut node = pair();
    rounds(&mut node, 4);
    assert_eq!(node.waits(), (0, false));
    assert!(node.core.degraded().is_some());
    // The lease means nothing here: no majority is without n1.
    node.fire(Timer::Lease).did_exactly(&[]);
    assert_eq!(node.core.state(), State::Leader);
    node.reply("n2", 5, M2).did("mysqld: lead term 2 W=1 soft");
    node.look_on(M2);
    assert_eq!(node.core.degraded(), None);
}

#[test]
fn c5_a_partner_whose_mysqld_hangs_is_not_waited_for() {
    let mut node = pair();
    let config = node.core.record().config.clone().unwrap().id;
    let report = Report { position: Some(at(M2)), stuck: true, ..Report::default() };
    node.hear("n2", Message::HeartbeatReply { term: 2, round: 1, config, report });
    node.did("mysqld: lead term 2 W=0");
}

#[test]
fn c5_of_three_the_leader_keeps_waiting_and_keeps_its_lease() {
    let mut node = Node::leader(2, three(), "n1:1");
    node.look_on(M2).hear_all(M2);
    rounds(&mut node, 9);
    assert!(matches!(node.core.directive(), Directive::Lead { acknowledgements: 1, soft: false, .. }));
    node.fire(Timer::Lease).did("mysqld: suspend");
}

#[test]
fn c5_a_leader_of_two_goes_on_after_a_restart_without_its_partner() {
    let record = pair().core.record().clone();
    assert_eq!(record.settled, Some(ConfigId { term: 2, version: 1 }));
    let node = Node::start_as("n1", record.clone(), M2, true);
    assert_eq!(node.core.state(), State::Leader);
    node.told("leading in term 2, resumed");
    assert_eq!(node.waits(), (1, true));
    // Not known to be settled: an older config of more voters may be in force elsewhere.
    let unsettled = Record { settled: None, ..record };
    assert_eq!(*Node::start_as("n1", unsettled, M2, true).core.directive(), Directive::Hold);
}

#[test]
fn c5_a_third_voter_comes_in_only_when_the_second_has_all_that_was_told_ok() {
    let mut node = pair();
    node.step(Event::Request(Request::Add { nodes: vec![id("n3")], idle: false }));
    node.hear_all(M2);
    // n3 has caught up, but commits may have gone on without n2: first they wait strictly.
    assert_eq!(node.waits(), (1, false));
    assert!(!is_voter(&node, "n3"));
    node.look_on("n1:1-2,M:2");
    node.reply("n3", 1, "n1:1-2,M:2");
    assert!(!is_voter(&node, "n3"), "n2 lacks n1:2, and could elect n3 or itself without n1");
    node.reply("n2", 1, "n1:1-2,M:2");
    assert!(is_voter(&node, "n3"));
    assert!(matches!(node.core.directive(), Directive::Lead { acknowledgements: 1, soft: false, .. }));
}

#[test]
fn c5_a_third_voter_does_not_come_in_while_the_second_is_gone() {
    let mut node = pair();
    node.step(Event::Request(Request::Add { nodes: vec![id("n3")], idle: false }));
    for round in 2..20 {
        node.fire(Timer::Heartbeat).reply("n3", round, M2).look_on(M2);
    }
    assert!(!is_voter(&node, "n3"));
    assert_eq!(node.waits().0, 0, "and writes go on");
}

#[test]
fn c5_a_partner_that_is_gone_for_good_can_be_removed() {
    let mut node = pair();
    rounds(&mut node, 4);
    node.step(Event::Request(Request::Remove { nodes: vec![id("n2")] }));
    rounds(&mut node, 2);
    let config = node.core.record().config.clone().unwrap();
    assert_eq!(config.members.len(), 1);
    assert!(matches!(node.core.directive(), Directive::Lead { acknowledgements: 0, .. }));
}

#[test]
fn c5_a_voter_that_is_not_reached_becomes_a_learner_beside_a_witness_before_w_is_lowered() {
    let mut node = beside_witness();
    assert!(matches!(node.core.directive(), Directive::Lead { acknowledgements: 1, soft: false, .. }));
    for round in 2..=3 {
        node.fire(Timer::Heartbeat).witness_reply("n3", round);
    }
    node.fire(Timer::Heartbeat);
    let config = node.core.record().config.clone().unwrap();
    assert_eq!(config.standing(&id("n2")), Some(Standing::Joining));
    // The witness has not taken it yet.
    assert!(matches!(node.core.directive(), Directive::Lead { acknowledgements: 1, .. }));
    node.witness_reply("n3", 4).did("mysqld: lead term 2 W=0");
    assert!(node.core.degraded().is_some());
}

#[test]
fn c5_a_witness_is_not_missed_for_the_server_that_it_does_not_have() {
    let mut node = beside_witness();
    for round in 2..=20 {
        node.fire(Timer::Heartbeat).reply("n2", round, M2).witness_reply("n3", round);
    }
    let config = node.core.record().config.clone().unwrap();
    assert_eq!(config.standing(&id("n3")), Some(Standing::Voter));
    assert_eq!(config.standing(&id("n2")), Some(Standing::Voter));
}

#[test]
fn c5_a_leader_elected_by_the_witness_does_without_the_dead_one_before_its_marker() {
    let mut node = Node::start("n1", record(1, None, Some(witnessed("n1 n2 n3"))), "n2:1");
    node.look("n2:1").hear("n2", Message::Stand { term: 1, after: None }).frozen("n2:1");
    node.hear("n3", Message::VoteReply { term: 2, refusal: None });
    assert_eq!(node.core.state(), State::Leader);
    for round in 1..=6 {
        node.witness_reply("n3", round).fire(Timer::Heartbeat);
    }
    node.witness_reply("n3", 7);
    let config = node.core.record().config.clone().unwrap();
    assert_eq!(config.standing(&id("n2")), Some(Standing::Joining));
    assert!(
        matches!(node.core.directive(), Directive::Lead { acknowledgements: 0, .. }),
        "the marker waits for nobody"
    );
}

#[test]
fn c5_back_beside_a_witness_it_acknowledges_and_catches_up_before_it_votes() {
    let mut config = witnessed("n1 n2+ n3");
    config.id.version = 4;
    let mut learner = Node::start("n1", record(1, None, Some(witnessed("n1+ n2 n3"))), "n2:1");
    learner.heartbeat("n2", 1, "n2:1").look("n2:1").did("mysqld: follow n2 of term 1");

    let mut node = Node::start("n1", record(1, None, Some(config)), "n1:1");
    node.look("n1:1").hear("n2", Message::Stand { term: 1, after: None }).frozen("n1:1");
    node.hear("n3", Message::VoteReply { term: 2, refusal: None }).witness_reply("n3", 1);
    node.look_on(M2).step(Event::Promoted { term: 2 });
    assert!(matches!(node.core.directive(), Directive::Lead { acknowledgements: 0, .. }));
    node.reply("n2", 1, M2);
    assert_eq!(node.waits(), (1, false));
    assert!(!is_voter(&node, "n2"));
    node.look_on("n1:1-5,M:2").reply("n2", 1, M2);
    assert!(!is_voter(&node, "n2"), "with the witness it could be elected, and it lacks n1:2-5");
    node.reply("n2", 1, "n1:1-5,M:2");
    assert!(is_voter(&node, "n2"));
}

#[test]
fn c5_a_witness_votes_and_never_stands() {
    let mut node = Node::start_as_witness("n3", witnessed("n1 n2 n3"));
    node.fire(Timer::Election).did_exactly(&[]);
    node.vote("n2", 2, &witnessed("n1 n2 n3"), "n1:1").frozen("").did("→ n2 VoteReply 2: yes");
}

#[test]
fn c5_a_node_turns_into_a_witness_by_leaving_and_joining() {
    // It may have acknowledged something while it had data.
    let had = Record { server_uuid: Some(show::server_uuid(3)), ..record(1, None, Some(three())) };
    let wish = Some(Wish { witness: true, ..Wish::default() });
    let mut node = Node::start_in("n3", had, LocalView { wish, ..LocalView::default() }, "a");
    node.vote("n2", 2, &three(), "n1:1");
    node.did("→ n2 VoteReply 2: no: my position cannot be read: it is to be a witness, and its cluster does not know that yet");

    // One that never had any may vote before its cluster knows what it is.
    let mut fresh = Node::start_as_witness("n3", three());
    fresh.vote("n2", 2, &three(), "n1:1").frozen("").did("→ n2 VoteReply 2: yes");

    let mut leader = Node::leader(2, three(), "n1:1");
    leader.look_on(M2).reply("n2", 1, M2).witness_reply("n3", 1);
    assert!(!is_voter(&leader, "n3"));
    for round in 2..9 {
        leader.look_on(M2).fire(Timer::Heartbeat).reply("n2", round, M2).witness_reply("n3", round);
    }
    let config = leader.core.record().config.clone().unwrap();
    assert!(config.is_witness(&id("n3")) && config.is_voter(&id("n3")), "{config:?}");
}

fn is_voter(node: &Node, name: &str) -> bool {
    node.core.record().config.as_ref().unwrap().is_voter(&id(name))
}
