//! L6: what a leader knows of the others that tells something about its own server.

use crate::kit::*;
use xenon_election::*;
use xenon_gtid::GtidSet;

#[test]
fn l6_what_enough_voters_have_is_what_no_commit_should_wait_for() {
    let mut node = Node::leader(2, config(1, 1, "n1 n2 n3 n4 n5 n6*"), "n1:1");
    assert_eq!(node.core.held_by_enough(), gtids("n1:1"));
    // Two are needed, and an idle one does not count.
    node.reply("n2", 1, "n1:1-3,M:2").reply("n6", 1, "n1:1-3,M:2");
    assert_eq!(node.core.held_by_enough(), gtids("n1:1"));
    node.reply("n3", 1, "n1:1-2,M:2");
    assert_eq!(node.core.held_by_enough(), gtids("n1:1-2"));
    assert_eq!(Node::follower("n1:1").core.held_by_enough(), GtidSet::new());
}

#[test]
fn l6_a_leader_can_give_leadership_away_only_to_who_is_heard_and_fit() {
    let mut node = Node::leader(2, three(), "");
    assert!(node.core.has_successor());
    for other in ["n2", "n3"] {
        let report = Report { unfit: Some("its disk is full".to_owned()), ..Report::default() };
        let config = node.core.record().config.as_ref().unwrap().id;
        node.hear(other, Message::HeartbeatReply { term: 2, round: 1, config, report });
    }
    assert!(!node.core.has_successor());
    assert!(!Node::elected(2, three(), "").core.has_successor(), "nobody was heard yet");
}
