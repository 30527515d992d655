//! C1–C3, L4: members in and out.

use crate::kit::*;
use xenon_election::*;

fn add(node: &mut Node, name: &str) {
    node.step(Event::Request(Request::Add { nodes: vec![id(name)], idle: false }));
}

fn remove(node: &mut Node, names: &[&str]) {
    node.step(Event::Request(Request::Remove { nodes: names.iter().map(|name| id(name)).collect() }));
}

fn members(node: &Node) -> String {
    crate::show::config(node.core.record().config.as_ref().unwrap())
}

#[test]
fn c3_a_new_node_is_a_learner_until_it_has_caught_up() {
    let mut node = Node::leader(2, three(), "n1:1");
    add(&mut node, "n4");
    assert_eq!(members(&node), "2.2[n1 n2 n3 n4(joining)]");
    node.did("answer: n4 joined as learner");
    node.hear_all("n1:1,M:2").look("n1:1,M:2");
    node.reply("n2", 1, "n1:1,M:2");
    assert_eq!(members(&node), "2.3[n1 n2 n3 n4]");
    assert!(matches!(node.core.directive(), Directive::Lead { acknowledgements: 2, .. }));
}

#[test]
fn c3_a_learner_that_lacks_this_terms_marker_is_not_raised() {
    let mut node = Node::leader(2, three(), "n1:1");
    add(&mut node, "n4");
    for _ in 0..3 {
        node.look("n1:1,M:2").reply("n2", 1, "n1:1,M:2").reply("n3", 1, "n1:1,M:2").reply("n4", 1, "n1:1");
    }
    assert_eq!(members(&node), "2.2[n1 n2 n3 n4(joining)]");
}

#[test]
fn c1_no_change_before_the_marker_is_acknowledged() {
    let mut node = Node::elected(2, three(), "");
    node.hear_all("");
    add(&mut node, "n4");
    assert!(node.seen()[0].starts_with("refused: the last change"), "{:?}", node.seen());
}

#[test]
fn c1_no_change_before_the_last_one_has_settled_on_a_majority() {
    let mut node = Node::leader(2, three(), "");
    add(&mut node, "n4");
    add(&mut node, "n5");
    assert!(node.seen()[0].starts_with("refused: the last change"), "{:?}", node.seen());
}

#[test]
fn c1_only_the_leader() {
    let mut node = Node::follower("");
    add(&mut node, "n4");
    assert!(node.seen()[0].starts_with("refused: this node does not lead"));
}

#[test]
fn c1_a_voter_leaves_in_two_steps_one_voter_at_a_time() {
    let mut node = Node::leader(2, config(1, 1, "n1 n2 n3 n4 n5"), "");
    remove(&mut node, &["n4", "n5"]);
    assert_eq!(members(&node), "2.2[n1 n2 n3 n4(leaving) n5]");
    let mut seen = Vec::new();
    for _ in 0..12 {
        node.beat("M:2");
        if seen.last() != Some(&members(&node)) {
            seen.push(members(&node));
        }
    }
    // One more look than strays need: what they acknowledged until they stopped must be carried over, too.
    assert_eq!(seen, ["2.2[n1 n2 n3 n4(leaving) n5]", "2.4[n1 n2 n3 n5(leaving)]", "2.5[n1 n2 n3]"]);
}

#[test]
fn c1_two_changes_in_a_row_never_leave_acknowledged_transactions_behind() {
    // n1:2 was acknowledged by n4 and n5 of five; n2 and n3 lag. Were n4 and n5 let go on the word of the
    // agents alone, n2 and n3 could elect one of themselves without it.
    let mut node = Node::leader(2, config(1, 1, "n1 n2 n3 n4 n5"), "n1:1");
    node.look("n1:1-2,M:2");
    remove(&mut node, &["n4", "n5"]);
    for _ in 0..12 {
        node.look("n1:1-2,M:2");
        for (name, has) in
            [("n2", "n1:1,M:2"), ("n3", "n1:1,M:2"), ("n4", "n1:1-2,M:2"), ("n5", "n1:1-2,M:2")]
        {
            node.reply(name, 1, has);
        }
    }
    // n5 stays: of n1, n2, n3 and n5 a majority is three, and only n1 and n5 have n1:2.
    assert_eq!(members(&node), "2.2[n1 n2 n3 n4(leaving) n5]");
    node.reply("n3", 1, "n1:1-2,M:2").look("n1:1-2,M:2");
    assert_eq!(members(&node), "2.3[n1 n2 n3 n5]");
}

#[test]
fn l4_w_is_not_lowered_while_a_commit_may_wait_that_only_the_one_let_go_has_acknowledged() {
    // The server keeps its acknowledgement, and with W = 1 it would be enough: the client hears OK, and n2 and n3, a
    // majority of three, lack it.
    let mut node = Node::leader(2, config(1, 1, "n1 n2 n3 n4"), "n1:1");
    node.look("n1:1,M:2");
    remove(&mut node, &["n4"]);
    node.look("n1:1,M:2");
    for (name, has) in [("n2", "n1:1,M:2"), ("n3", "n1:1,M:2"), ("n4", "n1:1-2,M:2")] {
        node.reply(name, 1, has);
    }
    node.look("n1:1,M:2").look("n1:1,M:2");
    assert_eq!(node.waits().0, 2);
    node.reply("n3", 1, "n1:1-2,M:2");
    assert_eq!(node.waits().0, 1);
}

#[test]
fn l4_w_is_not_lowered_while_the_one_let_go_acknowledges() {
    let mut node = Node::leader(2, config(1, 1, "n1 n2 n3 n4"), "");
    remove(&mut node, &["n4"]);
    let config = node.core.record().config.clone().unwrap().id;
    let acknowledging = Report { position: Some(at("M:2")), acknowledging: true, ..Report::default() };
    node.hear("n4", Message::HeartbeatReply { term: 2, round: 1, config, report: acknowledging });
    node.look("M:2").reply("n2", 1, "M:2").reply("n3", 1, "M:2");
    assert!(matches!(node.core.directive(), Directive::Lead { acknowledgements: 2, .. }));
    node.reply("n4", 1, "M:2").did("mysqld: lead term 2 W=1");
}

#[test]
fn c2_followers_take_newer_configs_only() {
    let mut node = Node::follower("n2:1");
    let newer = config(1, 2, "n1 n2 n3 n4");
    node.heartbeat_with("n2", 1, "n2:1", newer.id, Some(newer), 9);
    node.did("save term 1 vote - config 1.2");
    let older = three();
    node.heartbeat_with("n2", 1, "n2:1", older.id, Some(older), 9).did_not("save");
}

#[test]
fn c2_members_go_out_until_the_receiver_is_known_to_have_them() {
    let mut node = Node::elected(2, three(), "");
    node.did("→ n2 Heartbeat 2.1 2.1[n1 n2 n3] has - rank 0");
    node.reply("n2", 1, "");
    node.fire(Timer::Heartbeat).did("→ n2 Heartbeat 2.2 config 2.1 has - rank 0");
}

#[test]
fn a_member_that_is_let_go_is_told_and_stops() {
    let mut node = Node::follower("n2:1");
    node.hear("n2", Message::Offer { config: config(1, 2, "n2 n3") });
    node.did("mysqld: removed");
    node.fire(Timer::Election).did_not("→");
}

#[test]
fn a_leader_is_not_removed() {
    let mut node = Node::leader(2, three(), "");
    remove(&mut node, &["n1"]);
    assert!(node.seen()[0].starts_with("refused: n1 leads"));
}

#[test]
fn idle_nodes_follow_without_acknowledging() {
    let mut node = Node::start("n1", record(1, None, Some(config(1, 1, "n1* n2 n3"))), "n2:1");
    node.heartbeat("n2", 1, "n2:1").look("n2:1");
    node.did("mysqld: follow n2 of term 1 without acknowledging");
    assert_eq!(node.core.state(), State::Idle);
}

#[test]
fn a_node_switched_off_takes_part_again_when_switched_on() {
    let mut node = Node::follower("n2:1");
    node.step(Event::Request(Request::Disable)).did("mysqld: stopped");
    node.heartbeat("n2", 1, "n2:1").did_exactly(&[]);
    node.vote("n3", 2, &three(), "n2:1").did_exactly(&[]);
    node.fire(Timer::Election).did_exactly(&[]);
    node.step(Event::Request(Request::Enable)).did("mysqld: fence");
    node.did("arm Election random rank 1");
    node.heartbeat("n2", 1, "n2:1").look("n2:1").did("mysqld: follow n2 of term 1");
}

#[test]
fn a_voter_that_was_let_go_and_is_taken_in_again_stays() {
    let mut node = Node::leader(2, config(1, 1, "n1 n2 n3 n4"), "");
    let answers = |node: &mut Node| {
        for _ in 0..4 {
            node.look("M:2").reply("n2", 1, "M:2").reply("n3", 1, "M:2").reply("n4", 1, "M:2");
        }
    };
    remove(&mut node, &["n4"]);
    answers(&mut node);
    assert_eq!(members(&node), "2.3[n1 n2 n3]");
    add(&mut node, "n4");
    answers(&mut node);
    assert_eq!(members(&node), "2.5[n1 n2 n3 n4]");
    answers(&mut node);
    assert_eq!(members(&node), "2.5[n1 n2 n3 n4]");
}

#[test]
fn c1_nobody_is_removed_without_whom_the_rest_has_no_majority() {
    let mut node = Node::leader(2, three(), "");
    // n2 has been silent for long, and of n1 and n2 both are needed.
    for round in 2..9 {
        node.fire(Timer::Heartbeat).reply("n3", round, "M:2");
    }
    remove(&mut node, &["n3"]);
    node.did("refused: without n3 the rest has no majority: n2 does not answer; bring them back, or remove those that do not answer first");
    remove(&mut node, &["n2"]);
    node.did("answer: removing n2");
}
