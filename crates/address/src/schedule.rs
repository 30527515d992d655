//! When an address that was taken is announced again.

use std::time::{Duration, Instant};

/// After the first announcement: frames are lost, switches learn late, and a host may have asked the old holder in between.
const AGAIN: [Duration; 6] = [
    Duration::from_millis(20),
    Duration::from_millis(100),
    Duration::from_millis(300),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];
/// Another holder is answered at most so often (RFC 5227 asks for restraint).
const DEFENCE: Duration = Duration::from_secs(1);

/// The announcements that are left.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    began: Option<Instant>,
    done: usize,
    defended: Option<Instant>,
}

impl Schedule {
    /// The first one has been made.
    pub(crate) fn begin(&mut self, now: Instant) {
        (self.began, self.done) = (Some(now), 0);
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        Some(self.began? + *AGAIN.get(self.done)?)
    }

    /// Whether one is due; those that were missed are one.
    pub(crate) fn take_due(&mut self, now: Instant) -> bool {
        let mut due = false;
        while self.next().is_some_and(|at| at <= now) {
            self.done += 1;
            due = true;
        }
        due
    }

    /// Another one claims the address: whether to answer now.
    pub(crate) fn defends(&mut self, now: Instant) -> bool {
        let may = self.defended.is_none_or(|at| now.duration_since(at) >= DEFENCE);
        if may {
            self.defended = Some(now);
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn announced_again_for_some_seconds_and_then_no_more() {
        let begin = Instant::now();
        let mut schedule = Schedule::default();
        assert_eq!((schedule.next(), schedule.take_due(begin)), (None, false));
        schedule.begin(begin);
        assert!(!schedule.take_due(begin + Duration::from_millis(19)));
        assert!(schedule.take_due(begin + Duration::from_millis(20)));
        assert!(!schedule.take_due(begin + Duration::from_millis(50)));
        assert!(schedule.take_due(begin + Duration::from_millis(1500)), "three were missed: one");
        assert_eq!(schedule.next(), Some(begin + Duration::from_secs(2)));
        assert!(schedule.take_due(begin + Duration::from_secs(60)));
        assert_eq!(schedule.next(), None);
    }

    #[test]
    fn another_holder_is_answered_with_restraint() {
        let begin = Instant::now();
        let mut schedule = Schedule::default();
        assert!(schedule.defends(begin));
        assert!(!schedule.defends(begin + Duration::from_millis(900)));
        assert!(schedule.defends(begin + Duration::from_secs(1)));
    }
}
