//! Config changes (C1–C3): one voter in or out at a time, each settled before the next begins.

use crate::core::{Election, Out, Role};
use crate::effect::Note;
use crate::group::{GroupConfig, Member, Standing};
use crate::ids::NodeId;
use crate::leader::{CarriedOver, Leader, StraysHad};
use crate::message::{Message, Wish};
use crate::position::Position;
use crate::rules::Rule;
use crate::waiting::Wait;

impl Election {
    pub(crate) fn add_members(&mut self, nodes: Vec<NodeId>, idle: bool, out: &mut Out) {
        let Some(mut next) = self.record.config.clone() else {
            return out.refuse("this node belongs to no cluster", "form one: xenoncli cluster add");
        };
        let standing = if idle { Standing::Idle } else { Standing::Joining };
        let mut added = Vec::new();
        for id in nodes {
            match next.standing(&id) {
                None => {
                    next.members.insert(id.clone(), Member::new(standing));
                    added.push(id.to_string());
                }
                Some(Standing::Idle) if !idle => {
                    return out.refuse(
                        format!("{id} is an idle member"),
                        format!("remove it first: xenoncli cluster removeidle {id}"),
                    );
                }
                Some(Standing::Voter | Standing::Joining | Standing::Leaving) if idle => {
                    return out.refuse(
                        format!("{id} is a member that may vote"),
                        format!("remove it first: xenoncli cluster remove {id}"),
                    );
                }
                // Repeating is harmless.
                Some(_) => {}
            }
        }
        if added.is_empty() {
            return out.answer("already members");
        }
        if let Err((what, cure)) = self.may_change_config() {
            return out.refuse(what, cure);
        }
        let what = format!("{} joined as {}", added.join(", "), if idle { "idle" } else { "learner" });
        self.change_config(next, &what, out);
        out.answer(what);
    }

    pub(crate) fn remove_members(&mut self, nodes: Vec<NodeId>, out: &mut Out) {
        let Some(mut next) = self.record.config.clone() else {
            return out.refuse("this node belongs to no cluster", "nothing to remove");
        };
        if nodes.contains(&self.id) {
            return out.refuse(
                format!("{} leads", self.id),
                "hand over first: xenoncli raft trytoleader on another node",
            );
        }
        let voters: Vec<_> = nodes.iter().filter(|id| next.is_voter(id)).cloned().collect();
        let others: Vec<_> =
            nodes.iter().filter(|id| next.members.contains_key(*id) && !next.is_voter(id)).cloned().collect();
        if voters.is_empty() && others.is_empty() {
            return out.answer("not members (any more)");
        }
        if let Err((what, cure)) = self.may_change_config() {
            return out.refuse(what, cure);
        }
        if let Some(silent) = self.needed_and_silent(&next, &voters) {
            return out.refuse(
                format!("without {} the rest has no majority: {silent} not answer", name_list(&voters)),
                "bring them back, or remove those that do not answer first",
            );
        }
        if let Role::Leader(leader) = &mut self.role {
            leader.to_leave.extend(voters.iter().cloned());
        }
        if !others.is_empty() {
            for id in &others {
                next.members.remove(id);
            }
            self.change_config(next, "members without a vote removed", out);
            self.tell_removed(&others, out);
        }
        self.advance_config(out);
        self.watch_partner(out);
        let names: Vec<_> = voters.iter().chain(&others).map(NodeId::to_string).collect();
        out.answer(format!("removing {}", names.join(", ")));
    }

    /// Who of the voters that are left is not heard, if this leader would have no majority with the rest.
    fn needed_and_silent(&self, config: &GroupConfig, going: &[NodeId]) -> Option<String> {
        let Role::Leader(leader) = &self.role else { return None };
        let left: Vec<&NodeId> = config.voters().filter(|id| !going.contains(id)).collect();
        let silent: Vec<NodeId> =
            left.iter().filter(|id| ***id != self.id && !leader.hears(id)).map(|id| (*id).clone()).collect();
        let heard = left.len() - silent.len();
        let verb = if silent.len() == 1 { "does" } else { "do" };
        (heard < left.len() / 2 + 1).then(|| format!("{} {verb}", name_list(&silent)))
    }

    /// C1: only the leader, its marker acknowledged, the last change settled.
    pub(crate) fn may_change_config(&self) -> Result<(), (String, String)> {
        let Role::Leader(leader) = &self.role else {
            return Err(("this node does not lead".to_owned(), "ask the leader".to_owned()));
        };
        let settled = self.is_settled(leader) && leader.carried_over == CarriedOver::Yes;
        if !settled || leader.previous_acknowledgements.is_some() {
            return Err((
                "the last change of members (or this leader's election) has not settled on a majority"
                    .to_owned(),
                "try again in a moment".to_owned(),
            ));
        }
        Ok(())
    }

    /// C1: a majority has this config and this term, and this term's marker is acknowledged.
    fn is_settled(&self, leader: &Leader) -> bool {
        leader.open && self.has_quorum(leader)
    }

    /// T4: one that no majority has heard of keeps nobody from electing another leader.
    pub(crate) fn pause_has_settled(&self) -> bool {
        matches!(&self.role, Role::Leader(leader) if self.is_paused() && self.has_quorum(leader))
    }

    /// A majority has this config and this term: no older one wins an election any more (I7).
    fn has_quorum(&self, leader: &Leader) -> bool {
        let Some(config) = self.config() else { return false };
        let have = config
            .voters()
            .filter(|id| {
                **id == self.id
                    || leader.peers.get(id).is_some_and(|peer| peer.round > 0 && peer.config == config.id)
            })
            .count();
        have >= config.majority() || !self.rules.keep(Rule::SettleFirst)
    }

    /// C1: whether a majority of the current config is seen to have what was acknowledged before it.
    fn is_carried_over(&self, leader: &Leader) -> bool {
        let Some(config) = self.config() else { return false };
        if config.needs_every_voter() {
            // C5: this leader, which has it, is part of every majority.
            return true;
        }
        let wanted = match &leader.carried_over {
            _ if !self.rules.keep(Rule::CarryOverFirst) => return true,
            CarriedOver::Yes => return true,
            CarriedOver::AfterLook => return false,
            CarriedOver::When(position) => position,
        };
        let has = |id: &NodeId| {
            let position = leader.peers.get(id).and_then(|peer| peer.report.position.as_ref());
            position.is_some_and(|p| p.marker >= wanted.marker && p.data.contains_set(&wanted.data))
        };
        config.voters().filter(|id| **id == self.id || has(id)).count() >= config.majority()
    }

    /// Whether a node without a vote may still acknowledge commits. Its acknowledgement would count towards
    /// W though no majority could be built on it, so W must not shrink before it has stopped.
    pub(crate) fn stray_acknowledgements(&self, leader: &Leader) -> bool {
        let (Some(config), Some(server)) = (self.config(), self.local.server.as_ref()) else { return true };
        let strays = leader.peers.iter().any(|(id, peer)| {
            !self.may_acknowledge(config, id)
                && leader.hears(id)
                && (peer.report.acknowledging || peer.config != config.id)
        });
        // Those that are not heard cannot say so themselves. The server's count is a poor witness: a replica that came
        // back may be counted twice for long (seen on 9.7.4). It errs on the safe side.
        let silent = config
            .members
            .iter()
            .any(|(id, member)| member.standing == Standing::Leaving && !leader.hears(id));
        let known = leader
            .peers
            .iter()
            .filter(|(id, peer)| {
                self.may_acknowledge(config, id) && leader.hears(id) && peer.report.acknowledging
            })
            .count();
        strays || silent && server.acknowledging_clients as usize > known
    }

    pub(crate) fn change_config(&mut self, mut next: GroupConfig, what: &str, out: &mut Out) {
        let Some(current) = self.record.config.clone() else { return };
        if let Err(apart) = next.check_follows(&current)
            && self.rules.keep(Rule::OneVoterAtATime)
        {
            return out.trouble(format!("refused a change of {} voters at once (C1)", apart.differing));
        }
        next.id.term = self.record.term;
        next.id.version = current.id.version + 1;
        if self.rules_alone() && next.needs_every_voter() {
            // C5: no majority of either is without this leader, so it does not matter who has heard of the change.
            self.record.settled = Some(next.id);
        }
        let strict = current.acknowledgements();
        let wait = match &self.role {
            Role::Leader(leader) => self.wait(leader, &current),
            _ => Wait { acknowledgements: strict, soft: false },
        };
        if let Role::Leader(leader) = &mut self.role
            && next.voters().ne(current.voters())
        {
            leader.previous_acknowledgements =
                self.rules.keep(Rule::LargerW).then_some(wait.acknowledgements);
            leader.carried_over = CarriedOver::AfterLook;
            leader.strays_had = None;
            // Whoever votes no more is on its way out already. Were it kept here, it would be let go again as
            // soon as it is taken in again.
            leader.to_leave.retain(|id| next.is_voter(id));
        }
        out.note(Note::Config { what: format!("{what} (config {})", next.id) });
        self.record.config = Some(next);
        self.dirty = true;
        self.send_heartbeats(out);
        // A config of one voter settles with the leader's own record.
        self.advance_config(out);
    }

    /// Takes the next step of what is under way: settle, raise a learner (C3), let a member go.
    pub(crate) fn advance_config(&mut self, out: &mut Out) {
        let Role::Leader(leader) = &self.role else { return };
        if !self.has_quorum(leader) || leader.suspended.is_some() {
            return;
        }
        self.settle_alone();
        if self.do_without_the_lost(out) {
            return;
        }
        let Role::Leader(leader) = &self.role else { return };
        if !leader.open {
            return;
        }
        let carried_over = self.is_carried_over(leader);
        let votes_were_lost = self.config().is_some_and(|config| {
            config.acknowledgements_before_a_loss().is_some() && self.rules.keep(Rule::CarryOverFirst)
        });
        if leader.previous_acknowledgements.is_some() {
            let strays = self.rules.keep(Rule::WaitForStrays) && self.stray_acknowledgements(leader);
            let had = (votes_were_lost && !strays).then(|| self.what_strays_have(leader));
            if let Role::Leader(leader) = &mut self.role {
                leader.strays_had = leader.strays_had.take().filter(|_| !strays).or(had);
            }
            let Role::Leader(leader) = &self.role else { return };
            if strays || votes_were_lost && !self.released(leader) {
                return;
            }
            if let Role::Leader(leader) = &mut self.role {
                leader.previous_acknowledgements = None;
                leader.strays_had = None;
                if votes_were_lost {
                    // What they acknowledged until now is with fewer voters than W says: only what is seen from here on
                    // counts as carried over.
                    leader.carried_over = CarriedOver::AfterLook;
                    return;
                }
            }
        }
        if let Role::Leader(leader) = &mut self.role {
            if !carried_over {
                return;
            }
            leader.carried_over = CarriedOver::Yes;
        }
        let Some((next, what, removed)) = self.next_config() else {
            if let Role::Leader(leader) = &mut self.role {
                leader.hardening = None;
            }
            return;
        };
        if !self.hardened(&next, out) {
            return;
        }
        self.change_config(next, &what, out);
        self.tell_removed(&removed, out);
    }

    /// What nodes without a vote had when they were seen to acknowledge no more.
    fn what_strays_have(&self, leader: &Leader) -> StraysHad {
        let Some(config) = self.config() else { return StraysHad::default() };
        let mut had = StraysHad { look: self.looks, ..StraysHad::default() };
        for (id, member) in &config.members {
            if !matches!(member.standing, Standing::Leaving | Standing::Idle) {
                continue;
            }
            let position = leader.peers.get(id).and_then(|peer| peer.report.position.as_ref());
            match position.filter(|_| leader.hears(id)) {
                Some(position) => had.data.union_with(&position.data),
                None => had.silent |= member.standing == Standing::Leaving,
            }
        }
        had
    }

    /// L4: the server keeps the acknowledgements that it has, and counts them anew when W falls (seen on 9.7.4). So W does
    /// not fall while a commit may wait that only a node without a vote has acknowledged: a majority of voters must have
    /// all that such a node had. Of one that cannot say what it had, nothing may wait at all.
    fn released(&self, leader: &Leader) -> bool {
        let (Some(config), Some(server), Some(had)) = (self.config(), &self.local.server, &leader.strays_had)
        else {
            return false;
        };
        let has = |id: &NodeId| {
            let position = leader.peers.get(id).and_then(|peer| peer.report.position.as_ref());
            position.is_some_and(|position| position.data.contains_set(&had.data))
        };
        // It is in this server's binlog: that is where they have it from.
        let holders = config.voters().filter(|id| **id == self.id || has(id)).count();
        let at_rest = self.looks >= had.look + 2 && server.waiting_commits == 0;
        holders >= config.majority() && (!had.silent || at_rest)
    }

    /// C5: from here on no majority is without this leader, in this config or in an older one. So it does not matter who
    /// else acknowledges, and the config before has no say any more. Kept on disk: it holds after a restart, too.
    fn settle_alone(&mut self) {
        let Some(config) = self.config().filter(|config| config.needs_every_voter()) else { return };
        let id = config.id;
        if self.record.settled != Some(id) {
            self.record.settled = Some(id);
            self.dirty = true;
        }
        if let Role::Leader(leader) = &mut self.role {
            leader.previous_acknowledgements = None;
        }
    }

    /// C5: elected with the witness's vote, a leader cannot have its marker acknowledged by the very node whose loss has
    /// made it leader. It may turn that one into a learner before its marker is acknowledged (C1 asks for that so that
    /// what is acknowledged is held by every majority): the leader has all there is (I2), and is part of every majority
    /// that is left.
    fn do_without_the_lost(&mut self, out: &mut Out) -> bool {
        let (Some(config), Role::Leader(leader)) = (self.config(), &self.role) else { return false };
        let Some(lost) = config.data_voters().find(|id| self.must_do_without(leader, id)).cloned() else {
            return false;
        };
        let mut next = config.clone();
        if let Some(member) = next.members.get_mut(&lost) {
            member.standing = Standing::Joining;
        }
        let alone = next.needs_every_voter();
        if alone {
            self.change_config(
                next,
                &format!("{lost} is not reached: a learner until it has caught up again (C5)"),
                out,
            );
        }
        alone
    }

    fn next_config(&self) -> Option<(GroupConfig, String, Vec<NodeId>)> {
        let (config, Role::Leader(leader)) = (self.config()?, &self.role) else { return None };
        let mut next = config.clone();
        for (id, member) in &config.members {
            match member.standing {
                Standing::Leaving => {
                    next.members.remove(id);
                    return Some((next, format!("{id} removed"), vec![id.clone()]));
                }
                Standing::Joining | Standing::Voter if self.wishes_to_be_idle(leader, id) => {
                    next.members.insert(id.clone(), Member { standing: Standing::Idle, ..member.clone() });
                    return Some((next, format!("{id} follows for ever, as its config says"), Vec::new()));
                }
                Standing::Joining | Standing::Voter if self.witness_wish(leader, id) != member.witness => {
                    // C5: from data to none or back is leaving and joining: its votes must never rest on what it has no
                    // more.
                    let witness = !member.witness;
                    let changed = Member { standing: Standing::Joining, witness, ..member.clone() };
                    next.members.insert(id.clone(), changed);
                    let what = if witness { "a witness" } else { "a node with data" };
                    return Some((next, format!("{id} is to be {what}, as its config says"), Vec::new()));
                }
                // More than one would make majorities without data.
                Standing::Joining if member.witness && leader.hears(id) && !config.has_witness() => {
                    next.members.insert(id.clone(), Member { standing: Standing::Voter, ..member.clone() });
                    return Some((next, format!("{id} votes now, as a witness"), Vec::new()));
                }
                Standing::Voter if self.must_do_without(leader, id) => {
                    next.members.insert(id.clone(), Member { standing: Standing::Joining, ..member.clone() });
                    let what = format!("{id} is not reached: a learner until it has caught up again (C5)");
                    return Some((next, what, Vec::new()));
                }
                Standing::Joining if self.has_caught_up(leader, id) && self.may_be_raised(config, id) => {
                    next.members.insert(id.clone(), Member { standing: Standing::Voter, ..member.clone() });
                    return Some((next, format!("{id} has caught up and votes now"), Vec::new()));
                }
                _ => {}
            }
            if let Some(wish) = self.wish_of(leader, id)
                && wish.priority != member.priority
                && !member.pinned
            {
                next.members.insert(id.clone(), Member { priority: wish.priority, ..member.clone() });
                return Some((next, format!("{id} has priority {} now", wish.priority), Vec::new()));
            }
        }
        if config.paused && self.resumed_here {
            next.paused = false;
            return Some((next, "the pause is over, as an operator said".to_owned(), Vec::new()));
        }
        let leaving = leader.to_leave.iter().find(|id| config.is_voter(id))?;
        for (id, member) in &mut next.members {
            let with_it = leader.to_leave.contains(id) && !self.rules.keep(Rule::OneVoterAtATime);
            if id == leaving || with_it {
                member.standing = Standing::Leaving;
            }
        }
        Some((next, format!("{leaving} votes no more"), Vec::new()))
    }

    /// What it says it is; as it was while it does not say.
    fn witness_wish(&self, leader: &Leader, id: &NodeId) -> bool {
        let is = self.config().is_some_and(|config| config.is_witness(id));
        if *id == self.id { is } else { self.wish_of(leader, id).map_or(is, |wish| wish.witness) }
    }

    fn wish_of(&self, leader: &Leader, id: &NodeId) -> Option<Wish> {
        if *id == self.id {
            return self.local.wish;
        }
        leader.peers.get(id).filter(|_| leader.hears(id)).and_then(|peer| peer.report.wish)
    }

    /// A leader stays a voter: it must hand over first, which its config makes it do by priority.
    fn wishes_to_be_idle(&self, leader: &Leader, id: &NodeId) -> bool {
        *id != self.id && self.wish_of(leader, id).is_some_and(|wish| wish.idle)
    }

    /// C3: it follows, and has all that the leader had at its last look but one's worth of writes.
    pub(crate) fn has_caught_up(&self, leader: &Leader, id: &NodeId) -> bool {
        let (Some(config), Some(server), Some(peer)) =
            (self.config(), self.local.server.as_ref(), leader.peers.get(id))
        else {
            return false;
        };
        let Some(theirs) = &peer.report.position else { return false };
        let mine = Position::of(&server.received, &config.cluster, &xenon_gtid::GtidSet::new());
        let behind = theirs.lacks(&mine).count();
        leader.hears(id)
            && theirs.marker == self.record.term
            && behind <= MAX_BEHIND_TO_BE_RAISED
            && peer.report.unapplied <= MAX_BEHIND_TO_BE_RAISED
    }

    /// A removed node would never hear of it by heartbeats.
    fn tell_removed(&self, nodes: &[NodeId], out: &mut Out) {
        let Some(config) = self.config() else { return };
        for id in nodes {
            out.send(id, Message::Offer { config: config.clone() });
        }
    }
}

fn name_list(nodes: &[NodeId]) -> String {
    let names: Vec<_> = nodes.iter().map(NodeId::as_str).collect();
    names.join(", ")
}

/// Transactions that a learner may lag behind and still be raised: about one look's worth under load.
const MAX_BEHIND_TO_BE_RAISED: u64 = 10_000;
