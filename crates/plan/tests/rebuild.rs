//! W4: the order of phases, what a restarted agent does, who gives, who may.

#![allow(clippy::expect_used)]

mod support;

use support::*;
use xenon_gtid::GtidSet;
use xenon_plan::Folder;
use xenon_plan::rebuild::*;

fn set(text: &str) -> GtidSet {
    text.parse().expect("a set")
}

const UUID: &str = "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa";

fn at(phase: Phase) -> Journal {
    Journal { phase, copied: phase >= Phase::Stop, ..Journal::default() }
}

const PHASES: [Phase; 9] = [
    Phase::Check,
    Phase::Copy,
    Phase::Verify,
    Phase::Stop,
    Phase::Swap,
    Phase::Start,
    Phase::Follow,
    Phase::Clean,
    Phase::PutBack,
];

#[test]
fn a_killed_agent_goes_on_from_what_is_on_the_disk() {
    use OnDisk::{After, Before, Between, Unknown};
    use Resume::{Anew, At};
    let table = [
        (Phase::Check, [Anew, Anew, Anew, Anew]),
        (Phase::Copy, [Anew, Anew, Anew, Anew]),
        (Phase::Verify, [Anew, Anew, Anew, Anew]),
        // The doubt may not be on disk yet.
        (Phase::Stop, [Anew, At(Phase::Stop), Anew, Anew]),
        (Phase::Swap, [Anew, At(Phase::Stop), At(Phase::Swap), At(Phase::Start)]),
        (Phase::Start, [Anew, Anew, At(Phase::PutBack), At(Phase::Start)]),
        (Phase::Follow, [Anew, Anew, At(Phase::PutBack), At(Phase::Follow)]),
        (Phase::Clean, [Anew, Anew, At(Phase::PutBack), At(Phase::Clean)]),
        (Phase::PutBack, [Anew, Anew, At(Phase::PutBack), At(Phase::PutBack)]),
    ];
    assert_eq!(table.map(|(phase, _)| phase), PHASES);
    for (phase, wanted) in table {
        let seen = [Unknown, Before, Between, After].map(|disk| resume(&at(phase), disk));
        assert_eq!(seen, wanted, "{phase}");
        for ended in [Ended::Done, Ended::Failed, Ended::Cancelled] {
            let journal = Journal { ended: Some(ended), ..at(phase) };
            assert_eq!(resume(&journal, Between), Resume::Nothing);
        }
    }
}

#[test]
fn nothing_of_the_old_data_is_touched_while_it_may_be_cancelled() {
    for phase in PHASES {
        assert!(!(phase.may_be_cancelled() && phase.holds_mysqld()), "{phase}");
        assert_eq!(phase.may_be_cancelled(), phase < Phase::Stop, "{phase}");
    }
}

fn replica(id: &str) -> Candidate {
    Candidate {
        id: id.to_owned(),
        state: "FOLLOWER".to_owned(),
        alive: true,
        executed: set(&format!("{UUID}:1-10")),
        follows: true,
        lag_s: Some(0),
        version: "9.7.4-1".to_owned(),
        ..Candidate::default()
    }
}

fn primary(id: &str) -> Candidate {
    Candidate { state: "LEADER".to_owned(), leads: true, follows: false, lag_s: None, ..replica(id) }
}

fn me() -> Recipient {
    Recipient { id: "me".to_owned(), received: set(&format!("{UUID}:1-9")), version: "9.7.4".to_owned() }
}

#[test]
fn a_recent_replica_gives_and_the_primary_only_when_nobody_else_can() {
    let lagging = Candidate { lag_s: Some(7), ..replica("a") };
    let idle = Candidate { idle: true, state: "IDLE".to_owned(), ..replica("i") };
    let all = [primary("p"), lagging.clone(), replica("b"), idle];
    let chosen = |all: &[Candidate]| choose(all, &me(), None).map(|best| best.id.clone());
    assert_eq!(chosen(&all), Ok("i".to_owned()), "an idle node serves nobody");
    assert_eq!(chosen(&all[..3]), Ok("b".to_owned()));
    assert_eq!(chosen(&all[..2]), Ok("a".to_owned()));
    assert_eq!(chosen(&all[..1]), Ok("p".to_owned()));
    assert_eq!(choose(&all, &me(), Some("p")).map(|best| best.id.as_str()), Ok("p"), "an operator's choice");
}

#[test]
fn who_cannot_give_is_named_with_the_reason() {
    type Spoil = fn(&mut Candidate);
    let table: [(Spoil, &str); 11] = [
        (|c| c.id = "me".to_owned(), "this node itself"),
        (|c| c.silent = Some("refused".to_owned()), "does not answer: refused"),
        (|c| c.alive = false, "no server that answers"),
        (|c| c.state = "INVALID".to_owned(), "is INVALID"),
        (|c| c.state = "LEARNER".to_owned(), "is LEARNER"),
        (|c| c.doubt = Some("rebuilt".to_owned()), "may itself lack"),
        (|c| c.busy = Some("it gives its data to x".to_owned()), "is busy"),
        (|c| c.follows = false, "does not replicate"),
        (|c| c.lag_s = Some(101), "lags by 101 s"),
        (|c| c.version = "8.4.3".to_owned(), "runs MySQL 8.4.3"),
        (|c| c.executed = set(&format!("{UUID}:1-8")), "has not applied 1 transaction(s)"),
    ];
    for (spoil, says) in table {
        let mut candidate = replica("a");
        spoil(&mut candidate);
        let id = candidate.id.clone();
        let none = choose(&[candidate], &me(), Some(&id)).expect_err(says).to_string();
        assert!(none.contains(says) && none.contains(&id), "{none}");
    }
    let stranger = choose(&[replica("a")], &me(), Some("b")).expect_err("a stranger").to_string();
    assert!(stranger.contains("no member"), "{stranger}");
    assert!(choose(&[], &me(), None).is_err());
    assert_eq!(["9.7.4-1", "8.0.36", "9", "8.4.0-debug"].map(series), ["9.7", "8.0", "9", "8.4"]);
}

#[test]
fn what_a_node_cannot_cure_by_itself() {
    let none = GtidSet::new();
    let errant = set(&format!("{UUID}:3"));
    let mut seen = replica_of("old");
    let server = seen.server.as_mut().expect("a server");
    let need = |folder: Folder, server: Option<&_>, errant: &GtidSet| Need::of(&folder, server, errant);
    assert_eq!(need(Folder::Right, Some(server), &none), None);
    assert_eq!(need(Folder::Right, Some(server), &errant), Some(Need::Invalid { errant: errant.clone() }));
    assert!(matches!(need(Folder::Missing, None, &errant), Some(Need::DataLost { .. })));
    assert!(matches!(need(Folder::Deleted, Some(server), &none), Some(Need::DataLost { .. })));
    assert_eq!(need(Folder::Moved("/elsewhere".to_owned()), Some(server), &errant), None, "it may come back");
    let replication = server.replication.as_mut().expect("a replica");
    replication.receiver_error = "Got fatal error 1236: cannot connect".to_owned();
    assert_eq!(need(Folder::Right, Some(server), &none), None);
    let replication = server.replication.as_mut().expect("a replica");
    replication.receiver_error = "Got fatal error 1236: the source purged required binary logs".to_owned();
    assert!(matches!(need(Folder::Right, Some(server), &none), Some(Need::CannotFollow { .. })));
}

#[test]
fn never_the_last_copy() {
    let seen = |data_voters: usize, is_voter: bool, healthy_others: usize| ClusterSeen {
        leader_serves: true,
        paused: false,
        data_voters,
        is_voter,
        healthy_others,
    };
    // Voters with data, this node among them: so many others must be well.
    for (voters, wanted) in [(2, 1), (3, 2), (4, 2), (5, 3)] {
        assert!(permit(&seen(voters, true, wanted)).is_ok(), "{voters}");
        assert!(permit(&seen(voters, true, wanted - 1)).is_err(), "{voters}");
    }
    for (voters, wanted) in [(1, 1), (2, 2), (3, 2), (5, 3)] {
        assert!(permit(&seen(voters, false, wanted)).is_ok(), "a learner beside {voters}");
        assert!(permit(&seen(voters, false, wanted - 1)).is_err(), "a learner beside {voters}");
    }
    assert!(permit(&ClusterSeen { leader_serves: false, ..seen(3, true, 2) }).is_err());
    assert!(permit(&ClusterSeen { paused: true, ..seen(3, true, 2) }).is_err());
}

#[test]
fn tries_are_bounded_with_growing_pauses() {
    let pauses = |automatic| (1..).map_while(|n| pause_before_try_s(n, automatic)).collect::<Vec<_>>();
    assert_eq!(pauses(false), [0, 5, 20]);
    let by_itself = pauses(true);
    assert_eq!(by_itself.len(), 6);
    assert!(by_itself.is_sorted());
    assert_eq!(pause_before_try_s(0, true), None);
    assert_eq!(room_needed(0), 128 << 20);
    assert_eq!(room_needed(100 << 30), 105 << 30);
}
