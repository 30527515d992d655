//! L1, L6, T2, T3: the lease, giving up, and resuming.

use crate::kit::*;
use xenon_election::*;

#[test]
fn l1_the_lease_counts_from_the_newest_round_that_a_majority_answered() {
    let mut node = Node::elected(2, config(1, 1, "n1 n2 n3 n4 n5"), "");
    node.did("arm Lease from round 1");
    node.fire(Timer::Heartbeat).fire(Timer::Heartbeat);
    node.reply("n2", 3, "").did_not("arm Lease");
    // Rounds 3, 3 and 2 are in: a majority has answered round 2.
    node.reply("n3", 2, "").did("arm Lease from round 2");
    // A repeated answer and one to a round that was never sent change nothing.
    node.reply("n3", 2, "").did_not("arm Lease");
    node.reply("n4", 9, "").did_not("arm Lease");
}

#[test]
fn l1_a_leader_whose_lease_is_over_before_it_is_open_is_fenced_and_stands_again_later() {
    let mut node = Node::elected(2, three(), "");
    node.fire(Timer::Lease).did_exactly(&["mysqld: fence"]);
    node.did("arm Election random rank 1");
    node.did("disarm Heartbeat");
    assert_eq!(node.core.state(), State::Follower);
}

#[test]
fn a_leader_that_hears_of_a_newer_term_is_fenced_at_once() {
    let mut node = Node::leader(2, three(), "");
    let report = Report::default();
    node.hear("n2", Message::HeartbeatReply { term: 3, round: 1, config: three().id, report });
    node.did_exactly(&["mysqld: fence", "save term 3 vote - config 2.1"]);
}

#[test]
fn d1_a_deposed_leader_is_fenced_and_looked_at_before_it_follows() {
    // Its last look is from before the fence: what was committed since would go unnoticed (F2).
    let mut node = Node::leader(2, three(), "n1:1");
    node.heartbeat_with("n2", 3, "n1:1,M:2", three().id, None, 9);
    assert_eq!(node.seen()[0], "mysqld: fence");
    node.did_not("mysqld: follow");
    node.look("n1:1,M:2").did_exactly(&["mysqld: follow n2 of term 3"]);
}

#[test]
fn d1_what_was_committed_before_the_fence_makes_it_errant_not_a_follower() {
    let mut node = Node::leader(2, three(), "n1:1");
    node.heartbeat_with("n2", 3, "n1:1,M:2", three().id, None, 9);
    node.look("n1:1-2,M:2").did_exactly(&[]);
    node.heartbeat_with("n2", 3, "n1:1,M:2", three().id, None, 11);
    node.did("mysqld: invalid n1:2");
    assert_eq!(node.core.state(), State::Invalid);
}

#[test]
fn c2_a_config_of_a_later_term_ends_a_leadership() {
    let mut node = Node::leader(2, three(), "");
    node.hear("n2", Message::Offer { config: config(3, 1, "n1 n2 n3") });
    assert_eq!(node.core.state(), State::Follower);
    assert_eq!(node.core.record().term, 3);
    assert_eq!(node.seen()[0], "mysqld: fence");
}

#[test]
fn l6_t2_who_cannot_serve_is_fenced_and_names_the_most_recent() {
    let mut node = Node::leader(2, three(), "n1:1");
    node.fire(Timer::Heartbeat).reply("n2", 2, "n1:1,M:2").reply("n3", 2, "n1:1-2,M:2");
    node.step(Event::CannotServe { term: 2, reason: "mysqld has died".to_owned() });
    node.did_exactly(&["mysqld: fence", "→ n3 Stand 2"]);
    node.step(Event::CannotServe { term: 2, reason: "again".to_owned() }).did_exactly(&[]);
}

#[test]
fn l6_news_of_an_older_term_are_ignored() {
    let mut node = Node::leader(2, three(), "");
    node.step(Event::CannotServe { term: 1, reason: "late".to_owned() }).did_exactly(&[]);
    assert_eq!(node.core.state(), State::Leader);
}

#[test]
fn t3_resumes_without_touching_mysqld_until_a_majority_has_answered() {
    let mut node = Node::start_as("n1", record(2, Some("n1"), Some(config(2, 1, "n1 n2 n3"))), "M:2", true);
    assert_eq!(node.core.state(), State::Leader);
    node.did("arm Lease from round 1");
    node.did_not("mysqld:");
    node.reply("n2", 1, "M:2").did_exactly(&["mysqld: lead term 2 W=1"]);
}

#[test]
fn t3_only_the_elected_of_this_very_term_resumes() {
    let own = |term, vote| record(term, vote, Some(config(2, 1, "n1 n2 n3")));
    for (case, record, primary_of_term) in [
        ("voted for another", own(2, Some("n2")), true),
        ("a newer term is known", own(3, None), true),
        ("a candidate, but no primary", own(2, Some("n1")), false),
        ("no voter", self::record(2, Some("n1"), Some(config(2, 1, "n1* n2 n3"))), true),
    ] {
        let node = Node::start_as("n1", record, "M:2", primary_of_term);
        assert_ne!(node.core.state(), State::Leader, "{case}");
        node.did("mysqld: fence");
        node.did("arm Election random rank 0");
    }
}

#[test]
fn t3_without_an_answer_within_the_lease_it_is_fenced() {
    let mut node = Node::start_as("n1", record(2, Some("n1"), Some(config(2, 1, "n1 n2 n3"))), "M:2", true);
    node.fire(Timer::Lease).did_exactly(&["mysqld: fence"]);
}

#[test]
fn t3_w_is_not_lowered_while_a_leaving_voter_may_acknowledge() {
    // W was 2 of four. n4 may still acknowledge, and n1 has forgotten what it knew of that.
    let four_to_three = config(2, 3, "n1 n2 n3 n4-");
    let mut node = Node::start_as("n1", record(2, Some("n1"), Some(four_to_three)), "M:2", true);
    let acknowledging = Report { acknowledging: true, ..Report::default() };
    let config = ConfigId { term: 2, version: 3 };
    node.hear("n4", Message::HeartbeatReply { term: 2, round: 1, config, report: acknowledging });
    node.reply("n2", 1, "M:2").did_exactly(&["mysqld: lead term 2 W=2"]);
    node.reply("n4", 1, "M:2").did("mysqld: lead term 2 W=1");
}

#[test]
fn t3_f2_followers_are_not_measured_against_a_server_that_was_not_looked_at() {
    let start = Start {
        id: id("n1"),
        record: record(2, Some("n1"), Some(config(2, 1, "n1 n2 n3"))),
        local: LocalView::default(),
        primary_of_term: true,
        boot: None,
        rules: Rules::all(),
    };
    let (_, effects) = Election::start(start);
    let looks = effects.iter().filter_map(|effect| match effect {
        Effect::Send { message: Message::Heartbeat { info, .. }, .. } => Some(info.look),
        _ => None,
    });
    assert_eq!(looks.collect::<Vec<_>>(), [0, 0]);
}

#[test]
fn l1_a_group_of_one_elects_itself_and_has_no_lease_to_lose() {
    let mut node = Node::start("n1", record(0, None, Some(config(0, 1, "n1"))), "");
    node.did("arm Election Now");
    node.fire(Timer::Election).frozen("");
    assert_eq!(node.core.state(), State::Leader);
    node.did_not("arm Lease");
    node.fire(Timer::Heartbeat).did_not("arm Lease");
}

#[test]
fn v8_the_order_of_succession_goes_out_with_heartbeats() {
    let mut node = Node::leader(2, config(1, 1, "n1 n2! n3 n4"), "");
    node.fire(Timer::Heartbeat);
    let config = "config 2.1 has M:2 open";
    // n2 has priority 0 and comes last; it says itself that it is unfit, once it knows.
    node.did(&format!("→ n3 Heartbeat 2.2 {config} rank 0"));
    node.did(&format!("→ n4 Heartbeat 2.2 {config} rank 1"));
    node.did(&format!("→ n2 Heartbeat 2.2 {config} rank 2"));
}
