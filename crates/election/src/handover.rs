//! Planned handover (T1) and being told to stand (T1, T2, V7).

use crate::candidate::Stage;
use crate::core::{CatchingUp, Election, Out, Role};
use crate::effect::{Delay, Effect, Note, Refused};
use crate::event::Timer;
use crate::ids::{NodeId, Term, Ticket};
use crate::leader::Leader;
use crate::message::Message;
use crate::position::Position;
use crate::rules::Rule;
use std::collections::BTreeSet;
use xenon_gtid::GtidSet;

/// A planned handover at the old leader.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct HandOver {
    pub(crate) target: NodeId,
    /// Voters that replicate from the target meanwhile, and acknowledge to it as soon as it writes.
    pub(crate) below: BTreeSet<NodeId>,
    pub(crate) stage: HandingOver,
}

/// How far a handover has come.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum HandingOver {
    /// Replicas are being pointed at the target; writes go on. Up to this round of heartbeats.
    Preparing { until: u64 },
    /// Writes are being closed.
    Closing(Ticket),
    /// They are, at this set: the target is told until it stands, since messages get lost.
    Closed(GtidSet),
}

/// T1: what a planned handover would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandoverPlan {
    /// Who would lead.
    pub target: NodeId,
    /// Transactions of this leader's that it was not seen to have received.
    pub lacks: u64,
    /// Transactions that it has received and not applied.
    pub unapplied: u64,
    /// Voters that would replicate from it beforehand.
    pub below: Vec<NodeId>,
    /// Members that would stay below this leader until then.
    pub stay: Vec<NodeId>,
}

fn refused<T>(what: impl Into<String>, cure: impl Into<String>) -> Result<T, Refused> {
    Err(Refused { what: what.into(), cure: cure.into() })
}

/// Rounds that the replicas get to hang below the target: two seconds. Without them a handover only takes longer.
const ROUNDS_TO_PREPARE: u64 = 10;

/// T1: transactions that a target may have left to apply when writes are closed: it applies thousands in a second.
const FEW_TO_APPLY: u64 = 200;

/// V8: looks (about a second each) between two attempts to hand over to a node of higher priority.
const LOOKS_BETWEEN_PREFERENCES: u64 = 60;

impl HandOver {
    /// Where the target's mysqld is reached.
    pub(crate) fn sources<'a>(&self, leader: &'a Leader) -> Option<(&'a str, u16)> {
        let report = &leader.peers.get(&self.target)?.report;
        Some((report.source_host.as_str(), report.source_port))
    }
}

impl Leader {
    /// T1: this node replicates from the target of the handover under way.
    pub(crate) fn is_to_hang_below(&self, id: &NodeId) -> bool {
        self.handover.as_ref().is_some_and(|handover| handover.below.contains(id))
    }

    /// Writes are closed for a handover. While they are still being closed the server counts as open: the
    /// one who closes also undoes.
    pub(crate) fn is_closed(&self) -> bool {
        self.handover.as_ref().is_some_and(|handover| matches!(handover.stage, HandingOver::Closed(_)))
    }
}

impl Election {
    /// T1: is everything as it must be? Then the others are pointed at the target, and writes closed.
    pub(crate) fn hand_over(&mut self, target: Option<NodeId>, out: &mut Out) {
        if let (Some(target), Role::Leader(_)) =
            (target.as_ref().filter(|target| **target == self.id), &self.role)
        {
            return out.answer(format!("{target} leads already"));
        }
        match self.plan_handover(target.as_ref()) {
            Err(refused) => out.0.push(Effect::Answer(Err(refused))),
            Ok(plan) => {
                self.begin_handover(plan.target.clone(), "", out);
                out.answer(format!("handing over to {}", plan.target));
            }
        }
    }

    /// T1: what a handover now would come to, or why there can be none.
    pub fn plan_handover(&self, target: Option<&NodeId>) -> Result<HandoverPlan, Refused> {
        let target = self.may_hand_over(target)?;
        let (Some(config), Role::Leader(leader)) = (self.config(), &self.role) else {
            return refused("this node does not lead", "ask the leader");
        };
        let report = leader.peers.get(&target).map(|peer| peer.report.clone()).unwrap_or_default();
        let mine = self
            .local
            .server
            .as_ref()
            .map(|server| Position::of(&server.received, &config.cluster, &GtidSet::new()));
        let lacks = match (&report.position, &mine) {
            (Some(theirs), Some(mine)) => theirs.lacks(mine).count(),
            _ => 0,
        };
        let below: Vec<NodeId> = self.to_hang_below(&target).into_iter().collect();
        let others = config
            .members
            .keys()
            .filter(|id| **id != self.id && **id != target && !below.contains(id) && !config.is_witness(id));
        let stay = others.cloned().collect();
        Ok(HandoverPlan { target, lacks, unapplied: report.unapplied, below, stay })
    }

    fn may_hand_over(&self, target: Option<&NodeId>) -> Result<NodeId, Refused> {
        let Some(config) = self.config() else {
            return refused("this node belongs to no cluster", "form one: xenoncli cluster add");
        };
        let Role::Leader(leader) = &self.role else {
            return refused("this node does not lead", "ask the leader");
        };
        if self.is_paused() {
            return refused("the cluster is paused", "end the pause first: xenoncli cluster resume");
        }
        if !leader.open || leader.resuming || leader.suspended.is_some() {
            return refused("this leader is not open for writes yet", "try again in a moment");
        }
        if let Some(handover) = &leader.handover {
            return refused(
                format!("a handover to {} is under way", handover.target),
                "wait until it has ended",
            );
        }
        let target = match target {
            Some(target) if *target == self.id => {
                return refused(format!("{target} leads already"), "name another node, or none");
            }
            Some(target) => target.clone(),
            None => match self.succession(leader).into_iter().find(|id| self.has_caught_up(leader, id)) {
                Some(best) => best,
                None => {
                    return refused(
                        "no other member is fit to lead and has caught up",
                        "see why: xenoncli cluster status, and explain",
                    );
                }
            },
        };
        if !config.is_voter(&target) {
            return refused(
                format!("{target} is no voter of this cluster"),
                "name one of: xenoncli raft nodes",
            );
        }
        if !leader.hears(&target) {
            return refused(
                format!("{target} does not answer this leader"),
                "start its agent, or name another node",
            );
        }
        if let Some(unfit) = leader.peers.get(&target).and_then(|peer| peer.report.unfit.clone()) {
            return refused(format!("{target} may not lead: {unfit}"), "cure that, or name another node");
        }
        if !self.has_caught_up(leader, &target) {
            // T1: writes would stay closed for as long as it takes to catch up, and then be opened again.
            return refused(
                format!("{target} has not caught up with this leader"),
                "wait until it has, or name another node: xenoncli cluster gtid",
            );
        }
        Ok(target)
    }

    fn begin_handover(&mut self, target: NodeId, why: &str, out: &mut Out) {
        let below = self.to_hang_below(&target);
        out.arm(Timer::HandOver, Delay::HandOver);
        let Role::Leader(leader) = &mut self.role else { return };
        let stage = HandingOver::Preparing { until: leader.round + ROUNDS_TO_PREPARE };
        let names: Vec<_> = below.iter().map(NodeId::as_str).collect();
        let what = match names.is_empty() {
            true => format!("handing over to {target}{why}"),
            false => {
                format!("handing over to {target}{why}: {} replicates from it beforehand", names.join(", "))
            }
        };
        let prepares = !below.is_empty();
        leader.handover = Some(HandOver { target, below, stage });
        out.note(Note::HandOver { what, given_up: false });
        if prepares {
            self.send_heartbeats(out);
        }
        self.go_on_preparing(out);
    }

    /// T1: voters that acknowledge to the target at the moment that it opens. Here W acknowledgements must still be had: one
    /// is the target's, and as many others as are wanted beside it stay (L4).
    fn to_hang_below(&self, target: &NodeId) -> BTreeSet<NodeId> {
        let (Some(config), Role::Leader(leader)) = (self.config(), &self.role) else {
            return BTreeSet::new();
        };
        let wait = self.wait(leader, config);
        let reached = leader.peers.get(target).is_some_and(|peer| !peer.report.source_host.is_empty());
        if wait.soft || wait.acknowledgements == 0 || !reached {
            return BTreeSet::new();
        }
        let stay = wait.acknowledgements as usize - 1;
        let follows = |id: &&NodeId| {
            let report = leader.peers.get(*id).map(|peer| &peer.report);
            leader.hears(id) && report.is_some_and(|report| report.acknowledging && !report.stuck)
        };
        let others = config.data_voters().filter(|id| **id != self.id && *id != target).filter(follows);
        others.skip(stay).cloned().collect()
    }

    /// With every heartbeat and every answer: does everybody hang where it is to?
    pub(crate) fn go_on_preparing(&mut self, out: &mut Out) {
        let Role::Leader(leader) = &self.role else { return };
        let Some(HandOver { target, below, stage: HandingOver::Preparing { until } }) = &leader.handover
        else {
            return;
        };
        if !leader.hears(target) {
            let why = format!("{target} does not answer any more");
            return self.undo_handover(&why, out);
        }
        let report = |id: &NodeId| leader.peers.get(id).map(|peer| &peer.report);
        let source = report(target).and_then(|report| report.server_uuid);
        let hangs = |id: &NodeId| {
            let receives_from = report(id).and_then(|report| report.receives_from);
            source.is_some() && receives_from == source
        };
        // Its clients would wait for what the target has yet to apply. Lag falls by itself, or two seconds do not help.
        let lags = report(target).is_some_and(|report| report.unapplied > FEW_TO_APPLY);
        if leader.round < *until && (lags || !below.iter().all(hangs)) {
            return;
        }
        let target = target.clone();
        let ticket = self.ticket();
        out.note(Note::HandOver { what: format!("closing writes for {target}"), given_up: false });
        if let Role::Leader(leader) = &mut self.role
            && let Some(handover) = &mut leader.handover
        {
            handover.stage = HandingOver::Closing(ticket);
        }
        out.0.push(Effect::Quiesce { ticket });
    }

    /// T1: with every heartbeat, since writes stay closed until the target stands.
    pub(crate) fn tell_target_again(&self, out: &mut Out) {
        let Role::Leader(leader) = &self.role else { return };
        if let Some(HandOver { target, stage: HandingOver::Closed(set), .. }) = &leader.handover {
            out.send(target, Message::Stand { term: self.record.term, after: Some(set.clone()) });
        }
    }

    /// V8: leadership goes to a node of higher priority once that has caught up.
    pub(crate) fn give_way_to_preferred(&mut self, out: &mut Out) {
        let (Some(config), Role::Leader(leader)) = (self.config(), &self.role) else { return };
        let busy = leader.handover.is_some()
            || self.is_paused()
            || leader.suspended.is_some()
            || self.may_change_config().is_err();
        if busy || self.looks < leader.prefer_after_look {
            return;
        }
        let mine = config.priority(&self.id);
        let preferred = self.succession(leader).into_iter().find(|id| {
            let failed = leader.peers.get(id).is_some_and(|peer| peer.report.failures > 0);
            config.priority(id) > mine && !failed && self.has_caught_up(leader, id)
        });
        let Some(target) = preferred else { return };
        let next = self.looks + LOOKS_BETWEEN_PREFERENCES;
        if let Role::Leader(leader) = &mut self.role {
            // A handover that fails closes writes for a moment: not again and again.
            leader.prefer_after_look = next;
        }
        self.begin_handover(target, ", which has the higher priority", out);
    }

    /// Writes are closed and drained, or were opened again.
    pub(crate) fn on_quiesced(&mut self, ticket: Ticket, result: Result<GtidSet, String>, out: &mut Out) {
        let term = self.record.term;
        let wanted = self.wanted_directive();
        let Role::Leader(leader) = &mut self.role else { return };
        let Some(handover) =
            leader.handover.as_mut().filter(|handover| handover.stage == HandingOver::Closing(ticket))
        else {
            if result.is_ok() && leader.handover.is_none() && self.rules.keep(Rule::OpenAgain) {
                // T1: given up while writes were being closed, and they were closed after all. The directive
                // has said "open" all the time, so it must be said again.
                out.0.push(Effect::Direct(wanted));
            }
            return;
        };
        match result {
            Ok(set) => {
                handover.stage = HandingOver::Closed(set.clone());
                let target = handover.target.clone();
                self.quiesced = Some((target.clone(), set.clone()));
                let what = format!("writes are closed; {target} is told to stand");
                out.note(Note::HandOver { what, given_up: false });
                out.send(&target, Message::Stand { term, after: Some(set) });
            }
            Err(reason) => self.undo_handover(&reason, out),
        }
    }

    pub(crate) fn on_handover_timer(&mut self, out: &mut Out) {
        self.undo_handover("it took too long", out);
        self.freeze_after_all(out);
    }

    pub(crate) fn on_stand_refused(&mut self, from: NodeId, term: Term, reason: String, out: &mut Out) {
        let Role::Leader(leader) = &self.role else { return };
        let is_target = leader.handover.as_ref().is_some_and(|handover| handover.target == from);
        if term == self.record.term && is_target {
            self.undo_handover(&format!("{from} will not stand: {reason}"), out);
        }
    }

    /// T1: on any failure before the vote the old primary is writable again (the directive says so).
    pub(crate) fn undo_handover(&mut self, why: &str, out: &mut Out) {
        let Role::Leader(leader) = &mut self.role else { return };
        if let Some(handover) = leader.handover.take() {
            out.disarm(Timer::HandOver);
            out.note(Note::HandOver {
                what: format!("handover to {} given up: {why}; this node stays the leader", handover.target),
                given_up: true,
            });
            if !handover.below.is_empty() {
                // They replicate from here again.
                self.send_heartbeats(out);
            }
        }
    }

    /// The target's side.
    pub(crate) fn on_stand(&mut self, from: NodeId, term: Term, after: Option<GtidSet>, out: &mut Out) {
        // A leader or candidate of this term needs no telling, and an old message must not start a new term.
        // Pre-votes are no obstacle: being told takes their place.
        let stands_already = match &self.role {
            Role::Leader(_) => true,
            Role::Candidate(candidate) => !matches!(candidate.stage, Stage::Asking { .. }),
            Role::Follower => false,
        };
        if term != self.record.term || stands_already || self.catching_up.is_some() {
            return;
        }
        // T1 names one that may lead; T2 and V7 the one that has most.
        let unfit = if after.is_some() { self.unfit() } else { self.unfit_whatever_its_priority() };
        if let Some(reason) = unfit {
            out.note(Note::MayNotStand { why: reason.clone() });
            return out.send(&from, Message::StandRefused { term, reason });
        }
        match after {
            Some(set) if self.rules.keep(Rule::CatchUpFirst) => {
                let ticket = self.ticket();
                self.catching_up = Some(CatchingUp { ticket, from, set: set.clone() });
                out.0.push(Effect::CatchUp { ticket, set });
            }
            _ => self.stand(format!("{from} said so"), true, out),
        }
    }

    pub(crate) fn on_caught_up(&mut self, ticket: Ticket, result: Result<(), String>, out: &mut Out) {
        let Some(CatchingUp { from, set, .. }) =
            self.catching_up.take_if(|under_way| under_way.ticket == ticket)
        else {
            return;
        };
        let leader = self.leader.as_ref().map(|leader| leader.id.clone());
        match result {
            Ok(()) => self.stand_for_handover(from, set, out),
            Err(reason) => {
                out.note(Note::MayNotStand { why: reason.clone() });
                if let Some(leader) = leader {
                    out.send(&leader, Message::StandRefused { term: self.record.term, reason });
                }
            }
        }
    }
}
