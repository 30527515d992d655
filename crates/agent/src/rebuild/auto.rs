//! What a node does about itself without being asked (the policy: `cluster set --rejoin`).

use super::{Job, journal_of};
use crate::agent::Agent;
use crate::hands;
use std::time::Duration;
use tokio::time::Instant;
use xenon_api::EventKind;
use xenon_election::{Rejoin, State};
use xenon_plan::rebuild::{Ended, Need};

/// Between two looks at whether there is a need.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A receiver that cannot go on is tried again every five seconds.
const FLICKERS: Duration = Duration::from_secs(8);
/// After a no of the cluster.
const ASK_AGAIN: Duration = Duration::from_secs(5);
/// After the last try of a rebuild of its own a node begins no other one for so long.
const GIVEN_UP: Duration = Duration::from_secs(3600);

/// What is known of a need.
#[derive(Default)]
pub(crate) struct Auto {
    /// The need, since when, and when it was seen last.
    need: Option<(Need, Instant, Instant)>,
    next_look: Option<Instant>,
    /// Why nothing is done about it.
    waits: Option<String>,
    told: Option<String>,
    /// The last one was given up then.
    given_up: Option<Instant>,
}

impl Auto {
    pub(super) fn refused(&mut self, why: String) {
        self.waits = Some(why);
        self.next_look = Some(Instant::now() + ASK_AGAIN);
    }

    /// For the status.
    pub(crate) fn trouble(&self) -> Option<String> {
        let (need, ..) = self.need.as_ref()?;
        let waits = self.waits.as_ref()?;
        Some(format!("this node must be rebuilt ({need}): {waits}"))
    }
}

impl Agent {
    pub(super) fn consider_rebuild(&mut self) {
        let now = Instant::now();
        if self.rebuild.auto.next_look.is_some_and(|at| at > now) || self.config.raft.witness {
            return;
        }
        self.rebuild.auto.next_look = Some(now + LOOK_EVERY);
        if self.backups.is_active() {
            return;
        }
        let Some(config) = self.core.record().config.as_ref() else { return };
        let takes_part = !self.leads() && !matches!(self.core.state(), State::Stopped | State::Candidate);
        let policy = config.rejoin;
        let need =
            Need::of(&self.watch.faults.folder, self.local.server.as_ref(), &self.core.record().errant);
        let Some(need) = need.filter(|_| takes_part) else {
            // A receiver that is tried again shows no error for a moment.
            let flickers = self.rebuild.auto.need.as_ref().is_some_and(|(need, _, seen)| {
                matches!(need, Need::CannotFollow { .. }) && now - *seen < FLICKERS
            });
            if flickers && takes_part {
                return;
            }
            self.rebuild.auto = Auto { next_look: self.rebuild.auto.next_look, ..Auto::default() };
            return;
        };
        let auto = &mut self.rebuild.auto;
        // What it is exactly may change while it lasts.
        let same = |before: &Need| std::mem::discriminant(before) == std::mem::discriminant(&need);
        let since =
            auto.need.as_ref().filter(|(before, ..)| same(before)).map_or(now, |(_, since, _)| *since);
        auto.need = Some((need.clone(), since, now));
        if now - since < Duration::from_secs(need.patience_s()) {
            return;
        }
        let failed = self.rebuild.job.as_ref().is_some_and(|job| job.journal.ended == Some(Ended::Failed));
        if failed && auto.given_up.is_none() {
            auto.given_up = Some(now);
        }
        let cancelled =
            self.rebuild.job.as_ref().is_some_and(|job| job.journal.ended == Some(Ended::Cancelled));
        let waits = match policy {
            Rejoin::Ask => Some("run: xenoncli mysql rebuildme (the policy is `ask`)".to_owned()),
            Rejoin::Auto if cancelled => {
                Some("an operator cancelled it; run: xenoncli mysql rebuildme".to_owned())
            }
            Rejoin::Auto if auto.given_up.is_some_and(|at| now - at < GIVEN_UP) => {
                Some("the last rebuild was given up; see why, and run: xenoncli mysql rebuildme".to_owned())
            }
            Rejoin::Auto => None,
        };
        if waits.is_some() {
            if auto.told != waits {
                auto.told.clone_from(&waits);
                auto.waits = waits;
                if let Some(trouble) = self.rebuild.auto.trouble() {
                    self.events.push(EventKind::Trouble, trouble);
                }
            }
            return;
        }
        let journal = journal_of("policy".to_owned(), need.to_string(), true);
        self.rebuild.job = Some(Job::new(journal, hands::Places::default()));
        if self.rebuild.auto.told.take().is_none() && self.rebuild.auto.waits.is_none() {
            let text = format!("this node is to be rebuilt, as the policy says: {need}");
            self.events.push(EventKind::Job, text);
        }
    }
}
