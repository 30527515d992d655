//! Which binary logs may go.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use xenon_gtid::GtidSet;
use xenon_plan::purge::{
    FILES_KEPT, FileSearch, PurgeAnswer, PurgeRound, PurgeVerdict, PurgeWatch, Standpoint,
};

const INTERVAL: u64 = 1_000;
const LIMIT: u64 = 10_000;

fn set(last: u64) -> GtidSet {
    match last {
        0 => GtidSet::new(),
        last => format!("aaaaaaaa-0000-0000-0000-000000000001:1-{last}").parse().unwrap(),
    }
}

fn has(last: u64) -> PurgeAnswer {
    PurgeAnswer { agrees: true, executed: Some(set(last)), hold: None }
}

/// The members b and c of a node that leads, and has 1-100.
struct Group {
    watch: PurgeWatch,
    now_ms: u64,
    standpoint: Standpoint,
    purged: GtidSet,
}

impl Group {
    fn new() -> Group {
        Group {
            watch: PurgeWatch::new(INTERVAL, LIMIT),
            now_ms: 5_000_000,
            standpoint: Standpoint::Leads,
            purged: GtidSet::new(),
        }
    }

    fn round(&mut self, answers: &[(&str, PurgeAnswer)]) -> PurgeVerdict {
        self.now_ms += INTERVAL;
        self.watch.round(PurgeRound {
            now_ms: self.now_ms,
            standpoint: self.standpoint.clone(),
            members: BTreeSet::from(["b".to_owned(), "c".to_owned()]),
            answers: answers.iter().map(|(id, answer)| ((*id).to_owned(), answer.clone())).collect(),
            own_hold: None,
            executed: set(100),
            purged: self.purged.clone(),
        })
    }
}

fn why(verdict: PurgeVerdict) -> String {
    match verdict {
        PurgeVerdict::Nothing(why) => why,
        PurgeVerdict::Within(set) => panic!("{set} may go"),
    }
}

fn within(last: u64) -> PurgeVerdict {
    PurgeVerdict::Within(set(last))
}

#[test]
fn only_what_all_had_executed_a_round_ago() {
    let mut group = Group::new();
    assert!(why(group.round(&[("b", has(50)), ("c", has(40))])).contains("not said for long enough"));
    assert_eq!(group.round(&[("b", has(90)), ("c", has(80))]), within(40), "as of the round before");
    assert_eq!(group.round(&[("b", has(90)), ("c", has(80))]), within(80));
    // A crash took something back: at once.
    assert_eq!(group.round(&[("b", has(30)), ("c", has(80))]), within(30));
    assert_eq!(group.round(&[("b", has(95)), ("c", has(80))]), within(30));
}

#[test]
fn one_that_is_gone_holds_until_the_limit_and_is_warned_of_in_time() {
    let mut group = Group::new();
    for _ in 0..2 {
        group.round(&[("b", has(50)), ("c", has(50))]);
    }
    let mut warned = None;
    for second in 1..=10 {
        assert_eq!(group.round(&[("b", has(90))]), within(50), "held for {second} s");
        if warned.is_none() && !group.watch.troubles().is_empty() {
            warned = Some((second, group.watch.troubles()));
        }
    }
    let (second, troubles) = warned.expect("a warning");
    assert_eq!(second, 6, "half the limit is left");
    assert!(troubles[0].text.contains("c has said nothing of its server for 6 s"), "{troubles:?}");
    assert_eq!(group.round(&[("b", has(90))]), within(90), "let go");
    assert!(group.watch.troubles()[0].text.contains("will need a rebuild"));
    group.purged = set(90);
    // It comes back, and nothing here can help it.
    assert_eq!(group.round(&[("b", has(95)), ("c", has(50))]), within(90));
    assert!(group.watch.troubles()[0].text.contains("c lacks transactions whose binlogs are purged here"));
    // It comes back rebuilt.
    group.round(&[("b", has(95)), ("c", has(93))]);
    assert_eq!(group.round(&[("b", has(95)), ("c", has(94))]), within(93));
    assert_eq!(group.watch.troubles(), []);
}

#[test]
fn one_that_was_never_heard_holds_everything_until_the_limit() {
    let mut group = Group::new();
    why(group.round(&[("b", has(50))]));
    for _ in 0..10 {
        assert!(why(group.round(&[("b", has(50))])).contains("c holds them"));
    }
    assert_eq!(group.round(&[("b", has(50))]), within(50));
}

#[test]
fn one_whose_server_is_dead_is_gone_too() {
    let mut group = Group::new();
    let dead = PurgeAnswer { agrees: true, executed: None, hold: None };
    for _ in 0..2 {
        group.round(&[("b", has(50)), ("c", has(50))]);
    }
    for _ in 0..10 {
        assert_eq!(group.round(&[("b", has(90)), ("c", dead.clone())]), within(50));
    }
    assert_eq!(group.round(&[("b", has(90)), ("c", dead)]), within(90));
}

#[test]
fn an_agent_that_was_stopped_itself_lets_nobody_go_for_that() {
    let mut group = Group::new();
    for _ in 0..2 {
        group.round(&[("b", has(50)), ("c", has(50))]);
    }
    group.now_ms += 100 * LIMIT;
    assert_eq!(group.round(&[("b", has(90))]), within(50), "c may have gone just now");
}

#[test]
fn a_rebuild_holds_everything_and_goes_on_holding_when_its_agent_is_silent() {
    let mut group = Group::new();
    for _ in 0..2 {
        group.round(&[("b", has(50)), ("c", has(50))]);
    }
    let rebuilt = PurgeAnswer { agrees: true, executed: None, hold: Some("it is rebuilt from b".to_owned()) };
    assert!(why(group.round(&[("b", has(90)), ("c", rebuilt)])).contains("it is rebuilt from b"));
    for _ in 0..3 {
        assert!(
            why(group.round(&[("b", has(90))])).contains("it is rebuilt from b"),
            "its agent is restarted"
        );
    }
    // Its server starts: no job any more, and no word of what it has.
    let starts = PurgeAnswer { agrees: true, executed: None, hold: None };
    assert!(why(group.round(&[("b", has(90)), ("c", starts)])).contains("it is rebuilt from b"));
    group.round(&[("b", has(90)), ("c", has(70))]);
    assert_eq!(group.round(&[("b", has(90)), ("c", has(70))]), within(70));
}

#[test]
fn a_rebuild_without_an_end_holds_until_the_limit() {
    let mut group = Group::new();
    let busy =
        PurgeAnswer { agrees: true, executed: Some(set(70)), hold: Some("a backup is taken".to_owned()) };
    for _ in 0..=10 {
        why(group.round(&[("b", has(90)), ("c", busy.clone())]));
    }
    assert_eq!(group.round(&[("b", has(90)), ("c", busy)]), within(70), "what it has executed counts still");
}

#[test]
fn a_follower_purges_nothing_without_its_leader() {
    let mut group = Group::new();
    group.standpoint = Standpoint::Follows("b".to_owned());
    for _ in 0..2 {
        group.round(&[("b", has(50)), ("c", has(50))]);
    }
    assert_eq!(group.round(&[("b", has(90)), ("c", has(50))]), within(50));
    for _ in 0..50 {
        assert!(why(group.round(&[])).contains("b, does not answer"), "cut off");
    }
    assert_eq!(group.round(&[("b", has(90))]), within(50), "c's silence was this node's own");
    // This node was let go of by b, or has purged what b never had.
    group.purged = set(95);
    assert!(why(group.round(&[("b", has(90)), ("c", has(97))])).contains("lacks what is purged here"));
    group.standpoint = Standpoint::Neither;
    assert!(why(group.round(&[("b", has(99)), ("c", has(99))])).contains("no leader"));
}

#[test]
fn nothing_goes_while_members_change() {
    let mut group = Group::new();
    for _ in 0..2 {
        group.round(&[("b", has(50)), ("c", has(50))]);
    }
    let other = PurgeAnswer { agrees: false, ..has(50) };
    assert!(why(group.round(&[("b", has(50)), ("c", other)])).contains("c knows other members"));
}

#[test]
fn who_holds_is_named_with_what_and_since_when() {
    let mut group = Group::new();
    for _ in 0..2 {
        group.round(&[("b", has(90)), ("c", has(50))]);
    }
    let now = group.now_ms;
    assert!(group.watch.holders(now, None).is_empty(), "nothing is held");
    let blocked = set(60);
    let holders = group.watch.holders(now, Some(&blocked));
    assert_eq!(holders.len(), 1);
    assert_eq!((holders[0].node.as_str(), holders[0].for_ms), ("c", 0));
    assert!(holders[0].why.contains(":51-60"), "{holders:?}");
    group.round(&[("b", has(90))]);
    let holders = group.watch.holders(group.now_ms, Some(&blocked));
    assert!(holders[0].why.starts_with("it is gone") && holders[0].for_ms == INTERVAL, "{holders:?}");
}

/// Where it ends, and how many questions that took.
fn search(mut files: FileSearch, may_go: usize) -> (usize, u32) {
    let mut asked = 0;
    while let Some(file) = files.wants() {
        asked += 1;
        files.tell(file <= may_go);
    }
    (files.found(), asked)
}

proptest! {
    /// Nothing that somebody may ask for goes, whatever the members say in whatever order.
    #[test]
    fn never_what_an_answering_member_lacks(
        rounds in prop::collection::vec((0u64..100, 0u64..100, any::<bool>(), any::<bool>()), 1..40)
    ) {
        let mut group = Group::new();
        let mut seen: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
        let mut silent: BTreeMap<&str, u64> = BTreeMap::new();
        for (b, c, b_answers, c_answers) in rounds {
            let mut answers = Vec::new();
            for (id, last, answers_now) in [("b", b, b_answers), ("c", c, c_answers)] {
                if answers_now {
                    answers.push((id, has(last)));
                    seen.entry(id).or_default().push(last);
                    silent.insert(id, 0);
                } else {
                    *silent.entry(id).or_default() += INTERVAL;
                }
            }
            if let PurgeVerdict::Within(may_go) = group.round(&answers) {
                for id in ["b", "c"] {
                    // The first round has nothing to count from.
                    if silent[id] <= LIMIT {
                        let last_two = seen[id].iter().rev().take(2).min().unwrap();
                        prop_assert!(set(*last_two).contains_set(&may_go), "{id} {may_go}");
                    }
                }
            }
        }
    }

    #[test]
    fn files_are_found_with_few_questions(files in 0usize..5_000, may_go in 0usize..5_000) {
        match FileSearch::new(files) {
            None => prop_assert!(files <= FILES_KEPT),
            Some(search_) => {
                let (found, asked) = search(search_, may_go);
                prop_assert_eq!(found, may_go.min(files - FILES_KEPT));
                prop_assert!(asked <= 13);
            }
        }
    }
}
