//! T1: planned handover, from both sides. Writes never stay closed.

use crate::kit::*;
use xenon_election::*;

fn hand_over(node: &mut Node, target: Option<&str>) {
    node.step(Event::Request(Request::HandOver { target: target.map(id) }));
}

fn closed(node: &Node) -> bool {
    matches!(node.core.directive(), Directive::Lead { closed: true, .. })
}

#[test]
fn t1_close_then_tell_the_target_what_to_apply() {
    let mut node = Node::leader(2, three(), "n1:1");
    hand_over(&mut node, Some("n2"));
    node.did_exactly(&["close writes", "answer: handing over to n2"]);
    node.did("arm HandOver HandOver");
    let ticket = node.ticket();
    node.step(Event::Quiesced { ticket, result: Ok(gtids("n1:1-2,M:2")) });
    node.did_exactly(&["mysqld: lead term 2 W=1 closed", "→ n2 Stand 2 after n1:1-2,M:2"]);
    // The target asks for the vote: leases and timers do not matter.
    node.vote("n2", 3, &config(2, 1, "n1 n2 n3"), "n1:1-2,M:2");
    node.did("mysqld: fence");
    node.did("disarm HandOver");
    // It is closed already, at a set that is known: nothing is to be frozen.
    node.did("→ n2 VoteReply 3: yes");
}

/// n1 leads term 2, and hears of n2 and n3 where their servers are and whom they replicate from.
fn leader_that_hears(source_of_n3: &str) -> Node {
    let mut node = Node::leader(2, three(), "n1:1");
    hear_of_both(&mut node, source_of_n3);
    node
}

fn hear_of_both(node: &mut Node, source_of_n3: &str) {
    hear_of_lagging(node, source_of_n3, 0);
}

fn hear_of_lagging(node: &mut Node, source_of_n3: &str, unapplied: u64) {
    node.fire(Timer::Heartbeat);
    if node.seen().contains(&"close writes".to_owned()) {
        return;
    }
    let round = node.round();
    for (name, source) in [("n2", "n1"), ("n3", source_of_n3)] {
        let report = Report {
            position: Some(at("n1:1,M:2")),
            acknowledging: true,
            unapplied,
            source_host: name.to_owned(),
            source_port: 3306,
            server_uuid: view(name, "").server.map(|server| server.server_uuid),
            receives_from: view(source, "").server.map(|server| server.server_uuid),
            ..Report::default()
        };
        let config = node.core.record().config.as_ref().map(|config| config.id).unwrap_or_default();
        node.hear(name, Message::HeartbeatReply { term: 2, round, config, report });
        if node.seen().contains(&"close writes".to_owned()) {
            return;
        }
    }
}

#[test]
fn t1_the_others_hang_below_the_target_before_writes_are_closed() {
    let mut node = leader_that_hears("n1");
    hand_over(&mut node, Some("n2"));
    let told = |to: &str, node: &Node| {
        node.effects.iter().find_map(|effect| match effect {
            Effect::Send { to: id, message: Message::Heartbeat { info, .. } } if id.as_str() == to => {
                Some(info.source_host.clone())
            }
            _ => None,
        })
    };
    assert_eq!(told("n2", &node).as_deref(), Some("n1"));
    assert_eq!(told("n3", &node).as_deref(), Some("n2"));
    assert!(!node.seen().contains(&"close writes".to_owned()));
    hear_of_both(&mut node, "n1");
    assert!(!node.seen().contains(&"close writes".to_owned()), "n3 is still below n1");
    hear_of_both(&mut node, "n2");
    node.did("close writes");
    // Given up: n3 goes back.
    let ticket = node.ticket();
    node.step(Event::Quiesced { ticket, result: Err("a long transaction".to_owned()) });
    assert_eq!(told("n3", &node).as_deref(), Some("n1"));
}

#[test]
fn t1_who_never_hangs_below_the_target_only_makes_it_slower() {
    let mut node = leader_that_hears("n1");
    hand_over(&mut node, Some("n2"));
    for _ in 0..12 {
        hear_of_both(&mut node, "n1");
        if node.seen().contains(&"close writes".to_owned()) {
            return;
        }
    }
    panic!("writes are not closed after 12 rounds");
}

#[test]
fn t1_l4_as_many_stay_below_the_old_primary_as_its_commits_wait_for() {
    let mut node = Node::leader(2, config(1, 1, "n1 n2 n3 n4 n5"), "n1:1");
    node.fire(Timer::Heartbeat);
    let round = node.round();
    for name in ["n2", "n3", "n4", "n5"] {
        let report = Report {
            position: Some(at("n1:1,M:2")),
            acknowledging: true,
            source_host: name.to_owned(),
            ..Report::default()
        };
        let config = node.core.record().config.as_ref().map(|config| config.id).unwrap_or_default();
        node.hear(name, Message::HeartbeatReply { term: 2, round, config, report });
    }
    hand_over(&mut node, Some("n3"));
    let sent: Vec<_> = node
        .effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Send { to, message: Message::Heartbeat { info, .. } } => {
                Some((to.to_string(), info.source_host.clone()))
            }
            _ => None,
        })
        .collect();
    let below: Vec<_> = sent.iter().filter(|(_, source)| source == "n3").map(|(to, _)| to.as_str()).collect();
    // W is 2: the target and one more acknowledge to n1.
    assert_eq!(below, ["n4", "n5"]);
}

#[test]
fn t1_writes_go_on_while_the_target_lags_for_two_seconds_at_most() {
    let mut node = leader_that_hears("n1");
    hear_of_lagging(&mut node, "n1", 201);
    hand_over(&mut node, Some("n2"));
    hear_of_lagging(&mut node, "n2", 201);
    assert!(!node.seen().contains(&"close writes".to_owned()));
    let mut patient = Node { core: node.core.clone(), effects: Vec::new() };
    hear_of_lagging(&mut node, "n2", 200);
    assert!(node.seen().contains(&"close writes".to_owned()));
    // It lags all the time: then it takes as long as it takes.
    let rounds = (0..20).take_while(|_| {
        hear_of_lagging(&mut patient, "n2", 5_000);
        !patient.seen().contains(&"close writes".to_owned())
    });
    assert_eq!(rounds.count(), 8);
}

#[test]
fn t1_an_opened_primary_freezes_before_it_votes() {
    let mut node = Node::leader(2, three(), "n1:1");
    hand_over(&mut node, Some("n2"));
    let ticket = node.ticket();
    node.step(Event::Quiesced { ticket, result: Ok(gtids("n1:1-2,M:2")) });
    node.fire(Timer::HandOver);
    assert!(!closed(&node));
    node.vote("n2", 3, &config(2, 1, "n1 n2 n3"), "n1:1-2,M:2");
    node.did("freeze");
}

#[test]
fn t1_the_target_asks_at_once_when_it_hangs_on_who_hands_over() {
    let mut node = Node::follower("n2:1");
    let mut local = view("n1", "n2:1-2");
    local.server.as_mut().unwrap().receives_from = view("n2", "").server.map(|server| server.server_uuid);
    node.step(Event::Looked(Box::new(local)));
    node.hear("n2", Message::Stand { term: 1, after: Some(gtids("n2:1-2")) });
    let ticket = node.ticket();
    node.step(Event::CaughtUp { ticket, result: Ok(()) });
    node.did("→ n2 Vote 2 config 1.1 (marker 0 data n2:1-2)");
    // n3's vote makes a majority, but n2 might still write, and this server would take it.
    node.hear("n3", Message::VoteReply { term: 2, refusal: None });
    assert_eq!(node.core.state(), State::Candidate);
    let mut waited = node;
    let mut heard = Node { core: waited.core.clone(), effects: Vec::new() };
    heard.hear("n2", Message::VoteReply { term: 2, refusal: None });
    assert!(matches!(heard.core.directive(), Directive::Lead { handed_over: true, .. }));
    // It never answers: then as any candidate.
    waited.fire(Timer::HandOver);
    waited.did("freeze");
    waited.frozen("n2:1-3").did("→ n3 Vote 2 config 1.1 (marker 0 data n2:1-3)");
    waited.hear("n3", Message::VoteReply { term: 2, refusal: None });
    assert!(matches!(waited.core.directive(), Directive::Lead { handed_over: false, .. }));
}

#[test]
fn t1_the_target_applies_first_then_stands_without_pre_votes() {
    let mut node = Node::follower("n2:1");
    node.hear("n2", Message::Stand { term: 1, after: Some(gtids("n2:1-2")) });
    node.did_exactly(&["catch up to n2:1-2"]);
    let ticket = node.ticket();
    node.step(Event::CaughtUp { ticket, result: Ok(()) });
    node.did("save term 2 vote n1 config 1.1");
    node.did("freeze");
}

#[test]
fn t1_a_target_that_cannot_catch_up_says_so() {
    let mut node = Node::follower("n2:1");
    node.hear("n2", Message::Stand { term: 1, after: Some(gtids("n2:1-2")) });
    let ticket = node.ticket();
    node.step(Event::CaughtUp { ticket, result: Err("too slow".to_owned()) });
    node.did_exactly(&["→ n2 StandRefused 1: too slow"]);
}

#[test]
fn t1_a_late_caught_up_of_an_older_term_starts_nothing() {
    let mut node = Node::follower("n2:1");
    node.hear("n2", Message::Stand { term: 1, after: Some(gtids("n2:1-2")) });
    let ticket = node.ticket();
    node.heartbeat("n3", 2, "n2:1-2");
    node.step(Event::CaughtUp { ticket, result: Ok(()) }).did_exactly(&[]);
}

#[test]
fn t1_whatever_fails_before_the_vote_opens_the_server_again() {
    let refused = Message::StandRefused { term: 2, reason: "too slow".to_owned() };
    let refused = Event::Message { from: id("n2"), cluster: cluster(1), message: refused };
    for failure in [refused, Event::Timer(Timer::HandOver)] {
        let mut node = Node::leader(2, three(), "");
        hand_over(&mut node, Some("n2"));
        let ticket = node.ticket();
        node.step(Event::Quiesced { ticket, result: Ok(gtids("M:2")) });
        assert!(closed(&node));
        node.step(failure.clone());
        assert!(!closed(&node) && !node.core.is_handing_over(), "{failure:?}");
        node.did("mysqld: lead term 2 W=1");
    }
}

#[test]
fn t1_a_quiesce_that_failed_was_undone_by_who_did_it() {
    let mut node = Node::leader(2, three(), "");
    hand_over(&mut node, Some("n2"));
    let ticket = node.ticket();
    node.step(Event::Quiesced { ticket, result: Err("commits do not drain".to_owned()) }).did_exactly(&[]);
    assert!(!node.core.is_handing_over());
}

#[test]
fn t1_writes_closed_after_the_handover_was_given_up_are_opened_again() {
    let mut node = Node::leader(2, three(), "");
    hand_over(&mut node, Some("n2"));
    let ticket = node.ticket();
    node.fire(Timer::HandOver);
    node.step(Event::Quiesced { ticket, result: Ok(gtids("M:2")) });
    // The directive was "open" all along; only repeating it makes somebody act.
    node.did_exactly(&["mysqld: lead term 2 W=1"]);
}

#[test]
fn t1_a_stale_quiesced_does_not_disturb_the_next_handover() {
    let mut node = Node::leader(2, three(), "");
    hand_over(&mut node, Some("n2"));
    let old = node.ticket();
    node.fire(Timer::HandOver);
    hand_over(&mut node, Some("n3"));
    node.step(Event::Quiesced { ticket: old, result: Ok(gtids("M:2")) }).did_exactly(&[]);
}

#[test]
fn t1_refusals() {
    let ask = |node: &mut Node, target: Option<&str>| {
        hand_over(node, target);
        node.seen().join(" / ")
    };
    let mut leader = Node::leader(2, config(1, 1, "n1 n2 n3 n4*"), "n1:1");
    assert!(ask(&mut leader, Some("n4")).starts_with("refused: n4 is no voter"));
    assert!(ask(&mut leader, Some("n9")).starts_with("refused: n9 is no voter"));
    assert_eq!(ask(&mut leader, Some("n1")), "answer: n1 leads already");

    let mut unopened = Node::elected(2, three(), "");
    assert!(ask(&mut unopened, None).starts_with("refused: this leader is not open"));

    let mut follower = Node::follower("");
    assert!(ask(&mut follower, None).starts_with("refused: this node does not lead"));

    let mut deaf = Node::leader(2, three(), "");
    for _ in 0..4 {
        deaf.fire(Timer::Heartbeat);
    }
    assert!(ask(&mut deaf, Some("n2")).starts_with("refused: n2 does not answer"));
    assert!(ask(&mut deaf, None).starts_with("refused: no other member is fit"));
}

#[test]
fn t1_a_target_without_this_terms_marker_has_not_caught_up() {
    let mut node = Node::leader(2, three(), "n1:1");
    node.reply("n2", 1, "n1:1");
    hand_over(&mut node, Some("n2"));
    assert!(node.seen()[0].starts_with("refused: n2 has not caught up"), "{:?}", node.seen());
    // Without a name, the next best that has caught up.
    hand_over(&mut node, None);
    node.did("answer: handing over to n3");
}
