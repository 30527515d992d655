//! The runs at bounds that a test can afford.

#![allow(clippy::unwrap_used, reason = "a failed unwrap here is a failed test")]

use xenon_checks::{Finding, runs};

fn check(name: &str) -> Finding {
    let run = runs(false).into_iter().find(|run| run.name.contains(name)).unwrap();
    let finding = run.check();
    println!("{finding}");
    assert_eq!(finding.wrong, None);
    finding
}

#[test]
fn i1_i2_elections_and_writes() {
    check("elections and writes");
}

#[test]
fn i1_i2_with_pre_votes() {
    check("with pre-votes");
}

#[test]
fn i1_i2_t3_a_crash_of_an_agent() {
    check("a crash of an agent");
}

#[test]
fn i1_i2_a_repeated_message() {
    check("a repeated message");
}

#[test]
fn i7_a_config_change() {
    check("a config change");
}

#[test]
fn the_mutants_are_found() {
    for mutant in ["without freeze", "without comparison", "several votes", "old configs"] {
        assert!(check(mutant).counterexample.is_some());
    }
}
