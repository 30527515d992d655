//! V2, V6, V7: standing, counting, giving way; and the fitness to stand (V8).

use crate::kit::*;
use xenon_election::*;

fn standing(received: &str, config: GroupConfig) -> Node {
    let mut node = Node::start("n1", record(1, None, Some(config)), received);
    node.hear("n2", Message::Stand { term: 1, after: None });
    node
}

fn no(mine: &str, can_stand: bool) -> Option<Refusal> {
    Some(Refusal::Behind { mine: at(mine), can_stand, dead: false })
}

#[test]
fn v2_own_vote_saved_then_frozen_then_asked_with_the_frozen_position() {
    let mut node = standing("n2:1", three());
    node.did_exactly(&["save term 2 vote n1 config 1.1", "  freeze"]);
    node.frozen("n2:1-2,M:1").did_exactly(&[
        "→ n2 Vote 2 config 1.1 (marker 1 data n2:1-2)",
        "→ n3 Vote 2 config 1.1 (marker 1 data n2:1-2)",
    ]);
}

#[test]
fn v2_without_a_position_nobody_is_asked_and_the_timer_runs() {
    let mut node = standing("", three());
    node.did("arm Election random rank 1");
    let ticket = node.ticket();
    node.step(Event::Frozen { ticket, result: Err("no".to_owned()) }).did_exactly(&[]);
    node.did_not("disarm Election");
    assert_eq!(node.core.state(), State::Follower);
}

#[test]
fn v6_a_majority_of_voters_wins_each_counted_once() {
    let mut node = standing("", config(1, 1, "n1 n2 n3 n4 n5 n6*"));
    node.frozen("");
    let yes = || Message::VoteReply { term: 2, refusal: None };
    for voter in ["n2", "n2", "n6", "n7"] {
        node.hear(voter, yes());
        assert_eq!(node.core.state(), State::Candidate, "{voter}");
    }
    node.hear("n3", yes());
    assert_eq!(node.core.state(), State::Leader);
    // The leader's config carries its term (C2), and is saved before anyone hears of it (S1).
    node.did("save term 2 vote n1 config 2.1");
    node.did("mysqld: lead term 2 W=2");
}

#[test]
fn v6_votes_of_an_older_term_do_not_count() {
    let mut node = standing("", three());
    node.frozen("").hear("n2", Message::VoteReply { term: 1, refusal: None });
    assert_eq!(node.core.state(), State::Candidate);
}

#[test]
fn v7_who_is_ahead_is_told_to_stand_at_once() {
    let mut node = standing("n2:1", three());
    node.frozen("n2:1");
    node.hear("n3", Message::VoteReply { term: 2, refusal: no("n2:1-2", true) });
    node.did_exactly(&["→ n3 Stand 2"]);
    assert_eq!(node.core.state(), State::Follower);
    node.did("arm Election random rank 1");
}

#[test]
fn v7_nobody_gives_way_to_one_that_may_not_stand_or_is_errant() {
    for refusal in [no("n2:1-2", false), no("n3:7", true)] {
        let mut node = standing("n2:1", three());
        node.frozen("n2:1").hear("n3", Message::VoteReply { term: 2, refusal }).did_exactly(&[]);
        assert_eq!(node.core.state(), State::Candidate);
    }
}

#[test]
fn v7_told_to_stand_in_this_term_only() {
    let mut node = Node::follower("n2:1");
    node.hear("n2", Message::Stand { term: 0, after: None }).did_exactly(&[]);
    node.hear("n2", Message::Stand { term: 1, after: None });
    node.did("freeze");
    // Twice is once.
    node.hear("n2", Message::Stand { term: 1, after: None }).did_exactly(&[]);
}

#[test]
fn t2_who_asks_for_pre_votes_may_still_be_told() {
    let mut node = Node::follower("n2:1");
    node.fire(Timer::Election).hear("n2", Message::Stand { term: 1, after: None });
    node.did("freeze");
}

#[test]
fn v8_who_may_not_stand() {
    let mut down = view("n1", "");
    down.server = None;
    let mut sick = view("n1", "");
    sick.unfit = Some("its disk is full".to_owned());
    let table = [
        (config(1, 1, "n1! n2 n3"), view("n1", ""), "its priority is 0: it never leads"),
        (config(1, 1, "n1+ n2 n3"), view("n1", ""), "it is no voter"),
        (three(), down, "its mysqld does not answer"),
        (three(), sick, "its disk is full"),
    ];
    for (config, view, why) in table {
        let mut node = Node::start("n1", record(1, None, Some(config)), "");
        node.step(Event::Looked(Box::new(view)));
        assert_eq!(node.core.unfit().as_deref(), Some(why));
        // It asks nobody, says no to who tells it to, and its timer goes on.
        node.fire(Timer::Election).did_exactly(&[]);
        node.did("arm Election random rank 1");
        node.hear("n2", Message::Stand { term: 1, after: Some(gtids("")) });
        node.did_exactly(&[&format!("→ n2 StandRefused 1: {why}")]);
    }
}

#[test]
fn v8_one_that_never_leads_stands_when_it_alone_has_what_others_lack_and_gives_leadership_away() {
    let mut node = Node::start("n1", record(1, None, Some(config(1, 1, "n1! n2 n3"))), "n2:1");
    node.look("n2:1").vote("n3", 2, &config(1, 1, "n1! n2 n3"), "").frozen("n2:1");
    node.did("→ n3 VoteReply 2: no: behind (marker 0 data n2:1)");
    node.hear("n3", Message::Stand { term: 2, after: None }).frozen("n2:1");
    node.hear("n3", Message::VoteReply { term: 3, refusal: None });
    assert_eq!(node.core.state(), State::Leader);
    node.look("n2:1,M:3").step(Event::Promoted { term: 3 });
    node.hear_all("n2:1,M:3").look("n2:1,M:3");
    assert!(node.core.is_handing_over(), "somebody with a priority has caught up");
}

#[test]
fn an_election_that_takes_too_long_begins_again() {
    let mut node = standing("", three());
    let ticket = node.ticket();
    // Not while its server is being frozen: it could not win, and the next term would take down who does.
    node.fire(Timer::Election).did_exactly(&[]);
    node.did("arm Election random rank 1");
    node.step(Event::Frozen { ticket, result: Ok(gtids("")) });
    node.fire(Timer::Election).did("→ n2 PreVote 3 config 1.1");
    node.did("arm Election random rank 0");
}

#[test]
fn a_heartbeat_of_its_term_ends_a_candidacy() {
    let mut node = standing("n2:1", three());
    node.frozen("n2:1").heartbeat("n3", 2, "n2:1");
    assert_eq!(node.core.state(), State::Follower);
    node.hear("n2", Message::VoteReply { term: 2, refusal: None });
    assert_eq!(node.core.state(), State::Follower);
}

#[test]
fn c1_votes_asked_for_under_one_config_are_not_counted_under_another() {
    // Of the old five n5 has voted for it. In the new four n5 has no say, and three are needed.
    let mut node = standing("", config(1, 1, "n1 n2 n3 n4 n5"));
    node.frozen("").hear("n5", Message::VoteReply { term: 2, refusal: None });
    node.hear("n2", Message::Offer { config: config(1, 2, "n1 n2 n3 n4") });
    node.hear("n3", Message::VoteReply { term: 2, refusal: None });
    assert_ne!(node.core.state(), State::Leader);
}
