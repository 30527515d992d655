//! The runs at bounds that a test can afford, and the mutants that are found at once.

#![allow(clippy::unwrap_used, reason = "a failed unwrap here is a failed test")]

use xenon_checks::{Effort, Finding, Run, mutants, runs};

fn check(among: Vec<Run>, name: &str) -> Finding {
    let run = among.into_iter().find(|run| run.name == name).unwrap();
    let finding = run.check();
    println!("{finding}");
    assert_eq!(finding.wrong, None);
    finding
}

fn holds(name: &str) {
    check(runs(Effort::Test), name);
}

fn are_found(names: &[&str]) {
    for name in names {
        assert!(check(mutants(), name).counterexample.is_some());
    }
}

#[test]
fn elections_and_writes() {
    holds("elections and writes");
}

#[test]
fn with_pre_votes() {
    holds("with pre-votes");
}

#[test]
fn with_leases() {
    holds("with leases");
}

#[test]
fn an_agent_crashes() {
    holds("an agent crashes");
}

#[test]
fn a_message_arrives_twice() {
    holds("a message arrives twice");
}

#[test]
fn a_config_change() {
    holds("a config change");
}

#[test]
fn a_server_crashes() {
    holds("a server crashes");
}

#[test]
fn a_host_loses_power() {
    holds("a host loses power");
}

#[test]
fn two_voters() {
    holds("two voters");
}

#[test]
fn a_handover() {
    holds("a handover");
}

#[test]
fn a_handover_prepared() {
    holds("a handover, prepared");
}

#[test]
fn mutants_of_elections_are_found() {
    are_found(&[
        "V2 stands before its receiver stops",
        "V3 votes twice in a term",
        "V3 votes before its receiver stops",
        "V3 spares any receiver",
        "V3 compares no positions",
        "V3 votes for an old config",
        "V6 an idle member votes",
        "L3 compares markers only",
    ]);
}

#[test]
fn mutants_of_leading_are_found() {
    are_found(&[
        "L4 everybody acknowledges",
        "T1 the target stands too soon",
        "T1 the final set is read too soon",
        "T1 given up, and left closed",
        "T1 elected while its source may write",
        "T1 votes by what it had when closed",
        "C1 two voters leave at once",
        "C1 changes what has not settled",
    ]);
}

#[test]
fn mutants_of_servers_are_found() {
    are_found(&["S3 votes with what power loss left", "C5 waits for nobody among three"]);
    are_found(&["D2 a deposed server says OK", "F2 an errant node follows", "W1 keeps its server_uuid"]);
}
