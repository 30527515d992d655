//! The shortest schedule that still breaks the same invariant.

use super::Schedule;
use crate::run::{Subject, View, run};

/// Drops what can be dropped, halves before single entries, as long as anything can; then shortens what is left.
/// The result breaks the same invariant as the schedule given does.
pub fn shrink(schedule: &Schedule, subject: Subject) -> Schedule {
    let Some(invariant) = broken(schedule, subject) else { return schedule.clone() };
    let fails = |candidate: &Schedule| broken(candidate, subject) == Some(invariant);
    let mut best = schedule.clone();
    loop {
        let before = best.clone();
        drop_entries(&mut best, &fails);
        drop_spares(&mut best, &fails);
        shorten(&mut best, &fails);
        if best == before {
            return best;
        }
    }
}

fn broken(schedule: &Schedule, subject: Subject) -> Option<&'static str> {
    run(schedule, subject, View::default()).violation.map(|violation| violation.invariant)
}

fn drop_entries(best: &mut Schedule, fails: &impl Fn(&Schedule) -> bool) {
    let mut size = best.entries.len().div_ceil(2).max(1);
    loop {
        let mut from = 0;
        while from < best.entries.len() {
            let mut candidate = best.clone();
            candidate.entries.drain(from..(from + size).min(best.entries.len()));
            if fails(&candidate) {
                *best = candidate;
            } else {
                from += size;
            }
        }
        if size == 1 {
            return;
        }
        size = size.div_ceil(2);
    }
}

fn drop_spares(best: &mut Schedule, fails: &impl Fn(&Schedule) -> bool) {
    let candidate = Schedule { spares: 0, ..best.clone() };
    if best.spares > 0 && fails(&candidate) {
        *best = candidate;
    }
}

/// Ends the faults right after the last of them.
fn shorten(best: &mut Schedule, fails: &impl Fn(&Schedule) -> bool) {
    let last_ms = best.entries.iter().map(|entry| entry.at_ms + entry.fault.for_ms().unwrap_or(0)).max();
    for after_ms in [100, 1_000, 4_000] {
        let candidate = Schedule { length_ms: last_ms.unwrap_or(0) + after_ms, ..best.clone() };
        if candidate.length_ms < best.length_ms && fails(&candidate) {
            *best = candidate;
            return;
        }
    }
}
