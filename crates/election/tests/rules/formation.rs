//! C4: how a cluster comes to be.

use crate::kit::*;
use xenon_election::*;

fn fresh(name: &str) -> Node {
    Node::start(name, Record::default(), "")
}

fn form(node: &mut Node, number: u8) {
    let voters = ["n1", "n2", "n3"].map(id).to_vec();
    node.step(Event::Request(Request::Form { cluster: cluster(number), voters, idle: vec![] }));
}

fn of_cluster(number: u8, mut config: GroupConfig) -> GroupConfig {
    config.cluster = cluster(number);
    config
}

fn cluster_of(node: &Node) -> u8 {
    node.core.record().config.as_ref().unwrap().cluster.0[0] - 0xc0
}

#[test]
fn c4_formed_saved_offered_and_offered_again() {
    let mut node = fresh("n1");
    node.did_exactly(&["mysqld: unmanaged"]);
    form(&mut node, 1);
    node.did_exactly(&[
        "mysqld: fence",
        "save term 0 vote - config 0.1",
        "  → n2 Offer 0.1[n1 n2 n3]",
        "  → n3 Offer 0.1[n1 n2 n3]",
        "  answer: cluster formed with 3 members; they elect a leader now",
    ]);
    node.fire(Timer::Offer).did("→ n2 Offer 0.1[n1 n2 n3]");
    node.did("arm Offer Heartbeat");
}

#[test]
fn c4_a_fresh_node_accepts_and_waits_longer_than_the_first() {
    let mut node = fresh("n2");
    node.hear("n1", Message::Offer { config: config(0, 1, "n1 n2 n3") });
    node.did("save term 0 vote - config 0.1");
    node.did("arm Election random rank 1");
}

#[test]
fn c4_a_fresh_node_listens_to_nothing_else() {
    let mut node = fresh("n1");
    node.vote("n2", 2, &three(), "").did_exactly(&[]);
    node.hear("n2", Message::Offer { config: config(0, 1, "n2 n3") }).did_exactly(&[]);
}

#[test]
fn c4_a_member_that_missed_the_formation_is_taught_by_a_candidate() {
    // There is no leader any more whose heartbeats could, and without its vote there may never be one again.
    let mut node = fresh("n1");
    node.hear("n2", Message::PreVote { term: 2, config: three().id });
    node.did_exactly(&["→ n2 PreVoteReply 2 from term 0: no: I am no voter"]);
    node.hear("n2", Message::Offer { config: three() }).did("save term 1 vote - config 1.1");
    node.hear("n2", Message::PreVote { term: 2, config: three().id })
        .did("→ n2 PreVoteReply 2 from term 1: yes");
}

#[test]
fn d4_a_suspended_leader_gives_a_fresh_node_neither_term_nor_config() {
    let mut node = fresh("n1");
    let info = LeaderInfo {
        source_host: "n2".to_owned(),
        source_port: 3306,
        server_uuid: None,
        received: gtids(""),
        look: 1,
        open: true,
        suspended: true,
    };
    let config = three();
    let heartbeat =
        Message::Heartbeat { term: 1, round: 1, config: config.id, members: Some(config), info, rank: 0 };
    node.hear("n2", heartbeat).did_not("save");
    assert_eq!(node.core.record().term, 0);
}

#[test]
fn c4_a_fresh_node_joins_by_a_leaders_heartbeat() {
    let mut node = fresh("n1");
    let joined = config(3, 2, "n1+ n2 n3");
    node.heartbeat_with("n2", 3, "", joined.id, Some(joined.clone()), 9);
    node.did("save term 3 vote - config 3.2");
    // Only the whole member list makes it a member.
    let mut other = fresh("n1");
    other.heartbeat_with("n2", 3, "", joined.id, None, 9);
    other.did_exactly(&["→ n2 HeartbeatReply 3.1 config 0.0 no position unfit: it belongs to no cluster"]);
}

#[test]
fn c4_two_formed_at_once_settle_on_the_smaller() {
    let (mut first, mut second) = (fresh("n1"), fresh("n2"));
    form(&mut first, 1);
    form(&mut second, 2);
    first.hear("n2", Message::Offer { config: of_cluster(2, config(0, 1, "n1 n2 n3")) });
    first.did_exactly(&["→ n2 Offer 0.1[n1 n2 n3]"]);
    second.hear("n1", Message::Offer { config: config(0, 1, "n1 n2 n3") });
    assert_eq!((cluster_of(&first), cluster_of(&second)), (1, 1));
}

#[test]
fn c4_who_formed_another_a_moment_too_late_joins_the_one_that_has_a_leader() {
    // Forming on every node, one after the other, is what operators do.
    let mut late = fresh("n2");
    form(&mut late, 1);
    let mut bound = Node::start("n1", record(1, None, Some(of_cluster(2, three()))), "");
    bound.hear("n2", Message::Offer { config: config(0, 1, "n1 n2 n3") });
    bound.did_exactly(&["→ n2 Offer 1.1[n1 n2 n3]"]);
    late.hear("n1", Message::Offer { config: of_cluster(2, three()) });
    assert_eq!(cluster_of(&late), 2);
}

#[test]
fn c4_a_node_that_has_had_a_term_never_changes_over() {
    let mut node = Node::start("n1", record(1, None, Some(config(0, 1, "n1 n2 n3"))), "");
    for offered in [of_cluster(0, config(0, 1, "n1 n2 n3")), of_cluster(0, config(7, 1, "n1 n2 n3"))] {
        node.hear("n2", Message::Offer { config: offered });
        assert_eq!(cluster_of(&node), 1);
        node.did_not("save");
    }
    form(&mut node, 3);
    assert!(node.seen()[0].starts_with("refused: this node belongs to cluster"));
}

#[test]
fn c4_pre_votes_of_one_cluster_do_not_count_in_another() {
    let mut node = fresh("n1");
    let five = config(0, 1, "n1 n2 n3 n4 n5");
    node.hear("n2", Message::Offer { config: five.clone() }).fire(Timer::Election);
    let yes = || Message::PreVoteReply { term: 0, asked: 1, refusal: None };
    node.hear("n2", yes());
    node.hear("n3", Message::Offer { config: of_cluster(0, five) });
    for voter in ["n3", "n4", "n5"] {
        let (from, message) = (id(voter), yes());
        node.step(Event::Message { from, cluster: cluster(0), message }).did_not("freeze");
    }
}

#[test]
fn c4_messages_of_another_cluster_are_ignored() {
    let mut node = Node::follower("n2:1");
    let message =
        Message::Vote { term: 9, config: three().id, position: at(""), told: true, server_uuid: None };
    node.step(Event::Message { from: id("n3"), cluster: cluster(2), message }).did_exactly(&[]);
    assert_eq!(node.core.record().term, 1);
}

#[test]
fn c4_the_offers_go_on_after_a_restart_and_after_a_pause() {
    let mut node = Node::start("n1", record(0, None, Some(config(0, 1, "n1 n2 n3"))), "");
    node.did("arm Offer Heartbeat");
    node.step(Event::Request(Request::Disable)).fire(Timer::Offer).did_exactly(&[]);
    node.step(Event::Request(Request::Enable)).did("arm Offer Heartbeat");
}

#[test]
fn c4_a_node_that_was_let_go_may_join_another_cluster_and_one_that_was_not_may_not() {
    let removed = GroupConfig { id: ConfigId { term: 3, version: 9 }, ..config(1, 1, "n2 n3") };
    let mut other = config(0, 1, "n1 n8 n9");
    other.cluster = cluster(2);
    let offer = |node: &mut Node, config: &GroupConfig| {
        let (from, cluster, message) = (id("n8"), config.cluster, Message::Offer { config: config.clone() });
        node.step(Event::Message { from, cluster, message });
    };
    let mut node = Node::start("n1", record(3, Some("n2"), Some(removed)), "");
    offer(&mut node, &other);
    assert_eq!(node.core.record().config.as_ref(), Some(&other));
    assert_eq!((node.core.record().term, &node.core.record().vote), (0, &None));

    let mut member = Node::start("n1", record(3, Some("n2"), Some(three())), "");
    offer(&mut member, &other);
    assert_eq!(member.core.record().config.as_ref(), Some(&three()));
    assert_eq!(member.core.record().term, 3);
}
