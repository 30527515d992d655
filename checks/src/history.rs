//! What was true once and must stay so.

use crate::mysqld::{Item, marker};
use crate::state::{State, index};
use std::collections::{BTreeMap, BTreeSet};
use xenon_election::{ConfigId, GroupConfig, NodeId, Term};
use xenon_gtid::GtidSet;

/// What the invariants need to know of the past.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct History {
    /// Of each term who led first, and what its server had received then.
    pub(crate) leaders: BTreeMap<Term, (usize, BTreeSet<Item>)>,
    /// I1 is broken.
    pub(crate) two_leaders: bool,
    /// Transactions whose clients got their OK, and markers that were acknowledged, each with the term of the
    /// primary.
    pub(crate) acknowledged: BTreeSet<(Term, Item)>,
    /// Every client's transaction that was ever written.
    pub(crate) written: BTreeSet<Item>,
    /// I4 is broken.
    pub(crate) gtid_used_twice: bool,
    /// The newest config that a majority of its voters had, in the term of the leader that made it (C1).
    pub(crate) settled: ConfigId,
    /// I7 is broken.
    pub(crate) superseded_config_won: bool,
    /// T1 is broken: a target stood without the old primary's final set.
    pub(crate) stood_too_soon: bool,
    /// W1 is broken: a rewind dropped what a client had its OK for.
    pub(crate) dropped_acknowledged: bool,
    /// C1 is broken: a config was changed before it had settled.
    pub(crate) changed_unsettled: bool,
    /// C1 is broken: voters were changed before a majority of them had all that was acknowledged.
    pub(crate) left_behind: bool,
    /// A target of a handover has stood.
    pub(crate) target_stood: bool,
}

impl History {
    pub(crate) fn acknowledge(&mut self, term: Term, item: Item) {
        self.acknowledged.insert((term, item));
    }

    pub(crate) fn write(&mut self, item: Item) {
        self.gtid_used_twice |= !self.written.insert(item);
    }

    /// W1: a rewind drops these.
    pub(crate) fn drop_items(&mut self, items: &[Item]) {
        self.dropped_acknowledged |= self.acknowledged.iter().any(|(_, item)| items.contains(item));
    }

    pub(crate) fn target_stands(&mut self, wanted: &GtidSet, has: &GtidSet) {
        self.target_stood = true;
        self.stood_too_soon |= !has.contains_set(wanted);
    }
}

impl State {
    pub(crate) fn note_leader(&mut self, at: usize, config: ConfigId) {
        let Some(node) = self.nodes.get(at) else { return };
        let term = node.term();
        match self.history.leaders.get(&term) {
            Some((other, _)) if *other != at => self.history.two_leaders = true,
            // Taken up again (T3): the same leader, elected once.
            Some(_) => {}
            None => {
                // The marker is written in the same step, and is no part of what it was elected with.
                let own = marker(term);
                let log = node.mysqld.log.iter().copied().filter(|item| own != Some(*item));
                self.history.leaders.insert(term, (at, log.collect()));
                // A leader elected late in an older term has no one left to follow it.
                let settled = self.history.settled;
                self.history.superseded_config_won |= config < settled && term > settled.term;
            }
        }
    }

    /// C1: this leader has made a new config out of `old`.
    pub(crate) fn note_change(&mut self, at: usize, old: &GroupConfig) {
        let Some(new) = self.nodes.get(at).and_then(|node| node.core.record().config.as_ref()) else {
            return;
        };
        let voters_differ = new.voters().ne(old.voters());
        let has = |id: &NodeId, item: Item| {
            index(id).and_then(|at| self.nodes.get(at)).is_some_and(|node| node.mysqld.has(item))
        };
        let is_carried_over = self
            .history
            .acknowledged
            .iter()
            .all(|(_, item)| old.voters().filter(|id| has(id, *item)).count() >= old.majority());
        self.history.changed_unsettled |= self.history.settled < old.id;
        self.history.left_behind |= voters_differ && !is_carried_over && !old.needs_every_voter();
    }

    /// C1: a majority has this config, in the term of the leader that made it.
    pub(crate) fn note_settled(&mut self) {
        let newest = self.nodes.iter().filter(|node| node.leads()).filter_map(|node| {
            let config = node.core.record().config.as_ref()?;
            let has = |id: &NodeId| {
                index(id).and_then(|at| self.nodes.get(at)).is_some_and(|voter| {
                    voter.record.term == node.record.term
                        && voter.record.config.as_ref().map(|config| config.id) == Some(config.id)
                })
            };
            (config.voters().filter(|id| has(id)).count() >= config.majority()).then_some(config.id)
        });
        if let Some(newest) = newest.max() {
            self.history.settled = self.history.settled.max(newest);
        }
    }
}
