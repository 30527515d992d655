//! What a step does at the server, with the checks of the door (`crates/mysql/src/control`).

use super::input::StepOutcome;
use super::worker::Turn;
use crate::mysqld::{Channel, Closing, Tx, Waiter};
use crate::world::World;
use xenon_gtid::Gtid;
use xenon_plan::Step;
use xenon_plan::observation::{ReceiverState, SourceAddress};

/// A marker is what it is by the node that writes it: two nodes' markers of one term are two transactions (I4).
const MARKER_CONTENT: u64 = 1 << 62;

fn refused(why: &str) -> Turn {
    Turn::Failed(why.to_owned())
}

impl World {
    /// The statement has reached a server that answers; `late`: its bound has passed.
    pub(crate) fn statement(&mut self, at: usize, step: &Step, late: bool) -> Turn {
        let unchecked = self.setup.mutant.as_ref().is_some_and(|mutant| mutant.skips_the_door());
        let server = &mut self.nodes[at].mysqld;
        let unapplied = !server.retrieved.subtract(&server.executed).is_empty();
        let threads = server.receiver != ReceiverState::Stopped || server.applier;
        match step {
            Step::StartMysqld | Step::KillMysqld | Step::AddressUp | Step::AddressDown => {}
            Step::CloseWrites => return self.close(at, late),
            Step::KillSessions => self.kill_sessions(at),
            Step::EnsureAccount | Step::SetVariables { .. } => {}
            Step::StartApplier => self.start_applier(at),
            Step::StopReceiver => self.stop_receiver(at),
            Step::StartReceiver => self.start_receiver(at),
            Step::StopReplication => {
                server.applier = false;
                self.stop_receiver(at);
            }
            Step::ForgetSource => {
                if unapplied || threads {
                    return refused("received transactions are not applied yet, or a thread runs");
                }
                server.channel = None;
                server.relay.clear();
                server.retrieved = Default::default();
            }
            Step::WaitApplied { set } => {
                return match (server.executed.contains_set(set), late) {
                    (true, _) => Turn::Ended(StepOutcome::Done),
                    (false, true) => Turn::Ended(StepOutcome::NotYet),
                    (false, false) => Turn::Waits,
                };
            }
            Step::PointAnew { source } => {
                if unapplied && !unchecked || threads {
                    return refused("received transactions are not applied yet, or a thread runs (S3)");
                }
                self.point_anew(at, source);
            }
            Step::Repoint { source } => return self.repoint(at, source, unchecked),
            Step::SemiSyncSourceOn { acknowledgements, soft } => {
                if !server.source_on {
                    server.acknowledged.clear();
                    server.gave_up_waiting = false;
                }
                server.source_on = true;
                server.source_is_set_up = true;
                server.soft = *soft;
                server.gave_up_waiting &= *soft;
                server.wait_for = *acknowledgements;
                self.count_clients(at);
                self.release(at);
            }
            Step::StopWaiting => {
                server.source_on = false;
                self.release(at);
            }
            Step::GoOffline => {
                server.offline = true;
                self.kill_sessions(at);
            }
            Step::GoOnline => server.offline = false,
            Step::SemiSyncSourceOff => {
                if !server.source_on {
                    return Turn::Ended(StepOutcome::Done);
                }
                if !unchecked && !server.super_read_only {
                    return refused("waiting commits would be told OK (D2)");
                }
                if !unchecked && server.has_clients_commits_under_way() {
                    return if late { refused("commits under way do not end (D2)") } else { Turn::Waits };
                }
                server.source_on = false;
                self.release(at);
            }
            Step::SemiSyncReplica { on } => server.replica_on = *on,
            Step::AllowOwnWrites => {
                server.read_only = true;
                server.super_read_only = false;
            }
            Step::WriteMarker { markers, term } => {
                return self.write_marker(at, Gtid::untagged(*markers, *term), late);
            }
            Step::ReleaseCommits { gtid } => {
                if !server.disk_full && !server.in_binlog.contains(gtid) {
                    self.contents += 1;
                    let tx = Tx { gtid: *gtid, content: self.contents, term: server.term };
                    self.append(at, tx, Waiter::Marker);
                }
            }
            Step::Open => self.open(at),
        }
        Turn::Ended(StepOutcome::Done)
    }

    /// SET super_read_only=1, which waits for commits under way and is ended at its bound.
    fn close(&mut self, at: usize, late: bool) -> Turn {
        let server = &mut self.nodes[at].mysqld;
        if server.read_only && server.super_read_only {
            return Turn::Ended(StepOutcome::Done);
        }
        if late {
            server.closing = Closing::No;
            // Nobody but the agent writes, or everybody does: seen both.
            server.read_only = self.rng.percent(50);
            return Turn::Ended(StepOutcome::DrainTimedOut);
        }
        server.closing = Closing::Wanted;
        self.close_if_drained(at);
        if self.nodes[at].mysqld.closing == Closing::No {
            Turn::Ended(StepOutcome::Done)
        } else {
            Turn::Waits
        }
    }

    /// `read_only=0`: everybody writes.
    pub(crate) fn open(&mut self, at: usize) {
        let server = &mut self.nodes[at].mysqld;
        server.read_only = false;
        server.super_read_only = false;
        server.closing = Closing::No;
    }

    fn write_marker(&mut self, at: usize, gtid: Gtid, late: bool) -> Turn {
        let server = &mut self.nodes[at].mysqld;
        if !server.in_binlog.contains(&gtid) && !server.disk_full {
            server.term = gtid.number;
            let content = MARKER_CONTENT | (at as u64) << 40 | gtid.number;
            self.append(at, Tx { gtid, content, term: gtid.number }, Waiter::Marker);
        }
        match (self.nodes[at].mysqld.executed.contains(&gtid), late) {
            (true, _) => {
                self.history.marker_acknowledged(gtid.number);
                Turn::Ended(StepOutcome::Done)
            }
            (false, true) => refused("nobody acknowledged the marker in time"),
            (false, false) => Turn::Waits,
        }
    }

    fn point_anew(&mut self, at: usize, source: &SourceAddress) {
        let server = &mut self.nodes[at].mysqld;
        server.relay.clear();
        server.retrieved = Default::default();
        server.channel = Some(Channel { source: source.clone(), configured: true });
    }

    fn repoint(&mut self, at: usize, source: &SourceAddress, unchecked: bool) -> Turn {
        let server = &mut self.nodes[at].mysqld;
        if server.receiver != ReceiverState::Stopped {
            return refused("the receiver runs");
        }
        if !server.applier && !unchecked {
            return refused("the applier does not run, so the relay logs would be lost (S3)");
        }
        match &mut server.channel {
            Some(channel) => channel.source = source.clone(),
            None => return refused("no replication is configured"),
        }
        Turn::Ended(StepOutcome::Done)
    }
}
