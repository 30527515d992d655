//! The candidate's side: pre-vote (V1), standing (V2), and giving way to who has more (V7).

use crate::core::{Election, Out, Role};
use crate::effect::{Delay, Effect, Note};
use crate::event::Timer;
use crate::ids::{NodeId, Term, Ticket};
use crate::message::{Message, Refusal};
use crate::position::{Position, Recency};
use crate::rescue::Rescue;
use crate::rules::Rule;
use std::collections::BTreeSet;
use xenon_gtid::GtidSet;

/// A node that asks for votes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Candidate {
    pub(crate) stage: Stage,
    /// T1, T2, V7: it stands because it was told to.
    pub(crate) told: bool,
}

/// How far the candidate has come.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Stage {
    /// Pre-vote: who said yes.
    Asking { granted: BTreeSet<NodeId>, doubtful: BTreeSet<NodeId> },
    /// Term and own vote saved; the local server is being frozen.
    Freezing { ticket: Ticket },
    /// Votes are being asked for.
    Voting {
        position: Position,
        granted: BTreeSet<NodeId>,
        doubtful: BTreeSet<NodeId>,
        /// T1: the receiver still runs, and hangs on this node. Its vote says that nothing more comes from there; without it
        /// no majority is enough before the receiver has stopped.
        unfrozen: Option<NodeId>,
        /// W2.
        rescue: Box<Rescue>,
    },
}

/// What the votes in hand amount to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Count {
    Elected,
    /// A majority, but too many of it may have lost what they acknowledged (S3): these voters are missing.
    WaitsFor(Vec<NodeId>),
    TooFew,
}

impl Election {
    /// Nobody was heard for the election timeout.
    pub(crate) fn on_election_timer(&mut self, out: &mut Out) {
        if !self.enabled || matches!(self.role, Role::Leader(_)) || self.record.config.is_none() {
            return;
        }
        if self.freezing.is_some()
            || matches!(&self.role, Role::Candidate(Candidate { stage: Stage::Freezing { .. }, .. }))
            || self.is_rescuing()
        {
            // A server that cannot be frozen cannot win either: another term would only take the next leader down. The
            // freeze ends with an answer, good or bad, and so does a rescue.
            return out.arm(Timer::Election, Delay::Election { rank: 1 });
        }
        // Whatever was under way has taken too long.
        self.role = Role::Follower;
        if let Some(why) = self.unfit() {
            if self.is_voter() && !self.is_paused() && !self.is_witness() {
                out.note(Note::MayNotStand { why });
            }
            return out.arm(Timer::Election, Delay::Election { rank: 1 });
        }
        let why = match &self.leader {
            Some(leader) => format!("nothing heard of leader {}", leader.id),
            None => "no leader is known".to_owned(),
        };
        self.ask_pre_votes(why, out);
    }

    fn ask_pre_votes(&mut self, why: String, out: &mut Out) {
        let term = self.record.term + 1;
        out.note(Note::AskingPreVotes { term, why: why.clone() });
        let others = self.other_voters();
        if others.is_empty() {
            return self.stand(why, false, out);
        }
        let config = self.config().map(|config| config.id).unwrap_or_default();
        for other in &others {
            out.send(other, Message::PreVote { term, config });
        }
        self.role = Role::Candidate(Candidate { stage: self.asking(), told: false });
        out.arm(Timer::Election, Delay::Election { rank: self.rank });
    }

    pub(crate) fn on_pre_vote_reply(
        &mut self,
        from: NodeId,
        asked: Term,
        refusal: Option<Refusal>,
        out: &mut Out,
    ) {
        if asked != self.record.term + 1 || !self.config().is_some_and(|config| config.is_voter(&from)) {
            return;
        }
        let Role::Candidate(Candidate { stage: Stage::Asking { granted, doubtful }, .. }) = &mut self.role
        else {
            return;
        };
        match refusal {
            Some(Refusal::Doubtful { .. }) => {
                doubtful.insert(from);
                self.count_pre_votes(out);
            }
            Some(refusal) => {
                out.note(Note::VoteRefused { from: from.clone(), term: asked, why: refusal.to_string() });
                if refusal == Refusal::NotVoter {
                    self.teach_config(&from, out);
                }
            }
            None => {
                granted.insert(from);
                self.count_pre_votes(out);
            }
        }
    }

    fn asking(&self) -> Stage {
        let (mut granted, mut doubtful) = (BTreeSet::new(), BTreeSet::new());
        self.own_vote(&mut granted, &mut doubtful);
        Stage::Asking { granted, doubtful }
    }

    /// S3 holds for the own vote, too.
    fn own_vote(&self, granted: &mut BTreeSet<NodeId>, doubtful: &mut BTreeSet<NodeId>) {
        let doubts = self.record.doubt.is_some() && self.rules.keep(Rule::WeighDoubt);
        if doubts {
            doubtful.insert(self.id.clone())
        } else {
            granted.insert(self.id.clone())
        };
    }

    fn count_pre_votes(&mut self, out: &mut Out) {
        let Role::Candidate(Candidate { stage: Stage::Asking { granted, doubtful }, .. }) = &self.role else {
            return;
        };
        match self.count(granted, doubtful) {
            Count::Elected => self.stand("a majority would vote for me".to_owned(), false, out),
            Count::WaitsFor(missing) => self.tell_missing(&missing, out),
            Count::TooFew => {}
        }
    }

    /// V6, S3: what was acknowledged is held by one of every majority that has lost nothing, and by one of all voters.
    fn count(&self, granted: &BTreeSet<NodeId>, doubtful: &BTreeSet<NodeId>) -> Count {
        let Some(config) = self.config() else { return Count::TooFew };
        let all = granted.len() + doubtful.len();
        if granted.len() >= config.majority() || all >= config.voters().count() {
            return Count::Elected;
        }
        if all < config.majority() {
            return Count::TooFew;
        }
        let missing = config.voters().filter(|id| !granted.contains(id) && !doubtful.contains(id));
        Count::WaitsFor(missing.cloned().collect())
    }

    fn tell_missing(&self, missing: &[NodeId], out: &mut Out) {
        let names: Vec<_> = missing.iter().map(NodeId::as_str).collect();
        out.trouble(format!(
            "a majority is here, but too many of it may have lost what they acknowledged (S3): {} must come back, too,              before a leader is elected",
            names.join(", ")
        ));
    }

    /// V2: save term+1 and the own vote → stop the receiver → read the position → ask.
    /// `told`: by the leader that gives way, or by who found this node ahead.
    pub(crate) fn stand(&mut self, why: String, told: bool, out: &mut Out) {
        let unfit = if told { self.unfit_whatever_its_priority() } else { self.unfit() };
        if let Some(why) = unfit {
            return out.note(Note::MayNotStand { why });
        }
        let term = self.record.term + 1;
        self.adopt_term(term, &why, out);
        self.record.vote = Some(self.id.clone());
        out.note(Note::Standing { term, why });
        let ticket = self.ticket();
        self.role = Role::Candidate(Candidate { stage: Stage::Freezing { ticket }, told });
        if !self.rules.keep(Rule::FreezeBeforeStanding) {
            return self.stand_at(Ok(self.position_hint().unwrap_or_default()), None, out);
        }
        out.0.push(Effect::Freeze { ticket, spare: None });
    }

    /// T1: the old primary `from` has closed writes and drained them, and its final `set` is applied here. Stopping the
    /// receiver first would take longer than all the rest of the handover.
    pub(crate) fn stand_for_handover(&mut self, from: NodeId, set: GtidSet, out: &mut Out) {
        let why = "handover: everything of the old primary is applied here".to_owned();
        let hangs_on_it = |core: &Election| {
            let (leader, server) = (core.leader.as_ref()?, core.local.server.as_ref()?);
            let source = server.receives_from.filter(|uuid| leader.info.server_uuid == Some(*uuid));
            let is_all = leader.id == from && set.contains_set(&server.received);
            source.filter(|_| is_all)
        };
        if hangs_on_it(self).is_none() || self.unfit_whatever_its_priority().is_some() {
            return self.stand(why, true, out);
        }
        let Some(cluster) = self.config().map(|config| config.cluster) else { return };
        let term = self.record.term + 1;
        self.adopt_term(term, &why, out);
        self.record.vote = Some(self.id.clone());
        out.note(Note::Standing { term, why });
        if let Some(server) = &mut self.local.server {
            server.received = set.clone();
        }
        let position = Position::of(&set, &cluster, &self.record.errant);
        let stage = Stage::Freezing { ticket: Ticket::default() };
        self.role = Role::Candidate(Candidate { stage, told: true });
        out.arm(Timer::HandOver, Delay::Heartbeat);
        self.stand_at(Ok(position), Some(from), out);
    }

    /// T1: the old primary's vote has not come. Then as any candidate does.
    pub(crate) fn freeze_after_all(&mut self, out: &mut Out) {
        let Role::Candidate(Candidate { stage: Stage::Voting { unfrozen: Some(_), .. }, told }) = &self.role
        else {
            return;
        };
        let told = *told;
        let ticket = self.ticket();
        self.role = Role::Candidate(Candidate { stage: Stage::Freezing { ticket }, told });
        out.0.push(Effect::Freeze { ticket, spare: None });
    }

    /// The own position is known and can grow no more.
    pub(crate) fn stand_at(
        &mut self,
        position: Result<Position, String>,
        unfrozen: Option<NodeId>,
        out: &mut Out,
    ) {
        let position = match position {
            Ok(position) => position,
            Err(reason) => {
                self.role = Role::Follower;
                return out.trouble(format!(
                    "cannot stand in term {}: the own position cannot be read: {reason}",
                    self.record.term
                ));
            }
        };
        let config = self.config().map(|config| config.id).unwrap_or_default();
        let term = self.record.term;
        let others = self.other_voters();
        let told = matches!(&self.role, Role::Candidate(candidate) if candidate.told);
        let server_uuid = self.local.server.as_ref().map(|server| server.server_uuid);
        for other in &others {
            out.send(other, Message::Vote { term, config, position: position.clone(), told, server_uuid });
        }
        let (mut granted, mut doubtful) = (BTreeSet::new(), BTreeSet::new());
        self.own_vote(&mut granted, &mut doubtful);
        let rescue = Box::<Rescue>::default();
        let stage = Stage::Voting { position, granted, doubtful, unfrozen, rescue };
        self.role = Role::Candidate(Candidate { stage, told });
        self.count_votes(out);
    }

    pub(crate) fn on_vote_reply(
        &mut self,
        from: NodeId,
        term: Term,
        refusal: Option<Refusal>,
        out: &mut Out,
    ) {
        let (needed, known) =
            self.config().map_or((usize::MAX, false), |config| (config.majority(), config.is_voter(&from)));
        let known = known || !self.rules.keep(Rule::OnlyVotersVote);
        if term != self.record.term && self.rules.keep(Rule::VotesOfThisTerm) || !known {
            return;
        }
        let Role::Candidate(Candidate {
            stage: Stage::Voting { position, granted, doubtful, rescue, .. },
            ..
        }) = &mut self.role
        else {
            return;
        };
        match refusal {
            Some(refusal @ Refusal::Doubtful { .. }) => {
                doubtful.insert(from.clone());
                out.note(Note::VoteRefused { from, term, why: refusal.to_string() });
                self.count_votes(out);
                self.consider_rescue(out);
            }
            None => {
                granted.insert(from.clone());
                let votes = granted.len();
                out.note(Note::VoteReceived { from, term, votes, needed });
                self.count_votes(out);
                self.consider_rescue(out);
            }
            Some(refusal) => {
                out.note(Note::VoteRefused { from: from.clone(), term, why: refusal.to_string() });
                rescue.refused(&from, &refusal, position);
                if let Refusal::Behind { mine: theirs, can_stand: true, .. } = &refusal
                    && position.recency(theirs) == Recency::Behind
                {
                    // V7: who has more stands next, at once. Strictly more, so this cannot go in circles.
                    out.send(&from, Message::Stand { term, after: None });
                    self.role = Role::Follower;
                    out.arm(Timer::Election, Delay::Election { rank: 1 });
                }
                if refusal == Refusal::NotVoter {
                    self.teach_config(&from, out);
                }
                self.consider_rescue(out);
            }
        }
    }

    fn count_votes(&mut self, out: &mut Out) {
        let Role::Candidate(Candidate {
            stage: Stage::Voting { position, granted, doubtful, unfrozen, .. },
            ..
        }) = &self.role
        else {
            return;
        };
        match self.count(granted, doubtful) {
            Count::Elected => {
                let has_voted = |id: &NodeId| granted.contains(id) || doubtful.contains(id);
                if unfrozen.as_ref().is_some_and(|id| !has_voted(id))
                    && self.rules.keep(Rule::SourceVotesFirst)
                {
                    return;
                }
                let (position, handed_over) = (position.clone(), unfrozen.is_some());
                self.become_leader(position, handed_over, out);
            }
            Count::WaitsFor(missing) => self.tell_missing(&missing, out),
            Count::TooFew => {}
        }
    }
}
