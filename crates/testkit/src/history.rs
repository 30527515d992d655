//! What a client asked and was told.

use std::time::{Duration, Instant};

/// What became of one insert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The server said OK: the row must never be lost.
    Ok,
    /// The server refused it: the row must not be there.
    Refused(String),
    /// No answer: the row may be there.
    Unknown(String),
}

/// One insert.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// Its number; with the client's number the row's key.
    pub seq: u64,
    /// Index of the node that it was sent to.
    pub node: usize,
    /// When it was sent.
    pub start: Instant,
    /// When its outcome was known.
    pub end: Instant,
    /// What became of it.
    pub outcome: Outcome,
}

impl Attempt {
    /// The server said OK.
    pub fn is_ok(&self) -> bool {
        self.outcome == Outcome::Ok
    }
}

/// Everything that one client asked, in the order of the answers.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// Tells its rows from those of other clients.
    pub client: u32,
    /// The inserts.
    pub attempts: Vec<Attempt>,
}

impl History {
    /// The inserts that the server said OK to, in the order of the answers.
    pub fn acknowledged(&self) -> impl DoubleEndedIterator<Item = &Attempt> {
        self.attempts.iter().filter(|attempt| attempt.is_ok())
    }

    /// The gap that a client sees around a fault: from the last OK before it to the first OK after that one that was not
    /// already under way when the fault came, or was answered by another node.
    ///
    /// An OK for an insert that was sent before the fault to the same node only says that its answer was already on its
    /// way; the clock stops at the first one that needed a working cluster.
    pub fn gap(&self, fault: Instant) -> Option<Duration> {
        let last = self.acknowledged().rfind(|attempt| attempt.end <= fault)?;
        let next = self
            .acknowledged()
            .find(|attempt| attempt.end > fault && (attempt.start >= fault || attempt.node != last.node))?;
        Some(next.end.duration_since(last.end))
    }

    /// The gap around a change of primary that begins some time after `begun`, such as a planned one: from the last OK
    /// before the first OK of another node to that one.
    pub fn takeover(&self, begun: Instant) -> Option<Duration> {
        let last = self.acknowledged().rfind(|attempt| attempt.end <= begun)?;
        let mut latest = last.end;
        for attempt in self.acknowledged().filter(|attempt| attempt.end > begun) {
            if attempt.node != last.node {
                return Some(attempt.end.duration_since(latest));
            }
            latest = attempt.end;
        }
        None
    }

    /// The longest time between two OKs in a row that ends after `from`, with the node that answered next.
    pub fn longest_gap(&self, from: Instant) -> Option<(Duration, usize)> {
        let acknowledged: Vec<&Attempt> = self.acknowledged().collect();
        acknowledged
            .windows(2)
            .filter_map(|pair| match pair {
                [one, two] if two.end > from => Some((two.end.duration_since(one.end), two.node)),
                _ => None,
            })
            .max_by_key(|(gap, _)| *gap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn history(attempts: &[(u64, usize, u64, u64, Outcome)], zero: Instant) -> History {
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
        History { client: 1, attempts }
    }

    #[test]
    fn the_gap_runs_from_the_last_ok_before_to_the_first_that_needed_a_working_cluster() {
        let zero = Instant::now();
        let refused = Outcome::Refused("1290".to_owned());
        let history = history(
            &[
                (1, 0, 0, 1, Outcome::Ok),
                (2, 0, 10, 11, Outcome::Ok),
                // Sent before the fault at 20, its answer was on its way.
                (3, 0, 19, 21, Outcome::Ok),
                (4, 1, 22, 23, refused),
                (5, 1, 60, 61, Outcome::Ok),
                (6, 1, 70, 71, Outcome::Ok),
            ],
            zero,
        );
        let fault = zero + Duration::from_millis(20);
        assert_eq!(history.gap(fault), Some(Duration::from_millis(50)));
        assert_eq!(history.longest_gap(zero), Some((Duration::from_millis(40), 1)));
        assert_eq!(history.gap(zero), None);
        assert_eq!(history.takeover(zero + Duration::from_millis(2)), Some(Duration::from_millis(40)));
        assert_eq!(history.takeover(fault), Some(Duration::from_millis(40)));
        assert_eq!(history.takeover(zero + Duration::from_millis(65)), None);
        assert_eq!(history.gap(zero + Duration::from_secs(1)), None);
    }
}
