//! Following: heartbeats, errant transactions (F2), and what was seen of the local mysqld.

use crate::core::{Election, Out, Role, Suspect};
use crate::effect::{Delay, KnownLeader, Note};
use crate::event::{LocalView, Timer};
use crate::group::{ConfigId, GroupConfig};
use crate::ids::{NodeId, Term};
use crate::message::{LeaderInfo, Message};
use crate::rules::Rule;
use xenon_gtid::GtidSet;

impl Election {
    #[expect(clippy::too_many_arguments, reason = "the fields of one message")]
    pub(crate) fn on_heartbeat(
        &mut self,
        from: NodeId,
        term: Term,
        round: u64,
        config: ConfigId,
        members: Option<GroupConfig>,
        info: LeaderInfo,
        rank: u8,
        out: &mut Out,
    ) {
        if self.record.config.is_none() {
            // C4: a node that never had a config takes the one in which it is a member.
            match &members {
                // D4: of one that only asks, neither the term nor the config is taken up; with the one and not the other this
                // node could join nothing any more.
                Some(members)
                    if members.members.contains_key(&self.id)
                        && term >= self.record.term
                        && !info.suspended =>
                {
                    if term > self.record.term {
                        self.adopt_term(term, &format!("{from} leads"), out);
                    }
                }
                _ => {
                    // Tells the leader that the config is unknown here.
                    let (id, report) = (ConfigId::default(), self.report());
                    return out.send(&from, Message::HeartbeatReply { term, round, config: id, report });
                }
            }
        }
        if term < self.record.term {
            let config = self.config().map(|config| config.id).unwrap_or_default();
            let (term, report) = (self.record.term, self.report());
            return out.send(&from, Message::HeartbeatReply { term, round, config, report });
        }
        if let Role::Leader(_) = self.role {
            // Never seen with honest records. Whoever hears of it gives way, and a new term decides.
            out.trouble(format!("{from} leads in term {term} too: two leaders in one term (I1)"));
            self.step_down("another node leads in the same term", out);
            return;
        }
        if info.suspended {
            // D4: it only asks whether its term still stands. Taken for a sign of life, a leader that is heard and hears
            // nobody would keep everybody from electing another.
            let mine = self.config().map(|config| config.id).unwrap_or_default();
            let report = self.report();
            return out.send(&from, Message::HeartbeatReply { term, round, config: mine, report });
        }
        if let Role::Candidate(_) = self.role {
            // Also a pre-vote: a leader is alive after all.
            self.role = Role::Follower;
        }
        if let Some(members) = members {
            self.take_config(members, out);
        }
        let new_leader = self.leader.as_ref().is_none_or(|leader| leader.id != from);
        if new_leader || !self.leader_fresh {
            out.note(Note::Following { leader: from.clone(), term });
        }
        if new_leader && self.frozen_in != term {
            // F2: what was received from the leader before, after the last look, may be what this one lacks.
            self.look_first = true;
        }
        self.just_started = false;
        self.leader = Some(KnownLeader { id: from.clone(), info });
        self.leader_fresh = true;
        self.patient.clear();
        self.rank = rank;
        self.compare_with_leader(out);
        self.recover_from_doubt(out);
        out.arm(Timer::LeaderFresh, Delay::ElectionBase);
        out.arm(Timer::Election, Delay::Election { rank });
        let mine = self.config().map(|config| config.id).unwrap_or_default();
        let _ = config;
        let report = self.report();
        out.send(&from, Message::HeartbeatReply { term, round, config: mine, report });
    }

    /// C2: newer configs only.
    pub(crate) fn take_config(&mut self, members: GroupConfig, out: &mut Out) {
        let newer = self.config().is_none_or(|mine| members.id > mine.id);
        if !newer && self.rules.keep(Rule::NewerConfigsOnly) {
            return;
        }
        if members.id.term > self.record.term {
            // Only a leader of that term can have made it: this node's own term is over.
            self.adopt_term(members.id.term, &format!("config {} exists", members.id), out);
        }
        match self.role {
            // A leader's config is the newest of its term: it makes them.
            Role::Leader(_) => {
                return out.trouble(format!("config {} is of my term, and not mine: ignored", members.id));
            }
            // Votes were asked for under the old config, and must not be counted under the new one (C1).
            Role::Candidate(_) => self.role = Role::Follower,
            Role::Follower => {}
        }
        out.note(Note::Config {
            what: format!("config {} with {} members taken", members.id, members.members.len()),
        });
        self.record.config = Some(members);
        self.dirty = true;
    }

    /// F2: what is here and not at the leader, the leader's own transactions left out.
    pub(crate) fn compare_with_leader(&mut self, out: &mut Out) {
        let (Some(config), Some(leader), Some(server)) =
            (self.config(), &self.leader, self.local.server.as_ref())
        else {
            return;
        };
        if leader.info.look == 0 {
            return;
        }
        let mut extra = server.received.subtract(&leader.info.received).without_uuid(&config.cluster);
        if let Some(own) = &leader.info.server_uuid {
            // A follower may hold what its leader has written and not yet marked executed.
            extra = extra.without_uuid(own);
        }
        if extra.is_empty() {
            self.suspect = None;
            return self.set_errant(GtidSet::new(), out);
        }
        let known_already = self.record.errant.contains_set(&extra);
        match &mut self.suspect {
            _ if known_already => self.set_errant(extra, out),
            // A leader that is not open yet had stopped its receiver before it was elected: nothing is on its way to it.
            _ if !leader.info.open => {
                self.suspect = None;
                self.set_errant(extra, out);
            }
            // What the leader lacked at one look and still lacks two looks later is not on its way to it.
            Some(suspect) if leader.info.look >= suspect.leader_look + 2 => {
                let confirmed = suspect.set.intersect(&extra);
                self.suspect = None;
                if !confirmed.is_empty() {
                    self.set_errant(confirmed, out);
                }
            }
            Some(suspect) => suspect.set = suspect.set.intersect(&extra),
            None => self.suspect = Some(Suspect { set: extra, leader_look: leader.info.look }),
        }
        if self.suspect.as_ref().is_some_and(|suspect| suspect.set.is_empty()) {
            self.suspect = None;
        }
    }

    fn set_errant(&mut self, errant: GtidSet, out: &mut Out) {
        if self.record.errant == errant {
            return;
        }
        out.note(Note::Errant { errant: errant.clone() });
        self.record.errant = errant;
        self.dirty = true;
    }

    pub(crate) fn on_looked(&mut self, view: LocalView, out: &mut Out) {
        self.doubt_what_shrank(&view, out);
        self.local = view;
        self.looks += 1;
        if let Role::Leader(_) = self.role {
            return self.on_looked_as_leader(out);
        }
        self.look_first = false;
        if self.leader.is_some() {
            self.compare_with_leader(out);
            self.recover_from_doubt(out);
        }
    }
}
