//! V1: pre-votes change nothing, and are refused by whoever hears a leader.

use crate::kit::*;
use xenon_election::*;

fn ask(term: Term) -> Message {
    Message::PreVote { term, config: three().id }
}

#[test]
fn v1_a_pre_vote_changes_nothing() {
    let mut node = Node::voter("");
    node.fire(Timer::LeaderFresh);
    let before = node.core.clone();
    node.hear("n3", ask(7)).did_exactly(&["→ n3 PreVoteReply 7 from term 1: yes"]);
    assert_eq!(node.core, before);
}

#[test]
fn v1_refused_while_a_leader_is_heard_but_not_to_that_leader() {
    let mut node = Node::follower("n2:1");
    node.hear("n3", ask(2)).did_exactly(&["→ n3 PreVoteReply 2 from term 1: no: I hear leader n2"]);
    node.hear("n2", ask(2)).did_exactly(&["→ n2 PreVoteReply 2 from term 1: yes"]);
}

#[test]
fn v1_refused_by_a_leader() {
    let mut node = Node::leader(2, three(), "");
    node.hear("n3", Message::PreVote { term: 3, config: config(2, 1, "").id });
    node.did_exactly(&["→ n3 PreVoteReply 3 from term 2: no: I hear leader n1"]);
}

#[test]
fn v1_the_refused_gets_its_yes_when_the_leader_is_lost() {
    let mut node = Node::follower("n2:1");
    node.hear("n3", ask(2));
    node.fire(Timer::LeaderFresh).did_exactly(&["→ n3 PreVoteReply 2 from term 1: yes"]);
}

#[test]
fn v1_no_late_yes_when_the_leader_was_heard_again() {
    let mut node = Node::follower("n2:1");
    node.hear("n3", ask(2)).heartbeat("n2", 1, "n2:1");
    node.fire(Timer::LeaderFresh).did_exactly(&[]);
}

#[test]
fn v1_who_asks_with_an_old_config_is_told_the_new_one() {
    let mut node = Node::start("n1", record(1, None, Some(config(1, 2, "n1 n2"))), "");
    node.hear("n3", ask(2)).did_exactly(&[
        "→ n3 Offer 1.2[n1 n2]",
        "→ n3 PreVoteReply 2 from term 1: no: its config is older than mine (1.2)",
    ]);
}

#[test]
fn v1_election_timer_asks_all_other_voters_and_nobody_else() {
    let mut node = Node::start("n1", record(1, None, Some(config(1, 1, "n1 n2 n3 n4+ n5*"))), "");
    node.fire(Timer::Election).did_exactly(&["→ n2 PreVote 2 config 1.1", "→ n3 PreVote 2 config 1.1"]);
    node.did("arm Election random rank 0");
}

#[test]
fn v1_a_majority_of_pre_votes_is_needed() {
    let mut node = Node::start("n1", record(1, None, Some(config(1, 1, "n1 n2 n3 n4 n5"))), "");
    node.fire(Timer::Election);
    let yes = || Message::PreVoteReply { term: 1, asked: 2, refusal: None };
    node.hear("n2", yes()).did_exactly(&[]);
    node.hear("n2", yes()).did_exactly(&[]);
    node.hear("n9", yes()).did_exactly(&[]);
    node.hear("n3", yes()).did_exactly(&["save term 2 vote n1 config 1.1", "  freeze"]);
}

#[test]
fn c2_a_voter_that_does_not_know_it_is_one_is_told() {
    // n4 was raised, the leader died before n4 heard of it, and without n4 there is no majority.
    let mut node = Node::start("n1", record(1, None, Some(config(1, 2, "n1 n2 n3 n4"))), "");
    node.fire(Timer::Election);
    let no = Message::PreVoteReply { term: 1, asked: 2, refusal: Some(Refusal::NotVoter) };
    node.hear("n4", no).did_exactly(&["→ n4 Offer 1.2[n1 n2 n3 n4]"]);

    let mut learner = Node::start("n1", record(1, None, Some(config(1, 1, "n1+ n2 n3"))), "");
    let raised = config(1, 2, "n1 n2 n3");
    learner.hear("n2", Message::PreVote { term: 2, config: raised.id });
    learner.did("→ n2 PreVoteReply 2 from term 1: no: I am no voter");
    learner.fire(Timer::LeaderFresh).hear("n2", Message::Offer { config: raised.clone() });
    learner.hear("n2", Message::PreVote { term: 2, config: raised.id });
    learner.did("→ n2 PreVoteReply 2 from term 1: yes");
}

#[test]
fn v1_an_agent_that_has_just_started_may_have_answered_a_leader_a_moment_ago() {
    let mut node = Node::voter("");
    node.hear("n3", ask(2)).did_exactly(&["→ n3 PreVoteReply 2 from term 1: no: I hear leader n1"]);
    // The yes comes as soon as that leader's lease must be over.
    node.fire(Timer::LeaderFresh).did_exactly(&["→ n3 PreVoteReply 2 from term 1: yes"]);
}

#[test]
fn v3_a_voter_that_hears_a_leader_refuses_a_candidate_that_nobody_told_to_stand() {
    // n3 got its pre-votes a moment before n2 took its leadership up again (T3).
    let mut node = Node::follower("n2:1");
    let vote =
        |told| Message::Vote { term: 2, config: three().id, position: at("n2:1"), told, server_uuid: None };
    node.hear("n3", vote(false)).did_exactly(&["→ n3 VoteReply 1: no: I hear leader n2"]);
    assert_eq!(node.core.record().term, 1);
    node.hear("n3", vote(true)).did("save term 2 vote - config 1.1");
}
