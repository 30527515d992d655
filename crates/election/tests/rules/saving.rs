//! S1: nothing leaves before what it depends on is on disk; and what follows when it cannot be saved.

use crate::kit::*;
use xenon_election::*;

fn fail(node: &mut Node) {
    node.step(Event::SaveFailed { reason: "disk full".to_owned() });
}

fn recover(node: &mut Node) {
    node.fire(Timer::SaveRetry);
    assert!(node.seen()[0].starts_with("save term"), "{:?}", node.seen());
    node.did("report saved");
    node.step(Event::Saved);
}

#[test]
fn s1_nothing_but_a_fence_stands_before_a_save_and_a_lead_whose_vote_is_saved() {
    let mut steps: Vec<Node> = Vec::new();
    let mut asked = Node::leader(2, three(), "");
    asked.vote("n2", 3, &three(), "M:2");
    steps.push(asked);
    let mut told = Node::follower("");
    told.hear("n2", Message::Stand { term: 1, after: None });
    steps.push(told);
    steps.push(Node::elected(2, three(), ""));
    for node in steps {
        let outside = node.effects.iter().filter(|effect| !matches!(effect, Effect::Save { .. }));
        for effect in outside {
            assert!(
                matches!(effect, Effect::Direct(Directive::Fence { .. } | Directive::Hold))
                    || matches!(effect, Effect::Direct(Directive::Lead { .. }))
                        && node.core.record().vote == Some(id("n1")),
                "{effect:?}"
            );
        }
        assert!(matches!(node.effects.last(), Some(Effect::Save { .. })) || node.effects.len() == 1);
    }
}

#[test]
fn s1_a_leader_that_cannot_save_is_fenced_and_silent() {
    let mut node = Node::leader(2, three(), "");
    node.step(Event::Request(Request::Add { nodes: vec![id("n4")], idle: false }));
    fail(&mut node);
    node.did_exactly(&["mysqld: fence"]);
    node.did("arm SaveRetry Heartbeat");
    for message in [
        Message::PreVote { term: 9, config: three().id },
        Message::Vote { term: 9, config: three().id, position: at("M:9"), told: true, server_uuid: None },
        Message::Stand { term: 2, after: None },
    ] {
        node.hear("n2", message).did_exactly(&[]);
    }
    node.fire(Timer::Election).did_exactly(&[]);
    node.step(Event::Request(Request::Disable));
    assert!(node.seen()[0].starts_with("refused: this agent cannot save"));
}

#[test]
fn s1_it_tries_again_until_it_can_and_then_takes_part() {
    let mut node = Node::leader(2, three(), "");
    fail(&mut node);
    node.fire(Timer::SaveRetry);
    fail(&mut node);
    node.did("arm SaveRetry Heartbeat");
    recover(&mut node);
    node.did("arm Election random rank 1");
}

#[test]
fn s1_a_vote_that_could_not_be_saved_binds_all_the_same() {
    // Half a write may turn up on disk, so the vote in memory is as good as given.
    let mut node = Node::voter("n2:1");
    node.vote("n3", 2, &three(), "n2:1").frozen("n2:1");
    fail(&mut node);
    recover(&mut node);
    node.vote("n2", 2, &three(), "n2:1");
    node.did("→ n2 VoteReply 2: no: I voted for n3 in this term");
}

#[test]
fn s1_a_freeze_that_was_dropped_with_its_save_is_asked_for_again() {
    let mut node = Node::voter("n2:1");
    node.vote("n3", 2, &three(), "n2:1");
    fail(&mut node);
    recover(&mut node);
    node.vote("n3", 2, &three(), "n2:1").did("freeze");
}

#[test]
fn v1_a_leader_timer_that_was_dropped_with_a_save_does_not_keep_the_leader_fresh_for_ever() {
    let mut node = Node::follower("n2:1");
    let newer = config(1, 2, "n1 n2 n3");
    node.heartbeat_with("n2", 1, "n2:1", newer.id, Some(newer.clone()), 9);
    fail(&mut node);
    recover(&mut node);
    node.hear("n3", Message::PreVote { term: 2, config: newer.id });
    node.did_exactly(&["→ n3 PreVoteReply 2 from term 1: yes"]);
}

#[test]
fn c4_offers_that_were_dropped_with_a_save_go_out_later() {
    let mut node = Node::start("n1", Record::default(), "");
    let voters = ["n1", "n2", "n3"].map(id).to_vec();
    node.step(Event::Request(Request::Form { cluster: cluster(1), voters, idle: vec![] }));
    fail(&mut node);
    recover(&mut node);
    node.did("arm Offer Heartbeat");
    node.fire(Timer::Offer).did("→ n2 Offer 0.1[n1 n2 n3]");
}
