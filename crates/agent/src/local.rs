//! The picture of the local server, and the one operation that may be under way at it.

use crate::agent::Agent;
use crate::input::Input;
use crate::worker::{self, DRAIN, Op};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use xenon_config::Config;
use xenon_election::{Event, LocalView, ServerView, State, Ticket, Wish};
use xenon_gtid::Uuid;
use xenon_mysql::{Mysqld, RestartPolicy, SqlError};
use xenon_plan::health::{Health, Verdict};
use xenon_plan::observation::{ReceiverState, ServerState};
use xenon_plan::{Address, Plan, Process, Role, Seen, Step, Variables, is_promoted, plan, unfit};

/// How long a promotion may stand still (one huge transaction being applied looks like that) before this node gives
/// leadership away instead of sitting on the lease.
const PROMOTION_STUCK: Duration = Duration::from_secs(60);
/// A node whose primary died or hung within this time is not preferred to one that did not: leadership would go to and
/// fro.
const FAILED_LATELY: Duration = Duration::from_secs(600);
const FAILURES_KEPT: usize = 8;
/// T1: clients of an old primary are left alone for so long, until there is a new one to go to.
const SESSIONS_WAIT: Duration = Duration::from_secs(2);
/// Between two looks at a receiver that is connecting.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// After an operation it is looked at so often for so long.
const LOOK_OFTEN: Duration = Duration::from_secs(1);
/// A start of mysqld that takes longer is told.
const LONG_START: Duration = Duration::from_secs(60);

/// What is known of the local server and done to it.
pub(crate) struct Local {
    pub(crate) role: Role,
    pub(crate) server: Option<ServerState>,
    pub(crate) look_error: String,
    /// When the server was seen last.
    pub(crate) looked: Option<Instant>,
    /// The core must not be told of the server before a look shows that the fence stands, or that the new W is
    /// in force: what was seen before may have grown until then (F2, C1).
    pub(crate) untold: bool,
    /// What was done last is not in the picture: nothing but a fence is planned before the next look (S3: a plan
    /// made for what was before could throw relay logs away).
    pub(crate) stale: bool,
    /// Since when a promotion makes no progress.
    pub(crate) stuck_since: Instant,
    /// Looks that began earlier do not show what was changed since.
    pub(crate) changed: Instant,
    pub(crate) health: Health,
    pub(crate) mysqld: Option<Arc<Mysqld>>,
    /// Being started, found, or on its way out: not to be started now.
    pub(crate) in_transit: bool,
    /// The freeze that was asked for last.
    pub(crate) freeze_ticket: Ticket,
    /// A process that was not to be found is not looked for before.
    pub(crate) find_again: Option<Instant>,
    pub(crate) started: Instant,
    pub(crate) starts: u64,
    pub(crate) monitor: bool,
    pub(crate) start_at: Option<Instant>,
    /// W2: until then it is not started, for its log is being read.
    pub(crate) start_held: Option<Instant>,
    /// W2: and until then it is held again for whoever is refused a vote because of what this server has.
    pub(crate) hold_until: Option<Instant>,
    /// W2: a channel may be left over that goes on applying what a rescue fetched.
    pub(crate) rescue_left: bool,
    pub(crate) restarts: RestartPolicy,
    pub(crate) mysqld_error: String,
    /// So many exits within so many milliseconds, without an answer since.
    pub(crate) crash_loop: Option<(usize, u64)>,
    pub(crate) op: Option<Running>,
    pub(crate) last_op: u64,
    pub(crate) address: Address,
    pub(crate) address_retry: Option<Instant>,
    pub(crate) account_checked: bool,
    pub(crate) variables: Option<Variables>,
    pub(crate) sessions_killed: bool,
    /// T1: since when writes are closed for a handover.
    pub(crate) handing_over: Option<Instant>,
    /// A receiver that is connecting is looked at again then: a handover may wait for it.
    pub(crate) look_again: Option<Instant>,
    pub(crate) drain_timed_out: bool,
    /// D4: `offline_mode` is this agent's doing; of one found on at the start that is not known, and it is taken for ours.
    pub(crate) offline_is_ours: bool,
    pub(crate) failures: u32,
    /// D1: since when writes are being closed.
    closing_since: Option<Instant>,
    /// When the primary here died or hung.
    failed_at: VecDeque<Instant>,
    pub(crate) retry_at: Option<Instant>,
    /// A receiver or applier that stopped with an error is left alone until then.
    pub(crate) threads_retry: Option<Instant>,
    /// The term for which this server was found promoted.
    pub(crate) promoted: Option<u64>,
    /// This server was the primary since the agent started.
    pub(crate) was_primary: bool,
    /// An operator asked for a shutdown of the primary's mysqld: after the handover.
    pub(crate) shutdown_after_handover: bool,
    pub(crate) doing: Vec<String>,
    pub(crate) troubles: Vec<String>,
}

/// What an operation is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Plan,
    Freeze,
    Quiesce,
    CatchUp,
    Rescue,
}

/// An operation under way.
pub(crate) struct Running {
    pub(crate) id: u64,
    pub(crate) kind: Kind,
    /// V3: the server whose receivers a freeze leaves alone.
    pub(crate) spare: Option<Uuid>,
    pub(crate) task: AbortHandle,
}

/// What of a look matters to who leads.
pub(crate) fn server_view(state: &ServerState) -> ServerView {
    ServerView {
        server_uuid: state.server_uuid,
        received: state.received(),
        unapplied: state.unapplied().count(),
        // Switched on is enough: a receiver that is between two connections acknowledges again in a moment.
        acknowledging: state.semi_sync_replica.is_some_and(|replica| replica.enabled || replica.operational),
        acknowledging_clients: state.semi_sync_source.map_or(0, |source| source.clients),
        waiting_commits: state.semi_sync_source.map_or(0, |source| source.waiting_sessions),
        semi_sync_on: state.semi_sync_source.is_some_and(|source| source.enabled && source.operational),
        start: None,
        drops_relay_logs: state.relay_log_recovery,
        synced: state.synced,
        receives_from: state
            .replication
            .as_ref()
            .filter(|replication| replication.receiver == ReceiverState::Running)
            .and_then(|replication| replication.source_uuid),
    }
}

/// What the config asks for in the group.
pub(crate) fn wish(config: &Config) -> Wish {
    // A node that follows for ever gives leadership away, should it have it.
    let priority = if config.raft.super_idle { 0 } else { config.raft.priority };
    Wish { priority, idle: config.raft.super_idle, witness: config.raft.witness }
}

/// What the config says against this node's leading.
pub(crate) fn configured_unfit(config: &Config) -> Option<String> {
    if config.raft.witness {
        return Some("its config says that it is a witness (raft.witness)".to_owned());
    }
    if config.raft.super_idle {
        return Some("its config says that it follows for ever (raft.super-idle)".to_owned());
    }
    None
}

impl Local {
    pub(crate) fn new(misses_to_hang: u32, monitor: bool) -> Local {
        let now = Instant::now();
        Local {
            role: Role::Hold,
            server: None,
            look_error: String::new(),
            looked: None,
            untold: false,
            stale: false,
            stuck_since: now,
            changed: now,
            health: Health::new(misses_to_hang),
            mysqld: None,
            in_transit: false,
            freeze_ticket: Ticket::default(),
            find_again: None,
            started: now,
            starts: 0,
            monitor,
            start_at: Some(now),
            start_held: None,
            hold_until: None,
            rescue_left: true,
            restarts: RestartPolicy::default(),
            mysqld_error: String::new(),
            crash_loop: None,
            op: None,
            last_op: 0,
            address: Address::Unknown,
            address_retry: None,
            account_checked: false,
            variables: None,
            sessions_killed: true,
            handing_over: None,
            look_again: None,
            drain_timed_out: false,
            offline_is_ours: true,
            failures: 0,
            failed_at: VecDeque::new(),
            closing_since: None,
            retry_at: None,
            threads_retry: None,
            promoted: None,
            was_primary: false,
            shutdown_after_handover: false,
            doing: Vec::new(),
            troubles: Vec::new(),
        }
    }

    /// D1: what is left of the bound for closing writes, which began with the first attempt since the server was open by
    /// right.
    pub(crate) fn drain_left(&mut self) -> Duration {
        if self.server.as_ref().is_none_or(|server| server.super_read_only) || self.role_is_primary() {
            return DRAIN;
        }
        let since = *self.closing_since.get_or_insert_with(Instant::now);
        DRAIN.saturating_sub(since.elapsed())
    }

    /// How often this server failed as the primary lately.
    fn recent_failures(&self) -> u32 {
        let recent = self.failed_at.iter().filter(|at| at.elapsed() < FAILED_LATELY);
        u32::try_from(recent.count()).unwrap_or(u32::MAX)
    }

    /// It died or hung as the primary.
    pub(crate) fn note_failure(&mut self) {
        self.failed_at.push_front(Instant::now());
        self.failed_at.truncate(FAILURES_KEPT);
    }

    /// When the loop must look at the plan again though nothing came in.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        let now = Instant::now();
        let start = self.start_at.filter(|_| self.mysqld.is_none() && !self.in_transit && self.monitor);
        let held = self.start_held.filter(|_| start.is_some_and(|at| at <= now) || self.start_at.is_some());
        let sessions = self.handing_over.map(|at| at + SESSIONS_WAIT);
        [start, held, self.retry_at, self.address_retry, sessions, self.look_again]
            .into_iter()
            .flatten()
            .filter(|at| *at > now)
            .min()
    }

    /// Something is under way, or about to be.
    pub(crate) fn is_busy(&self) -> bool {
        let moving = self.address == Address::Moving;
        self.op.is_some() || !self.doing.is_empty() || self.in_transit || moving
    }

    pub(crate) fn is_running(&self) -> bool {
        self.mysqld.is_some() || self.server.is_some()
    }
}

impl Agent {
    pub(crate) fn seen(&self) -> Seen {
        let local = &self.local;
        let now = Instant::now();
        let process = if local.is_running() {
            Process::Running
        } else if self.rebuild.holds_mysqld() {
            Process::Down
        } else if local.monitor
            && !local.in_transit
            && local.start_at.is_some_and(|at| at <= now)
            && self.comeback.is_cleared()
            && !self.start_is_held(now)
        {
            Process::StartDue
        } else {
            Process::Down
        };
        Seen {
            process,
            server: local.server.clone(),
            health: local.health.verdict(),
            address: self.seen_address(),
            replication_user: self.means.replication_user.clone(),
            replication_ssl: self.means.replication_ssl,
            account_checked: local.account_checked,
            variables: local.variables,
            sessions_killed: local.sessions_killed,
            sessions_may_wait: local.handing_over.is_some_and(|at| at.elapsed() < SESSIONS_WAIT),
            drain_timed_out: local.drain_timed_out,
            offline_is_ours: local.offline_is_ours,
            retry_due: local.threads_retry.is_none_or(|at| at <= now),
            faults: self.watch.faults.clone(),
        }
    }

    /// W2: not while a candidate reads its log, or may be about to ask for the vote that follows from it.
    pub(crate) fn start_is_held(&self, now: Instant) -> bool {
        self.core.leader().is_none() && self.local.start_held.is_some_and(|until| until > now)
    }

    pub(crate) fn take_role(&mut self, role: Role) {
        let local = &mut self.local;
        // Another W or the closing for a handover does not make steps under way wrong; anything else does.
        let same_work = match (&local.role, &role) {
            (
                Role::Primary { term: a, closed: was, acknowledgements: before, soft: was_soft, .. },
                Role::Primary { term: b, closed: is, acknowledgements: now, soft, .. },
            ) => {
                // C5: a marker that waits for a replica that is gone is let go by a step that must not wait behind it. A new
                // leader of a pair waits strictly until the other one has its config.
                a == b && was == is && now >= before && (*was_soft || !soft)
            }
            (old, new) => old == new,
        };
        if !same_work {
            // A handover that goes on behind a lost leadership would even open the server again at its bound.
            let leads = matches!(role, Role::Primary { .. });
            let undecided = matches!(role, Role::Hold | Role::Fenced { .. });
            let overtaken = |kind: Kind| match kind {
                Kind::Plan => true,
                Kind::Quiesce => !leads,
                Kind::Rescue => !undecided,
                Kind::Freeze | Kind::CatchUp => false,
            };
            if local.op.as_ref().is_some_and(|running| overtaken(running.kind)) {
                self.abort_op();
            }
            let local = &mut self.local;
            local.failures = 0;
            local.retry_at = None;
        }
        if !same_work {
            self.watch.closed.on_role();
        }
        let local = &mut self.local;
        if matches!(role, Role::Primary { .. } | Role::Fenced { .. }) {
            local.untold = true;
            local.changed = Instant::now();
        }
        if matches!(role, Role::Primary { .. }) {
            if !same_work {
                local.stuck_since = Instant::now();
            }
            local.sessions_killed = false;
            if !matches!(role, Role::Primary { closed: true, .. }) {
                local.handing_over = None;
            }
            local.closing_since = None;
            local.drain_timed_out = false;
        } else {
            local.promoted = None;
        }
        local.role = role;
        local.set_look_every();
        self.note_role();
        let deposed = matches!(
            self.local.role,
            Role::Fenced { .. }
                | Role::Suspended { .. }
                | Role::Replica { .. }
                | Role::Invalid { .. }
                | Role::Removed
        );
        if deposed {
            self.leave_address();
        }
        if matches!(self.local.role, Role::Primary { closed: false, .. }) && self.local.promoted.is_none() {
            self.vip.prepare();
        }
        self.look.notify_one();
    }

    fn abort_op(&mut self) {
        if let Some(running) = self.local.op.take() {
            running.task.abort();
            // What it did until now is not in any look that began before.
            self.local.changed = Instant::now();
            self.local.stale = true;
            self.look.notify_one();
        }
    }

    /// Starts an operation; one that is under way is given up (the door ends its statement first).
    pub(crate) fn start_op(&mut self, op: Op) {
        let kind = match &op {
            Op::Steps(steps, _) => {
                // An aborted one may take effect all the same: then it is known for ours, too.
                self.local.offline_is_ours |= steps.iter().any(|planned| planned.step == Step::GoOffline);
                Kind::Plan
            }
            Op::Freeze(ticket, _, is_primary, _) => {
                self.local.offline_is_ours |= is_primary;
                self.local.freeze_ticket = *ticket;
                Kind::Freeze
            }
            Op::FreezeDead(ticket, _) => {
                self.local.freeze_ticket = *ticket;
                Kind::Freeze
            }
            Op::Quiesce(_) => Kind::Quiesce,
            Op::CatchUp(..) => Kind::CatchUp,
            Op::Rescue(..) => Kind::Rescue,
        };
        let spare = if let Op::Freeze(_, _, _, spare) = &op { *spare } else { None };
        let holds =
            |running: &Running| running.kind == kind && (running.spare.is_none() || running.spare == spare);
        if kind == Kind::Freeze && self.local.op.as_ref().is_some_and(holds) {
            // The freeze under way holds for the newer term, too. Begun anew with every term, it would never run
            // into its bound (D3).
            return;
        }
        self.abort_op();
        self.local.last_op += 1;
        let id = self.local.last_op;
        let clear = std::mem::take(&mut self.local.rescue_left) || kind == Kind::Rescue;
        // Until it is known that nothing is left.
        self.local.rescue_left = clear;
        let task = tokio::spawn(worker::run(id, op, clear, Arc::clone(&self.means), self.inputs.clone()));
        self.local.op = Some(Running { id, kind, spare, task: task.abort_handle() });
    }

    /// Level-triggered: what is, what is wanted, what is next.
    pub(crate) async fn replan(&mut self) {
        // W4: the server is about to be ended, or what it has is not proved yet.
        if self.local.op.is_some() || self.config.raft.witness || self.rebuild.holds_role() {
            return;
        }
        let now = Instant::now();
        let seen = self.seen();
        let Plan { mut steps, mut troubles } = plan(&self.local.role, &seen);
        if self.local.health.verdict() == Verdict::Starting && self.local.started.elapsed() > LONG_START {
            let seconds = self.local.started.elapsed().as_secs();
            troubles.push(format!(
                "mysqld runs and has not answered for {seconds} s: crash recovery may take long, its own log tells; {}",
                self.local.look_error
            ));
        }
        if self.local.health.verdict() == Verdict::Serving {
            troubles.extend(self.watch.blind(&self.local.look_error));
        }
        troubles.extend(self.watch.stays.clone());
        troubles.extend(self.crash_loop());
        troubles.extend(self.not_rewound());
        troubles.extend(self.watch.found_open());
        troubles.extend(self.events.keeper().not_kept());
        self.local.troubles = troubles;
        if self.local.stale {
            let fence = |step: &Step| {
                matches!(
                    step,
                    Step::AddressDown
                        | Step::CloseWrites
                        | Step::KillSessions
                        | Step::KillMysqld
                        | Step::StartMysqld
                )
            };
            let keep = steps.iter().take_while(|planned| fence(&planned.step)).count();
            steps.truncate(keep);
        }
        let waits_for_comeback = !self.local.is_running()
            && !self.local.in_transit
            && self.local.monitor
            && !self.comeback.is_cleared();
        if !waits_for_comeback || !steps.is_empty() {
            self.local.doing =
                steps.iter().map(|planned| format!("{} ({})", planned.step, planned.why)).collect();
        }
        if self.local.retry_at.is_some_and(|at| at > now) || steps.is_empty() {
            return;
        }
        self.local.retry_at = None;
        match steps.first().map(|planned| &planned.step) {
            // Nothing to do with the server's session: no worker needed.
            Some(Step::StartMysqld) => {
                // Noted before it can do anything: what was known of its last life says nothing of the next.
                self.life.is_over();
                self.save_life().await;
                self.start_mysqld();
            }
            Some(Step::KillMysqld) => {
                let why = steps.first().map(|planned| planned.why.clone()).unwrap_or_default();
                self.kill_mysqld(&why);
            }
            _ => {
                let drain = self.local.drain_left();
                self.start_op(Op::Steps(steps, drain));
            }
        }
    }

    pub(crate) async fn on_looked(&mut self, began: Instant, result: Result<ServerState, SqlError>) {
        if began < self.local.changed || self.local.op.is_some() {
            // Half of what it shows may be changed by now; the operation brings its own look.
            return;
        }
        match result {
            Ok(state) => {
                self.local.look_error.clear();
                let due = self.local.find_again.is_none_or(|at| at <= Instant::now());
                if self.local.mysqld.is_none() && !self.local.in_transit && due {
                    self.find_mysqld();
                }
                self.take_state(state).await;
                self.ask_for_logs();
            }
            Err(error) => {
                self.local.look_error = error.to_string();
                self.watch_error(&error);
                // A slow server is still the server that was seen, and so is one with too many clients.
                if !matches!(error, SqlError::Timeout { .. } | SqlError::TooManyConnections { .. }) {
                    self.local.server = None;
                }
                self.show_core().await;
            }
        }
    }

    pub(crate) async fn take_state(&mut self, mut state: ServerState) {
        if let Some(before) = self.local.server.as_ref().filter(|_| state.binlog_file.is_empty()) {
            // A short look has no position.
            state.binlog_file.clone_from(&before.binlog_file);
            state.binlog_position = before.binlog_position;
        }
        if let Some(before) = &self.local.server
            && before.server_uuid != state.server_uuid
        {
            self.local.account_checked = false;
            self.local.variables = None;
        }
        self.watch_state(&state);
        self.note_life(&state);
        self.verify_rewind(&state);
        if self.watch.closed.on_look(&self.local.role, &state) {
            self.on_found_open();
        }
        let promoted = match &self.local.role {
            Role::Primary { term, markers, .. } if is_promoted(&state, *term, markers) => Some(*term),
            _ => None,
        };
        if state.super_read_only {
            self.local.closing_since = None;
            self.local.drain_timed_out = false;
        }
        let before = self.local.server.as_ref().map(|server| server.unapplied().count());
        if before != Some(state.unapplied().count()) {
            self.local.stuck_since = Instant::now();
        }
        if !state.offline_mode {
            self.local.offline_is_ours = false;
        }
        let connecting = state.replication.as_ref().is_some_and(|replication| {
            replication.receiver == ReceiverState::Connecting && replication.receiver_error.is_empty()
        });
        let soon = connecting && self.local.changed.elapsed() < LOOK_OFTEN;
        self.local.look_again = soon.then(|| Instant::now() + LOOK_AGAIN);
        self.local.stale = false;
        self.local.server = Some(state);
        self.local.looked = Some(Instant::now());
        if self.local.untold {
            // This look began after the role was taken; does it show that the role's first duty is done?
            let duty = |step: &Step| {
                matches!(step, Step::CloseWrites | Step::KillMysqld | Step::SemiSyncSourceOn { .. })
            };
            let steps = plan(&self.local.role, &self.seen()).steps;
            self.local.untold = steps.iter().any(|planned| duty(&planned.step));
        }
        self.show_core().await;
        if let Some(term) = promoted {
            self.on_promoted(term).await;
        }
    }

    /// Tells the core what was seen, once that may be told.
    pub(crate) async fn show_core(&mut self) {
        if self.local.untold && self.local.server.is_some() {
            return;
        }
        let view = self.local_view();
        self.step(Event::Looked(Box::new(view))).await;
    }

    pub(crate) fn local_view(&self) -> LocalView {
        let mut server = self.local.server.as_ref().map(server_view);
        if let (Some(server), Some(mysqld)) = (&mut server, &self.local.mysqld) {
            server.start = Some(mysqld.start_id());
        }
        LocalView {
            server,
            unfit: configured_unfit(&self.config)
                .or_else(|| unfit(&self.seen()))
                .or_else(|| self.holes_are_back()),
            source_host: self.config.replication_host().to_owned(),
            source_port: self.config.mysql.port,
            wish: Some(wish(&self.config)),
            stuck: self.local.health.verdict() == Verdict::Hung,
            failures: self.local.recent_failures(),
        }
    }

    /// L6: a leader that cannot serve gives leadership away instead of sitting on the lease.
    pub(crate) async fn check_serving(&mut self) {
        if self.core.state() != State::Leader {
            return;
        }
        if let Some(reason) = self.local.health.cannot_serve() {
            let term = self.core.record().term;
            self.events.story_begins(reason);
            self.step(Event::CannotServe { term, reason: reason.to_owned() }).await;
        }
        self.hand_over_for_faults().await;
        let promoting = self.local.role_is_primary() && self.local.promoted.is_none();
        if promoting && self.local.stuck_since.elapsed() > PROMOTION_STUCK && self.core.has_successor() {
            self.local.stuck_since = Instant::now();
            let term = self.core.record().term;
            let reason = format!("its promotion made no progress for {} s", PROMOTION_STUCK.as_secs());
            self.step(Event::CannotServe { term, reason }).await;
        }
    }

    pub(crate) fn inputs_for_task(&self) -> tokio::sync::mpsc::Sender<Input> {
        self.inputs.clone()
    }
}
