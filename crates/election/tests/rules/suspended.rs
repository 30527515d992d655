//! D4 and T4: a leader without a lease, and a cluster that is paused.

use crate::kit::*;
use xenon_election::*;

#[test]
fn d4_a_leader_that_loses_its_lease_serves_nobody_and_goes_on_when_a_majority_answers() {
    let mut node = Node::leader(2, three(), "");
    node.fire(Timer::Lease).did_exactly(&["mysqld: suspend"]);
    node.told("suspended in term 2: no majority heard within the lease");
    assert_eq!(node.core.state(), State::Follower);
    assert_eq!(node.core.leader(), None);
    node.fire(Timer::Heartbeat).did("→ n2 Heartbeat 2.2 config 2.1 has M:2 suspended rank 0");
    node.reply("n2", 2, "M:2").told("leading in term 2, resumed");
    node.did("mysqld: lead term 2 W=1");
    node.did("arm Lease from round 2");
    assert_eq!(node.core.state(), State::Leader);
}

#[test]
fn d4_a_suspended_leader_that_hears_of_a_newer_term_is_deposed() {
    let mut node = Node::leader(2, three(), "");
    node.fire(Timer::Lease);
    node.heartbeat("n2", 3, "M:2").did("mysqld: fence");
    assert_eq!(node.core.record().term, 3);
}

#[test]
fn d4_a_suspended_leader_is_no_reason_to_wait_with_an_election() {
    let mut node = Node::leader(2, three(), "");
    node.fire(Timer::Lease);
    node.hear("n3", Message::PreVote { term: 3, config: config(2, 1, "").id });
    node.did("→ n3 PreVoteReply 3 from term 2: yes");

    let mut follower = Node::follower("n2:1");
    follower.fire(Timer::LeaderFresh);
    let info = LeaderInfo {
        source_host: "n2".to_owned(),
        source_port: 3306,
        server_uuid: None,
        received: gtids("n2:1"),
        look: 9,
        open: true,
        suspended: true,
    };
    let heartbeat =
        Message::Heartbeat { term: 1, round: 9, config: three().id, members: None, info, rank: 0 };
    follower.hear("n2", heartbeat).did_exactly(&["→ n2 HeartbeatReply 1.9 config 1.1 (marker 0 data n2:1)"]);
    follower.did_not("arm");
}

#[test]
fn d4_a_promotion_that_loses_the_lease_is_given_up() {
    let mut node = Node::elected(2, three(), "");
    node.fire(Timer::Lease).did("mysqld: fence");
}

#[test]
fn d4_a_handover_under_way_is_given_up() {
    let mut node = Node::leader(2, three(), "");
    node.look("M:2").hear_all("M:2").step(Event::Request(Request::HandOver { target: Some(id("n2")) }));
    assert!(node.core.is_handing_over());
    node.fire(Timer::Lease);
    assert!(!node.core.is_handing_over());
}

fn paused() -> Node {
    let mut node = Node::leader(2, three(), "");
    node.step(Event::Request(Request::Pause));
    node.did("answer: paused: nobody stands and nobody steps down for a lost lease");
    node
}

#[test]
fn t4_a_paused_leader_keeps_leading_without_a_lease_and_without_its_mysqld() {
    let mut node = paused();
    node.hear_all("M:2").fire(Timer::Lease).did_exactly(&[]);
    node.step(Event::CannotServe { term: 2, reason: "mysqld has died".to_owned() }).did_exactly(&[]);
    assert_eq!(node.core.state(), State::Leader);
    node.step(Event::Request(Request::Resume)).did("arm Lease from round 1");
    assert!(!node.core.is_paused());
}

#[test]
fn t4_a_pause_that_no_majority_has_heard_of_does_not_keep_a_leader_without_a_lease() {
    let mut node = paused();
    node.fire(Timer::Lease).did("mysqld: suspend");
}

#[test]
fn t4_nobody_stands_while_paused() {
    let config = GroupConfig { paused: true, ..three() };
    let mut node = Node::start("n1", record(1, None, Some(config.clone())), "n2:1");
    node.look("n2:1").fire(Timer::Election).did_exactly(&[]);
    node.did("arm Election random rank 1");
    node.hear("n2", Message::Stand { term: 1, after: None })
        .did("→ n2 StandRefused 1: the cluster is paused (end it: xenoncli cluster resume)");
    // It still votes: the pause says who stands.
    node.vote("n3", 2, &config, "n2:1").frozen("n2:1").did("→ n3 VoteReply 2: yes");
}

#[test]
fn t4_a_pause_without_a_leader_is_ended_on_one_node_and_then_for_all() {
    let config = GroupConfig { paused: true, ..three() };
    let mut node = Node::start("n1", record(1, None, Some(config)), "n2:1");
    node.look("n2:1").step(Event::Request(Request::Resume));
    node.fire(Timer::Election).did("→ n2 PreVote 2 config 1.1");
    node.hear("n2", Message::PreVoteReply { term: 1, asked: 2, refusal: None }).frozen("n2:1");
    node.hear("n2", Message::VoteReply { term: 2, refusal: None });
    assert_eq!(node.core.state(), State::Leader);
    node.look("n2:1,M:2").step(Event::Promoted { term: 2 }).hear_all("n2:1,M:2");
    assert!(!node.core.record().config.as_ref().unwrap().paused, "{:?}", node.core.record());
}

#[test]
fn t4_a_handover_is_refused_while_paused() {
    let mut node = paused();
    node.hear_all("M:2").step(Event::Request(Request::HandOver { target: None }));
    node.did("refused: the cluster is paused; end the pause first: xenoncli cluster resume");
}

#[test]
fn v8_an_operators_priority_overrides_the_nodes_own_wish_until_taken_back() {
    let mut node = Node::leader(2, three(), "");
    let priority = |node: &Node| node.core.record().config.as_ref().unwrap().priority(&id("n3"));
    let wishing = |node: &mut Node| {
        let config = node.core.record().config.clone().unwrap().id;
        let wish = Some(Wish { priority: 5, ..Wish::default() });
        let report = Report { position: Some(at("M:2")), wish, ..Report::default() };
        node.hear("n3", Message::HeartbeatReply { term: 2, round: 1, config, report });
        node.reply("n2", 1, "M:2");
    };
    node.step(Event::Request(Request::Prefer { node: id("n3"), priority: Some(0) }));
    wishing(&mut node);
    wishing(&mut node);
    assert_eq!(priority(&node), 0);
    node.step(Event::Request(Request::Prefer { node: id("n3"), priority: None }));
    wishing(&mut node);
    wishing(&mut node);
    assert_eq!(priority(&node), 5);
}

#[test]
fn v8_not_everybody_can_be_kept_from_leading() {
    let mut node = Node::leader(2, config(1, 1, "n1 n2! n3!"), "");
    node.step(Event::Request(Request::Prefer { node: id("n1"), priority: Some(0) }));
    node.did("refused: no member could lead any more; give another node a priority above 0 first");
}

#[test]
fn a_node_that_failed_lately_is_not_preferred() {
    let mut node = Node::leader(2, three(), "");
    let config = node.core.record().config.clone().unwrap().id;
    let flapping = Report { position: Some(at("M:2")), failures: 2, ..Report::default() };
    node.hear("n2", Message::HeartbeatReply { term: 2, round: 1, config, report: flapping })
        .reply("n3", 1, "M:2");
    node.step(Event::CannotServe { term: 2, reason: "mysqld has died".to_owned() }).did("→ n3 Stand 2");
}

#[test]
fn w5_the_rejoin_policy_is_kept_in_the_config_of_all() {
    let mut node = Node::leader(2, three(), "");
    let rejoin = |node: &Node| node.core.record().config.as_ref().unwrap().rejoin;
    assert_eq!(rejoin(&node), Rejoin::Auto);
    node.hear_all("M:2").step(Event::Request(Request::Rejoin(Rejoin::Ask)));
    assert_eq!(rejoin(&node), Rejoin::Ask);
    // As every other change of the config, once the last one has settled.
    node.step(Event::Request(Request::Rejoin(Rejoin::Auto)));
    assert_eq!(rejoin(&node), Rejoin::Ask);
}
