//! L6: dead, hung, or merely slow, as tables.

use xenon_plan::health::{Health, Probe, Verdict};
use {Probe::*, Verdict::*};

fn after(probes: &[Probe]) -> Verdict {
    let mut health = Health::new(2);
    health.on_start();
    probes.iter().for_each(|probe| health.on_probe(*probe));
    health.verdict()
}

#[test]
fn verdicts() {
    let table: [(&[Probe], Verdict); 16] = [
        (&[], Starting),
        // Recovery may take long, and is no hang.
        (&[TimedOut, TimedOut, TimedOut], Starting),
        (&[Refused, Refused], Starting),
        (&[Answered], Serving),
        (&[Refused, Answered], Serving),
        // Out of connections is not a death by itself.
        (&[TurnedAway], Serving),
        (&[Answered, TimedOut], Missing(1)),
        (&[Answered, TimedOut, Answered], Serving),
        (&[Answered, TimedOut, TurnedAway], Serving),
        (&[Answered, TimedOut, TimedOut], Hung),
        (&[Answered, TimedOut, TimedOut, TimedOut], Hung),
        (&[Answered, TimedOut, TimedOut, Answered], Serving),
        // Its queue of new connections is full: still a hang, so that D3 may end it.
        (&[Answered, TimedOut, TimedOut, Refused], Hung),
        (&[Answered, Refused], Dying),
        (&[Answered, Refused, TimedOut, TimedOut], Dying),
        (&[Answered, TimedOut, Refused, Answered], Serving),
    ];
    for (probes, expected) in table {
        assert_eq!(after(probes), expected, "{probes:?}");
    }
}

#[test]
fn what_a_probe_heard_of_a_process_that_is_gone_says_nothing() {
    let mut health = Health::new(2);
    for probe in [Answered, TimedOut, Refused, TurnedAway] {
        health.on_probe(probe);
        assert_eq!(health.verdict(), Dead);
    }
    health.on_start();
    health.on_probe(Answered);
    health.on_start();
    assert_eq!(health.verdict(), Serving, "found again, not started anew");
    health.on_exit();
    health.on_probe(Answered);
    assert_eq!(health.verdict(), Dead);
}

#[test]
fn a_bound_of_no_miss_counts_as_one() {
    let mut health = Health::new(0);
    health.on_start();
    health.on_probe(Answered);
    health.on_probe(TimedOut);
    assert_eq!(health.verdict(), Hung);
}

#[test]
fn l6_why_a_primary_cannot_serve() {
    let mut health = Health::new(2);
    assert_eq!(health.cannot_serve(), Some("mysqld has died"));
    health.on_start();
    assert_eq!(health.cannot_serve(), Some("mysqld is starting"));
    health.on_probe(Answered);
    assert_eq!(health.cannot_serve(), None);
    health.on_probe(TimedOut);
    assert_eq!(health.cannot_serve(), None, "one miss is no hang");
    health.on_probe(TimedOut);
    assert_eq!(health.cannot_serve(), Some("mysqld hangs"));
    health.on_probe(Answered);
    health.on_probe(Refused);
    assert_eq!(health.cannot_serve(), Some("mysqld shuts down"));
}

#[test]
fn one_that_was_found_and_greets_nobody_hangs_though_it_never_answered() {
    let after = |found: bool, probes: &[Probe]| {
        let mut health = Health::new(2);
        if found {
            health.on_found(3)
        } else {
            health.on_start()
        }
        probes.iter().for_each(|probe| health.on_probe(*probe));
        health.verdict()
    };
    let table: [(bool, &[Probe], Verdict); 6] = [
        (true, &[TimedOut, TimedOut], Starting),
        (true, &[TimedOut, TimedOut, TimedOut], Hung),
        // Refused until recovery is over, however long that takes.
        (true, &[Refused; 20], Starting),
        (true, &[TimedOut, TimedOut, Refused, TimedOut, TimedOut], Starting),
        (true, &[TimedOut, TimedOut, Answered, TimedOut], Missing(1)),
        // This agent's own child, which is read-only: nobody is harmed by waiting.
        (false, &[TimedOut; 20], Starting),
    ];
    for (found, probes, expected) in table {
        assert_eq!(after(found, probes), expected, "{found} {probes:?}");
    }
}
