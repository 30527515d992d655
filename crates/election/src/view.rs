//! What can be seen from outside.

use crate::core::{Election, Role};
use crate::effect::Directive;
use crate::event::State;
use crate::ids::NodeId;
use crate::message::LeaderInfo;
use crate::record::Record;
use xenon_gtid::GtidSet;

impl Election {
    /// This node.
    pub fn id(&self) -> &NodeId {
        &self.id
    }

    /// The durable state as it stands in memory.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// The state that tables show.
    pub fn state(&self) -> State {
        let removed = self.config().is_some_and(|config| config.standing(&self.id).is_none());
        if !self.enabled || removed {
            return State::Stopped;
        }
        match &self.role {
            Role::Leader(leader) if leader.suspended.is_none() => State::Leader,
            Role::Candidate(_) => State::Candidate,
            Role::Leader(_) | Role::Follower => State::of_follower(
                self.config().and_then(|config| config.standing(&self.id)),
                !self.record.errant.is_empty(),
            ),
        }
    }

    /// received(n) as it was read last: before a vote, by the freeze.
    pub fn received(&self) -> Option<&GtidSet> {
        self.local.server.as_ref().map(|server| &server.received)
    }

    /// The record as it stands in memory is on disk (S1).
    pub fn is_saved(&self) -> bool {
        self.unsaved.is_none()
    }

    /// The leader of the current term that this node hears or is.
    pub fn leader(&self) -> Option<&NodeId> {
        match &self.role {
            Role::Leader(leader) => leader.suspended.is_none().then_some(&self.id),
            _ if self.leader_fresh => self.leader.as_ref().map(|known| &known.id),
            _ => None,
        }
    }

    /// The leader that this node follows and hears, and what it said of its server last.
    pub fn followed(&self) -> Option<(&NodeId, &LeaderInfo)> {
        let known = self.leader.as_ref().filter(|_| self.leader_fresh)?;
        Some((&known.id, &known.info))
    }

    /// This node leads, and has heard so: a leader that takes its term up again (T3) or has lost its lease (D4) waits for a
    /// majority first.
    pub fn leads_for_sure(&self) -> bool {
        self.enabled
            && matches!(&self.role, Role::Leader(leader) if !leader.resuming && leader.suspended.is_none())
    }

    /// The end of its lease changes nothing, for nobody else can lead then (T4, C5, a cluster of one).
    pub fn outlives_its_lease(&self) -> bool {
        self.pause_has_settled()
            || self.rules_alone()
            || self.record.config.as_ref().is_some_and(|config| config.majority() == 1)
    }

    /// This node leads and its marker is acknowledged.
    pub fn is_open_leader(&self) -> bool {
        matches!(&self.role, Role::Leader(leader) if leader.open && leader.suspended.is_none())
    }

    /// A planned handover is under way here.
    pub fn is_handing_over(&self) -> bool {
        matches!(&self.role, Role::Leader(leader) if leader.handover.is_some())
    }

    /// The last directive given.
    pub fn directive(&self) -> &Directive {
        &self.directive
    }
}
