//! Why each node leads or may lead: what is told is what the rules would decide.

use crate::kit::*;
use xenon_election::*;

fn why<'a>(explained: &'a Explained, node: &str) -> &'a ExplainedNode {
    explained.nodes.iter().find(|one| one.node.as_str() == node).unwrap()
}

fn says(explained: &Explained, node: &str, words: &str) {
    let one = why(explained, node);
    assert!(one.why.iter().any(|line| line.contains(words)), "{words}: {one:?}");
}

#[test]
fn a_leader_tells_of_everybody() {
    let mut node = Node::leader(2, config(1, 1, "n1 n2 n3 n4*"), "n1:1-3,M:2");
    node.reply("n2", 1, "n1:1-3,M:2");
    let report = Report { unfit: Some("its disk is full".to_owned()), ..Report::default() };
    let config = node.core.record().config.as_ref().unwrap().id;
    node.hear("n3", Message::HeartbeatReply { term: 2, round: 1, config, report });
    let explained = node.core.explain();
    assert!(why(&explained, "n1").leads && why(&explained, "n2").may_lead && !why(&explained, "n3").may_lead);
    says(&explained, "n1", "its lease stands (L1)");
    says(&explained, "n2", "it has received all that the leader had");
    says(&explained, "n3", "it may not lead: its disk is full");
    says(&explained, "n4", "it is idle");
    assert_eq!(explained.cluster[0], "term 2; 3 voters, 2 votes elect a leader");
    let next = explained.next.unwrap();
    assert!(next.contains("n2 would be elected") && next.contains("also with the whole host lost"), "{next}");
}

#[test]
fn what_a_node_lacks_is_counted() {
    let mut node = Node::leader(2, three(), "n1:1-9,M:2");
    node.reply("n2", 1, "n1:1-4,M:2").reply("n3", 1, "n1:1-9,M:1");
    let explained = node.core.explain();
    says(&explained, "n2", "it lacks 5 transaction(s) that the leader had");
    says(&explained, "n3", "it has not received the marker of term 2 (L3), and lacks 0");
    assert!(explained.next.unwrap().contains("n2 would be elected: it has the most of those that may lead"));
}

#[test]
fn a_leader_that_hears_nobody_says_so() {
    let node = Node::elected(2, three(), "");
    let explained = node.core.explain();
    says(&explained, "n2", "the leader does not hear it");
    assert!(explained.cluster[1].contains("only 1 of 3 voters are there"), "{explained:?}");
    assert!(explained.next.unwrap().contains("nobody could be elected"));
}

#[test]
fn a_follower_tells_of_itself() {
    let node = Node::follower("n1:1");
    let explained = node.core.explain();
    assert!(why(&explained, "n1").may_lead, "{explained:?}");
    says(&explained, "n1", "nothing here speaks against its leading");
    assert!(
        explained.nodes.iter().filter(|one| one.node.as_str() != "n1").all(|one| !one.may_lead || one.leads)
    );
    assert_eq!(explained.next, None);
}
