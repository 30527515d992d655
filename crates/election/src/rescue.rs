//! W2: what a dead server alone has is fetched from its files before anybody leads.
//!
//! A candidate that lacks nothing but the vote of a node whose mysqld is dead, and is refused it because that server has
//! more, fetches what it lacks, applies it, and stands again with the position that it reads then. Two voters are always
//! in this case (C5: what is told OK may be on the primary only), three and four when another one is gone, too. With a
//! majority without the dead one nothing that was told OK is on its disk alone, and nobody waits for it.

use crate::candidate::{Candidate, Stage};
use crate::core::{Election, Out, Role};
use crate::effect::{Delay, Effect, Note};
use crate::event::Timer;
use crate::group::GroupConfig;
use crate::ids::{NodeId, Ticket};
use crate::message::Refusal;
use crate::position::Position;
use crate::rules::Rule;
use std::collections::BTreeSet;

/// After so many failures in a row the pauses grow no further.
const LONGEST_PAUSE: u32 = 4;

/// What a candidate knows of those that did not give their vote.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Rescue {
    /// Who has answered, and not with a vote.
    refused: BTreeSet<NodeId>,
    /// Whose server is dead and has more, and what it has.
    dead: Option<(NodeId, Position)>,
    /// Others had time to answer.
    waited: bool,
    /// It is under way.
    ticket: Option<Ticket>,
}

/// How rescues have gone lately.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Rescues {
    failed: u32,
    /// A tail that is damaged or too large stays so: it is not asked for with every candidacy.
    let_pass: u32,
}

impl Rescue {
    pub(crate) fn refused(&mut self, from: &NodeId, refusal: &Refusal, position: &Position) {
        self.refused.insert(from.clone());
        if let Refusal::Behind { mine: theirs, dead: true, .. } = refusal
            && !position.at_least_as_recent_as(theirs)
        {
            self.dead = Some((from.clone(), theirs.clone()));
        }
    }
}

impl Election {
    pub(crate) fn is_rescuing(&self) -> bool {
        matches!(&self.role, Role::Candidate(Candidate { stage: Stage::Voting { rescue, .. }, .. })
            if rescue.ticket.is_some())
    }

    /// After each answer to a request for votes.
    pub(crate) fn consider_rescue(&mut self, out: &mut Out) {
        let Some(config) = self.record.config.as_ref() else { return };
        let Role::Candidate(Candidate {
            stage: Stage::Voting { position, granted, doubtful, rescue, unfrozen },
            told,
        }) = &mut self.role
        else {
            return;
        };
        let Some((from, theirs)) = &rescue.dead else { return };
        // T1: with a receiver that still runs it freezes first, and asks again.
        if unfrozen.is_some() || rescue.ticket.is_some() || !worth_a_rescue(config) {
            return;
        }
        if granted.len() + doubtful.len() + 1 < config.majority() {
            return;
        }
        let answered =
            |id: &&NodeId| !granted.contains(*id) && !doubtful.contains(*id) && !rescue.refused.contains(*id);
        if !rescue.waited && config.voters().any(|id| answered(&id)) {
            // Without it nobody would wait: most likely the others elect this node in a moment.
            return out.arm(Timer::Rescue, Delay::Heartbeat);
        }
        if let Some(left) = self.rescues.let_pass.checked_sub(1) {
            self.rescues.let_pass = left;
            // Not again within this candidacy.
            rescue.dead = None;
            return;
        }
        let (from, lacks) = (from.clone(), position.lacks(theirs));
        if !self.rules.keep(Rule::ApplyRescued) {
            // Mutant: what is about to be fetched counts already.
            let believed = Position {
                marker: theirs.marker,
                data: position.data.union(&theirs.data),
                ..position.clone()
            };
            let told = *told;
            self.adopt_term(self.record.term + 1, "mutant", out);
            self.record.vote = Some(self.id.clone());
            let ticket = self.ticket();
            self.role = Role::Candidate(Candidate { stage: Stage::Freezing { ticket }, told });
            return self.stand_at(Ok(believed), None, out);
        }
        self.last_ticket += 1;
        let ticket = Ticket(self.last_ticket);
        rescue.ticket = Some(ticket);
        out.note(Note::Rescuing { from: from.clone(), transactions: lacks.count() });
        out.0.push(Effect::Rescue { ticket, from, lacks });
    }

    pub(crate) fn on_rescue_timer(&mut self, out: &mut Out) {
        if let Role::Candidate(Candidate { stage: Stage::Voting { rescue, .. }, .. }) = &mut self.role {
            rescue.waited = true;
            self.consider_rescue(out);
        }
    }

    /// Whatever was fetched counts from the next freeze on: the position is read, never reckoned.
    pub(crate) fn on_rescued(&mut self, ticket: Ticket, result: Result<(), String>, out: &mut Out) {
        let Role::Candidate(Candidate { stage: Stage::Voting { rescue, .. }, told }) = &self.role else {
            return;
        };
        let Some((from, _)) = rescue.dead.clone().filter(|_| rescue.ticket == Some(ticket)) else { return };
        let told = *told;
        self.role = Role::Follower;
        out.note(Note::Rescued { from: from.clone(), result: result.clone() });
        match result {
            Ok(()) => {
                self.rescues = Rescues::default();
                self.stand(format!("what the dead server of {from} had is applied here"), told, out);
            }
            Err(_) => {
                let failed = self.rescues.failed.saturating_add(1);
                let let_pass = (1 << failed.min(LONGEST_PAUSE)) - 1;
                self.rescues = Rescues { failed, let_pass };
                out.arm(Timer::Election, Delay::Election { rank: 1 });
            }
        }
    }
}

/// Every majority holds the asker or the dead one, who both have it afterwards: what is fetched can never turn out to be
/// what a later leader lacks. From five voters on it could, and there the dead server is waited for.
fn worth_a_rescue(config: &GroupConfig) -> bool {
    config.voters().count() < config.majority() + 2
}
