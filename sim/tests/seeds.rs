//! What a test can afford: some hundred seeds, every schedule that was once kept, and planted mistakes.

#![allow(clippy::unwrap_used, reason = "a failed unwrap here is a failed test")]

use xenon_sim::{Batch, Schedule, Subject, View, run, schedule_of};

/// Seeds of the clean batch.
const SEEDS: u64 = 200;

fn batch(from: u64, count: u64, subject: Subject) -> Batch {
    Batch { from, count, nodes: None, subject, stops_at_failure: true, threads: 0 }
}

#[test]
fn i1_to_i7_hold_in_some_hundred_runs() {
    let summary = batch(1, SEEDS, Subject::real()).run(&|line| println!("{line}"));
    assert_eq!(summary.failures, []);
    assert!(summary.elections > SEEDS && summary.acknowledged > SEEDS * 100, "{summary:?}");
}

#[test]
fn a_seed_tells_the_same_story_twice() {
    for seed in [3, 7, 53] {
        let schedule = schedule_of(seed, None);
        let view = View { log: true, messages: true };
        assert_eq!(run(&schedule, Subject::real(), view), run(&schedule, Subject::real(), view));
    }
}

/// Whoever looks must not change what happens.
#[test]
fn the_log_changes_nothing() {
    let schedule = schedule_of(53, None);
    let told = run(&schedule, Subject::real(), View { log: true, messages: false });
    let untold = run(&schedule, Subject::real(), View::default());
    assert_eq!(told.took_us, untold.took_us);
    assert_eq!(told.messages, untold.messages);
}

/// Every schedule that was kept because it broke something once; those that still do say so in their first line.
#[test]
fn kept_schedules_are_clean() {
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/schedules")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let schedule: Schedule = text.parse().unwrap();
        let violation = run(&schedule, Subject::real(), View::default()).violation;
        let is_open = text.starts_with("# open");
        assert!(is_open || violation.is_none(), "{}: {violation:?}", path.display());
        println!("{}: {violation:?}", path.display());
    }
}

/// Bound of the search for each; most are found within a hundred.
const MUTANT_SEEDS: u64 = 1_000;
/// Mistakes that show so soon; the others want more than a test can afford (docs/sim.md).
const QUICK_MUTANTS: [&str; 6] = [
    "freeze-before-vote",
    "compare-positions",
    "compare-data",
    "semi-sync-off-before-the-drain",
    "open-before-the-marker",
    "no-semi-sync",
];

#[test]
fn planted_mistakes_are_found() {
    let mutants = Subject::mutants();
    for name in QUICK_MUTANTS {
        let (_, subject) = mutants.iter().find(|(known, _)| *known == name).unwrap();
        let summary = batch(1, MUTANT_SEEDS, *subject).run(&|_| {});
        let (seed, broken) = summary.failures.first().unwrap_or_else(|| panic!("{name} is not found"));
        println!("{name}: seed {seed}: {broken}");
    }
}
