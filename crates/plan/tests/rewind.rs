//! W1: when a dead primary is started, and what becomes of its tail.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use xenon_gtid::{GtidSet, Uuid};
use xenon_plan::rewind::{
    Compared, Decision, Facts, Life, NEEDED_MS, Named, NewLeader, Next, OPENS_MS, Tail, Waiting, decide, next,
};

const OWN: Uuid = Uuid::from_bytes([1; 16]);
const LEADER: Uuid = Uuid::from_bytes([2; 16]);
const MARKERS: Uuid = Uuid::from_bytes([9; 16]);
const FOREIGN: Uuid = Uuid::from_bytes([3; 16]);
const T: u64 = 1000;

fn set(parts: &[(Uuid, u64, u64)]) -> GtidSet {
    let mut set = GtidSet::new();
    for (uuid, first, last) in parts {
        set.insert_range(*uuid, None, *first, *last);
    }
    set
}

fn waiting() -> Waiting {
    Waiting {
        waited_ms: 0,
        election_ms: T,
        primary_in: Some(4),
        leads: false,
        needed: false,
        leader: None,
        compared: None,
    }
}

fn tail() -> Tail {
    Tail {
        gtids: set(&[(OWN, 7, 8)]),
        count: 2,
        inside_after: None,
        in_use: true,
        in_earlier_file: None,
        not_undone: None,
    }
}

fn facts() -> Facts {
    Facts {
        tail: Ok(tail()),
        server_uuid: OWN,
        markers: MARKERS,
        leader_uuid: LEADER,
        leader_term: 5,
        life: Some(Life { primary_in: Some(4), boot: Some("b".to_owned()), ..Life::default() }),
        boot: Some("b".to_owned()),
    }
}

fn with(change: impl FnOnce(&mut Tail)) -> Facts {
    let mut tail = tail();
    change(&mut tail);
    Facts { tail: Ok(tail), ..facts() }
}

fn refused(facts: &Facts) -> String {
    match decide(facts) {
        Decision::Refuse { condition, cure } => {
            assert!(cure.contains("rebuild"), "{cure}");
            condition
        }
        other => panic!("{other:?}"),
    }
}

fn is_start(next: &Next) -> bool {
    matches!(next, Next::Start { .. })
}

#[test]
fn w1_nothing_is_waited_for_where_nothing_newer_can_come() {
    assert!(is_start(&next(&Waiting { primary_in: None, ..waiting() })), "it was a replica");
    assert!(is_start(&next(&Waiting { leads: true, ..waiting() })), "T4: a paused leader's server");
    let needed = Waiting { needed: true, ..waiting() };
    assert!(!is_start(&next(&Waiting { waited_ms: NEEDED_MS - 1, ..needed.clone() })));
    assert!(
        is_start(&next(&Waiting { waited_ms: NEEDED_MS, ..needed })),
        "two nodes: the other one cannot be elected"
    );
    assert!(!is_start(&next(&Waiting { waited_ms: 3 * T - 1, ..waiting() })));
    assert!(is_start(&next(&Waiting { waited_ms: 3 * T, ..waiting() })), "nobody was elected");
}

#[test]
fn w1_a_leader_counts_when_it_is_open_and_has_looked_since() {
    let leader = |open, looked, heard_ms| Some(NewLeader { open, looked, heard_ms });
    let heard = |leader| Waiting { leader, waited_ms: 10 * T, ..waiting() };
    assert_eq!(next(&heard(leader(false, false, 0))), Next::Compare { finally: false });
    assert_eq!(next(&heard(leader(true, false, 0))), Next::Compare { finally: false });
    assert_eq!(next(&heard(leader(true, true, 0))), Next::Compare { finally: true });

    assert!(is_start(&next(&heard(leader(true, false, 2 * OPENS_MS)))), "it never says");

    // What it lacks before it is open it may fetch (W2).
    let provisional =
        |leader, outside| Waiting { compared: Some(Compared { finally: false, outside }), ..heard(leader) };
    assert!(
        is_start(&next(&provisional(leader(false, false, 0), false))),
        "nothing to cut off, and its marker may need this node"
    );
    assert!(matches!(next(&provisional(leader(false, false, 0), true)), Next::Wait { .. }));
    assert_eq!(next(&provisional(leader(true, true, 0), true)), Next::Compare { finally: true });
    assert_eq!(
        next(&provisional(leader(false, false, OPENS_MS), true)),
        Next::Compare { finally: true },
        "I2 holds from its election on"
    );

    let finally = |outside| Waiting {
        compared: Some(Compared { finally: true, outside }),
        ..heard(leader(true, true, 0))
    };
    assert_eq!(next(&finally(true)), Next::Decide);
    assert!(is_start(&next(&finally(false))));
}

#[test]
fn w1_the_tail_of_its_own_writing_is_cut_off_with_the_marker_of_its_own_failed_term() {
    assert!(matches!(decide(&facts()), Decision::Rewind { .. }));
    let with_marker = with(|tail| {
        tail.gtids = set(&[(OWN, 7, 8), (MARKERS, 4, 4)]);
        tail.count = 3;
    });
    assert!(matches!(decide(&with_marker), Decision::Rewind { .. }));
}

#[test]
fn f2_what_the_leader_has_written_itself_is_no_tail() {
    let of_leader = with(|tail| tail.gtids = set(&[(LEADER, 1, 2)]));
    assert!(matches!(decide(&of_leader), Decision::Start { .. }));
    let its_marker = with(|tail| {
        tail.gtids = set(&[(MARKERS, 5, 5)]);
        tail.count = 1;
    });
    assert!(matches!(decide(&its_marker), Decision::Start { .. }));
    let nothing = with(|tail| {
        tail.gtids = GtidSet::new();
        tail.count = 0;
    });
    assert!(matches!(decide(&nothing), Decision::Start { .. }));
}

#[test]
fn w1_each_condition_is_named_when_it_fails() {
    let named = |what: &str| Some(Named { gtid: None, what: what.to_owned() });
    let life = |change: fn(&mut Life)| {
        let mut facts = facts();
        change(facts.life.as_mut().unwrap());
        facts
    };
    let table = [
        (Facts { tail: Err("it is encrypted".to_owned()), ..facts() }, "it is encrypted"),
        (with(|tail| tail.count = 3), "1 transaction(s) in the tail have no GTID"),
        (
            with(|tail| tail.inside_after = Some(xenon_gtid::Gtid::untagged(FOREIGN, 4))),
            "stands behind what it lacks",
        ),
        (
            with(|tail| {
                tail.gtids.insert_range(FOREIGN, None, 3, 3);
                tail.count = 3;
            }),
            "were not written first by this server",
        ),
        (with(|tail| tail.in_use = false), "ended its binlog in order"),
        (
            with(|tail| tail.in_earlier_file = named("changes of rows")),
            "in a binlog file before the last one",
        ),
        (
            with(|tail| tail.not_undone = named("changes in tables without transactions")),
            "is not undone by crash recovery",
        ),
        (Facts { life: None, ..facts() }, "nothing was noted"),
        (life(|life| life.degraded = Some("semi-sync was off".to_owned())), "semi-sync was off"),
        (Facts { boot: Some("c".to_owned()), ..facts() }, "the host was restarted"),
    ];
    for (facts, words) in table {
        let condition = refused(&facts);
        assert!(condition.contains(words), "{condition}");
    }
    let synced = Facts { boot: Some("c".to_owned()), ..life(|life| life.synced = true) };
    assert!(matches!(decide(&synced), Decision::Rewind { .. }), "a restart of the host took nothing from it");
}
