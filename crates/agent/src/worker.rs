//! Operations at the local server: one at a time, each in a task that only reports back.
//!
//! A task can be aborted at any await: the door then remembers the statement that was under way and ends it
//! before it hands out the next control connection, so nothing of an aborted operation takes effect later.

use crate::dead;
use crate::input::Input;
use crate::rescue::{self, Order, Rescued};
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;
use xenon_election::Ticket;
use xenon_gtid::{GtidSet, Uuid};
use xenon_mysql::{Applied, Control, Door, LogPlaces, ReadOnlyOutcome, Secret, SqlError};
use xenon_plan::observation::ServerState;
use xenon_plan::{Planned, Step, Variables};

/// What most single statements get.
const STATEMENT: Duration = Duration::from_secs(5);
/// Waiting for an applier is done in pieces, with a new look at the situation in between.
const APPLY_PIECE: Duration = Duration::from_secs(2);
/// T1: how long writes may take to drain at a handover.
const QUIESCE: Duration = Duration::from_millis(2_000);
/// D1: how long writes may take to drain at a deposition, before D3.
pub(crate) const DRAIN: Duration = Duration::from_millis(1_500);
/// How long the target of a handover may take to apply the last transactions.
const CATCH_UP: Duration = Duration::from_secs(5);

/// What operations need to know, the same for all.
pub(crate) struct Means {
    pub(crate) door: Door,
    pub(crate) replication_user: String,
    pub(crate) replication_password: Secret,
    pub(crate) replication_ssl: bool,
    pub(crate) primary_variables: Vec<(String, String)>,
    pub(crate) replica_variables: Vec<(String, String)>,
    /// How long the marker may wait for its acknowledgements.
    pub(crate) marker_deadline: Duration,
}

/// One operation.
#[derive(Debug)]
pub(crate) enum Op {
    /// With what is left of D1's bound for closing writes.
    Steps(Vec<Planned>, Duration),
    /// With the same; and whether the server looks like a primary, whose clients are sent away first.
    Freeze(Ticket, Duration, bool, Option<Uuid>),
    /// V4: the server is dead; its files tell.
    FreezeDead(Ticket, Box<LogPlaces>),
    Quiesce(Ticket),
    CatchUp(Ticket, GtidSet),
    /// W2.
    Rescue(Ticket, Box<Order>),
}

/// One step has ended.
pub(crate) struct StepReport {
    pub(crate) op: u64,
    pub(crate) planned: Planned,
    pub(crate) took: Duration,
    pub(crate) result: Result<StepOutcome, String>,
}

/// How a step went.
pub(crate) enum StepOutcome {
    /// Done; perhaps with something to tell.
    Done(Option<String>),
    /// D1's bound passed.
    DrainTimedOut,
    /// Not yet: look again.
    NotYet,
    /// Not for this worker: the loop does it (process, address).
    ForTheLoop,
    /// Variables that could not be set.
    SomeFailed(Vec<String>),
}

/// An operation has ended.
pub(crate) struct Done {
    pub(crate) op: u64,
    pub(crate) what: What,
    /// A look begun after the operation's last change.
    pub(crate) state: Option<Box<ServerState>>,
    /// W2: nothing of a rescue is left over, as was asked first.
    pub(crate) cleared: bool,
}

pub(crate) enum What {
    Steps,
    /// A bug: nothing is known of how far it came.
    Panicked,
    Frozen {
        result: Result<GtidSet, String>,
        drain_timed_out: bool,
    },
    Quiesced {
        ticket: Ticket,
        result: Result<GtidSet, String>,
    },
    CaughtUp {
        ticket: Ticket,
        result: Result<(), String>,
    },
    Rescued {
        ticket: Ticket,
        result: Result<Rescued, String>,
    },
    /// W2: a channel that a rescue has left over could not be cleared away, so nothing was done.
    NotCleared(String),
}

/// Runs `op` to its end and reports it, whatever that end is. `clear`: a rescue may have left over a channel whose applier
/// goes on, which must not run when a position is read or a leader followed.
pub(crate) async fn run(id: u64, op: Op, clear: bool, means: Arc<Means>, inputs: mpsc::Sender<Input>) {
    let all = async {
        let cleared = if clear && op.must_be_clear() { clear_rescue(&means).await } else { Ok(false) };
        match cleared {
            Err(why) if matches!(op, Op::Steps(..)) => (What::NotCleared(why), None, false),
            Err(why) => (What::Frozen { result: Err(why), drain_timed_out: false }, None, false),
            Ok(cleared) => {
                let (what, state) = carry_out(id, op, &means, &inputs).await;
                (what, state, cleared)
            }
        }
    };
    let carried_out = AssertUnwindSafe(all).catch_unwind().await;
    let (what, state, cleared) = carried_out.unwrap_or((What::Panicked, None, false));
    let done = Done { op: id, what, state: state.map(Box::new), cleared };
    // The loop is gone only when the agent ends.
    let _ = inputs.send(Input::Done(done)).await;
}

impl Op {
    /// V3: a position must not grow behind what is read; F2, L2: nor mix with what a leader has. A primary was clear when it
    /// wrote its marker, and its deposition waits for nothing.
    fn must_be_clear(&self) -> bool {
        match self {
            Op::Freeze(_, _, is_primary, _) => !is_primary,
            Op::Steps(steps, _) => steps.iter().any(|planned| {
                matches!(
                    planned.step,
                    Step::PointAnew { .. }
                        | Step::Repoint { .. }
                        | Step::StartReceiver
                        | Step::WriteMarker { .. }
                )
            }),
            _ => false,
        }
    }
}

async fn clear_rescue(means: &Means) -> Result<bool, String> {
    let cleared = async { means.door.control(STATEMENT).await?.forget_rescue(STATEMENT).await };
    cleared.await.map(|_| true).map_err(|error: SqlError| error.to_string())
}

async fn carry_out(
    id: u64,
    op: Op,
    means: &Means,
    inputs: &mpsc::Sender<Input>,
) -> (What, Option<ServerState>) {
    match op {
        Op::Steps(steps, drain) => (What::Steps, run_steps(id, steps, drain, means, inputs).await),
        // The loop knows which freeze was asked for last.
        Op::Freeze(_, drain, is_primary, spare) => {
            let (result, drain_timed_out, state) = freeze(means, drain, is_primary, spare).await;
            (What::Frozen { result, drain_timed_out }, state)
        }
        Op::FreezeDead(_, places) => {
            let result = dead::position(&places).await;
            (What::Frozen { result, drain_timed_out: false }, None)
        }
        Op::Quiesce(ticket) => {
            let (result, state) = quiesce(means).await;
            (What::Quiesced { ticket, result }, state)
        }
        Op::Rescue(ticket, order) => {
            let result = rescue::rescue(&order, means).await;
            (What::Rescued { ticket, result }, means.door.observe(STATEMENT).await.ok())
        }
        Op::CatchUp(ticket, set) => (What::CaughtUp { ticket, result: catch_up(means, &set).await }, None),
    }
}

async fn run_steps(
    id: u64,
    steps: Vec<Planned>,
    drain: Duration,
    means: &Means,
    inputs: &mpsc::Sender<Input>,
) -> Option<ServerState> {
    let mut control: Option<Control> = None;
    let mut changed = false;
    for planned in steps {
        let began = Instant::now();
        let result = run_step(&planned.step, drain, &mut control, means).await;
        let goes_on =
            matches!(result, Ok(StepOutcome::Done(_) | StepOutcome::SomeFailed(_) | StepOutcome::ForTheLoop));
        changed |= !matches!(result, Ok(StepOutcome::ForTheLoop));
        let report = StepReport {
            op: id,
            planned,
            took: began.elapsed(),
            result: result.map_err(|error| error.to_string()),
        };
        if inputs.send(Input::Step(report)).await.is_err() || !goes_on {
            break;
        }
    }
    drop(control);
    if !changed {
        return None;
    }
    means.door.observe(STATEMENT).await.ok()
}

async fn run_step(
    step: &Step,
    drain: Duration,
    held: &mut Option<Control>,
    means: &Means,
) -> Result<StepOutcome, SqlError> {
    if matches!(step, Step::StartMysqld | Step::KillMysqld | Step::AddressUp | Step::AddressDown) {
        return Ok(StepOutcome::ForTheLoop);
    }
    let control = match held {
        Some(control) if control.is_usable() => control,
        other => {
            // Its turn must be over before the next one can have it.
            drop(other.take());
            other.insert(means.door.control(STATEMENT).await?)
        }
    };
    match step {
        Step::StartMysqld | Step::KillMysqld | Step::AddressUp | Step::AddressDown => {}
        Step::CloseWrites => {
            return Ok(match close_writes(control, drain).await? {
                ReadOnlyOutcome::Done => StepOutcome::Done(None),
                ReadOnlyOutcome::TimedOut => StepOutcome::DrainTimedOut,
            });
        }
        Step::KillSessions => {
            let killed = control.kill_sessions(STATEMENT).await?;
            return Ok(StepOutcome::Done(Some(format!("{killed} session(s)"))));
        }
        Step::EnsureAccount => {
            let (user, password) = (&means.replication_user, &means.replication_password);
            let ensured =
                control.ensure_replication_account(user, password, means.replication_ssl, STATEMENT).await?;
            return Ok(StepOutcome::Done(Some(format!("{ensured:?}").to_lowercase())));
        }
        Step::StartApplier => control.start_applier(STATEMENT).await?,
        Step::StopReceiver => control.stop_receiver(STATEMENT).await?,
        Step::StartReceiver => control.start_receiver(STATEMENT).await?,
        Step::StopReplication => control.stop_replication(STATEMENT).await?,
        Step::ForgetSource => control.reset_replication_all(STATEMENT).await?,
        Step::WaitApplied { set } => {
            return Ok(match control.wait_applied(set, APPLY_PIECE).await? {
                Applied::Applied => StepOutcome::Done(None),
                Applied::TimedOut => StepOutcome::NotYet,
            });
        }
        Step::PointAnew { source } | Step::Repoint { source } => {
            let full = matches!(step, Step::PointAnew { .. });
            let (user, password, ssl) =
                (&means.replication_user, &means.replication_password, means.replication_ssl);
            control.point_at(source, user, password, ssl, full, STATEMENT).await?;
        }
        Step::SemiSyncSourceOn { acknowledgements, soft } => {
            let on = control.semi_sync_source(true, *acknowledgements, *soft, STATEMENT).await;
            if let Err(SqlError::Unsupported { .. }) = on {
                // Rarely: looking for the plugins first would take longer than switching on.
                control.load_semi_sync_plugins(STATEMENT).await?;
                control.semi_sync_source(true, *acknowledgements, *soft, STATEMENT).await?;
            } else {
                on?;
            }
        }
        Step::StopWaiting => control.stop_waiting(STATEMENT).await?,
        Step::GoOffline => control.set_offline(true, STATEMENT).await?,
        Step::GoOnline => control.set_offline(false, STATEMENT).await?,
        Step::SemiSyncSourceOff => control.semi_sync_source_off(STATEMENT).await?,
        Step::SemiSyncReplica { on } => {
            control.load_semi_sync_plugins(STATEMENT).await?;
            control.semi_sync_replica(*on, STATEMENT).await?;
        }
        Step::AllowOwnWrites => control.allow_own_writes(STATEMENT).await?,
        Step::WriteMarker { markers, term } => {
            let written = control.write_marker(markers, *term, means.marker_deadline).await?;
            return Ok(StepOutcome::Done(Some(format!("{written:?}").to_lowercase())));
        }
        Step::ReleaseCommits { gtid } => control.release_commits(gtid, STATEMENT).await?,
        Step::Open => control.open_for_writes(STATEMENT).await?,
        Step::SetVariables { role } => {
            let variables = match role {
                Variables::Primary => &means.primary_variables,
                Variables::Replica => &means.replica_variables,
            };
            let failed: Vec<_> = control
                .set_variables(variables, STATEMENT)
                .await
                .into_iter()
                .filter_map(|(name, result)| result.err().map(|error| format!("{name}: {error}")))
                .collect();
            if !failed.is_empty() {
                return Ok(StepOutcome::SomeFailed(failed));
            }
        }
    }
    Ok(StepOutcome::Done(None))
}

/// D1: the bound belongs to the deposition, not to the attempt. One that is used up is not begun again.
async fn close_writes(control: &mut Control, drain: Duration) -> Result<ReadOnlyOutcome, SqlError> {
    if drain.is_zero() {
        return Ok(ReadOnlyOutcome::TimedOut);
    }
    control.set_read_only(drain).await
}

/// V3 and V5: the server can acknowledge nothing more to a client, accepts nothing more from an older leader,
/// and only then is its position read.
async fn freeze(
    means: &Means,
    drain: Duration,
    is_primary: bool,
    spare: Option<Uuid>,
) -> (Result<GtidSet, String>, bool, Option<ServerState>) {
    let frozen = async {
        let mut control = means.door.control(STATEMENT).await?;
        if is_primary {
            control.set_offline(true, STATEMENT).await?;
        }
        if close_writes(&mut control, drain).await? == ReadOnlyOutcome::TimedOut {
            return Ok(None);
        }
        control.freeze_replica(spare, STATEMENT).await.map(Some)
    };
    match frozen.await {
        Ok(Some(frozen)) => (Ok(frozen.state.received()), false, Some(frozen.state)),
        Ok(None) => (Err("its commits do not drain".to_owned()), true, None),
        Err(error) => {
            let error: SqlError = error;
            // D3: a commit that was given up and cannot be ended, such as a marker that nobody acknowledges, keeps every
            // other statement of the agent waiting. It drains no better than a client's.
            let undrained = is_primary && matches!(error, SqlError::Timeout { .. });
            (Err(error.to_string()), undrained, None)
        }
    }
}

/// T1: closed and drained within the bound, or open as before.
async fn quiesce(means: &Means) -> (Result<GtidSet, String>, Option<ServerState>) {
    let closed = async {
        let mut control = means.door.control(STATEMENT).await?;
        let executed = control.close_for_handover(QUIESCE).await?;
        if executed.is_none() {
            drop(control);
            // Undone here already, so that the server is closed no longer than it took to find out.
            let mut control = means.door.control(STATEMENT).await?;
            control.open_for_writes(STATEMENT).await?;
        }
        Ok::<_, SqlError>(executed)
    };
    match closed.await {
        // No look: clients wait for what comes next.
        Ok(Some(executed)) => (Ok(executed), None),
        Ok(None) => (
            Err(format!(
                "running statements did not end within {} ms (a long transaction, LOCK TABLES, or a commit without acknowledgement)",
                QUIESCE.as_millis()
            )),
            means.door.observe(STATEMENT).await.ok(),
        ),
        Err(error) => (Err(error.to_string()), None),
    }
}

async fn catch_up(means: &Means, set: &GtidSet) -> Result<(), String> {
    let applied = async { means.door.control(STATEMENT).await?.wait_applied(set, CATCH_UP).await };
    match applied.await {
        Ok(Applied::Applied) => Ok(()),
        Ok(Applied::TimedOut) => Err(format!(
            "it has not applied everything within {} ms: wait until it lags less",
            CATCH_UP.as_millis()
        )),
        Err(error) => Err(error.to_string()),
    }
}
