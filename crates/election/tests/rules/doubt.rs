//! S3: a node that may have lost what it acknowledged votes, but its vote counts only beside every other voter's.

use crate::kit::*;
use crate::show;
use xenon_election::*;

/// n1 of three, whose host was restarted.
fn rebooted(received: &str) -> Node {
    let before = Record { boot: Some("a".to_owned()), ..record(1, None, Some(three())) };
    Node::start_in("n1", before, view("n1", received), "b")
}

fn in_doubt(node: &Node) -> bool {
    node.core.record().doubt.is_some()
}

fn yes(term: Term) -> Message {
    Message::VoteReply { term, refusal: None }
}

fn doubtful(term: Term) -> Message {
    Message::VoteReply { term, refusal: Some(Refusal::Doubtful { reason: "rebooted".to_owned() }) }
}

#[test]
fn s3_a_restart_of_the_host_is_noticed_and_kept_on_disk() {
    let mut node = rebooted("n2:1");
    assert!(in_doubt(&node));
    node.did("save term 1 vote - config 1.1 in doubt");
    let again = node.core.record().clone();
    assert!(
        in_doubt(&Node::start_in("n1", again, view("n1", "n2:1"), "b")),
        "a restart of the agent forgets nothing"
    );
    node.vote("n3", 2, &three(), "n2:1").frozen("n2:1");
    node.did(
        "→ n3 VoteReply 2: no: yes, but my vote counts only beside everybody's (S3): this host was restarted",
    );
    assert_eq!(node.core.record().vote, Some(id("n3")), "it is a vote: no other gets one in this term");
}

#[test]
fn s3_what_is_no_reason_for_doubt() {
    let first = Node::start_in("n1", record(1, None, Some(three())), view("n1", "n2:1"), "b");
    assert!(!in_doubt(&first), "the first start of an agent that keeps the boot");
    let same = Record { boot: Some("b".to_owned()), ..record(1, None, Some(three())) };
    assert!(!in_doubt(&Node::start_in("n1", same, view("n1", "n2:1"), "b")));
    let fresh = Record { boot: Some("a".to_owned()), ..record(0, None, Some(config(0, 1, "n1 n2 n3"))) };
    assert!(
        !in_doubt(&Node::start_in("n1", fresh, view("n1", ""), "b")),
        "no term: nothing was acknowledged"
    );
}

#[test]
fn s3_a_server_that_syncs_everything_loses_nothing_by_a_restart_of_the_host() {
    let mut node = rebooted("n2:1");
    let mut synced = view("n1", "n2:1");
    synced.server.as_mut().unwrap().synced = true;
    node.step(Event::Looked(Box::new(synced)));
    assert!(!in_doubt(&node));
}

#[test]
fn s3_relay_log_recovery_and_a_set_that_shrank_are_reasons_for_doubt() {
    let started = |start: &str, drops: bool| {
        let mut view = view("n1", "n2:1");
        let server = view.server.as_mut().unwrap();
        (server.start, server.drops_relay_logs) = (Some(start.to_owned()), drops);
        Event::Looked(Box::new(view))
    };
    let mut node = Node::follower("n2:1");
    node.step(started("1", true));
    assert!(!in_doubt(&node), "the first start that is seen");
    node.step(started("2", false));
    assert!(!in_doubt(&node), "relay logs are kept");
    node.step(started("3", true));
    assert!(in_doubt(&node));

    let mut node = Node::follower("n2:1-3");
    node.look("n2:1-3").look("n2:1-2");
    assert!(in_doubt(&node), "n2:3 is gone");
}

#[test]
fn s3_a_node_in_doubt_is_trusted_again_when_it_has_what_a_later_look_of_the_leader_showed() {
    let mut node = rebooted("n2:1");
    let beat = |node: &mut Node, has: &str, look: u64| {
        node.heartbeat_with("n2", 1, has, three().id, None, look);
    };
    node.look("n2:1");
    // A look that began before the loss may show less than was acknowledged.
    beat(&mut node, "n2:1", 9);
    beat(&mut node, "n2:1", 10);
    assert!(in_doubt(&node));
    beat(&mut node, "n2:1-2", 11);
    assert!(in_doubt(&node), "n2:2 is not here");
    // The leader goes on writing: what counts is what it had at that look.
    beat(&mut node, "n2:1-9", 12);
    node.look("n2:1-2");
    assert!(!in_doubt(&node));
}

#[test]
fn s3_a_doubtful_vote_makes_no_majority_but_completes_all() {
    let mut node = Node::start("n1", record(1, None, Some(three())), "n2:1");
    node.hear("n2", Message::Stand { term: 1, after: None }).frozen("n2:1");
    node.hear("n2", doubtful(2));
    assert_eq!(node.core.state(), State::Candidate, "n3 may have what n2 has lost");
    node.told("n3 must come back, too");
    node.hear("n3", doubtful(2));
    assert_eq!(node.core.state(), State::Leader, "everybody who can have it was asked");
}

#[test]
fn s3_a_node_in_doubt_may_lead_on_the_votes_of_those_that_are_not() {
    let mut node = rebooted("n2:1");
    node.look("n2:1").hear("n2", Message::Stand { term: 1, after: None }).frozen("n2:1");
    node.hear("n2", yes(2));
    assert_eq!(node.core.state(), State::Candidate, "its own vote is in doubt");
    node.hear("n3", yes(2));
    assert_eq!(node.core.state(), State::Leader);
    assert!(!in_doubt(&node), "it has all there is (I2)");
}

#[test]
fn s3_pre_votes_count_the_same() {
    let mut node = Node::start("n1", record(1, None, Some(three())), "n2:1");
    node.fire(Timer::Election);
    let no = Some(Refusal::Doubtful { reason: "rebooted".to_owned() });
    node.hear("n2", Message::PreVoteReply { term: 1, asked: 2, refusal: no.clone() });
    node.did_not("save");
    node.hear("n3", Message::PreVoteReply { term: 1, asked: 2, refusal: no })
        .did("save term 2 vote n1 config 1.1");
}

#[test]
fn s3_a_server_with_another_uuid_has_another_data_folder_and_must_not_stand() {
    // Replication never brings back what a server wrote under its own server_id, so later markers prove nothing.
    let known = Record { server_uuid: Some(show::server_uuid(9)), ..record(1, None, Some(three())) };
    let mut node = Node::start("n1", known, "");
    assert!(in_doubt(&node));
    node.fire(Timer::Election)
        .told("may not stand: it may lack transactions that it had (mysqld has another server_uuid");
    // A fresh member has none yet.
    let mut node = Node::start("n1", record(1, None, Some(three())), "");
    node.look("");
    assert!(!in_doubt(&node));
    assert!(node.core.record().server_uuid.is_some());
}

fn replaced(node: &mut Node, by: Replaced) {
    let reason = "its data was replaced".to_owned();
    node.step(Event::DataReplaced { by, reason });
}

#[test]
fn w1_a_rewound_server_may_have_only_the_uuid_that_was_told_and_lacks_only_an_end() {
    let known = Record { server_uuid: Some(show::server_uuid(1)), ..record(1, None, Some(three())) };
    let new = show::server_uuid(9);
    let mut node = Node::start("n1", known, "n1:1-3");
    node.look("n1:1-3");
    assert!(!in_doubt(&node));
    replaced(&mut node, Replaced::Rewound { server_uuid: new });
    node.did("save term 1 vote - config 1.1 in doubt");
    let mut after = view("n1", "n1:1-2");
    after.server.as_mut().unwrap().server_uuid = new;
    node.step(Event::Looked(Box::new(after)));
    let doubt = node.core.record().doubt.clone().expect("its vote does not count alone");
    assert!(!doubt.holes, "n1:3 is gone by this agent's own doing, and n1:1-2 is in order");
    // And any other uuid is a surprise.
    replaced(&mut node, Replaced::Rewound { server_uuid: new });
    node.look("n1:1-2");
    assert!(node.core.record().doubt.as_ref().is_some_and(|doubt| doubt.holes));
}

#[test]
fn w4_a_copy_has_no_holes_whatever_was_there_before() {
    let known = Record { server_uuid: Some(show::server_uuid(9)), ..record(1, None, Some(three())) };
    let mut node = Node::start("n1", known, "");
    assert!(node.core.record().doubt.as_ref().is_some_and(|doubt| doubt.holes));
    replaced(&mut node, Replaced::Copied);
    assert!(node.core.record().doubt.as_ref().is_some_and(|doubt| !doubt.holes));
    node.look("n2:1");
    assert_eq!(node.core.record().server_uuid, Some(show::server_uuid(1)), "whichever turns up first");
    assert!(node.core.record().doubt.as_ref().is_some_and(|doubt| !doubt.holes));
    let beat = |node: &mut Node, look: u64| {
        node.heartbeat_with("n2", 1, "n2:1", three().id, None, look);
    };
    (1..=3).for_each(|look| beat(&mut node, look));
    assert!(!in_doubt(&node), "it has caught up");
}

#[test]
fn w4_the_data_of_a_leader_is_not_replaced() {
    let mut node = Node::start("n1", record(1, None, Some(three())), "n2:1");
    node.hear("n2", Message::Stand { term: 1, after: None }).frozen("n2:1").hear("n2", yes(2));
    assert_eq!(node.core.state(), State::Leader);
    replaced(&mut node, Replaced::Copied);
    assert!(!in_doubt(&node));
    node.told("the data of a leader is not replaced");
}

#[test]
fn w1_a_candidate_whose_data_is_replaced_stands_no_more() {
    let mut node = Node::start("n1", record(1, None, Some(three())), "n2:1-3");
    node.hear("n2", Message::Stand { term: 1, after: None }).frozen("n2:1-3");
    assert_eq!(node.core.state(), State::Candidate);
    replaced(&mut node, Replaced::Rewound { server_uuid: show::server_uuid(9) });
    assert_eq!(node.core.state(), State::Follower);
    node.hear("n2", yes(2)).hear("n3", yes(2));
    assert_eq!(node.core.state(), State::Follower, "those votes were for what is not here any more");
}

#[test]
fn w4_a_vote_that_waits_for_a_freeze_is_not_given_with_data_that_was_replaced() {
    let mut node = Node::follower("n2:1");
    node.vote("n3", 2, &three(), "n2:1");
    let (asked, asked_ticket) = (node.core.clone(), node.ticket());
    node.frozen("n2:1").did("→ n3 VoteReply 2: yes");
    // The same, with the data replaced meanwhile.
    let ticket = asked_ticket;
    node.core = asked;
    replaced(&mut node, Replaced::Copied);
    node.step(Event::Frozen { ticket, result: Ok(gtids("n2:1")) });
    assert!(node.effects.iter().all(|effect| !matches!(effect, Effect::Send { .. })), "{:?}", node.effects);
}
