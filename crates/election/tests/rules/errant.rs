//! F1–F2: whom to follow, and when not.

use crate::kit::*;
use xenon_election::*;

/// n1 hears leader n2 of term 2, whose server holds n2:1, at its look 9.
fn hears_n2(received: &str) -> Node {
    let mut node = Node::voter(received);
    node.look(received).heartbeat("n2", 2, "n3:1,n2:1");
    node
}

fn look_of_leader(node: &mut Node, look: u64, received: &str) {
    node.heartbeat_with("n2", 2, received, three().id, None, look);
}

#[test]
fn f2_the_leaders_own_transactions_are_never_errant() {
    hears_n2("n3:1,n2:1-5").look("n3:1,n2:1-5").did("mysqld: follow n2 of term 2");
}

#[test]
fn f2_markers_are_never_errant() {
    hears_n2("n3:1,M:1").look("n3:1,M:1").did("mysqld: follow n2 of term 2");
}

#[test]
fn f2_nobody_is_followed_before_the_suspicion_is_cleared() {
    let mut node = hears_n2("n3:1-2");
    node.look("n3:1-2").did_not("mysqld: follow");
    look_of_leader(&mut node, 10, "n3:1,n2:1");
    node.did_not("mysqld: follow");
    // The leader has received it after all.
    look_of_leader(&mut node, 11, "n3:1-2,n2:1");
    node.did("mysqld: follow n2 of term 2");
}

#[test]
fn f2_what_the_leader_lacks_two_looks_later_is_errant() {
    let mut node = hears_n2("n3:1-2");
    look_of_leader(&mut node, 10, "n3:1,n2:1");
    look_of_leader(&mut node, 11, "n3:1,n2:1");
    node.did("mysqld: invalid n3:2");
    node.did("save term 2 vote - config 1.1 errant n3:2");
    assert_eq!(node.core.state(), State::Invalid);
    // It answers the leader all the same, and says why it does not stand.
    let answer = "→ n2 HeartbeatReply 2.1 config 1.1 (marker 0 data n3:1-2 errant n3:2) \
                  unfit: it has errant transactions: 03030303-0303-0303-0303-030303030303:2";
    node.did(answer);
}

#[test]
fn v6_an_invalid_node_votes_and_its_errant_transactions_veto_nobody() {
    let mut node = hears_n2("n3:1-2");
    look_of_leader(&mut node, 11, "n3:1,n2:1");
    node.vote("n3", 3, &three(), "n3:1").frozen("n3:1-2").did("→ n3 VoteReply 3: yes");
    // Also after a restart: the record keeps them.
    let record = node.core.record().clone();
    assert_eq!(record.errant, gtids("n3:2"));
}

#[test]
fn f2_cured_it_follows() {
    let mut node = hears_n2("n3:1-2");
    look_of_leader(&mut node, 11, "n3:1,n2:1");
    node.look("n3:1").did("mysqld: follow n2 of term 2");
    assert_eq!(node.core.state(), State::Follower);
}

#[test]
fn f2_a_leader_that_never_looked_at_its_server_is_no_measure() {
    let mut node = Node::voter("n3:1");
    node.look("n3:1");
    look_of_leader(&mut node, 0, "");
    node.look("n3:1").did_not("mysqld: follow");
    look_of_leader(&mut node, 1, "n3:1");
    node.did("mysqld: follow n2 of term 2");
}

#[test]
fn f1_no_server_no_following_until_it_answers() {
    let mut node = Node::voter("");
    node.step(Event::Looked(Box::default()));
    node.heartbeat("n2", 2, "n2:1").did_not("mysqld: follow");
    node.look("n2:1").did("mysqld: follow n2 of term 2");
}

#[test]
fn f2_what_a_freeze_shows_is_compared_with_the_leader_that_was_elected_meanwhile() {
    let mut node = Node::leader(1, three(), "");
    // n3 stands; the freeze reads n1:1, which was in the binlog and acknowledged by nobody, but is told late.
    node.vote("n3", 2, &three(), "M:1");
    let ticket = node.ticket();
    node.heartbeat("n3", 2, "M:1");
    node.step(Event::Frozen { ticket, result: Ok(gtids("n1:1,M:1")) }).did_not("mysqld: follow");
    node.look("n1:1,M:1").did_not("mysqld: follow");
}

#[test]
fn f2_what_a_leader_lacks_at_its_election_it_lacks_for_good() {
    // Its receiver had stopped. And its marker may wait for this very node: then it looks no second time.
    let mut node = Node::start("n1", record(2, None, Some(three())), "n1:1,M:1");
    node.look("n1:1,M:1");
    let info = LeaderInfo {
        source_host: "n2".to_owned(),
        source_port: 3306,
        server_uuid: None,
        received: gtids("M:1"),
        look: 1,
        open: false,
        suspended: false,
    };
    node.hear(
        "n2",
        Message::Heartbeat { term: 2, round: 1, config: three().id, members: None, info, rank: 0 },
    );
    node.did("mysqld: invalid n1:1");
}

#[test]
fn f2_who_was_not_asked_for_its_vote_looks_before_it_follows_the_next_leader() {
    // Received from the old leader after the last look, and nowhere among those that elected the new one.
    let mut node = Node::follower("n2:1");
    node.heartbeat("n3", 2, "n2:1").did_not("mysqld: follow");
    node.look("n2:1-2").did_not("mysqld: follow");
}
