//! Who acknowledged when: two servers must never do so in overlapping terms (I3).

use crate::checker::{SHOWN, Violation};
use crate::history::{Attempt, History};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// A late answer counts as one of a second writer when it comes this long after the first OK of the next primary: below
/// this, the order in which a client's own thread sees two answers says nothing.
const REORDERED: Duration = Duration::from_millis(20);
/// Two changes of the primary, there and back, take longer than this.
const IN_TURN: Duration = Duration::from_millis(60);

/// A time in which a node's answers did not reach the clients: it was cut off from them, or its server was stopped.
///
/// An OK that was on its way then arrives when the fault is taken back, long after the next primary's first, and says
/// nothing of two writers. It is known by this: its row was sent before the fault. That the row is there is checked all
/// the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delay {
    /// The node, counted from 0.
    pub node: usize,
    /// When the fault was there.
    pub from: Instant,
    /// When it was taken back.
    pub until: Instant,
}

impl Delay {
    fn explains(&self, attempt: &Attempt) -> bool {
        attempt.node == self.node && attempt.start <= self.from && attempt.end >= self.until
    }
}

/// OKs of a node that come after the first OK of the next one, and OKs of two nodes in turn.
pub(crate) fn second_writers(
    history: &History,
    delays: &[Delay],
    name: impl Fn(usize) -> String,
) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut current: Option<&Attempt> = None;
    // When each node's turn ended: its own last OK then, and the next one's first.
    let mut former: BTreeMap<usize, (Instant, Instant)> = BTreeMap::new();
    for attempt in history.acknowledged() {
        let Some(last) = current.replace(attempt).filter(|last| last.node != attempt.node) else { continue };
        let row = format!("row {}/{}", history.client, attempt.seq);
        if let Some((own, others)) = former.get(&attempt.node).copied() {
            let late = attempt.end.saturating_duration_since(others);
            if attempt.start < others {
                // Sent before it was replaced. A node that is the primary again got its row sent later.
                current = Some(last);
                if late > REORDERED && !delays.iter().any(|delay| delay.explains(attempt)) {
                    violations.push(Violation(format!(
                        "{} acknowledged {row} {} ms after {} had acknowledged its first",
                        name(attempt.node),
                        late.as_millis(),
                        name(last.node)
                    )));
                }
                continue;
            }
            if attempt.start.saturating_duration_since(own) < IN_TURN {
                violations.push(Violation(format!(
                    "{} and {} acknowledged rows in turn, the last of them {row}",
                    name(last.node),
                    name(attempt.node)
                )));
            }
        }
        former.insert(last.node, (last.end, attempt.end));
    }
    violations.truncate(SHOWN);
    violations
}

/// The least number of turns that the nodes must have taken at acknowledging: the length of a chain of OKs, each of another
/// node than the one before, and each asked for after the one before was there.
pub(crate) fn turns(histories: &[&History]) -> u64 {
    let mut acknowledged: Vec<&Attempt> =
        histories.iter().flat_map(|history| history.acknowledged()).collect();
    acknowledged.sort_by_key(|attempt| attempt.end);
    let mut turns = 0;
    let mut last: Option<&Attempt> = None;
    // Of every turn the OK that came first, which leaves most room for the next ones.
    for attempt in acknowledged {
        if last.is_none_or(|last| last.node != attempt.node && attempt.start > last.end) {
            turns += 1;
            last = Some(attempt);
        }
    }
    turns
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Outcome;

    fn name(index: usize) -> String {
        format!("node{}", index + 1)
    }

    fn history(attempts: &[(u64, usize, u64, u64, Outcome)]) -> History {
        let zero = Instant::now();
        let at = |ms: u64| zero + Duration::from_millis(ms);
        let attempts = attempts
            .iter()
            .map(|(seq, node, start, end, outcome)| Attempt {
                seq: *seq,
                node: *node,
                start: at(*start),
                end: at(*end),
                outcome: outcome.clone(),
            })
            .collect();
        History { client: 7, attempts }
    }

    #[test]
    fn a_late_ok_of_the_old_primary_is_a_second_writer() {
        let clean = history(&[
            (1, 0, 0, 1, Outcome::Ok),
            (2, 1, 50, 51, Outcome::Ok),
            (3, 1, 60, 61, Outcome::Ok),
            // Handed back.
            (4, 0, 90, 91, Outcome::Ok),
        ]);
        assert_eq!(second_writers(&clean, &[], name), []);
        let late = history(&[
            (1, 0, 0, 1, Outcome::Ok),
            (3, 1, 50, 51, Outcome::Ok),
            (2, 0, 10, 200, Outcome::Ok),
            (4, 1, 210, 211, Outcome::Ok),
        ]);
        let found = second_writers(&late, &[], name);
        assert_eq!(found.len(), 1);
        assert!(found[0].0.starts_with("node1 acknowledged row 7/2 149 ms after"), "{}", found[0]);
    }

    #[test]
    fn two_that_write_in_turn_are_second_writers() {
        // Each insert was sent after the other's OK: two primaries, and no hand-over is that fast.
        let turns: Vec<_> =
            (0..6_u64).map(|n| (n, usize::from(n % 2 == 1), n * 10, n * 10 + 1, Outcome::Ok)).collect();
        assert!(!second_writers(&history(&turns), &[], name).is_empty());
    }

    #[test]
    fn an_ok_that_a_fault_has_kept_is_no_second_writer() {
        let told = history(&[
            (1, 0, 0, 1, Outcome::Ok),
            (3, 1, 50, 51, Outcome::Ok),
            (2, 0, 10, 200, Outcome::Ok),
            (4, 1, 210, 211, Outcome::Ok),
        ]);
        let zero = told.attempts[0].start;
        let delay = |node: usize, from: u64, until: u64| Delay {
            node,
            from: zero + Duration::from_millis(from),
            until: zero + Duration::from_millis(until),
        };
        assert_eq!(second_writers(&told, &[delay(0, 11, 190)], name), []);
        // Sent after the fault had come, answered before it went, or another node's fault: not by that.
        for other in [delay(0, 9, 190), delay(0, 11, 210), delay(1, 11, 190)] {
            assert_eq!(second_writers(&told, &[other], name).len(), 1);
        }
    }

    #[test]
    fn turns_are_counted_over_all_clients_and_not_where_answers_overlap() {
        let one =
            history(&[(1, 0, 0, 1, Outcome::Ok), (2, 1, 50, 51, Outcome::Ok), (3, 0, 90, 91, Outcome::Ok)]);
        assert_eq!(turns(&[&one]), 3);
        let overlapping = history(&[(1, 0, 0, 30, Outcome::Ok), (2, 1, 20, 40, Outcome::Ok)]);
        assert_eq!(turns(&[&overlapping]), 1);
        let slow =
            history(&[(1, 0, 0, 1, Outcome::Ok), (2, 1, 50, 51, Outcome::Ok), (3, 0, 10, 99, Outcome::Ok)]);
        assert_eq!(turns(&[&slow]), 2, "sent in the first turn, answered late");
        assert_eq!(turns(&[]), 0);
    }
}
