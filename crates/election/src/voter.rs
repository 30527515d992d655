//! The voter's side: pre-votes (V1), votes (V3, V5), and the promise that comes first.

use crate::candidate::Stage;
use crate::core::{Election, Out, Role};
use crate::effect::{Delay, Effect, Note};
use crate::event::Timer;
use crate::group::ConfigId;
use crate::ids::{NodeId, Term, Ticket};
use crate::message::{Message, Refusal};
use crate::position::Position;
use crate::rules::Rule;
use xenon_gtid::{GtidSet, Uuid};

/// Who waits for the local server to be frozen.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Freezing {
    pub(crate) ticket: Ticket,
    /// Whose own receivers are spared.
    pub(crate) spare: Option<Uuid>,
    /// Candidates that asked meanwhile, first come first; all of the current term.
    pub(crate) askers: Vec<Asker>,
}

/// A candidate whose answer waits for the freeze.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Asker {
    pub(crate) id: NodeId,
    pub(crate) config: ConfigId,
    pub(crate) position: Position,
    pub(crate) server_uuid: Option<Uuid>,
}

impl Election {
    /// V1: changes nothing here but the list of those that get a late yes.
    pub(crate) fn on_pre_vote(&mut self, from: NodeId, asked: Term, config: ConfigId, out: &mut Out) {
        if self.config().is_some_and(|mine| mine.id > config) {
            self.teach_config(&from, out);
        }
        let refusal = self.pre_vote_refusal(&from, asked, config).or_else(|| self.doubtful());
        if let Some(Refusal::LeaderAlive { .. }) = refusal {
            // Its timer ran out a moment before ours: a yes when ours does spares it a whole timeout.
            self.patient.insert(from.clone(), asked);
        }
        out.send(&from, Message::PreVoteReply { term: self.record.term, asked, refusal });
    }

    fn pre_vote_refusal(&self, from: &NodeId, asked: Term, config: ConfigId) -> Option<Refusal> {
        let Some(mine) = self.config() else { return Some(Refusal::NotVoter) };
        if asked <= self.record.term {
            return Some(Refusal::OldTerm);
        }
        if mine.id > config {
            return Some(Refusal::OldConfig { mine: mine.id });
        }
        if !self.is_voter() || !mine.is_voter(from) && mine.id == config {
            return Some(Refusal::NotVoter);
        }
        if let Role::Leader(leader) = &self.role
            && leader.suspended.is_none()
        {
            // Before its lease is over a leader is alive by definition; after it, it is a follower.
            return Some(Refusal::LeaderAlive { leader: self.id.clone() });
        }
        if self.just_started && self.record.vote.as_ref() != Some(from) {
            // A leader's lease may rest on an answer that was given before the restart.
            let leader = self.record.vote.clone().unwrap_or_else(|| self.id.clone());
            return Some(Refusal::LeaderAlive { leader });
        }
        match &self.leader {
            // The leader that this node follows may take its own leadership up again.
            Some(leader) if self.leader_fresh && leader.id != *from => {
                Some(Refusal::LeaderAlive { leader: leader.id.clone() })
            }
            _ => None,
        }
    }

    /// T has passed since the last heartbeat.
    pub(crate) fn on_leader_stale(&mut self, out: &mut Out) {
        let started = std::mem::take(&mut self.just_started);
        if !self.leader_fresh && !started {
            return;
        }
        let was_fresh = std::mem::take(&mut self.leader_fresh);
        if was_fresh && let Some(leader) = &self.leader {
            out.note(Note::LeaderLost { leader: leader.id.clone(), term: self.record.term });
        }
        let config = self.config().map(|config| config.id).unwrap_or_default();
        for (from, asked) in std::mem::take(&mut self.patient) {
            if self.pre_vote_refusal(&from, asked, config).is_none() {
                let refusal = self.doubtful();
                out.send(&from, Message::PreVoteReply { term: self.record.term, asked, refusal });
            }
        }
    }

    /// V3, up to the freeze. The term has been adopted already (and is saved before anything leaves).
    pub(crate) fn on_vote(&mut self, asker: Asker, term: Term, out: &mut Out) {
        let from = asker.id.clone();
        if term == self.record.term && self.leader.as_ref().is_some_and(|leader| leader.id == from) {
            // It has won already, and this is an old or repeated message: a freeze would cut this node off
            // from the very leader that it follows.
            return;
        }
        if let Some(refusal) = self.vote_refusal(&from, term, asker.config) {
            return self.deny(&from, refusal, out);
        }
        if let Some(mine) = self.quiesced_for(&from) {
            return self.decide_vote(&from, &asker.position, &mine, out);
        }
        if !self.rules.keep(Rule::FreezeBeforeVote) {
            // Mutant: answers from what was seen last, the receiver running on.
            let seen = self.position_hint().unwrap_or_default();
            return self.decide_vote(&from, &asker.position, &seen, out);
        }
        // V3: stop the receiver and see it stopped, *then* read the position. The other way round, an
        // event could arrive in between, be acknowledged to the old primary, and be missing at the winner.
        //
        // What the candidate itself hands on may go on arriving: a vote promises to take nothing more from older leaders,
        // and this receiver acknowledges to nobody but the candidate.
        let spare = asker.server_uuid;
        let mut askers = Vec::new();
        if let Some(mut freezing) = self.freezing.take() {
            freezing.askers.retain(|other| other.id != from);
            if freezing.spare.is_none() || freezing.spare == spare {
                freezing.askers.push(asker);
                self.freezing = Some(freezing);
                return;
            }
            // The freeze under way spares what was only right for another candidate.
            askers = freezing.askers;
        }
        let spare = spare.filter(|_| askers.is_empty());
        askers.push(asker);
        let ticket = self.ticket();
        self.freezing = Some(Freezing { ticket, spare, askers });
        out.0.push(Effect::Freeze { ticket, spare });
    }

    /// T1, V5: writes are closed and drained here for a handover to this candidate, and this is the position ever since.
    fn quiesced_for(&mut self, candidate: &NodeId) -> Option<Position> {
        let cluster = self.config()?.cluster;
        let (_, set) = self.quiesced.take_if(|(target, _)| target == candidate)?;
        if let Some(server) = &mut self.local.server {
            server.received = set.clone();
        }
        self.look_first = false;
        self.frozen_in = self.record.term;
        Some(Position::of(&set, &cluster, &self.record.errant))
    }

    fn vote_refusal(&self, from: &NodeId, term: Term, config: ConfigId) -> Option<Refusal> {
        let mine = self.config()?;
        if term < self.record.term {
            return Some(Refusal::OldTerm);
        }
        if self.rules.keep(Rule::RefuseOldConfig) && mine.id > config {
            return Some(Refusal::OldConfig { mine: mine.id });
        }
        let voters = self.is_voter() && (mine.is_voter(from) || mine.id != config);
        if !voters && self.rules.keep(Rule::OnlyVotersVote) {
            return Some(Refusal::NotVoter);
        }
        let had_data = self.record.server_uuid.is_some();
        if self.local.wish.is_some_and(|wish| wish.witness) && !self.is_witness() && had_data {
            // It may have had data, and acknowledged some, before it was told to be a witness.
            let reason = "it is to be a witness, and its cluster does not know that yet".to_owned();
            return Some(Refusal::Unreadable { reason });
        }
        match &self.record.vote {
            Some(to) if to != from && self.rules.keep(Rule::OneVoteATerm) => {
                Some(Refusal::AlreadyVoted { to: to.clone() })
            }
            // A leader of this very term exists: the vote is settled, whatever the record says.
            _ if self.leader.as_ref().is_some_and(|leader| leader.id != *from) => {
                Some(Refusal::AlreadyVoted { to: self.leader.as_ref()?.id.clone() })
            }
            _ => None,
        }
    }

    /// The local server can accept and acknowledge nothing more: decide.
    pub(crate) fn on_frozen(&mut self, ticket: Ticket, result: Result<GtidSet, String>, out: &mut Out) {
        let Some(cluster) = self.config().map(|config| config.cluster) else { return };
        let is_current = self.freezing.as_ref().is_some_and(|freezing| freezing.ticket == ticket)
            || matches!(&self.role, Role::Candidate(candidate) if candidate.stage == Stage::Freezing { ticket });
        if is_current && let (Ok(received), Some(server)) = (&result, &mut self.local.server) {
            // The best look there is: nothing can be added to it before a leader is followed.
            server.received = received.clone();
            self.look_first = false;
            self.frozen_in = self.record.term;
            // F2: a leader may be known by now, and what was drained into the binlog until the freeze is news.
            self.compare_with_leader(out);
        }
        let position = result.map(|received| Position::of(&received, &cluster, &self.record.errant));
        if let Role::Candidate(candidate) = &self.role
            && candidate.stage == (Stage::Freezing { ticket })
        {
            return self.stand_at(position, None, out);
        }
        let Some(freezing) = self.freezing.take_if(|freezing| freezing.ticket == ticket) else { return };
        for Asker { id: from, config, position: theirs, .. } in freezing.askers {
            match &position {
                // Asked again, for the vote, the leader and the config may be others than before the freeze.
                // Among several candidates of one term the first that is recent enough gets the vote.
                Ok(mine) => match self.vote_refusal(&from, self.record.term, config) {
                    Some(refusal) => self.deny(&from, refusal, out),
                    None => self.decide_vote(&from, &theirs, mine, out),
                },
                Err(reason) => self.deny(&from, Refusal::Unreadable { reason: reason.clone() }, out),
            }
        }
    }

    fn decide_vote(&mut self, from: &NodeId, theirs: &Position, mine: &Position, out: &mut Out) {
        if !self.is_recent_enough(theirs, mine) {
            let can_stand = self.unfit_whatever_its_priority().is_none();
            // V4: a position of a server that does not answer was read from its files. Whoever rescues looks again.
            let dead = self.local.server.is_none() && !self.local.stuck;
            return self.deny(from, Refusal::Behind { mine: mine.clone(), can_stand, dead }, out);
        }
        if self.record.vote.as_ref() != Some(from) {
            self.record.vote = Some(from.clone());
            self.dirty = true;
        }
        let refusal = self.doubtful();
        out.send(from, Message::VoteReply { term: self.record.term, refusal });
        out.note(Note::VoteGranted { to: from.clone(), term: self.record.term });
        out.arm(Timer::Election, Delay::Election { rank: 1 });
    }

    /// L3: markers first, then data.
    fn is_recent_enough(&self, theirs: &Position, mine: &Position) -> bool {
        theirs.at_least_as_recent_as(mine)
            || !self.rules.keep(Rule::ComparePositions)
            || !self.rules.keep(Rule::CompareData) && theirs.marker == mine.marker
            || !self.rules.keep(Rule::CompareMarkers) && theirs.data.contains_set(&mine.data)
    }

    /// S3: what goes with a vote that counts only beside every other.
    fn doubtful(&self) -> Option<Refusal> {
        let doubt = self.record.doubt.as_ref().filter(|_| self.rules.keep(Rule::WeighDoubt))?;
        Some(Refusal::Doubtful { reason: doubt.reason.clone() })
    }

    fn deny(&self, from: &NodeId, refusal: Refusal, out: &mut Out) {
        out.note(Note::VoteDenied { to: from.clone(), term: self.record.term, why: refusal.to_string() });
        if let Refusal::OldConfig { .. } = refusal {
            self.teach_config(from, out);
        }
        out.send(from, Message::VoteReply { term: self.record.term, refusal: Some(refusal) });
    }

    /// C2: a node that missed a config change, or its own removal, would ask for ever. And a voter that has
    /// missed the config that made it one: when its leader is gone, only a candidate can tell it, and without
    /// its vote there might be no majority.
    pub(crate) fn teach_config(&self, to: &NodeId, out: &mut Out) {
        if let Some(config) = self.config() {
            out.send(to, Message::Offer { config: config.clone() });
        }
    }
}
