//! What comes of operations at the server: step by step, and at the end.

use crate::agent::Agent;
use crate::rescue::Rescued;
use crate::worker::{Done, StepOutcome, StepReport, What};
use std::time::Duration;
use tokio::time::Instant;
use xenon_api::EventKind;
use xenon_election::Event;
use xenon_plan::{Role, Step};

/// Pauses between attempts at a plan whose step failed: doubling between these.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_LONGEST: Duration = Duration::from_secs(5);
/// Failed attempts at a promotion after which this node gives leadership away: a failed step is never skipped.
const PROMOTION_ATTEMPTS: u32 = 4;
/// Pause before a thread that stopped with an error is tried again.
const RETRY_RARELY: Duration = Duration::from_secs(5);

impl Agent {
    pub(crate) async fn on_promoted(&mut self, term: u64) {
        if self.local.promoted == Some(term) {
            return;
        }
        self.local.promoted = Some(term);
        self.local.was_primary = true;
        self.local.failures = 0;
        self.note_promoted(term);
        let story = self.events.promoted(term);
        let took = story.as_ref().map_or(String::new(), |story| {
            let phases: Vec<_> = story.phases.iter().map(|(name, ms)| format!("{name} {ms:.1}")).collect();
            format!("; milliseconds since the start: {}", phases.join(", "))
        });
        self.events.push(EventKind::Election, format!("open for writes as the primary of term {term}{took}"));
        self.report_promotion(term, story);
        self.step(Event::Promoted { term }).await;
    }

    pub(crate) async fn on_step_report(&mut self, report: StepReport) {
        if self.local.op.as_ref().is_none_or(|running| running.id != report.op) {
            return;
        }
        let StepReport { planned, took, result, .. } = report;
        let ms = took.as_secs_f64() * 1e3;
        match result {
            Ok(outcome) => {
                self.note_step(&planned.step, &planned.why, ms, outcome).await;
            }
            Err(why) => self.on_step_failed(&planned.step, &why).await,
        }
    }

    async fn note_step(&mut self, step: &Step, why: &str, ms: f64, outcome: StepOutcome) {
        let what = match outcome {
            StepOutcome::ForTheLoop => {
                match step {
                    Step::AddressUp => self.move_address(true, why),
                    Step::AddressDown => self.move_address(false, why),
                    Step::KillMysqld => self.kill_mysqld(why),
                    _ => {}
                }
                return;
            }
            StepOutcome::NotYet => {
                return self.events.push(EventKind::Step, format!("{step}: not yet after {ms:.0} ms"));
            }
            StepOutcome::DrainTimedOut => {
                self.local.drain_timed_out = true;
                format!("{step}: commits did not drain within {ms:.0} ms")
            }
            StepOutcome::Done(detail) => {
                let detail = detail.map(|detail| format!(" ({detail})")).unwrap_or_default();
                format!("{step}{detail}: {why} [{ms:.1} ms]")
            }
            StepOutcome::SomeFailed(failed) => {
                let text = format!("{step}: not set: {}", failed.join("; "));
                self.events.push(EventKind::Trouble, text.clone());
                text
            }
        };
        if !matches!(step, Step::StartApplier) {
            // One that stops again each time is no progress.
            self.local.stuck_since = Instant::now();
        }
        self.events.phase(step.name());
        self.events.push(EventKind::Step, what);
        match step {
            Step::CloseWrites if !self.local.drain_timed_out => self.local.drain_timed_out = false,
            Step::KillSessions => self.local.sessions_killed = true,
            Step::PointAnew { .. } | Step::ForgetSource => self.logs.expire(),
            Step::EnsureAccount => self.local.account_checked = true,
            Step::SetVariables { role } => self.local.variables = Some(*role),
            Step::StartReceiver | Step::StartApplier => {
                // Not taken back when the next look shows it running: it has yet to meet the error on which it stopped before, and
                // would be started many times a second (seen with a source that had purged what is wanted).
                self.local.threads_retry = Some(Instant::now() + RETRY_RARELY);
            }
            Step::Open => {
                // Its plan wrote the marker before, or saw it executed.
                if let Role::Primary { term, .. } = self.local.role {
                    self.on_promoted(term).await;
                }
            }
            _ => {}
        }
    }

    async fn on_step_failed(&mut self, step: &Step, why: &str) {
        self.local.failures += 1;
        let pause = RETRY_FIRST.saturating_mul(1 << self.local.failures.min(10)).min(RETRY_LONGEST);
        self.local.retry_at = Some(Instant::now() + pause);
        self.events.push(
            EventKind::Trouble,
            format!("{step} failed: {why}; trying again in {} ms", pause.as_millis()),
        );
        let promoting = matches!(self.local.role, Role::Primary { .. }) && self.local.promoted.is_none();
        if promoting && matches!(step, Step::WriteMarker { .. }) && !self.core.has_successor() {
            // Nobody else can do better. It goes on waiting, and whoever acknowledges first completes it; a leader that
            // stepped down could not even vote, since its commit can be neither ended nor drained.
            return;
        }
        if promoting
            && (self.local.failures >= PROMOTION_ATTEMPTS || matches!(step, Step::WriteMarker { .. }))
        {
            // L2: a failed step is never skipped; somebody else may do better.
            let term = self.core.record().term;
            let reason = format!("it could not be promoted: {step}: {why}");
            self.step(Event::CannotServe { term, reason }).await;
        }
    }

    pub(crate) async fn on_done(&mut self, done: Done) {
        if self.local.op.as_ref().is_none_or(|running| running.id != done.op) {
            return;
        }
        self.local.op = None;
        self.local.changed = Instant::now();
        let Done { what, state, cleared, .. } = done;
        if cleared {
            self.local.rescue_left = false;
        }
        // Waiting for the applier changes nothing.
        let no_state = state.is_none() && !matches!(what, What::CaughtUp { .. });
        if let Some(state) = state {
            self.take_state(*state).await;
        }
        match what {
            What::Steps => {}
            What::Panicked => self.events.push(
                EventKind::Trouble,
                "an operation at the server ended in a panic: this is a bug, please report it with the log",
            ),
            What::Frozen { result, drain_timed_out } => {
                let ticket = self.local.freeze_ticket;
                self.local.drain_timed_out |= drain_timed_out;
                self.events.phase("frozen");
                self.past.frozen = result.as_ref().ok().cloned();
                if self.local.server.is_none() {
                    // W2, V7: a vote that is refused for what a dead server has must say so, and no look may have told the core
                    // of its death yet.
                    self.show_core().await;
                }
                self.step(Event::Frozen { ticket, result }).await;
            }
            What::Quiesced { ticket, result } => {
                self.events.phase("closed");
                if result.is_ok() {
                    self.local.handing_over = Some(Instant::now());
                    if let Some(server) = &mut self.local.server {
                        // Known without a look.
                        (server.read_only, server.super_read_only) = (true, true);
                    }
                }
                self.step(Event::Quiesced { ticket, result }).await;
            }
            What::NotCleared(why) => {
                self.local.retry_at = Some(Instant::now() + RETRY_LONGEST);
                let text = format!("what a rescue has left over cannot be cleared away: {why}");
                self.events.push(EventKind::Trouble, text);
            }
            What::Rescued { ticket, result } => {
                let result = result.map(|rescued| {
                    let Rescued { transactions, bytes } = rescued;
                    self.tally.rescued_transactions += transactions;
                    let what = format!("rescued {transactions} transactions, {bytes} bytes");
                    self.events.phase(&what);
                    self.events.push(EventKind::Election, format!("{what}: all of them are executed here"));
                });
                self.step(Event::Rescued { ticket, result }).await;
            }
            What::CaughtUp { ticket, result } => {
                self.events.phase("caught-up");
                self.step(Event::CaughtUp { ticket, result }).await;
            }
        }
        if no_state {
            self.local.stale = true;
            self.look.notify_one();
        }
    }
}
