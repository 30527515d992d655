//! W2: a candidate that lacks only the vote of a node whose mysqld is dead fetches what that one has.

use crate::kit::*;
use xenon_election::*;

fn two() -> GroupConfig {
    config(1, 1, "n1 n2")
}

/// n1 has asked for votes in term 2 with this position.
fn asking(received: &str, config: GroupConfig) -> Node {
    let mut node = Node::start("n1", record(1, None, Some(config)), received);
    node.hear("n2", Message::Stand { term: 1, after: None });
    node.frozen(received);
    node
}

fn dead(mine: &str) -> Message {
    Message::VoteReply {
        term: 2,
        refusal: Some(Refusal::Behind { mine: at(mine), can_stand: false, dead: true }),
    }
}

fn yes() -> Message {
    Message::VoteReply { term: 2, refusal: None }
}

#[test]
fn w2_in_a_pair_the_dead_ones_tail_is_fetched_at_once_and_the_position_read_anew() {
    let mut node = asking("n2:1,M:1", two());
    node.hear("n2", dead("n2:1-3,M:1")).did("rescue from n2: n2:2-3");
    let ticket = node.ticket();
    // It takes as long as it takes: no other candidacy of its own meanwhile.
    node.fire(Timer::Election).did_not("→ n2 PreVote");
    node.step(Event::Rescued { ticket, result: Ok(()) });
    node.did_exactly(&["save term 3 vote n1 config 1.1", "  freeze"]);
    node.frozen("n2:1-3,M:1").did("→ n2 Vote 3 config 1.1 (marker 1 data n2:1-3)");
    node.hear("n2", Message::VoteReply { term: 3, refusal: None });
    assert_eq!(node.core.state(), State::Leader);
}

#[test]
fn w2_a_dead_voter_says_so() {
    let mut node = Node::start("n1", record(1, None, Some(two())), "n1:1-3,M:1");
    node.step(Event::Looked(Box::default()));
    let position = at("n1:1,M:1");
    let config = ConfigId { term: 1, version: 1 };
    node.hear("n2", Message::Vote { term: 2, config, position, told: false, server_uuid: None });
    node.frozen("n1:1-3,M:1").did("→ n2 VoteReply 2: no: behind (marker 1 data n1:1-3), which is dead");
}

#[test]
fn w2_with_three_the_others_get_a_moment_to_make_it_needless() {
    let mut node = asking("n2:1", three());
    node.hear("n2", dead("n2:1-3")).did_not("rescue from n2: n2:2-3");
    node.did("arm Rescue Heartbeat");
    node.hear("n3", yes());
    assert_eq!(node.core.state(), State::Leader);
    node.fire(Timer::Rescue).did_exactly(&[]);

    // The third is gone.
    let mut node = asking("n2:1", three());
    node.hear("n2", dead("n2:1-3"));
    node.fire(Timer::Rescue).did("rescue from n2: n2:2-3");
    // It comes back while the fetching goes on: no need to wait for the rest.
    node.hear("n3", yes());
    assert_eq!(node.core.state(), State::Leader);
}

#[test]
fn w2_whoever_would_still_lack_votes_fetches_nothing() {
    // Three of four are needed, and the vote of the dead one makes two.
    let mut node = asking("n2:1", config(1, 1, "n1 n2 n3 n4"));
    node.hear("n2", dead("n2:1-3")).fire(Timer::Rescue).did_exactly(&[]);
    // With a third it does.
    node.hear("n3", yes()).did("rescue from n2: n2:2-3");
}

#[test]
fn w2_from_five_on_it_could_turn_out_errant_and_is_left() {
    let mut node = asking("n2:1", config(1, 1, "n1 n2 n3 n4 n5"));
    node.hear("n3", yes());
    node.hear("n2", dead("n2:1-3")).fire(Timer::Rescue).did_exactly(&[]);
}

#[test]
fn w2_a_rescue_that_failed_is_not_tried_again_at_once() {
    let mut node = asking("n2:1", two());
    node.hear("n2", dead("n2:1-3"));
    let ticket = node.ticket();
    node.step(Event::Rescued { ticket, result: Err("too large".to_owned()) });
    assert_eq!(node.core.state(), State::Follower);
    node.did("arm Election random rank 1");
    // The next candidacy lets it pass, the one after tries again.
    for term in [3, 4] {
        node.fire(Timer::Election);
        node.hear("n2", Message::Stand { term: term - 1, after: None });
        node.frozen("n2:1");
        let Message::VoteReply { refusal, .. } = dead("n2:1-3") else { unreachable!() };
        node.hear("n2", Message::VoteReply { term, refusal });
        match term {
            3 => node.did_not("rescue from n2: n2:2-3"),
            _ => node.did("rescue from n2: n2:2-3"),
        };
    }
}

#[test]
fn w2_an_answer_that_nobody_waits_for_any_more_changes_nothing() {
    let mut node = asking("n2:1", two());
    node.hear("n2", dead("n2:1-3"));
    let ticket = node.ticket();
    node.hear("n2", Message::Stand { term: 2, after: None });
    node.heartbeat("n2", 3, "n2:1-3");
    node.step(Event::Rescued { ticket, result: Ok(()) }).did_exactly(&[]);
}
