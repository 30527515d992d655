//! One rebuild: what is durable of it, what runs, how far it is.

use super::What;
use crate::hands::{Places, Told};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use xenon_api::{JobKind, JobState, JobStatus, Reply};
use xenon_election::NodeId;
use xenon_plan::rebuild::{Ended, Journal};

/// A copy whose start takes longer is taken for one that does not start. Redo of what changed during a long copy is applied
/// then, so it is generous.
pub(crate) const START_BOUND: Duration = Duration::from_secs(1800);
/// Over so long the speed is reckoned.
const SPEED_OVER: Duration = Duration::from_secs(10);

/// How far mysqld's start on the copy is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Attempt {
    NotYet,
    Begun(Instant),
    Failed(String),
}

/// The worker under way.
pub(crate) struct Work {
    pub(crate) id: u64,
    pub(crate) task: AbortHandle,
}

/// What a worker reports.
pub(crate) struct News {
    pub(crate) work: u64,
    pub(crate) what: What,
}

/// Where tests make an agent stop and wait; see `hold.rs`.
#[derive(Debug, Default)]
pub(crate) struct Pause {
    pub(crate) told: bool,
}

/// Bytes copied, and how fast.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    pub(crate) done: u64,
    pub(crate) total: u64,
    seen: VecDeque<(Instant, u64)>,
}

impl Progress {
    pub(crate) fn on_bytes(&mut self, done: u64, total: u64) {
        let now = Instant::now();
        self.done = done;
        // The donor's own number is a guess of what its files hold; the servers know better once they have counted.
        self.total = self.total.max(total).max(done);
        self.seen.push_back((now, done));
        while self.seen.len() > 2 && self.seen.front().is_some_and(|(at, _)| now - *at > SPEED_OVER) {
            self.seen.pop_front();
        }
    }

    pub(crate) fn bytes_per_s(&self) -> u64 {
        let (Some((from, before)), Some((to, after))) = (self.seen.front(), self.seen.back()) else {
            return 0;
        };
        let ms = u64::try_from((*to - *from).as_millis()).unwrap_or(u64::MAX);
        after.saturating_sub(*before).saturating_mul(1000).checked_div(ms).unwrap_or(0)
    }
}

pub(crate) struct Job {
    pub(crate) journal: Journal,
    /// Where its folders are.
    pub(crate) places: Places,
    pub(crate) work: Option<Work>,
    /// The operator who waits for what the check says.
    pub(crate) reply: Option<oneshot::Sender<Reply>>,
    pub(crate) progress: Progress,
    lines: VecDeque<String>,
    lines_before: u64,
    /// Nothing is begun before.
    pub(crate) again: Option<Instant>,
    pub(crate) attempt: Attempt,
    /// The others were looked at again, and this node's data is not the last copy of anything.
    pub(crate) may_stop: bool,
    /// When mysqld was killed for it.
    pub(crate) killed: Option<Instant>,
    pub(crate) began: Instant,
    /// The leader was asked last.
    pub(crate) turn_asked: Option<Instant>,
    pub(crate) pause: Pause,
    /// Since when the node follows as if nothing were wrong with it.
    pub(crate) well_since: Option<Instant>,
    /// Since when the check says no.
    pub(crate) checks_since: Option<Instant>,
    /// An operator ended it.
    pub(crate) cancelled_by_hand: bool,
}

impl Job {
    pub(crate) fn new(journal: Journal, places: Places) -> Self {
        Self {
            journal,
            places,
            work: None,
            reply: None,
            progress: Progress::default(),
            lines: VecDeque::new(),
            lines_before: 0,
            again: None,
            attempt: Attempt::NotYet,
            may_stop: false,
            killed: None,
            began: Instant::now(),
            turn_asked: None,
            pause: Pause::default(),
            well_since: None,
            checks_since: None,
            cancelled_by_hand: false,
        }
    }

    pub(crate) fn is_active(&self) -> bool {
        self.journal.ended.is_none()
    }

    pub(crate) fn line(&mut self, text: String) {
        if self.lines.len() == JobStatus::LINES {
            self.lines.pop_front();
            self.lines_before += 1;
        }
        self.lines.push_back(text);
    }

    /// What a worker tells while it works; gives what is worth an event.
    pub(crate) fn told(&mut self, told: Told) -> Option<String> {
        match told {
            Told::Bytes { done, total } => {
                self.progress.on_bytes(done, total);
                None
            }
            Told::Line(line) => {
                self.line(line.clone());
                Some(line)
            }
        }
    }

    pub(crate) fn status(&self) -> JobStatus {
        let Progress { done, total, .. } = self.progress;
        let bytes_per_s = if self.is_active() { self.progress.bytes_per_s() } else { 0 };
        let percent = match self.journal.ended {
            Some(Ended::Done) => 100,
            _ => u8::try_from(done.saturating_mul(100).checked_div(total).unwrap_or(0).min(99)).unwrap_or(99),
        };
        let now = Instant::now();
        let again = self.again.filter(|at| self.is_active() && *at > now);
        let state = match self.journal.ended {
            Some(Ended::Done) => JobState::Done,
            Some(Ended::Failed) => JobState::Failed,
            Some(Ended::Cancelled) => JobState::Cancelled,
            None if again.is_some() => JobState::Waiting,
            None => JobState::Running,
        };
        JobStatus {
            kind: if self.journal.backup.is_some() { JobKind::Restore } else { JobKind::Rebuild },
            state,
            phase: self.journal.phase.word().to_owned(),
            by: self.journal.by.clone(),
            donor: self
                .journal
                .donor
                .as_ref()
                .filter(|_| self.journal.backup.is_none())
                .map(|donor| NodeId::new(donor.id.clone())),
            bytes_done: done,
            bytes_total: total,
            percent,
            bytes_per_s,
            eta_s: total.saturating_sub(done).checked_div(bytes_per_s),
            tries: self.journal.tries,
            last_error: self.journal.last_error.clone(),
            started_unix_ms: self.journal.started_unix_ms,
            again_in_s: again.map(|at| (at - now).as_secs()),
            lines: self.lines.iter().cloned().collect(),
            lines_before: self.lines_before,
        }
    }
}

/// As people read it.
pub(crate) fn bytes(count: u64) -> String {
    match count {
        0..1_048_576 => format!("{} KiB", count >> 10),
        1_048_576..10_737_418_240 => format!("{} MiB", count >> 20),
        _ => format!("{} GiB", count >> 30),
    }
}
