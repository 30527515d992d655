//! L6: a replication thread that found its disk full sleeps for a whole minute, whatever has been freed meanwhile, and a STOP
//! waits for it (seen on 9.7.4). It is woken as soon as there is room.
//!
//! Not by a plan: one that sleeps in its relay log holds what every look at replication wants, so there is no look, and
//! without a look no plan. Nothing is started by it, so it can be done whatever this node's role is.

use crate::agent::Agent;
use crate::input::Input;
use std::time::Duration;
use tokio::time::Instant;
use xenon_api::EventKind;
use xenon_mysql::SqlError;
use xenon_plan::disk::{Disk, DiskReport};

/// Between two tries; each is one cheap question.
const EVERY: Duration = Duration::from_millis(500);
/// One try.
const TRY: Duration = Duration::from_secs(2);
/// So many tries in a row that find nobody asleep end it: a write that found no room just before it came sleeps a moment later.
const NOBODY: u32 = 4;

/// Whether somebody may be asleep.
#[derive(Debug, Default)]
pub(crate) struct Sleepers {
    /// A disk of the server had no room at some moment since nobody was asleep.
    was_full: bool,
    nobody: u32,
    asking: bool,
    asked: Option<Instant>,
}

impl Sleepers {
    /// A single report is enough, even one that is not confirmed: a thread goes to sleep at its first write without room.
    pub(crate) fn on_report(&mut self, report: &DiskReport) {
        if report.is_full() {
            (self.was_full, self.nobody) = (true, 0);
        }
    }

    /// Says whether to try now, and takes it that it is done.
    pub(crate) fn may_be_woken(&mut self, now: Instant, disk: &Disk) -> bool {
        let due = self.asked.is_none_or(|at| now - at >= EVERY);
        let wakes = self.was_full && disk.is_quick() && due && !self.asking;
        if wakes {
            (self.asking, self.asked) = (true, Some(now));
        }
        wakes
    }

    fn on_answer(&mut self, woken: Option<usize>) {
        self.asking = false;
        match woken {
            Some(0) => self.nobody += 1,
            _ => self.nobody = 0,
        }
        self.was_full &= self.nobody < NOBODY;
    }

    /// The next try.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        self.asked.filter(|_| self.was_full && !self.asking).map(|at| at + EVERY)
    }
}

impl Agent {
    pub(crate) fn wake_sleepers(&mut self) {
        let (door, inputs) = (self.means.door.clone(), self.inputs_for_task());
        tokio::spawn(async move {
            let woken = door.wake_sleepers(TRY).await;
            // The loop is gone: nobody wants to know.
            let _ = inputs.send(Input::Woken(woken)).await;
        });
    }

    pub(crate) fn on_woken(&mut self, result: Result<usize, SqlError>) {
        let woken = match result {
            Ok(woken) => Some(woken),
            // A server without performance schema: they wake up by themselves.
            Err(error) if error.code().is_some() => Some(0),
            Err(_) => None,
        };
        self.watch.sleepers.on_answer(woken);
        if let Some(woken @ 1..) = woken {
            let text = format!(
                "{woken} replication thread(s) that slept for want of disk space ended (KILL), to be started anew: there is room again"
            );
            self.events.push(EventKind::Mysqld, text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xenon_plan::disk::Written;

    #[test]
    fn tried_when_there_is_room_until_nobody_sleeps_any_more() {
        let report = |written| DiskReport { written, free_bytes: None, total_bytes: 0, read_only: false };
        let mut sleepers = Sleepers::default();
        let begin = Instant::now();
        let at = |ms: u64| begin + Duration::from_millis(ms);
        assert!(!sleepers.may_be_woken(at(0), &Disk::Well), "never full");
        sleepers.on_report(&report(Written::NoSpace));
        assert!(!sleepers.may_be_woken(at(1), &Disk::Full), "what they write would fail");
        sleepers.on_report(&report(Written::Done));
        assert!(sleepers.may_be_woken(at(2), &Disk::Well));
        assert!(!sleepers.may_be_woken(at(900), &Disk::Well), "one try at a time");
        sleepers.on_answer(Some(2));
        assert_eq!(sleepers.wake_at(), Some(at(502)));
        for round in 2..=5 {
            assert!(sleepers.may_be_woken(at(round * 1000), &Disk::Well), "{round}");
            sleepers.on_answer(Some(0));
        }
        assert!(!sleepers.may_be_woken(at(9000), &Disk::Well), "nobody sleeps");
        assert_eq!(sleepers.wake_at(), None);
    }
}
