//! V3: the order in which a voter does things, and what each step refuses.

use crate::kit::*;
use xenon_election::*;

#[test]
fn v3_a_vote_is_saved_and_the_receiver_frozen_before_the_answer() {
    let mut node = Node::follower("n2:1");
    node.vote("n3", 2, &three(), "n2:1");
    // The old leader is followed no more, and nothing but the freeze comes of it yet.
    node.did_exactly(&["mysqld: hold", "save term 2 vote - config 1.1", "  freeze"]);
    node.frozen("n2:1");
    node.did_exactly(&["save term 2 vote n3 config 1.1", "  → n3 VoteReply 2: yes"]);
}

#[test]
fn v3_the_position_read_after_the_freeze_decides_not_the_one_seen_before() {
    let mut node = Node::follower("n2:1");
    node.vote("n3", 2, &three(), "n2:1");
    // n2:2 came in between, and may have been acknowledged.
    node.frozen("n2:1-2");
    node.did_exactly(&["→ n3 VoteReply 2: no: behind (marker 0 data n2:1-2)"]);
}

#[test]
fn v3_a_late_answer_to_a_freeze_of_an_older_term_decides_nothing() {
    let mut node = Node::follower("n2:1");
    node.vote("n3", 2, &three(), "n2:1");
    let old = node.ticket();
    node.heartbeat("n2", 3, "n2:1").vote("n3", 4, &three(), "n2:1");
    let new = node.ticket();
    node.step(Event::Frozen { ticket: old, result: Ok(gtids("n2:1")) });
    node.did_exactly(&[]);
    node.step(Event::Frozen { ticket: new, result: Ok(gtids("n2:1")) });
    node.did("→ n3 VoteReply 4: yes");
}

#[test]
fn v3_refusals() {
    let table: [(&str, Record, Term, GroupConfig, &str); 5] = [
        ("older term", record(3, None, Some(three())), 2, three(), "→ n3 VoteReply 3: no: the term is over"),
        (
            "older config",
            record(1, None, Some(config(1, 2, "n1 n2 n3"))),
            2,
            three(),
            "→ n3 VoteReply 2: no: its config is older than mine (1.2)",
        ),
        (
            "voted for another",
            record(2, Some("n2"), Some(three())),
            2,
            three(),
            "→ n3 VoteReply 2: no: I voted for n2 in this term",
        ),
        (
            "a learner",
            record(1, None, Some(config(1, 1, "n1+ n2 n3"))),
            2,
            config(1, 1, "n1+ n2 n3"),
            "→ n3 VoteReply 2: no: I am no voter",
        ),
        (
            "asked by an idle node",
            record(1, None, Some(config(1, 1, "n1 n2 n3*"))),
            2,
            config(1, 1, "n1 n2 n3*"),
            "→ n3 VoteReply 2: no: I am no voter",
        ),
    ];
    for (case, record, term, config, answer) in table {
        let mut node = Node::start("n1", record, "");
        node.vote("n3", term, &config, "n2:1");
        assert!(node.seen().iter().any(|line| line.trim() == answer), "{case}: {:?}", node.seen());
        node.did_not("freeze");
    }
}

#[test]
fn c2_a_candidate_that_was_told_to_stand_learns_that_its_config_is_old() {
    let mut node = Node::start("n1", record(1, None, Some(config(1, 2, "n1 n2 n3"))), "");
    node.vote("n3", 2, &three(), "").did("→ n3 Offer 1.2[n1 n2 n3]");
}

#[test]
fn v3_one_vote_a_term_also_among_those_that_wait_for_one_freeze() {
    let mut node = Node::follower("n2:1");
    node.vote("n3", 2, &three(), "n2:1");
    let ticket = node.ticket();
    node.vote("n2", 2, &three(), "n2:1").did_exactly(&[]);
    node.step(Event::Frozen { ticket, result: Ok(gtids("n2:1")) });
    node.did_exactly(&[
        "save term 2 vote n3 config 1.1",
        "  → n3 VoteReply 2: yes",
        "  → n2 VoteReply 2: no: I voted for n3 in this term",
    ]);
}

#[test]
fn v3_a_vote_survives_a_restart() {
    let mut node = Node::start("n1", record(2, Some("n3"), Some(three())), "");
    node.vote("n2", 2, &three(), "");
    node.did("→ n2 VoteReply 2: no: I voted for n3 in this term");
}

#[test]
fn v3_a_config_that_came_during_the_freeze_counts() {
    let mut node = Node::follower("n2:1");
    node.vote("n3", 2, &three(), "n2:1");
    let ticket = node.ticket();
    node.hear("n2", Message::Offer { config: config(1, 2, "n1 n2 n4") });
    node.step(Event::Frozen { ticket, result: Ok(gtids("n2:1")) });
    node.did("→ n3 VoteReply 2: no: its config is older than mine (1.2)");
}

#[test]
fn v3_an_old_vote_request_of_the_leader_does_not_cut_off_its_follower() {
    let mut node = Node::follower("n2:1");
    node.vote("n2", 1, &three(), "n2:1").did_exactly(&[]);
}

#[test]
fn v4_no_vote_without_a_position() {
    let mut node = Node::voter("n2:1");
    node.vote("n3", 2, &three(), "n2:1");
    let ticket = node.ticket();
    node.step(Event::Frozen { ticket, result: Err("its disk is gone".to_owned()) });
    node.did_exactly(&["→ n3 VoteReply 2: no: my position cannot be read: its disk is gone"]);
}

#[test]
fn v5_a_primary_that_is_asked_is_fenced_before_anything_else() {
    let mut node = Node::leader(2, three(), "n2:1");
    node.vote("n3", 3, &config(2, 1, "n1 n2 n3"), "n2:1,M:2");
    assert_eq!(node.seen()[0], "mysqld: fence");
    node.did("freeze");
}

#[test]
fn recency_table() {
    use Recency::*;
    for (a, b, expected) in [
        ("n1:1", "n1:1", Equal),
        ("n1:1-2", "n1:1", Ahead),
        ("n1:1", "n1:1-2", Behind),
        ("n1:1", "n2:1", Incomparable),
        // A later marker proves everything acknowledged before it.
        ("n1:1,M:2", "n1:1-9,M:1", Ahead),
        ("n1:1,M:2", "n1:1-9,M:1-2", Behind),
    ] {
        assert_eq!(at(a).recency(&at(b)), expected, "{a} to {b}");
    }
}

#[test]
fn a_term_without_a_successor_is_not_taken_up() {
    let mut node = Node::start("n1", record(1, None, Some(three())), "n1:1");
    node.hear(
        "n2",
        Message::Vote {
            term: u64::MAX,
            config: three().id,
            position: at("n1:1,M:1"),
            told: true,
            server_uuid: None,
        },
    );
    assert_eq!(node.core.record().term, 1);
    // Found by fuzzing: standing in the term after that one overflowed.
    node.hear("n2", Message::Stand { term: u64::MAX, after: None });
    node.hear("n2", Message::Stand { term: 1, after: None });
    assert_eq!(node.core.record().term, 2);
}
