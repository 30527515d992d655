//! A server and its agent's memory, as far as plans can tell: every step does to it what was seen on MySQL 9.7, and time
//! goes by between any two steps. What must never happen is checked where it would happen.

use crate::support::{FOR_EVER_MS, MARKERS, OTHER, OWN, semi_sync_source, uuid};
use xenon_gtid::{Gtid, GtidSet};
use xenon_plan::health::Verdict;
use xenon_plan::observation::{ReceiverState, Replication, SemiSyncReplica, ServerState};
use xenon_plan::{Address, Process, Role, Seen, Step, Variables, is_promoted};

/// Looks after which whatever hangs, shuts down or has to be repaired is so no more.
pub(crate) const PATIENCE: u32 = 4;

#[derive(Debug, Clone)]
pub(crate) struct World {
    /// What the agent sees and remembers; `server` is what is true while the process runs.
    pub(crate) seen: Seen,
    /// The server while its process does not run.
    pub(crate) at_rest: Option<ServerState>,
    /// Replicas follow this server and acknowledge.
    pub(crate) acks: bool,
    /// Commits of clients that wait for an acknowledgement.
    pub(crate) waiting_commits: u32,
    /// A marker of this term that waits for one. It does not hold `super_read_only` (seen on 9.7.4).
    pub(crate) waiting_marker: Option<u64>,
    /// Transactions that the source has and this server does not.
    pub(crate) at_source: u64,
    /// So many starts of the applier end at once on the next transaction.
    pub(crate) applier_fails: u32,
    /// The applier takes longer than one wait.
    pub(crate) applier_is_slow: bool,
    /// Looks until the present hang or shutdown ends.
    pub(crate) looks_left: u32,
    /// Everything that was ever received: S3 is that nothing of it goes.
    pub(crate) received: GtidSet,
    /// It was open when it was found, and has not been closed since.
    pub(crate) found_open: bool,
    pub(crate) rules: Vec<String>,
}

/// How a step went, for whoever carries a plan out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    /// The rest of the plan is not carried out.
    Stop,
}

impl World {
    pub(crate) fn new(seen: Seen, waiting_commits: u32) -> World {
        let server = seen.server.clone().unwrap_or_else(crate::support::fresh_server);
        World {
            received: server.received(),
            found_open: !server.super_read_only,
            seen,
            at_rest: None,
            acks: false,
            waiting_commits,
            waiting_marker: None,
            at_source: 3,
            applier_fails: 0,
            applier_is_slow: false,
            looks_left: PATIENCE,
            rules: Vec::new(),
        }
    }

    fn broken(&mut self, rule: &str) {
        self.rules.push(rule.to_owned());
    }

    /// The agent ends and starts again: what it only remembered is gone.
    pub(crate) fn crash_agent(&mut self) {
        self.seen.account_checked = false;
        self.seen.variables = None;
        self.seen.sessions_killed = true;
        self.seen.drain_timed_out = false;
        self.seen.address = Address::Unknown;
        self.seen.retry_due = true;
    }

    /// A new role: as the agent takes one.
    pub(crate) fn take_role(&mut self, role: &Role) {
        if matches!(role, Role::Primary { .. }) {
            self.seen.sessions_killed = false;
            self.seen.drain_timed_out = false;
        }
    }

    /// Time until the next look.
    pub(crate) fn look(&mut self) {
        self.looks_left = self.looks_left.saturating_sub(1);
        self.seen.retry_due = true;
        match self.seen.process {
            Process::Down => self.seen.process = Process::StartDue,
            Process::Running if self.looks_left == 0 => match self.seen.health {
                Verdict::Dying => self.exit(),
                Verdict::Hung | Verdict::Missing(_) | Verdict::Starting => {
                    self.seen.health = Verdict::Serving;
                    self.looks_left = PATIENCE;
                }
                _ => {}
            },
            _ => {}
        }
        if self.seen.address == Address::Moving {
            self.seen.address = Address::Unknown;
        }
        self.time_goes_by();
    }

    /// What happens by itself: clients write, the receiver receives, the applier applies, replicas acknowledge.
    pub(crate) fn time_goes_by(&mut self) {
        if matches!(self.seen.health, Verdict::Hung) {
            return;
        }
        let (acks, at_source) = (self.acks, self.at_source);
        let Some(server) = self.seen.server.as_mut() else { return };
        let waits = server.semi_sync_source.is_some_and(|source| source.enabled);
        if let Some(replication) = &mut server.replication {
            if replication.receiver == ReceiverState::Connecting && replication.receiver_error.is_empty() {
                replication.receiver = ReceiverState::Running;
            }
            if replication.receiver == ReceiverState::Running && at_source > 0 {
                self.at_source -= 1;
                let next =
                    replication.retrieved.union(&server.executed).last_number(&uuid(OTHER)).unwrap_or(0) + 1;
                replication.retrieved.insert(Gtid { uuid: uuid(OTHER), tag: None, number: next });
            }
            if replication.applier_running && !waits {
                apply_one(&mut server.executed, &replication.retrieved);
            }
        }
        if server.is_writable() {
            if waits && !acks {
                self.waiting_commits = (self.waiting_commits + 1).min(2);
            } else {
                write(server);
            }
        }
        self.received.union_with(&server.received());
        if acks && self.seen.process == Process::Running {
            self.release();
        }
    }

    /// All that waits is committed.
    fn release(&mut self) {
        let Some(server) = self.seen.server.as_mut().or(self.at_rest.as_mut()) else { return };
        (0..self.waiting_commits).for_each(|_| write(server));
        self.waiting_commits = 0;
        if let Some(term) = self.waiting_marker.take() {
            server.executed.insert(Gtid { uuid: uuid(MARKERS), tag: None, number: term });
        }
        self.received.union_with(&server.received());
    }

    /// The process ends, however it does.
    pub(crate) fn exit(&mut self) {
        self.at_rest = self.seen.server.take();
        self.seen.process = Process::Down;
        self.seen.health = Verdict::Dead;
        // Whatever the binlog ends with is committed when it starts again.
        self.release();
    }

    fn start(&mut self) {
        let mut server = self.at_rest.take().unwrap_or_else(crate::support::fresh_server);
        // L5: read-only, replication not started; every variable as it is by default; relay logs kept.
        server.read_only = true;
        server.super_read_only = true;
        server.semi_sync_source = Some(semi_sync_source(false));
        server.semi_sync_replica = Some(SemiSyncReplica { enabled: false, operational: false });
        if let Some(replication) = &mut server.replication {
            replication.receiver = ReceiverState::Stopped;
            replication.applier_running = false;
            replication.receiver_error.clear();
            replication.applier_error.clear();
        }
        self.found_open = false;
        self.seen.server = Some(server);
        self.seen.process = Process::Running;
        self.seen.health = Verdict::Serving;
        self.seen.account_checked = false;
        self.seen.variables = None;
        self.seen.sessions_killed = true;
        self.seen.drain_timed_out = false;
    }

    /// Carries `step` out for `role`, after some time has gone by.
    pub(crate) fn carry_out(&mut self, step: &Step, role: &Role) -> Outcome {
        self.time_goes_by();
        let outcome = self.step(step, role);
        self.check(step, role, outcome);
        outcome
    }

    fn step(&mut self, step: &Step, role: &Role) -> Outcome {
        match step {
            Step::StartMysqld => {
                if self.seen.process != Process::StartDue {
                    self.broken("started while it runs, or before it is time");
                }
                self.start();
                return Outcome::Done;
            }
            Step::KillMysqld => {
                let closed = self.seen.server.as_ref().is_some_and(|server| server.super_read_only);
                if closed && self.seen.sessions_killed {
                    self.broken("D3: killed a server that is known to be closed");
                }
                if matches!(self.seen.health, Verdict::Starting | Verdict::Missing(_))
                    && !self.seen.drain_timed_out
                {
                    self.broken("D3: killed a server that is starting, or slow");
                }
                self.exit();
                return Outcome::Stop;
            }
            Step::AddressDown => {
                self.seen.address = Address::Away;
                return Outcome::Done;
            }
            Step::AddressUp => {
                self.seen.address = Address::Here;
                return Outcome::Done;
            }
            _ => {}
        }
        if self.seen.process != Process::Running || matches!(self.seen.health, Verdict::Hung | Verdict::Dying)
        {
            return Outcome::Stop;
        }
        let Some(mut server) = self.seen.server.take() else { return Outcome::Stop };
        let outcome = self.statement(step, role, &mut server);
        self.received.union_with(&server.received());
        self.seen.server = Some(server);
        outcome
    }

    fn statement(&mut self, step: &Step, role: &Role, server: &mut ServerState) -> Outcome {
        match step {
            Step::CloseWrites => {
                if self.waiting_commits > 0 {
                    // D2: nothing but an acknowledgement releases them. It is open to the agent's account still.
                    server.read_only = true;
                    self.seen.drain_timed_out = true;
                    return Outcome::Stop;
                }
                server.read_only = true;
                server.super_read_only = true;
                self.found_open = false;
            }
            Step::KillSessions => self.seen.sessions_killed = true,
            Step::EnsureAccount => self.seen.account_checked = true,
            Step::SetVariables { role } => self.seen.variables = Some(*role),
            Step::AllowOwnWrites => {
                server.read_only = true;
                server.super_read_only = false;
            }
            Step::Open => {
                server.read_only = false;
                server.super_read_only = false;
                self.found_open = false;
            }
            Step::WriteMarker { term, .. } => {
                if !server.unapplied().is_empty() || receiver(server) != ReceiverState::Stopped {
                    self.broken("L2: the marker is written before all is applied");
                }
                self.waiting_marker = Some(*term);
                let waits = server.semi_sync_source.is_some_and(|source| source.enabled);
                if waits && !self.acks {
                    return Outcome::Stop;
                }
                self.waiting_marker = None;
                server.executed.insert(Gtid { uuid: uuid(MARKERS), tag: None, number: *term });
            }
            Step::SemiSyncSourceOn { acknowledgements, soft } => {
                if !matches!(role, Role::Primary { .. }) {
                    self.broken("D2: the count is changed on a server that is no primary");
                }
                let mut source = semi_sync_source(true);
                source.wait_for_replicas = *acknowledgements;
                source.wait_no_replica = !soft;
                server.semi_sync_source = Some(source);
            }
            Step::SemiSyncSourceOff => {
                if !server.super_read_only || self.waiting_commits > 0 {
                    self.broken("D2: semi-sync off on a server that is open or has waiting commits");
                }
                server.semi_sync_source = Some(semi_sync_source(false));
                if let Some(term) = self.waiting_marker.take() {
                    server.executed.insert(Gtid { uuid: uuid(MARKERS), tag: None, number: term });
                }
            }
            Step::StopWaiting => {
                if !matches!(role, Role::Primary { acknowledgements: 0, .. }) {
                    self.broken("C5: waiting commits are let go though somebody else can be elected");
                }
                server.semi_sync_source = Some(semi_sync_source(false));
                (0..std::mem::take(&mut self.waiting_commits)).for_each(|_| write(server));
                if let Some(term) = self.waiting_marker.take() {
                    server.executed.insert(Gtid { uuid: uuid(MARKERS), tag: None, number: term });
                }
            }
            Step::GoOffline => {
                if matches!(role, Role::Primary { .. }) {
                    self.broken("D1: a primary is sent offline");
                }
                server.offline_mode = true;
                self.seen.offline_is_ours = true;
            }
            Step::GoOnline => {
                if matches!(role, Role::Suspended { .. }) || !self.seen.offline_is_ours {
                    self.broken("D4: clients are let in where they must not be");
                }
                server.offline_mode = false;
                self.seen.offline_is_ours = false;
            }
            Step::SemiSyncReplica { on } => {
                let operational = server.semi_sync_replica.is_some_and(|replica| replica.operational);
                server.semi_sync_replica = Some(SemiSyncReplica { enabled: *on, operational });
            }
            Step::PointAnew { source } => return point_anew(server, source.clone()),
            Step::ForgetSource => {
                if is_receiving_or_applying(server) {
                    return Outcome::Stop;
                }
                server.replication = None;
            }
            step => return self.replication_statement(step, server),
        }
        Outcome::Done
    }

    fn replication_statement(&mut self, step: &Step, server: &mut ServerState) -> Outcome {
        let unapplied = !server.unapplied().is_empty();
        let enabled = server.semi_sync_replica.is_some_and(|replica| replica.enabled);
        let mut operational = None;
        let Some(replication) = &mut server.replication else { return Outcome::Stop };
        match step {
            Step::StartApplier => {
                replication.applier_error.clear();
                replication.applier_running = true;
                self.seen.retry_due = false;
                if unapplied && self.applier_fails > 0 {
                    // START has succeeded; the error comes right after it.
                    self.applier_fails -= 1;
                    replication.applier_running = false;
                    replication.applier_error = "duplicate key".to_owned();
                }
            }
            Step::StopReceiver => {
                replication.receiver = ReceiverState::Stopped;
                operational = Some(false);
            }
            Step::StartReceiver => {
                replication.receiver = ReceiverState::Running;
                replication.receiver_error.clear();
                self.seen.retry_due = false;
                operational = Some(enabled);
            }
            Step::StopReplication => {
                replication.receiver = ReceiverState::Stopped;
                replication.applier_running = false;
                operational = Some(false);
            }
            Step::WaitApplied { set } => {
                if replication.applier_running && self.applier_is_slow {
                    self.applier_is_slow = false;
                    return Outcome::Stop;
                }
                let waits = server.semi_sync_source.is_some_and(|source| source.enabled);
                if replication.applier_running && !waits {
                    server.executed.union_with(&replication.retrieved.intersect(set));
                }
                if !server.executed.contains_set(set) {
                    return Outcome::Stop;
                }
            }
            Step::Repoint { source } => {
                if replication.receiver != ReceiverState::Stopped {
                    return Outcome::Stop;
                }
                if !replication.applier_running {
                    // With both threads stopped, relay logs go.
                    replication.retrieved = GtidSet::new();
                }
                replication.source = source.clone();
            }
            _ => {}
        }
        if let (Some(operational), Some(replica)) = (operational, &mut server.semi_sync_replica) {
            replica.operational = operational;
        }
        Outcome::Done
    }

    /// What must hold after every step.
    fn check(&mut self, step: &Step, role: &Role, outcome: Outcome) {
        let Some(server) = self.seen.server.clone().or(self.at_rest.clone()) else { return };
        if !server.received().contains_set(&self.received) {
            self.broken("S3: received transactions are gone");
        }
        if self.seen.process != Process::Running {
            return;
        }
        let open = server.is_writable();
        match role {
            Role::Primary { term, markers, acknowledgements, soft, .. } => {
                let right = is_right(&server, *acknowledgements, *soft);
                if open && !self.found_open && !(is_promoted(&server, *term, markers) && right) {
                    self.broken("L2: open without its marker, or without semi-sync");
                }
                if open && !right && *acknowledgements > 0 && outcome == Outcome::Done {
                    self.broken("L4: something else than semi-sync was seen to first on an open server");
                }
                if *step == Step::AddressUp && !(open && is_promoted(&server, *term, markers)) {
                    self.broken("I5: the address comes to a server that is not open");
                }
            }
            Role::Unmanaged | Role::Hold | Role::Stopped if *step != Step::StartMysqld => {
                self.broken("a step in a role that leaves mysqld alone");
            }
            _ if matches!(
                step,
                Step::AllowOwnWrites
                    | Step::Open
                    | Step::WriteMarker { .. }
                    | Step::ReleaseCommits { .. }
                    | Step::AddressUp
            ) =>
            {
                self.broken("F3: a step of a primary in another role");
            }
            _ => {}
        }
    }
}

/// L4, written down once more, and in other words than the planner's.
pub(crate) fn is_right(server: &ServerState, acknowledgements: u32, soft: bool) -> bool {
    let Some(source) = server.semi_sync_source else { return acknowledgements == 0 };
    if acknowledgements == 0 {
        return !source.enabled;
    }
    let wanted = (true, acknowledgements, !soft, true);
    (source.enabled, source.wait_for_replicas, source.wait_no_replica, source.after_sync) == wanted
        && source.timeout_ms == FOR_EVER_MS
}

fn apply_one(executed: &mut GtidSet, retrieved: &GtidSet) {
    if let Some(next) = retrieved.subtract(executed).intervals().next() {
        executed.insert(Gtid { uuid: uuid(OTHER), tag: None, number: next.first });
    }
}

/// A client's transaction.
fn write(server: &mut ServerState) {
    let number = server.executed.last_number(&uuid(OWN)).unwrap_or(0) + 1;
    server.executed.insert(Gtid { uuid: uuid(OWN), tag: None, number });
}

pub(crate) fn receiver(server: &ServerState) -> ReceiverState {
    server.replication.as_ref().map_or(ReceiverState::Stopped, |replication| replication.receiver)
}

fn is_receiving_or_applying(server: &ServerState) -> bool {
    receiver(server) != ReceiverState::Stopped
        || server.replication.as_ref().is_some_and(|replication| replication.applier_running)
}

/// Refused while a thread runs; relay logs go.
fn point_anew(server: &mut ServerState, source: xenon_plan::observation::SourceAddress) -> Outcome {
    if is_receiving_or_applying(server) {
        return Outcome::Stop;
    }
    server.replication = Some(Replication {
        source,
        receiver: ReceiverState::Stopped,
        applier_running: false,
        retrieved: GtidSet::new(),
        ..crate::support::replication("")
    });
    Outcome::Done
}

/// The role is reached: there is nothing left to do.
pub(crate) fn is_reached(role: &Role, world: &World) -> bool {
    let leaves_alone = matches!(role, Role::Unmanaged | Role::Hold | Role::Stopped);
    let Some(server) = &world.seen.server else { return leaves_alone };
    if world.seen.health != Verdict::Serving {
        return leaves_alone;
    }
    let closed = server.super_read_only && world.seen.address == Address::Away && world.seen.sessions_killed;
    match role {
        Role::Primary { closed: true, .. } => server.super_read_only,
        Role::Primary { term, markers, acknowledgements, soft, .. } => {
            is_promoted(server, *term, markers)
                && is_right(server, *acknowledgements, *soft)
                && !(server.offline_mode && world.seen.offline_is_ours)
                && world.seen.address == Address::Here
                && world.seen.variables == Some(Variables::Primary)
                && !is_receiving_or_applying(server)
        }
        Role::Fenced { .. } => closed,
        Role::Suspended { .. } => closed || server.offline_mode && world.seen.address == Address::Away,
        Role::Replica { source, acknowledge } => {
            let follows = server.replication.as_ref().is_some_and(|replication| {
                replication.source == *source
                    && (replication.user.as_str(), replication.ssl, replication.auto_position)
                        == ("repl", true, true)
                    && replication.receiver == ReceiverState::Running
                    && replication.applier_running
            });
            let acknowledges = server.semi_sync_replica.is_some_and(|replica| replica.operational);
            let waits = server.semi_sync_source.is_some_and(|source| source.enabled);
            closed && follows && acknowledges == *acknowledge && !waits
        }
        Role::Invalid { .. } => closed && receiver(server) == ReceiverState::Stopped,
        Role::Removed => {
            let acknowledges =
                server.semi_sync_replica.is_some_and(|replica| replica.enabled || replica.operational);
            closed && receiver(server) == ReceiverState::Stopped && !acknowledges
        }
        Role::Unmanaged | Role::Hold | Role::Stopped => true,
    }
}
