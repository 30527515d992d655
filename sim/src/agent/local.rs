//! The picture of the local server, and what follows from it, as in `crates/agent/src/local.rs`.

use super::faults::FaultWatch;
use super::worker::{DRAIN, Op};
use super::{Todo, effects};
use crate::world::queue::{SECOND, Us};
use crate::world::{Node, World};
use std::collections::VecDeque;
use xenon_election::{Event, LocalView, ServerView, State, Ticket, Wish};
use xenon_plan::health::{Health, Verdict};
use xenon_plan::observation::{ReceiverState, ServerState};
use xenon_plan::{Address, Process, Role, Seen, Step, Variables, is_promoted, plan, unfit};

/// See PROMOTION_STUCK of the agent.
const PROMOTION_STUCK: Us = 60 * SECOND;
const FAILED_LATELY: Us = 600 * SECOND;
const FAILURES_KEPT: usize = 8;
/// Misses that make a hang.
const MISSES: u32 = 2;

/// What an operation is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Plan,
    Freeze,
    SparingFreeze,
    Quiesce,
    CatchUp,
}

/// What is known of the local server and done to it. The fields are the real agent's.
#[derive(Debug)]
pub(crate) struct Local {
    pub(crate) role: Role,
    pub(crate) server: Option<ServerState>,
    pub(crate) untold: bool,
    pub(crate) stale: bool,
    pub(crate) stuck_since: Us,
    pub(crate) changed: Us,
    pub(crate) health: Health,
    /// The process, by its number.
    pub(crate) mysqld: Option<u64>,
    pub(crate) in_transit: bool,
    pub(crate) freeze_ticket: Ticket,
    pub(crate) started: Us,
    pub(crate) monitor: bool,
    pub(crate) start_at: Option<Us>,
    /// Exits in a row, for the back-off of restarts.
    pub(crate) exits: u32,
    pub(crate) op: Option<(u64, Kind)>,
    pub(crate) address: Address,
    pub(crate) address_retry: Option<Us>,
    pub(crate) account_checked: bool,
    pub(crate) variables: Option<Variables>,
    pub(crate) sessions_killed: bool,
    pub(crate) drain_timed_out: bool,
    pub(crate) failures: u32,
    pub(crate) retry_at: Option<Us>,
    pub(crate) threads_retry: Option<Us>,
    pub(crate) promoted: Option<u64>,
    pub(crate) was_primary: bool,
    pub(crate) watch: FaultWatch,
    pub(crate) offline_is_ours: bool,
    /// D1: since when writes are being closed.
    closing_since: Option<Us>,
    /// When the primary here died or hung.
    failed_at: VecDeque<Us>,
}

impl Local {
    pub(crate) fn new(now: Us) -> Local {
        Local {
            role: Role::Hold,
            server: None,
            untold: false,
            stale: false,
            stuck_since: now,
            changed: now,
            health: Health::new(MISSES),
            mysqld: None,
            in_transit: false,
            freeze_ticket: Ticket::default(),
            started: now,
            monitor: true,
            start_at: Some(now),
            exits: 0,
            op: None,
            address: Address::Unknown,
            address_retry: None,
            account_checked: false,
            variables: None,
            sessions_killed: true,
            drain_timed_out: false,
            failures: 0,
            retry_at: None,
            threads_retry: None,
            promoted: None,
            was_primary: false,
            watch: FaultWatch::default(),
            offline_is_ours: true,
            closing_since: None,
            failed_at: VecDeque::new(),
        }
    }

    pub(crate) fn wake_at(&self, now: Us) -> Option<Us> {
        let start = self.start_at.filter(|_| self.mysqld.is_none() && !self.in_transit && self.monitor);
        [start, self.retry_at, self.address_retry].into_iter().flatten().filter(|at| *at > now).min()
    }

    pub(crate) fn seen(&self, now: Us) -> Seen {
        let process = if self.mysqld.is_some() || self.server.is_some() {
            Process::Running
        } else if self.monitor && !self.in_transit && self.start_at.is_some_and(|at| at <= now) {
            Process::StartDue
        } else {
            Process::Down
        };
        let address = match (self.address, self.address_retry) {
            (Address::Unknown, Some(at)) if at > now => Address::Moving,
            (address, _) => address,
        };
        Seen {
            process,
            server: self.server.clone(),
            health: self.health.verdict(),
            address,
            replication_user: effects::account(),
            replication_ssl: true,
            account_checked: self.account_checked,
            variables: self.variables,
            sessions_killed: self.sessions_killed,
            sessions_may_wait: false,
            drain_timed_out: self.drain_timed_out,
            offline_is_ours: self.offline_is_ours,
            retry_due: self.threads_retry.is_none_or(|at| at <= now),
            faults: self.watch.faults.clone(),
        }
    }

    /// D1: what is left of the bound for closing writes, which began with the first attempt since the server was open by
    /// right.
    pub(crate) fn drain_left(&mut self, now: Us) -> Us {
        if self.server.as_ref().is_none_or(|server| server.super_read_only) || self.role_is_primary() {
            return DRAIN;
        }
        let since = *self.closing_since.get_or_insert(now);
        DRAIN.saturating_sub(now - since)
    }

    fn recent_failures(&self, now: Us) -> u32 {
        let recent = self.failed_at.iter().filter(|at| now - **at < FAILED_LATELY);
        u32::try_from(recent.count()).unwrap_or(u32::MAX)
    }

    /// It died or hung as the primary.
    pub(crate) fn note_failure(&mut self, now: Us) {
        self.failed_at.push_front(now);
        self.failed_at.truncate(FAILURES_KEPT);
    }

    pub(crate) fn role_is_primary(&self) -> bool {
        matches!(self.role, Role::Primary { .. })
    }
}

/// What a node's config file asks for.
pub(crate) fn wish(node: &Node) -> Wish {
    Wish { priority: 1, idle: false, witness: node.witness }
}

/// What of a look matters to who leads.
pub(crate) fn server_view(state: &ServerState) -> ServerView {
    ServerView {
        server_uuid: state.server_uuid,
        received: state.received(),
        unapplied: state.unapplied().count(),
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

impl World {
    pub(crate) fn take_role(&mut self, at: usize, role: Role) {
        let now = self.now;
        let Some(agent) = self.nodes[at].agent.as_mut() else { return };
        agent.replan = true;
        let local = &mut agent.local;
        let same_work = match (&local.role, &role) {
            (
                Role::Primary { term: a, closed: was, acknowledgements: before, .. },
                Role::Primary { term: b, closed: is, acknowledgements: now, .. },
            ) => a == b && was == is && now >= before,
            (old, new) => old == new,
        };
        if !same_work {
            let leads = matches!(role, Role::Primary { .. });
            if local.op.is_some_and(|(_, kind)| kind == Kind::Plan || kind == Kind::Quiesce && !leads) {
                self.abort_op(at);
            }
            let Some(agent) = self.nodes[at].agent.as_mut() else { return };
            agent.local.failures = 0;
            agent.local.retry_at = None;
        }
        let Some(agent) = self.nodes[at].agent.as_mut() else { return };
        let local = &mut agent.local;
        if matches!(role, Role::Primary { .. } | Role::Fenced { .. }) {
            local.untold = true;
            local.changed = now;
        }
        if matches!(role, Role::Primary { .. }) {
            if !same_work {
                local.stuck_since = now;
            }
            local.sessions_killed = false;
            local.drain_timed_out = false;
            local.closing_since = None;
        } else {
            local.promoted = None;
        }
        local.role = role;
        let deposed = matches!(
            local.role,
            Role::Fenced { .. }
                | Role::Suspended { .. }
                | Role::Replica { .. }
                | Role::Invalid { .. }
                | Role::Removed
        );
        if deposed && local.address == Address::Here {
            // I5: waits for nothing that is done at the server.
            self.move_address(at, false);
        }
        self.poke(at);
    }

    pub(crate) fn abort_op(&mut self, at: usize) {
        let now = self.now;
        let Some(agent) = self.nodes[at].agent.as_mut() else { return };
        if agent.local.op.take().is_some() {
            agent.local.changed = now;
            agent.local.stale = true;
            agent.replan = true;
            self.abandon_worker(at);
            self.poke(at);
        }
    }

    pub(crate) fn start_op(&mut self, at: usize, op: Op) {
        let Some(agent) = self.nodes[at].agent.as_mut() else { return };
        let kind = match &op {
            Op::Steps(steps, _) => {
                // An aborted one may take effect all the same: then it is known for ours, too.
                let goes = steps.iter().any(|planned| planned.step == Step::GoOffline);
                agent.local.offline_is_ours |= goes;
                Kind::Plan
            }
            Op::FreezeDead(ticket) => {
                agent.local.freeze_ticket = *ticket;
                Kind::Freeze
            }
            Op::Freeze(ticket, _, is_primary, spared) => {
                agent.local.offline_is_ours |= is_primary;
                agent.local.freeze_ticket = *ticket;
                if *spared { Kind::SparingFreeze } else { Kind::Freeze }
            }
            Op::Quiesce(_) => Kind::Quiesce,
            Op::CatchUp(..) => Kind::CatchUp,
        };
        let freezes = matches!(kind, Kind::Freeze | Kind::SparingFreeze);
        let running = agent.local.op.map(|(_, running)| running);
        // A freeze that leaves a receiver alone is not what another candidate asks for.
        if freezes && (running == Some(kind) || running == Some(Kind::Freeze)) {
            return;
        }
        self.abort_op(at);
        let id = self.start_worker(at, op);
        if let Some(agent) = self.nodes[at].agent.as_mut() {
            agent.local.op = Some((id, kind));
        }
    }

    /// Level-triggered: what is, what is wanted, what is next.
    pub(crate) fn replan(&mut self, at: usize) {
        let now = self.now;
        let Some(agent) = self.nodes[at].agent.as_mut() else { return };
        // Without news since the last time, a plan would be the same, and was not carried out then either.
        if agent.local.op.is_some() || !std::mem::take(&mut agent.replan) {
            return;
        }
        let seen = agent.local.seen(now);
        let mut steps = plan(&agent.local.role, &seen).steps;
        if let Some(mutant) = &self.setup.mutant {
            mutant.change(&mut steps);
        }
        if agent.local.stale {
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
        if agent.local.retry_at.is_some_and(|at| at > now) || steps.is_empty() {
            return;
        }
        agent.local.retry_at = None;
        match steps.first().map(|planned| &planned.step) {
            Some(Step::StartMysqld) => self.start_mysqld(at),
            Some(Step::KillMysqld) => self.kill_mysqld(at),
            _ => {
                let drain = agent.local.drain_left(now);
                self.start_op(at, Op::Steps(steps, drain));
            }
        }
    }

    pub(crate) fn on_looked(&mut self, at: usize, began: Us, result: Result<Box<ServerState>, bool>) {
        let Some(agent) = self.nodes[at].agent.as_mut() else { return };
        agent.replan = true;
        if began < agent.local.changed || agent.local.op.is_some() {
            return;
        }
        match result {
            Ok(state) => {
                agent.todo.push_back(Todo::TakeState(state));
                if agent.local.mysqld.is_none() && !agent.local.in_transit {
                    self.find_mysqld(at);
                }
            }
            Err(timed_out) => {
                if timed_out {
                    agent.local.watch.commits.on_no_look();
                } else {
                    agent.local.server = None;
                }
                self.show_core(at);
            }
        }
    }

    pub(crate) fn take_state(&mut self, at: usize, state: ServerState) {
        let now = self.now;
        let Some(agent) = self.nodes[at].agent.as_mut() else { return };
        agent.replan = true;
        agent.watch_state(&state);
        self.nodes[at].logs_are_known = true;
        let Some(agent) = self.nodes[at].agent.as_mut() else { return };
        let local = &mut agent.local;
        if let Some(before) = &local.server
            && before.server_uuid != state.server_uuid
        {
            local.account_checked = false;
            local.variables = None;
        }
        let stopped_with_error = state.replication.as_ref().is_some_and(|replication| {
            !replication.receiver_error.is_empty() || !replication.applier_error.is_empty()
        });
        let semi_sync_pending =
            state.semi_sync_replica.is_some_and(|replica| replica.enabled != replica.operational);
        if !stopped_with_error && !semi_sync_pending {
            local.threads_retry = None;
        }
        let promoted = match &local.role {
            Role::Primary { term, markers, .. } if is_promoted(&state, *term, markers) => Some(*term),
            _ => None,
        };
        if state.super_read_only {
            local.drain_timed_out = false;
            local.closing_since = None;
        }
        if !state.offline_mode {
            local.offline_is_ours = false;
        }
        let before = local.server.as_ref().map(|server| server.unapplied().count());
        if before != Some(state.unapplied().count()) {
            local.stuck_since = now;
        }
        local.stale = false;
        local.server = Some(state);
        if local.untold {
            let duty = |step: &Step| {
                matches!(step, Step::CloseWrites | Step::KillMysqld | Step::SemiSyncSourceOn { .. })
            };
            let steps = plan(&local.role, &local.seen(now)).steps;
            local.untold = steps.iter().any(|planned| duty(&planned.step));
        }
        if let Some(term) = promoted {
            agent.first([Todo::Promoted(term)]);
        }
        self.show_core(at);
    }

    /// Tells the core what was seen, once that may be told: before anything else that waits.
    pub(crate) fn show_core(&mut self, at: usize) {
        let Some(agent) = self.nodes[at].agent.as_ref() else { return };
        if agent.local.untold && agent.local.server.is_some() {
            return;
        }
        let view = self.local_view(at);
        let Some(agent) = self.nodes[at].agent.as_mut() else { return };
        agent.first([Todo::Step(Event::Looked(Box::new(view)))]);
    }

    fn local_view(&self, at: usize) -> LocalView {
        let node = &self.nodes[at];
        let local = node.agent.as_ref().map(|agent| &agent.local);
        let mut server = local.and_then(|local| local.server.as_ref()).map(server_view);
        if let (Some(server), Some(process)) = (&mut server, local.and_then(|local| local.mysqld)) {
            server.start = Some(process.to_string());
        }
        LocalView {
            server,
            unfit: local.and_then(|local| unfit(&local.seen(self.now))),
            source_host: node.id.to_string(),
            source_port: effects::PORT,
            wish: Some(wish(node)),
            stuck: local.is_some_and(|local| local.health.verdict() == Verdict::Hung),
            failures: local.map_or(0, |local| local.recent_failures(self.now)),
        }
    }

    pub(crate) fn check_serving(&mut self, at: usize) {
        let Some(agent) = self.nodes[at].agent.as_mut() else { return };
        if agent.core.state() != State::Leader {
            return;
        }
        if let Some(reason) = agent.local.health.cannot_serve() {
            let term = agent.core.record().term;
            agent.first([Todo::Step(Event::CannotServe { term, reason: reason.to_owned() })]);
        }
    }

    pub(crate) fn check_stuck(&mut self, at: usize) {
        let now = self.now;
        let Some(agent) = self.nodes[at].agent.as_mut() else { return };
        let promoting = agent.core.state() == State::Leader
            && agent.core.has_successor()
            && agent.local.role_is_primary()
            && agent.local.promoted.is_none();
        if promoting && now.saturating_sub(agent.local.stuck_since) > PROMOTION_STUCK {
            agent.local.stuck_since = now;
            let term = agent.core.record().term;
            let reason = "its promotion made no progress".to_owned();
            agent.first([Todo::Step(Event::CannotServe { term, reason })]);
        }
    }
}
