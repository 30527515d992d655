//! Leading: heartbeats, the lease (L1), succession (V8), and giving up when unable to serve (L6).

use crate::core::{Election, Out, Role};
use crate::effect::{Delay, Note};
use crate::event::Timer;
use crate::group::ConfigId;
use crate::handover::HandOver;
use crate::ids::{NodeId, Term};
use crate::message::{LeaderInfo, Message, Report};
use crate::position::Position;
use crate::rules::Rule;
use crate::waiting::Hardening;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use xenon_gtid::GtidSet;

/// What a leader keeps in memory. All of it may be lost: T3 relies on that.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Leader {
    /// Heartbeats sent in this term.
    pub(crate) round: u64,
    /// The newest round that a majority has answered.
    pub(crate) majority_round: u64,
    /// T3: leadership is being taken up again and mysqld not touched until a majority has answered.
    pub(crate) resuming: bool,
    /// D4: why it serves nobody: its lease is lost, and nothing yet says that its term is.
    pub(crate) suspended: Option<String>,
    /// The marker of this term is acknowledged and the server open.
    pub(crate) open: bool,
    /// received(leader) at its election: true before the first look, too.
    pub(crate) elected_at: GtidSet,
    pub(crate) peers: BTreeMap<NodeId, Peer>,
    /// L4: W of the config before the current one, until that has settled.
    pub(crate) previous_acknowledgements: Option<u32>,
    /// L4: what nodes that have lost their vote had when they acknowledged no more.
    pub(crate) strays_had: Option<StraysHad>,
    /// C1: that a majority of the current config has what was acknowledged under earlier ones.
    pub(crate) carried_over: CarriedOver,
    /// Voters that an operator let go, and whose turn has not come (one at a time, C1).
    pub(crate) to_leave: BTreeSet<NodeId>,
    pub(crate) handover: Option<HandOver>,
    /// T1: elected with its receiver running, on the word of who it replicates from.
    pub(crate) handed_over: bool,
    /// C5: why commits wait for nobody; `None` while they wait.
    pub(crate) without: Option<String>,
    /// C5: what was told the operator last.
    pub(crate) degraded: Option<String>,
    /// C5: commits wait strictly, so that a third voter can come in.
    pub(crate) hardening: Option<Hardening>,
    /// C5: not tried before this look.
    pub(crate) harden_after_look: u64,
    /// V8: no handover to a preferred node is tried before this look.
    pub(crate) prefer_after_look: u64,
}

/// C1: a change needs not only overlapping majorities, but also that what was acknowledged under the config
/// before is held by a majority of the current one. Else two changes in a row could move the majority to nodes
/// that lack it, though each of them overlaps with the one before.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum CarriedOver {
    /// Seen.
    Yes,
    /// The config has just changed: what the local server has by now is not known yet.
    AfterLook,
    /// A majority must be seen to have this.
    When(Position),
}

/// What was acknowledged by nodes without a vote, at most.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct StraysHad {
    /// The leader's look at which they were seen to have stopped.
    pub(crate) look: u64,
    /// What those had that can be asked.
    pub(crate) data: GtidSet,
    /// One of them cannot.
    pub(crate) silent: bool,
}

/// What a leader knows of another member.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Peer {
    /// The last round it answered; 0 = none in this term.
    pub(crate) round: u64,
    /// The config it has.
    pub(crate) config: ConfigId,
    pub(crate) report: Report,
    /// Rounds since its server answered.
    pub(crate) rounds_without_server: u64,
}

impl Leader {
    fn new(elected_at: GtidSet, resuming: bool) -> Leader {
        Leader {
            round: 0,
            majority_round: 0,
            resuming,
            suspended: None,
            // T3: the marker of this term was seen in the local server, which is open.
            open: resuming,
            elected_at,
            peers: BTreeMap::new(),
            previous_acknowledgements: None,
            strays_had: None,
            // L2: whoever acknowledged the marker has all that was before it. T3: what was known of it is
            // forgotten.
            carried_over: if resuming { CarriedOver::AfterLook } else { CarriedOver::Yes },
            to_leave: BTreeSet::new(),
            handover: None,
            handed_over: false,
            without: None,
            degraded: None,
            hardening: None,
            harden_after_look: 0,
            prefer_after_look: 0,
        }
    }

    /// Heard in one of the last rounds.
    pub(crate) fn hears(&self, id: &NodeId) -> bool {
        self.peers.get(id).is_some_and(|peer| peer.round > 0 && peer.round + 3 > self.round)
    }
}

impl Election {
    pub(crate) fn become_leader(&mut self, position: Position, handed_over: bool, out: &mut Out) {
        let term = self.record.term;
        out.note(Note::Leading { term, resumed: false });
        // S3: by I2 it has all that was ever acknowledged.
        self.trust_again("it was elected by voters that have all there is", out);
        out.disarm(Timer::HandOver);
        self.lead(Leader { handed_over, ..Leader::new(position.data, false) }, out);
    }

    /// T3: take leadership up again in the same term, without touching mysqld before a majority answers.
    pub(crate) fn resume_leading(&mut self, out: &mut Out) {
        let received = self.local.server.as_ref().map(|server| server.received.clone()).unwrap_or_default();
        let mut leader = Leader::new(received, true);
        leader.resuming = self.rules.keep(Rule::MajorityToResume);
        if let Some(config) = self.config() {
            // L4: a node that has just lost its vote may still acknowledge, so W is not lowered before that is
            // seen to have stopped.
            leader.previous_acknowledgements = config.acknowledgements_before_a_loss();
        }
        self.lead(leader, out);
    }

    fn lead(&mut self, leader: Leader, out: &mut Out) {
        self.leader = None;
        self.leader_fresh = false;
        self.just_started = false;
        self.patient.clear();
        self.role = Role::Leader(Box::new(leader));
        let term = self.record.term;
        if let Some(config) = &mut self.record.config
            && config.id.term != term
        {
            // C2: a new leader stamps its term on the config.
            config.id.term = term;
            self.dirty = true;
        }
        out.disarm(Timer::Election);
        out.disarm(Timer::LeaderFresh);
        self.on_heartbeat_timer(out);
        let has_lease = matches!(&self.role, Role::Leader(leader) if leader.majority_round > 0);
        if !has_lease {
            out.arm(Timer::Lease, Delay::LeaseFrom { round: 1 });
        }
        if self.rules_alone() || !self.rules.keep(Rule::MajorityToResume) {
            // C5: nobody can have been elected without this node, so there is nobody to ask.
            self.go_on_leading(out);
        }
    }

    /// T3, D4: its term stands.
    fn go_on_leading(&mut self, out: &mut Out) {
        let term = self.record.term;
        let Role::Leader(leader) = &mut self.role else { return };
        let suspended = leader.suspended.take().is_some();
        if std::mem::take(&mut leader.resuming) || suspended {
            out.note(Note::Leading { term, resumed: true });
        }
    }

    pub(crate) fn on_heartbeat_timer(&mut self, out: &mut Out) {
        let Role::Leader(leader) = &mut self.role else { return };
        leader.round += 1;
        for peer in leader.peers.values_mut() {
            peer.rounds_without_server += 1;
            if peer.report.position.is_some() {
                peer.rounds_without_server = 0;
            }
        }
        self.watch_partner(out);
        self.go_on_preparing(out);
        self.send_heartbeats(out);
        self.advance_config(out);
        self.tell_target_again(out);
        out.arm(Timer::Heartbeat, Delay::Heartbeat);
        // A cluster of one has its majority without any answer.
        self.count_round(out);
    }

    /// To everyone, in the current round. Also between two rounds, when something is news.
    pub(crate) fn send_heartbeats(&mut self, out: &mut Out) {
        let (Some(config), Role::Leader(leader)) = (&self.record.config, &self.role) else { return };
        let info = self.leader_info(leader);
        let order = self.succession(leader);
        let below = leader.handover.as_ref().and_then(|handover| handover.sources(leader));
        for id in config.members.keys().filter(|id| **id != self.id) {
            let known = leader.peers.get(id).is_some_and(|peer| peer.config == config.id);
            let mut info = info.clone();
            if let Some((host, port)) = below.filter(|_| leader.is_to_hang_below(id)) {
                // T1: it replicates from the target already, and follows this leader all the same.
                (info.source_host, info.source_port) = (host.to_owned(), port);
            }
            let rank = order.iter().position(|other| other == id).unwrap_or(order.len());
            out.send(
                id,
                Message::Heartbeat {
                    term: self.record.term,
                    round: leader.round,
                    config: config.id,
                    members: (!known).then(|| config.clone()),
                    info,
                    rank: u8::try_from(rank).unwrap_or(u8::MAX),
                },
            );
        }
    }

    fn leader_info(&self, leader: &Leader) -> LeaderInfo {
        let server = self.local.server.as_ref();
        let received = match server {
            Some(server) => leader.elected_at.union(&server.received),
            None => leader.elected_at.clone(),
        };
        LeaderInfo {
            source_host: self.local.source_host.clone(),
            source_port: self.local.source_port,
            server_uuid: server.map(|server| server.server_uuid),
            received,
            // 0 means "never looked"; what was read at the election counts as a look. After a restart (T3)
            // there may have been none yet, and followers must not be measured against nothing (F2).
            look: if leader.elected_at.is_empty() && server.is_none() { self.looks } else { self.looks + 1 },
            open: leader.open,
            suspended: leader.suspended.is_some(),
        }
    }

    pub(crate) fn on_heartbeat_reply(
        &mut self,
        from: NodeId,
        term: Term,
        round: u64,
        config: ConfigId,
        report: Report,
        out: &mut Out,
    ) {
        let Role::Leader(leader) = &mut self.role else { return };
        if term != self.record.term || round > leader.round {
            return;
        }
        let peer = leader.peers.entry(from).or_default();
        if round < peer.round {
            return;
        }
        *peer = Peer { round, config, report, rounds_without_server: peer.rounds_without_server };
        self.count_round(out);
        self.watch_partner(out);
        self.advance_config(out);
        self.go_on_preparing(out);
    }

    /// L1: the lease counts from the sending of the newest round that a majority has answered.
    fn count_round(&mut self, out: &mut Out) {
        let (Some(config), Role::Leader(leader)) = (&self.record.config, &mut self.role) else { return };
        let mut rounds: Vec<u64> = config
            .voters()
            .map(|id| {
                if *id == self.id { leader.round } else { leader.peers.get(id).map_or(0, |peer| peer.round) }
            })
            .collect();
        rounds.sort_unstable_by_key(|round| Reverse(*round));
        let Some(round) = rounds.get(config.majority() - 1).copied() else { return };
        if round <= leader.majority_round {
            return;
        }
        leader.majority_round = round;
        if config.majority() == 1 {
            // Its own vote is the majority: there is nobody whose silence could end the lease.
            out.disarm(Timer::Lease);
        } else {
            out.arm(Timer::Lease, Delay::LeaseFrom { round });
        }
        self.go_on_leading(out);
    }

    /// L1.
    pub(crate) fn on_lease_over(&mut self, out: &mut Out) {
        let (paused, alone, term) = (self.pause_has_settled(), self.rules_alone(), self.record.term);
        let Role::Leader(leader) = &mut self.role else { return };
        // T4. C5: no majority is without this node, so no other leader can come up.
        if paused || alone || leader.suspended.is_some() {
            return;
        }
        if leader.resuming || !leader.open {
            // Nothing of it is worth keeping: a server that was never seen open, or not since the agent started.
            return self.step_down("no majority heard within the lease", out);
        }
        let why = "no majority heard within the lease".to_owned();
        leader.suspended = Some(why.clone());
        out.note(Note::Suspended { term, why });
        self.undo_handover("this node lost its lease", out);
        if !self.rules.keep(Rule::MajorityToResume) {
            self.go_on_leading(out);
        }
    }

    pub(crate) fn on_promoted(&mut self, term: Term, out: &mut Out) {
        let Role::Leader(leader) = &mut self.role else { return };
        if term != self.record.term || leader.open {
            return;
        }
        leader.open = true;
        self.advance_config(out);
    }

    pub(crate) fn on_looked_as_leader(&mut self, out: &mut Out) {
        if let (Some(config), Some(server), Role::Leader(leader)) =
            (&self.record.config, &self.local.server, &mut self.role)
            && leader.carried_over == CarriedOver::AfterLook
        {
            let position = Position::of(&server.received, &config.cluster, &GtidSet::new());
            leader.carried_over = CarriedOver::When(position);
        }
        self.note_hardened();
        self.watch_partner(out);
        self.advance_config(out);
        self.give_way_to_preferred(out);
    }

    /// L6: cannot serve: fence, and name the successor (T2) instead of sitting on the lease.
    pub(crate) fn on_cannot_serve(&mut self, term: Term, reason: String, out: &mut Out) {
        let Role::Leader(leader) = &self.role else { return };
        // T4: it leads on, and its mysqld is started again.
        if term != self.record.term || self.pause_has_settled() {
            return;
        }
        let successor = self.most_recent(leader);
        match &successor {
            Some(id) => {
                out.send(id, Message::Stand { term, after: None });
                let what = format!("{reason}: {id} is told to stand");
                out.note(Note::HandOver { what, given_up: false });
            }
            None => out.trouble(format!("{reason}, and no other member is fit to stand")),
        }
        self.step_down(&reason, out);
    }

    /// Who is told to stand when this leader cannot serve: the most recent, then by V8.
    pub(crate) fn most_recent(&self, leader: &Leader) -> Option<NodeId> {
        let config = self.config()?;
        self.fit_peers(leader)
            .max_by_key(|(id, peer)| {
                let position = peer.report.position.as_ref();
                (
                    position.map_or((0, 0), |position| (position.marker, position.data.count())),
                    Reverse(peer.report.failures > 0),
                    config.priority(id),
                    Reverse(peer.report.unapplied),
                    Reverse((*id).clone()),
                )
            })
            .map(|(id, _)| id.clone())
    }

    /// V8: the order in which followers should stand when they lose the leader.
    pub(crate) fn succession(&self, leader: &Leader) -> Vec<NodeId> {
        let Some(config) = self.config() else { return Vec::new() };
        let mut order: Vec<_> = self.fit_peers(leader).collect();
        // A node that failed lately is not preferred, whatever its priority: leadership would go to and fro.
        order.sort_by_key(|(id, peer)| {
            let priority = Reverse(config.priority(id));
            (peer.report.failures > 0, priority, peer.report.unapplied, (*id).clone())
        });
        order.into_iter().map(|(id, _)| id.clone()).collect()
    }

    /// Voters that are heard and may stand.
    pub(crate) fn fit_peers<'a>(
        &'a self,
        leader: &'a Leader,
    ) -> impl Iterator<Item = (&'a NodeId, &'a crate::leader::Peer)> {
        leader.peers.iter().filter(|(id, peer)| {
            self.config().is_some_and(|config| config.is_voter(id))
                && leader.hears(id)
                && peer.report.unfit.is_none()
        })
    }
}
