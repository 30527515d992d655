//! C5: how strictly commits wait where nobody can be elected without this node: two voters, or one beside a witness.
//!
//! Such a leader has a part in every majority, and a voter compares positions (V3). So what only it has is not lost by
//! any election, and its commits need not wait for a replica that is gone. That ends where a third voter comes in: then
//! the other two could elect without it. Before that it waits strictly again, until one of them is seen to have all.

use crate::core::{Election, Out, Role};
use crate::group::{GroupConfig, Standing};
use crate::ids::NodeId;
use crate::leader::Leader;
use crate::position::Position;
use crate::rules::Rule;
use xenon_gtid::GtidSet;

/// Rounds without sign of life before commits stop waiting for a partner: about a second with a replica that is merely
/// slow to answer once.
const ROUNDS_TO_GIVE_UP: u64 = 3;
/// Looks (about a second each) that waiting strictly may take before a change is put off.
const LOOKS_TO_HARDEN: u64 = 10;
/// Looks before a change that was put off is tried again: meanwhile commits do not wait.
const LOOKS_BETWEEN_ATTEMPTS: u64 = 30;

/// How commits wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wait {
    /// W.
    pub(crate) acknowledgements: u32,
    /// Only while a replica is connected.
    pub(crate) soft: bool,
}

/// Waiting strictly, before a third voter comes in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Hardening {
    /// The look at which it began.
    pub(crate) began: u64,
    /// What the server had when it was seen to wait strictly. From then on nothing is told OK that the replica lacks.
    pub(crate) at: Option<Position>,
}

impl Election {
    /// C5: nobody can be elected without this leader, now and in any config that may be in force elsewhere.
    pub(crate) fn rules_alone(&self) -> bool {
        let Some(config) = self.config() else { return false };
        if self.rules.keep(Rule::LowerOnlyAlone) {
            config.needs_every_voter() && self.record.settled == Some(config.id)
        } else {
            // Mutant: any leader.
            true
        }
    }

    /// L4, C5.
    pub(crate) fn wait(&self, leader: &Leader, config: &GroupConfig) -> Wait {
        let strict = config.acknowledgements().max(leader.previous_acknowledgements.unwrap_or(0));
        if leader.hardening.is_some() {
            return Wait { acknowledgements: strict.max(1), soft: false };
        }
        if !self.rules_alone() {
            return Wait { acknowledgements: strict, soft: false };
        }
        let acknowledgements = if leader.without.is_some() { 0 } else { strict };
        Wait { acknowledgements, soft: acknowledgements > 0 }
    }

    /// Why commits do not wait for a replica though there should be one; `None` when they do.
    pub fn degraded(&self) -> Option<String> {
        let Role::Leader(leader) = &self.role else { return None };
        let config = self.config()?;
        if let Some(why) = &leader.without {
            return Some(why.clone());
        }
        if let Some(id) = self.lost_beside_witness(config) {
            return Some(format!("{id} is not reached and was made a learner; the witness has no data"));
        }
        let off = self.local.server.as_ref().is_some_and(|server| !server.semi_sync_on);
        let should = leader.open && config.acknowledgements() > 0 && self.rules_alone();
        (should && off).then(|| "no replica is connected that acknowledges".to_owned())
    }

    /// C5: a voter with data that became a learner because it was not reached.
    fn lost_beside_witness<'a>(&self, config: &'a GroupConfig) -> Option<&'a NodeId> {
        let short = config.has_witness() && config.data_voters().count() == 1;
        let joining = |id: &&NodeId| config.standing(id) == Some(Standing::Joining);
        config.members.keys().filter(|_| short).find(joining)
    }

    /// With every heartbeat and every answer: is the partner still there?
    pub(crate) fn watch_partner(&mut self, out: &mut Out) {
        let without = self.partner_trouble();
        let alone = self.rules_alone();
        let Role::Leader(leader) = &mut self.role else { return };
        if leader.without.is_some() != without.is_some() || !alone {
            leader.without = without.filter(|_| alone);
        }
        if leader.hardening.is_some() && leader.without.is_some() {
            leader.hardening = None;
        }
        let now = self.degraded();
        let Role::Leader(leader) = &mut self.role else { return };
        if now.is_some() == leader.degraded.is_some() {
            return;
        }
        match &now {
            Some(why) => out.trouble(format!(
                "DEGRADED: {why}; commits do not wait for it. Nothing is lost as long as this node's disk is not (C5)"
            )),
            None => out.trouble("no longer DEGRADED: commits wait for a replica again"),
        }
        leader.degraded = now;
    }

    /// Of two voters with data, why the other one cannot be waited for. A mysqld that is dead the server notices by
    /// itself, at once; a host that is gone or a process that hangs it does not.
    fn partner_trouble(&self) -> Option<String> {
        let (Some(config), Role::Leader(leader)) = (self.config(), &self.role) else { return None };
        if !self.rules_alone() || config.acknowledgements() == 0 {
            return None;
        }
        let partner = config.data_voters().find(|id| **id != self.id)?;
        let report = leader.peers.get(partner).map(|peer| &peer.report);
        let came_back = report.is_some_and(|report| report.position.is_some());
        if leader.round > ROUNDS_TO_GIVE_UP && !leader.hears(partner) {
            Some(format!("{partner} does not answer"))
        } else if report.is_some_and(|report| report.stuck) {
            Some(format!("mysqld of {partner} hangs"))
        } else if leader.without.is_some() && !came_back {
            // It answers again, its server not yet.
            leader.without.clone()
        } else {
            None
        }
    }

    /// C5: beside a witness, a voter with data that is not reached must not keep commits waiting: it becomes a learner.
    pub(crate) fn must_do_without(&self, leader: &Leader, id: &NodeId) -> bool {
        let Some(config) = self.config() else { return false };
        let lost = || {
            let Some(peer) = leader.peers.get(id) else { return leader.round > ROUNDS_TO_GIVE_UP };
            leader.round > ROUNDS_TO_GIVE_UP && !leader.hears(id)
                || peer.report.stuck
                || peer.rounds_without_server > ROUNDS_TO_GIVE_UP
        };
        // A witness has no server to wait for; as a learner it would leave the one with data without a majority.
        let is_other = *id != self.id && !config.is_witness(id);
        is_other && config.has_witness() && config.data_voters().count() == 2 && lost()
    }

    /// C5: a change after which others could elect without this leader waits until one of them has all that was told OK.
    /// Says whether the change may be made now.
    pub(crate) fn hardened(&mut self, next: &GroupConfig, out: &mut Out) -> bool {
        let Some(config) = self.config() else { return false };
        if !config.needs_every_voter()
            || next.needs_every_voter()
            || !self.rules.keep(Rule::HardenBeforeThird)
        {
            return true;
        }
        // Who acknowledges now, and will be among those that could elect.
        let acknowledging: Vec<NodeId> = next
            .data_voters()
            .filter(|id| **id != self.id && self.may_acknowledge(config, id))
            .cloned()
            .collect();
        let looks = self.looks;
        let strays = matches!(&self.role, Role::Leader(leader) if self.stray_acknowledgements(leader));
        let Role::Leader(leader) = &mut self.role else { return false };
        let Some(hardening) = &leader.hardening else {
            if looks >= leader.harden_after_look && !acknowledging.is_empty() && leader.without.is_none() {
                leader.hardening = Some(Hardening { began: looks, at: None });
            }
            return false;
        };
        let has = |id: &NodeId, wanted: &Position| {
            let position = leader.peers.get(id).and_then(|peer| peer.report.position.as_ref());
            position.is_some_and(|p| p.marker >= wanted.marker && p.data.contains_set(&wanted.data))
        };
        if let Some(wanted) = &hardening.at
            && acknowledging.iter().all(|id| has(id, wanted))
            && !strays
        {
            leader.hardening = None;
            return true;
        }
        if looks > hardening.began + LOOKS_TO_HARDEN {
            leader.hardening = None;
            leader.harden_after_look = looks + LOOKS_BETWEEN_ATTEMPTS;
            out.trouble(
                "a change of members is put off: no replica has caught up while commits waited for it (C5)",
            );
        }
        false
    }

    /// The server is seen to wait strictly: what it has now is what must be caught up with.
    pub(crate) fn note_hardened(&mut self) {
        let (Some(config), Some(server), Role::Leader(leader)) =
            (&self.record.config, &self.local.server, &mut self.role)
        else {
            return;
        };
        if let Some(Hardening { at: at @ None, .. }) = &mut leader.hardening
            && server.semi_sync_on
        {
            *at = Some(Position::of(&server.received, &config.cluster, &GtidSet::new()));
        }
    }

    /// L4: voters; and C5: the learner that is about to become the second node with data, where W is nothing.
    pub(crate) fn may_acknowledge(&self, config: &GroupConfig, id: &NodeId) -> bool {
        config.is_voter(id) || second_with_data(config) == Some(id)
    }

    /// One learner at a time acknowledges beside a leader that waits for nobody: with two, an acknowledgement would not
    /// tell whose it is.
    pub(crate) fn may_be_raised(&self, config: &GroupConfig, id: &NodeId) -> bool {
        second_with_data(config).is_none_or(|second| second == id)
    }
}

/// Where one voter has data: the learner that is to be the second.
fn second_with_data(config: &GroupConfig) -> Option<&NodeId> {
    let only_one = config.needs_every_voter() && config.acknowledgements() == 0;
    config
        .members
        .iter()
        .find(|(_, member)| only_one && member.standing == Standing::Joining && !member.witness)
        .map(|(id, _)| id)
}
