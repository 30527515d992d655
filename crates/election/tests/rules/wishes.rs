//! V8 and the nodes' own wishes: priorities, idle nodes, and giving way to a preferred node.

use crate::kit::*;
use xenon_election::*;

const M2: &str = "n1:1,M:2";

fn priority_of(node: &Node, name: &str) -> u32 {
    node.core.record().config.as_ref().unwrap().priority(&id(name))
}

fn standing_of(node: &Node, name: &str) -> Option<Standing> {
    node.core.record().config.as_ref().unwrap().standing(&id(name))
}

/// `from` answers the round that the leader is in, with what its own config asks for.
fn wishing(node: &mut Node, from: &str, round: u64, priority: u32, idle: bool) {
    let record = node.core.record();
    let (term, config) = (record.term, record.config.clone().unwrap().id);
    let wish = Some(Wish { priority, idle, witness: false });
    let report = Report { position: Some(at(M2)), wish, ..Report::default() };
    node.hear(from, Message::HeartbeatReply { term, round, config, report });
}

/// n1 leads three, everybody answers, and the leader has looked at its server.
fn settled() -> Node {
    let mut node = Node::leader(2, three(), "n1:1");
    node.hear_all(M2).look(M2);
    node
}

#[test]
fn v8_a_nodes_own_priority_goes_into_the_config_of_all() {
    let mut node = settled();
    wishing(&mut node, "n3", 1, 5, false);
    assert_eq!(priority_of(&node, "n3"), 5);
}

#[test]
fn v8_leadership_goes_to_the_preferred_node_once_it_has_caught_up() {
    let mut node = settled();
    wishing(&mut node, "n3", 1, 5, false);
    node.reply("n2", 1, M2).look(M2);
    wishing(&mut node, "n3", 1, 5, false);
    node.look(M2);
    assert!(node.core.is_handing_over(), "{:#?}", node.seen());
}

#[test]
fn v8_a_preferred_node_that_lags_is_waited_for() {
    let mut node = settled();
    wishing(&mut node, "n3", 1, 5, false);
    // It lacks the marker of this term.
    let record = node.core.record();
    let (term, config) = (record.term, record.config.clone().unwrap().id);
    let report = Report {
        position: Some(at("n1:1")),
        wish: Some(Wish { priority: 5, ..Wish::default() }),
        ..Report::default()
    };
    node.hear("n3", Message::HeartbeatReply { term, round: 1, config, report });
    node.reply("n2", 1, M2).look(M2).look(M2);
    assert!(!node.core.is_handing_over());
}

#[test]
fn v8_a_failed_handover_to_the_preferred_node_is_not_tried_again_at_once() {
    let mut node = settled();
    wishing(&mut node, "n3", 1, 5, false);
    node.reply("n2", 1, M2).look(M2);
    wishing(&mut node, "n3", 1, 5, false);
    node.look(M2);
    node.fire(Timer::HandOver);
    assert!(!node.core.is_handing_over());
    node.look(M2).look(M2);
    assert!(!node.core.is_handing_over());
}

#[test]
fn a_voter_whose_config_says_idle_becomes_idle() {
    let mut node = settled();
    wishing(&mut node, "n3", 1, 0, true);
    assert_eq!(standing_of(&node, "n3"), Some(Standing::Idle));
}
