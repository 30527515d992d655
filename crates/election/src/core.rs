//! The state machine's body: state, dispatch, and what every step ends with.

use crate::candidate::Candidate;
use crate::doubt::Recovery;
use crate::effect::{Delay, Directive, Effect, KnownLeader, Note, Refused};
use crate::event::{Event, LocalView, Request, State, Timer};
use crate::group::GroupConfig;
use crate::ids::{NodeId, Term, Ticket};
use crate::leader::Leader;
use crate::message::{Message, Refusal, Report};
use crate::position::Position;
use crate::record::Record;
use crate::rescue::Rescues;
use crate::rules::{Rule, Rules};
use crate::voter::{Asker, Freezing};
use std::collections::BTreeMap;
use xenon_gtid::{GtidSet, Uuid};

/// One node's part in the election. A value: clone it, compare it, hash it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Election {
    pub(crate) id: NodeId,
    pub(crate) rules: Rules,
    pub(crate) record: Record,
    /// The record changed in this step.
    pub(crate) dirty: bool,
    /// Term and vote as they are on disk.
    pub(crate) promised: (Term, Option<NodeId>),
    /// The record on disk is older than ours, and why.
    pub(crate) unsaved: Option<String>,
    pub(crate) enabled: bool,
    pub(crate) role: Role,
    /// The leader of the current term, heard or not; forgotten when the term changes.
    pub(crate) leader: Option<KnownLeader>,
    /// A leader was heard within T (V1).
    pub(crate) leader_fresh: bool,
    /// Pre-votes that get a yes as soon as the leader is no longer fresh.
    pub(crate) patient: BTreeMap<NodeId, Term>,
    /// V1: this agent has just started, and may have answered a leader within T before.
    pub(crate) just_started: bool,
    /// The term in which the server was frozen last: what was read then is newer than any look.
    pub(crate) frozen_in: Term,
    pub(crate) local: LocalView,
    pub(crate) looks: u64,
    /// S3: what was seen last of received(n), and of which server.
    pub(crate) last_received: Option<(Uuid, GtidSet)>,
    pub(crate) recovery: Option<Recovery>,
    /// This boot of the host.
    pub(crate) boot: Option<String>,
    /// T4: an operator ended the pause on this node while no leader was there to end it for all.
    pub(crate) resumed_here: bool,
    /// Received and not the leader's, but the leader has yet to look again (F2).
    pub(crate) suspect: Option<Suspect>,
    pub(crate) freezing: Option<Freezing>,
    pub(crate) catching_up: Option<CatchingUp>,
    /// T1: writes here are closed and drained for a handover to that node, at exactly this set, and nothing has opened them
    /// since: what a freeze for its vote would find.
    pub(crate) quiesced: Option<(NodeId, GtidSet)>,
    pub(crate) last_ticket: u64,
    /// W2: rescues that failed one after the other, and refusals to let pass before the next.
    pub(crate) rescues: Rescues,
    /// Why the local mysqld may not write, until a leader is followed or leadership won.
    pub(crate) fenced: Option<String>,
    /// Fenced, and not looked at since: what was seen before may have grown until the fence stood (F2).
    pub(crate) look_first: bool,
    pub(crate) directive: Directive,
    /// Place in the order of succession, as the last leader saw it (V8).
    pub(crate) rank: u8,
}

/// What a node is doing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Role {
    Follower,
    Candidate(Candidate),
    Leader(Box<Leader>),
}

/// T1: the last transactions of an old primary are being applied.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct CatchingUp {
    pub(crate) ticket: Ticket,
    /// Who hands over.
    pub(crate) from: NodeId,
    /// Its final set.
    pub(crate) set: GtidSet,
}

/// Transactions that may turn out errant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Suspect {
    pub(crate) set: GtidSet,
    /// The leader's look at which they were missing first.
    pub(crate) leader_look: u64,
}

/// What a node is started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// This node.
    pub id: NodeId,
    /// What was on disk.
    pub record: Record,
    /// The first look at the local mysqld.
    pub local: LocalView,
    /// T3: the local mysqld is open for writes as the primary of `record.term`: it has that term's marker, and
    /// it replicates from nobody. Without the last, a candidate that lost its term, got the winner's marker
    /// and was then opened by hand would look like the winner.
    pub primary_of_term: bool,
    /// S3: names this boot of the host; `None` = cannot be told.
    pub boot: Option<String>,
    /// Every rule, outside of checks.
    pub rules: Rules,
}

/// Effects of the step under way, without those that every step ends with.
#[derive(Default)]
pub(crate) struct Out(pub(crate) Vec<Effect>);

impl Out {
    pub(crate) fn send(&mut self, to: &NodeId, message: Message) {
        self.0.push(Effect::Send { to: to.clone(), message });
    }

    pub(crate) fn note(&mut self, note: Note) {
        self.0.push(Effect::Note(note));
    }

    pub(crate) fn trouble(&mut self, what: impl Into<String>) {
        self.note(Note::Trouble { what: what.into() });
    }

    pub(crate) fn arm(&mut self, timer: Timer, delay: Delay) {
        self.0.push(Effect::Arm { timer, delay });
    }

    pub(crate) fn disarm(&mut self, timer: Timer) {
        self.0.push(Effect::Disarm(timer));
    }

    pub(crate) fn answer(&mut self, text: impl Into<String>) {
        self.0.push(Effect::Answer(Ok(text.into())));
    }

    pub(crate) fn refuse(&mut self, what: impl Into<String>, cure: impl Into<String>) {
        self.0.push(Effect::Answer(Err(Refused { what: what.into(), cure: cure.into() })));
    }
}

impl Election {
    /// A node that starts, and the first effects.
    pub fn start(start: Start) -> (Election, Vec<Effect>) {
        let mut core = Election {
            id: start.id,
            rules: start.rules,
            promised: (start.record.term, start.record.vote.clone()),
            record: start.record,
            dirty: false,
            unsaved: None,
            enabled: true,
            role: Role::Follower,
            leader: None,
            leader_fresh: false,
            patient: BTreeMap::new(),
            just_started: false,
            frozen_in: 0,
            local: start.local,
            looks: 0,
            last_received: None,
            recovery: None,
            boot: None,
            resumed_here: false,
            suspect: None,
            freezing: None,
            catching_up: None,
            quiesced: None,
            last_ticket: 0,
            rescues: Rescues::default(),
            fenced: None,
            look_first: false,
            directive: Directive::Hold,
            rank: 0,
        };
        let mut out = Out::default();
        core.compare_boot(start.boot, &mut out);
        let first_view = core.local.clone();
        core.doubt_what_shrank(&first_view, &mut out);
        if core.record.config.is_some() {
            let own_term = core.record.term > 0 && core.record.vote.as_ref() == Some(&core.id);
            if start.primary_of_term && own_term && core.is_voter() {
                // T3: the marker proves that this node was elected in this very term, and I1 that nobody
                // else was; nothing was forgotten that a leader must know.
                core.resume_leading(&mut out);
            } else {
                core.fence("started, and not known to lead");
                if core.record.term > 0 {
                    core.just_started = true;
                    out.arm(Timer::LeaderFresh, Delay::ElectionBase);
                }
                let alone = core.config().is_some_and(|config| config.voters().count() == 1);
                out.arm(Timer::Election, if alone { Delay::Now } else { Delay::Election { rank: 0 } });
                core.offer_again(&mut out);
            }
        }
        let effects = core.finish(out);
        (core, effects)
    }

    /// The only door: what happened, and what follows from it.
    pub fn step(&mut self, event: Event) -> Vec<Effect> {
        let mut out = Out::default();
        if self.unsaved.is_some() {
            self.step_unsaved(event, &mut out);
        } else {
            self.dispatch(event, &mut out);
        }
        self.finish(out)
    }

    fn dispatch(&mut self, event: Event, out: &mut Out) {
        match event {
            Event::Timer(timer) => self.on_timer(timer, out),
            Event::Message { from, cluster, message } => self.on_message(from, cluster, message, out),
            Event::SaveFailed { reason } => self.on_save_failed(reason, out),
            Event::Saved => {}
            Event::Frozen { ticket, result } => self.on_frozen(ticket, result, out),
            Event::Looked(view) => self.on_looked(*view, out),
            Event::Promoted { term } => self.on_promoted(term, out),
            Event::CannotServe { term, reason } => self.on_cannot_serve(term, reason, out),
            Event::Quiesced { ticket, result } => self.on_quiesced(ticket, result, out),
            Event::CaughtUp { ticket, result } => self.on_caught_up(ticket, result, out),
            Event::Rescued { ticket, result } => self.on_rescued(ticket, result, out),
            Event::DataReplaced { by, reason } => self.on_data_replaced(by, &reason, out),
            Event::Request(request) => self.on_request(request, out),
        }
    }

    fn on_timer(&mut self, timer: Timer, out: &mut Out) {
        match timer {
            Timer::Election => self.on_election_timer(out),
            Timer::LeaderFresh => self.on_leader_stale(out),
            Timer::Heartbeat => self.on_heartbeat_timer(out),
            Timer::Lease => self.on_lease_over(out),
            Timer::HandOver => self.on_handover_timer(out),
            Timer::SaveRetry => {}
            Timer::Offer => self.on_offer_timer(out),
            Timer::Rescue => self.on_rescue_timer(out),
        }
    }

    fn on_message(&mut self, from: NodeId, cluster: Uuid, message: Message, out: &mut Out) {
        if !self.enabled || from == self.id {
            return;
        }
        if message.is_beyond_counting() {
            return out
                .trouble(format!("{from} counts beyond all bounds: its {} is ignored", message.name()));
        }
        let invited = match &message {
            Message::Offer { config } | Message::Heartbeat { members: Some(config), .. } => {
                config.members.contains_key(&self.id)
            }
            _ => false,
        };
        if invited && self.config().is_some_and(|config| config.cluster != cluster) {
            self.leave_if_removed();
        }
        match self.record.config.as_ref().map(|config| config.cluster) {
            Some(mine) if mine != cluster && !matches!(message, Message::Offer { .. }) => {
                return out.trouble(format!(
                    "{from} belongs to another cluster ({cluster}, mine is {mine}): its {} is ignored",
                    message.name()
                ));
            }
            // C4: a node without a config listens to nothing but how to become a member.
            None => match &message {
                Message::Offer { .. } | Message::Heartbeat { .. } => {}
                // It may be a member that missed its cluster's formation, and be needed for a majority: it is taught.
                Message::PreVote { term, .. } => {
                    let refusal = Some(Refusal::NotVoter);
                    return out.send(&from, Message::PreVoteReply { term: 0, asked: *term, refusal });
                }
                _ => return,
            },
            _ => {}
        }
        if let Message::Vote { term, told: false, .. } = &message
            && *term > self.record.term
            && let Some(leader) = self.heard_leader().filter(|leader| **leader != from)
        {
            // V3, as V1 does for pre-votes, and before the newer term is taken up: the leader's lease rests on this node's
            // answers, and two would hold the address until it ends (I5).
            let refusal = Some(Refusal::LeaderAlive { leader: leader.clone() });
            return out.send(&from, Message::VoteReply { term: self.record.term, refusal });
        }
        if let Some(term) = message.term() {
            let fresh = self.record.config.is_none();
            if term > self.record.term && !fresh {
                self.adopt_term(term, &format!("{from} is in term {term}"), out);
            }
        }
        match message {
            Message::Offer { config } => self.on_offer(from, config, out),
            Message::PreVote { term, config } => self.on_pre_vote(from, term, config, out),
            Message::PreVoteReply { asked, refusal, .. } => self.on_pre_vote_reply(from, asked, refusal, out),
            Message::Vote { term, config, position, server_uuid, .. } => {
                self.on_vote(Asker { id: from, config, position, server_uuid }, term, out);
            }
            Message::VoteReply { term, refusal } => self.on_vote_reply(from, term, refusal, out),
            Message::Heartbeat { term, round, config, members, info, rank } => {
                self.on_heartbeat(from, term, round, config, members, info, rank, out);
            }
            Message::HeartbeatReply { term, round, config, report } => {
                self.on_heartbeat_reply(from, term, round, config, report, out);
            }
            Message::Stand { term, after } => self.on_stand(from, term, after, out),
            Message::StandRefused { term, reason } => self.on_stand_refused(from, term, reason, out),
        }
    }

    fn on_request(&mut self, request: Request, out: &mut Out) {
        match request {
            Request::Form { cluster, voters, idle } => self.form(cluster, voters, idle, out),
            Request::Add { nodes, idle } => self.add_members(nodes, idle, out),
            Request::Remove { nodes } => self.remove_members(nodes, out),
            Request::HandOver { target } => self.hand_over(target, out),
            Request::Pause => self.pause(out),
            Request::Resume => self.resume(out),
            Request::Rejoin(rejoin) => self.set_rejoin(rejoin, out),
            Request::Prefer { node, priority } => self.prefer(&node, priority, out),
            Request::Disable => self.disable(out),
            Request::Enable => self.enable(out),
        }
    }

    fn disable(&mut self, out: &mut Out) {
        if self.state() == State::Leader {
            return out.refuse(
                "this node leads: without it nobody would watch the primary",
                "hand over first: xenoncli raft trytoleader on another node",
            );
        }
        self.enabled = false;
        self.step_down("switched off by an operator", out);
        self.just_started = false;
        self.freezing = None;
        self.catching_up = None;
        self.patient.clear();
        self.leader_fresh = false;
        out.disarm(Timer::Election);
        out.disarm(Timer::LeaderFresh);
        out.answer("this node takes no part in elections now (STOPPED)");
    }

    fn enable(&mut self, out: &mut Out) {
        if !self.enabled {
            self.enabled = true;
            self.leader = None;
            self.fence("taking part again, and not known to lead");
            if self.record.config.is_some() {
                out.arm(Timer::Election, Delay::Election { rank: 1 });
            }
            self.offer_again(out);
        }
        out.answer("this node takes part in elections");
    }

    /// A newer term is known: whatever this node was in the old one, it is a follower now (Raft).
    pub(crate) fn adopt_term(&mut self, term: Term, why: &str, out: &mut Out) {
        self.step_down(why, out);
        // Only after stepping down: what is told of that belongs to the old term.
        self.record.term = term;
        self.record.vote = None;
        self.dirty = true;
        self.leader = None;
        self.leader_fresh = false;
        self.suspect = None;
        self.freezing = None;
        self.catching_up = None;
        self.patient.clear();
        if !self.just_started {
            // Else it tells when an answer that was given before the restart binds this node no more.
            out.disarm(Timer::LeaderFresh);
        }
    }

    /// Back to follower. A leader is fenced by it (D1): the directive follows from `fenced`.
    pub(crate) fn step_down(&mut self, why: &str, out: &mut Out) {
        if let Role::Leader(_) = &self.role {
            self.fence(why);
            out.note(Note::SteppedDown { term: self.record.term, why: why.to_owned() });
            out.disarm(Timer::Heartbeat);
            out.disarm(Timer::Lease);
            out.disarm(Timer::HandOver);
        }
        self.role = Role::Follower;
        out.arm(Timer::Election, Delay::Election { rank: 1 });
    }

    /// D1; and F2: a server that may have been written to is looked at behind the fence before it follows.
    pub(crate) fn fence(&mut self, why: &str) {
        self.fenced = Some(why.to_owned());
        self.look_first = true;
    }

    fn on_save_failed(&mut self, reason: String, out: &mut Out) {
        // S1: memory may be ahead of the disk now, so not a word more leaves before the disk has caught
        // up; the term and vote in memory stay, for a half-done write may yet turn up on disk.
        out.trouble(format!(
            "cannot save the agent's record: {reason}; this node steps down and stays silent until it can"
        ));
        self.step_down("its record cannot be saved", out);
        out.disarm(Timer::Election);
        // What was asked for behind that save never left, and answers find nobody home from here on: no
        // freeze or timer may be waited for that nobody has started.
        self.freezing = None;
        self.catching_up = None;
        self.leader_fresh = false;
        self.patient.clear();
        // Nothing is known of what is on disk.
        self.promised = (0, None);
        self.unsaved = Some(reason);
        out.arm(Timer::SaveRetry, Delay::Heartbeat);
    }

    fn step_unsaved(&mut self, event: Event, out: &mut Out) {
        match event {
            Event::Timer(Timer::SaveRetry) => {
                out.0.push(Effect::Save { record: self.record.clone(), then: vec![Effect::ReportSaved] });
            }
            Event::SaveFailed { reason } => {
                self.unsaved = Some(reason);
                out.arm(Timer::SaveRetry, Delay::Heartbeat);
            }
            Event::Saved => {
                self.unsaved = None;
                self.promised = (self.record.term, self.record.vote.clone());
                out.trouble("the agent's record can be saved again");
                if self.just_started {
                    // It may have run out unheard meanwhile, and nothing else ends what a restarted voter owes.
                    out.arm(Timer::LeaderFresh, Delay::ElectionBase);
                }
                if self.record.config.is_some() {
                    out.arm(Timer::Election, Delay::Election { rank: 1 });
                }
                self.offer_again(out);
            }
            Event::Looked(view) => self.local = *view,
            Event::Request(_) => out.refuse(
                "this agent cannot save its record, so it decides nothing",
                "make room on the disk of raft.meta-datadir",
            ),
            // Everything else could lead to a message that depends on the unsaved state.
            _ => {}
        }
    }

    /// What every step ends with: the directive that the new state amounts to, and the record on disk
    /// before anything that depends on it (S1).
    fn finish(&mut self, out: Out) -> Vec<Effect> {
        let mut effects = Vec::with_capacity(out.0.len() + 2);
        let wanted = self.wanted_directive();
        let stays_closed = matches!(
            wanted,
            Directive::Lead { closed: true, .. } | Directive::Fence { .. } | Directive::Hold
        );
        if !stays_closed && self.rules.keep(Rule::ClosedUntilOpened) {
            self.quiesced = None;
        }
        if wanted != self.directive {
            if matches!(wanted, Directive::Follow { .. } | Directive::Lead { .. }) {
                self.fenced = None;
            }
            self.directive = wanted.clone();
            effects.push(Effect::Direct(wanted));
        }
        effects.extend(out.0);
        if !self.dirty {
            return effects;
        }
        self.dirty = false;
        let record = self.record.clone();
        let promise = (record.term, record.vote.clone());
        let is_promised = self.promised == promise;
        self.promised = promise;
        // A fence waits for nothing: it is right whatever is on disk. Nor need a leader wait whose term and vote are there.
        let (now, then): (Vec<_>, Vec<_>) = effects.into_iter().partition(|effect| match effect {
            Effect::Direct(Directive::Fence { .. } | Directive::Hold) => true,
            Effect::Direct(Directive::Lead { .. }) => is_promised,
            _ => false,
        });
        now.into_iter().chain([Effect::Save { record, then }]).collect()
    }

    pub(crate) fn wanted_directive(&self) -> Directive {
        let Some(config) = &self.record.config else { return Directive::Unmanaged };
        if let Some(reason) = &self.unsaved {
            return Directive::Fence { reason: format!("the agent's record cannot be saved: {reason}") };
        }
        if !self.enabled {
            return Directive::Stopped;
        }
        if !config.members.contains_key(&self.id) {
            return Directive::Removed;
        }
        if let Role::Leader(leader) = &self.role {
            if let Some(reason) = &leader.suspended {
                return Directive::Suspend { reason: reason.clone() };
            }
            if leader.resuming {
                return Directive::Hold;
            }
            let wait = self.wait(leader, config);
            return Directive::Lead {
                term: self.record.term,
                acknowledgements: wait.acknowledgements,
                soft: wait.soft,
                closed: leader.is_closed(),
                handed_over: leader.handed_over,
            };
        }
        let Some(known) = &self.leader else {
            return match &self.fenced {
                Some(reason) => Directive::Fence { reason: reason.clone() },
                None => Directive::Hold,
            };
        };
        let follow = Directive::Follow {
            term: self.record.term,
            leader: known.id.clone(),
            source_host: known.info.source_host.clone(),
            source_port: known.info.source_port,
            acknowledge: self.may_acknowledge(config, &self.id)
                || !self.rules.keep(Rule::OnlyVotersAcknowledge),
        };
        let followed_before = matches!(&self.directive, Directive::Follow { term, leader, .. }
            if *term == self.record.term && *leader == known.id);
        if followed_before || !self.rules.keep(Rule::ErrantDoNotFollow) {
            return follow;
        }
        // F2: not before errant(n) is known to be empty.
        if !self.record.errant.is_empty() {
            return Directive::Invalid { errant: self.record.errant.clone() };
        }
        let unseen = self.look_first || self.local.server.is_none() || known.info.look == 0;
        if unseen || self.suspect.is_some() {
            return match &self.fenced {
                Some(reason) => Directive::Fence { reason: reason.clone() },
                None => Directive::Hold,
            };
        }
        follow
    }

    /// The leader that this node follows and has heard within T.
    fn heard_leader(&self) -> Option<&NodeId> {
        self.leader.as_ref().filter(|_| self.leader_fresh).map(|known| &known.id)
    }

    pub(crate) fn ticket(&mut self) -> Ticket {
        self.last_ticket += 1;
        Ticket(self.last_ticket)
    }

    pub(crate) fn config(&self) -> Option<&GroupConfig> {
        self.record.config.as_ref()
    }

    pub(crate) fn is_voter(&self) -> bool {
        self.config().is_some_and(|config| config.is_voter(&self.id))
    }

    pub(crate) fn is_witness(&self) -> bool {
        self.config().is_some_and(|config| config.is_witness(&self.id))
    }

    pub(crate) fn other_voters(&self) -> Vec<NodeId> {
        let Some(config) = self.config() else { return Vec::new() };
        let votes = |id: &NodeId| config.is_voter(id) || !self.rules.keep(Rule::OnlyVotersVote);
        config.members.keys().filter(|id| **id != self.id && votes(id)).cloned().collect()
    }

    /// Why this node may not stand; `None` when it may.
    pub fn unfit(&self) -> Option<String> {
        self.unfit_whatever_its_priority().or_else(|| {
            let never = self.config().is_some_and(|config| config.priority(&self.id) == 0);
            never.then(|| "its priority is 0: it never leads".to_owned())
        })
    }

    /// V8: priority never beats recency. A node of priority 0 that alone has what others lack stands when it is told to,
    /// and gives leadership away as soon as another has caught up; else nobody could ever lead.
    pub(crate) fn unfit_whatever_its_priority(&self) -> Option<String> {
        let Some(config) = self.config() else { return Some("it belongs to no cluster".to_owned()) };
        if !self.enabled {
            return Some("it is switched off (raft disable)".to_owned());
        }
        if !config.is_voter(&self.id) {
            return Some("it is no voter".to_owned());
        }
        if config.is_witness(&self.id) || self.local.wish.is_some_and(|wish| wish.witness) {
            return Some("it is a witness: it votes and has no data".to_owned());
        }
        if self.is_paused() {
            return Some("the cluster is paused (end it: xenoncli cluster resume)".to_owned());
        }
        if !self.record.errant.is_empty() {
            return Some(format!("it has errant transactions: {}", self.record.errant));
        }
        if let Some(doubt) = self.record.doubt.as_ref().filter(|doubt| doubt.holes) {
            return Some(format!(
                "it may lack transactions that it had ({}), until it has caught up",
                doubt.reason
            ));
        }
        if self.local.server.is_none() && self.local.unfit.is_none() {
            return Some("its mysqld does not answer".to_owned());
        }
        self.local.unfit.clone()
    }

    pub(crate) fn report(&self) -> Report {
        let server = self.local.server.as_ref();
        Report {
            position: self.position_hint(),
            unapplied: server.map_or(0, |server| server.unapplied),
            acknowledging: server.is_some_and(|server| server.acknowledging),
            unfit: self.unfit(),
            wish: self.local.wish,
            stuck: self.local.stuck,
            failures: self.local.failures,
            source_host: self.local.source_host.clone(),
            source_port: self.local.source_port,
            server_uuid: server.map(|server| server.server_uuid),
            receives_from: server.and_then(|server| server.receives_from),
        }
    }

    pub(crate) fn position_hint(&self) -> Option<Position> {
        self.config().and_then(|config| self.local.position(&config.cluster, &self.record.errant))
    }
}
