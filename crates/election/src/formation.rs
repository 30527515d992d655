//! First formation of a cluster (C4).

use crate::core::{Election, Out, Role};
use crate::effect::{Delay, Note};
use crate::event::Timer;
use crate::group::{ConfigId, GroupConfig, Member, Rejoin, Standing};
use crate::ids::NodeId;
use crate::message::Message;
use crate::record::Record;
use std::collections::BTreeMap;
use xenon_gtid::Uuid;

impl Election {
    pub(crate) fn form(&mut self, cluster: Uuid, voters: Vec<NodeId>, idle: Vec<NodeId>, out: &mut Out) {
        self.leave_if_removed();
        if let Some(config) = self.config() {
            return out.refuse(
                format!("this node belongs to cluster {} already", config.cluster),
                "add nodes through its leader",
            );
        }
        let mut members = BTreeMap::new();
        for id in idle {
            members.insert(id, Member::new(Standing::Idle));
        }
        for id in voters {
            members.insert(id, Member::voter());
        }
        members.entry(self.id.clone()).or_insert_with(Member::voter);
        let count = members.len();
        let config = GroupConfig {
            cluster,
            id: ConfigId { term: 0, version: 1 },
            members,
            paused: false,
            rejoin: Rejoin::default(),
        };
        if config.voters().count() == 0 {
            return out.refuse("a cluster needs a node that may lead", "leave out super-idle on one node");
        }
        out.note(Note::Config { what: format!("cluster {cluster} formed with {count} members") });
        self.enter(config, out);
        self.on_offer_timer(out);
        out.answer(format!("cluster formed with {count} members; they elect a leader now"));
    }

    /// A node that its cluster has let go may join another. Its term and vote meant something in the old cluster
    /// only; there it counts no more.
    pub(crate) fn leave_if_removed(&mut self) {
        if self.config().is_some_and(|config| !config.members.contains_key(&self.id)) {
            self.record = Record::default();
            self.dirty = true;
            self.role = Role::Follower;
            self.leader = None;
            self.leader_fresh = false;
            self.suspect = None;
            self.freezing = None;
            self.catching_up = None;
            self.patient.clear();
        }
    }

    fn enter(&mut self, config: GroupConfig, out: &mut Out) {
        let alone = config.voters().count() == 1;
        if config.id.term > self.record.term {
            self.record.term = config.id.term;
            self.record.vote = None;
        }
        self.record.config = Some(config);
        self.dirty = true;
        // Answers that were asked for in another cluster count no more.
        self.role = Role::Follower;
        self.fence("became a member, and no leader is known yet");
        let delay = if alone { Delay::Now } else { Delay::Election { rank: self.first_rank() } };
        out.arm(Timer::Election, delay);
    }

    /// Before there is a leader to rank the nodes, the one with the first name goes first.
    fn first_rank(&self) -> u8 {
        let first = self.config().and_then(|config| config.voters().next());
        u8::from(first != Some(&self.id))
    }

    /// The offers go on after a restart, or any other pause.
    pub(crate) fn offer_again(&self, out: &mut Out) {
        if self.record.config.is_some() && self.record.term == 0 {
            out.arm(Timer::Offer, Delay::Heartbeat);
        }
    }

    /// Offers again until a leader is known: messages get lost, nodes come up later.
    pub(crate) fn on_offer_timer(&mut self, out: &mut Out) {
        let Some(config) = self.record.config.clone() else { return };
        if self.record.term > 0 || !self.enabled {
            return;
        }
        for id in config.members.keys().filter(|id| **id != self.id) {
            out.send(id, Message::Offer { config: config.clone() });
        }
        out.arm(Timer::Offer, Delay::Heartbeat);
    }

    /// C4; and news of a config that this node missed (C2).
    pub(crate) fn on_offer(&mut self, from: NodeId, offered: GroupConfig, out: &mut Out) {
        let Some(mine) = self.config() else {
            if offered.members.contains_key(&self.id) && offered.id.term >= self.record.term {
                out.note(Note::Config {
                    what: format!("member of cluster {} on the word of {from}", offered.cluster),
                });
                self.enter(offered, out);
            }
            return;
        };
        if mine.cluster == offered.cluster {
            return self.take_config(offered, out);
        }
        // A node that has had no term has promised nothing to anyone, so it may change over; one that has had
        // a term never does.
        let unbound = self.record.term == 0 && mine.id.term == 0;
        let prevails = offered.id.term > 0 || offered.cluster < mine.cluster;
        if unbound && prevails && offered.members.contains_key(&self.id) {
            out.note(Note::Config {
                what: format!("two clusters formed at once: {} of {from} prevails", offered.cluster),
            });
            return self.enter(offered, out);
        }
        if offered.id.term == 0 && mine.members.contains_key(&from) {
            let mine = mine.clone();
            return out.send(&from, Message::Offer { config: mine });
        }
        out.trouble(format!(
            "{from} offers membership of cluster {}, but this node belongs to {}: refused",
            offered.cluster, mine.cluster
        ));
    }
}
