//! One core at a time: a state, an event, and what comes of it.

use crate::show::{self, Detail, cluster_uuid, server_uuid};
use std::collections::BTreeMap;
use xenon_election::*;
use xenon_gtid::{Gtid, GtidSet, Uuid};

pub(crate) use crate::show::cluster_uuid as cluster;

pub(crate) struct Node {
    pub(crate) core: Election,
    /// Effects of the last step.
    pub(crate) effects: Vec<Effect>,
}

pub(crate) fn id(name: &str) -> NodeId {
    NodeId::from(name)
}

fn number(name: &str) -> u8 {
    name.trim_start_matches('n').parse().unwrap()
}

/// `gtids("n1:1-2,M:1")`.
pub(crate) fn gtids(text: &str) -> GtidSet {
    let mut set = GtidSet::new();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let (name, numbers) = part.split_once(':').unwrap();
        let uuid: Uuid = if name == "M" { cluster_uuid(1) } else { server_uuid(number(name)) };
        let (first, last) = numbers.split_once('-').unwrap_or((numbers, numbers));
        for number in first.parse().unwrap()..=last.parse::<u64>().unwrap() {
            set.insert(Gtid { uuid, tag: None, number });
        }
    }
    set
}

pub(crate) fn at(text: &str) -> Position {
    Position::of(&gtids(text), &cluster_uuid(1), &GtidSet::new())
}

/// A config of cluster 1: `"n1 n2 n3+ n4- n5*"`, with `+` joining, `-` leaving, `*` idle, `0` priority 0.
pub(crate) fn config(term: Term, version: u64, members: &str) -> GroupConfig {
    let mut map = BTreeMap::new();
    for word in members.split_whitespace() {
        let name = word.trim_end_matches(['+', '-', '*', '!']);
        let standing = match &word[name.len()..] {
            "+" => Standing::Joining,
            "-" => Standing::Leaving,
            "*" => Standing::Idle,
            _ => Standing::Voter,
        };
        let priority = u32::from(!word.ends_with('!'));
        map.insert(id(name), Member { priority, ..Member::new(standing) });
    }
    GroupConfig {
        cluster: cluster_uuid(1),
        id: ConfigId { term, version },
        members: map,
        paused: false,
        rejoin: Rejoin::default(),
    }
}

pub(crate) fn three() -> GroupConfig {
    config(1, 1, "n1 n2 n3")
}

pub(crate) fn view(name: &str, received: &str) -> LocalView {
    LocalView {
        server: Some(ServerView {
            server_uuid: server_uuid(number(name)),
            received: gtids(received),
            unapplied: 0,
            acknowledging: false,
            ..ServerView::default()
        }),
        source_host: name.to_owned(),
        source_port: 3306,
        ..LocalView::default()
    }
}

pub(crate) fn record(term: Term, vote: Option<&str>, config: Option<GroupConfig>) -> Record {
    Record { term, vote: vote.map(id), config, ..Record::default() }
}

impl Node {
    /// A node that starts with this record, its server holding `received`.
    pub(crate) fn start(name: &str, record: Record, received: &str) -> Node {
        Node::start_as(name, record, received, false)
    }

    pub(crate) fn start_as(name: &str, record: Record, received: &str, primary_of_term: bool) -> Node {
        let start = Start {
            id: id(name),
            record,
            local: view(name, received),
            primary_of_term,
            boot: None,
            rules: Rules::all(),
        };
        let (core, effects) = Election::start(start);
        Node { core, effects }
    }

    /// A node whose host runs in this boot.
    pub(crate) fn start_in(name: &str, record: Record, local: LocalView, boot: &str) -> Node {
        let boot = Some(boot.to_owned());
        let start = Start { id: id(name), record, local, primary_of_term: false, boot, rules: Rules::all() };
        let (core, effects) = Election::start(start);
        Node { core, effects }
    }

    /// A node without mysqld (C5), in term 1.
    pub(crate) fn start_as_witness(name: &str, config: GroupConfig) -> Node {
        let wish = Some(Wish { witness: true, ..Wish::default() });
        let local = LocalView { wish, ..LocalView::default() };
        Node::start_in(name, record(1, None, Some(config)), local, "a")
    }

    /// n1, a voter of three in term 1, that knows no leader.
    pub(crate) fn voter(received: &str) -> Node {
        Node::start("n1", record(1, None, Some(three())), received)
    }

    /// n1, following n2 in term 1.
    pub(crate) fn follower(received: &str) -> Node {
        let mut node = Node::voter(received);
        node.heartbeat("n2", 1, received);
        node.look(received);
        node
    }

    /// n1, elected in term `term` of this config with its server at `received`; not open yet.
    pub(crate) fn elected(term: Term, config: GroupConfig, received: &str) -> Node {
        let voters: Vec<_> = config.voters().cloned().collect();
        let mut node = Node::start("n1", record(term - 1, None, Some(config)), received);
        node.hear("n2", Message::Stand { term: term - 1, after: None });
        node.frozen(received);
        for voter in voters.iter().filter(|voter| **voter != id("n1")) {
            if node.core.state() != State::Leader {
                node.hear(voter.as_str(), Message::VoteReply { term, refusal: None });
            }
        }
        assert_eq!(node.core.state(), State::Leader, "n1 is elected");
        node
    }

    /// The same with its marker acknowledged and every follower caught up and heard.
    pub(crate) fn leader(term: Term, config: GroupConfig, received: &str) -> Node {
        let mut node = Node::elected(term, config, received);
        let received = format!("{received},M:{term}");
        node.look(&received);
        node.step(Event::Promoted { term });
        node.hear_all(&received);
        node
    }

    pub(crate) fn step(&mut self, event: Event) -> &mut Node {
        self.effects = self.core.step(event);
        self
    }

    pub(crate) fn fire(&mut self, timer: Timer) -> &mut Node {
        self.step(Event::Timer(timer))
    }

    pub(crate) fn hear(&mut self, from: &str, message: Message) -> &mut Node {
        self.step(Event::Message { from: id(from), cluster: cluster_uuid(1), message })
    }

    pub(crate) fn look(&mut self, received: &str) -> &mut Node {
        let view = view(self.core.id().as_str(), received);
        self.step(Event::Looked(Box::new(view)))
    }

    /// A look at a server whose commits wait for acknowledgements.
    pub(crate) fn look_on(&mut self, received: &str) -> &mut Node {
        let mut view = view(self.core.id().as_str(), received);
        if let Some(server) = &mut view.server {
            server.semi_sync_on = true;
        }
        self.step(Event::Looked(Box::new(view)))
    }

    /// Answers the freeze that was asked for last, which must be in the last step's effects.
    pub(crate) fn frozen(&mut self, received: &str) -> &mut Node {
        let ticket = self.ticket();
        self.step(Event::Frozen { ticket, result: Ok(gtids(received)) })
    }

    /// The ticket in the last step's effects.
    /// Of the heartbeats of the last step.
    pub(crate) fn round(&self) -> u64 {
        let rounds = self.effects.iter().filter_map(|effect| match effect {
            Effect::Send { message: Message::Heartbeat { round, .. }, .. } => Some(*round),
            _ => None,
        });
        rounds.max().unwrap()
    }

    pub(crate) fn ticket(&self) -> Ticket {
        fn find(effects: &[Effect]) -> Option<Ticket> {
            effects.iter().find_map(|effect| match effect {
                Effect::Freeze { ticket, .. }
                | Effect::Quiesce { ticket }
                | Effect::CatchUp { ticket, .. }
                | Effect::Rescue { ticket, .. } => Some(*ticket),
                Effect::Save { then, .. } => find(then),
                _ => None,
            })
        }
        find(&self.effects).unwrap()
    }

    pub(crate) fn vote(&mut self, from: &str, term: Term, config: &GroupConfig, position: &str) -> &mut Node {
        self.hear(
            from,
            Message::Vote { term, config: config.id, position: at(position), told: true, server_uuid: None },
        )
    }

    pub(crate) fn heartbeat(&mut self, from: &str, term: Term, received: &str) -> &mut Node {
        let config = self.core.record().config.clone().map(|config| config.id).unwrap_or_default();
        self.heartbeat_with(from, term, received, config, None, 9)
    }

    pub(crate) fn heartbeat_with(
        &mut self,
        from: &str,
        term: Term,
        received: &str,
        config: ConfigId,
        members: Option<GroupConfig>,
        look: u64,
    ) -> &mut Node {
        let info = LeaderInfo {
            source_host: from.to_owned(),
            source_port: 3306,
            server_uuid: Some(server_uuid(number(from))),
            received: gtids(received),
            look,
            open: true,
            suspended: false,
        };
        self.hear(from, Message::Heartbeat { term, round: 1, config, members, info, rank: 1 })
    }

    /// A follower answers the round that the leader is in.
    pub(crate) fn reply(&mut self, from: &str, round: u64, position: &str) -> &mut Node {
        let record = self.core.record();
        let (term, config) = (record.term, record.config.clone().unwrap().id);
        let report = Report { position: Some(at(position)), ..Report::default() };
        self.hear(from, Message::HeartbeatReply { term, round, config, report })
    }

    /// A witness answers: it has no position.
    pub(crate) fn witness_reply(&mut self, from: &str, round: u64) -> &mut Node {
        let record = self.core.record();
        let (term, config) = (record.term, record.config.clone().unwrap().id);
        let wish = Some(Wish { witness: true, priority: 1, idle: false });
        let unfit = Some("it is a witness".to_owned());
        let report = Report { wish, unfit, ..Report::default() };
        self.hear(from, Message::HeartbeatReply { term, round, config, report })
    }

    /// Every other member answers round 1.
    pub(crate) fn hear_all(&mut self, position: &str) -> &mut Node {
        let members: Vec<_> = self.core.record().config.clone().unwrap().members.into_keys().collect();
        for member in members.iter().filter(|member| **member != id("n1")) {
            self.reply(member.as_str(), 1, position);
        }
        self
    }

    /// A heartbeat round that everybody answers from `position`; fresh looks on both sides.
    pub(crate) fn beat(&mut self, position: &str) -> &mut Node {
        self.look(position).fire(Timer::Heartbeat);
        let sent = self.effects.iter().filter_map(|effect| match effect {
            Effect::Send { to, message: Message::Heartbeat { round, .. } } => Some((to.clone(), *round)),
            _ => None,
        });
        for (to, round) in sent.collect::<Vec<_>>() {
            self.reply(to.as_str(), round, position);
        }
        self
    }

    /// Effects of the last step, timers included.
    pub(crate) fn seen(&self) -> Vec<String> {
        show::effects(&self.effects, Detail::Timers)
    }

    /// The last step told this, somewhere in its notes.
    #[track_caller]
    pub(crate) fn told(&self, words: &str) {
        let seen = show::effects(&self.effects, Detail::Notes);
        assert!(seen.iter().any(|line| line.contains(words)), "nothing of `{words}` in {seen:#?}");
    }

    /// How the leader's commits wait: W, and whether softly. A node that does not lead waits for no number of nodes.
    pub(crate) fn waits(&self) -> (u32, bool) {
        let Directive::Lead { acknowledgements, soft, .. } = self.core.directive() else {
            return (u32::MAX, false);
        };
        (*acknowledgements, *soft)
    }

    /// The last step led to this effect (at any depth).
    #[track_caller]
    pub(crate) fn did(&self, wanted: &str) {
        let seen = self.seen();
        assert!(seen.iter().any(|line| line.trim() == wanted), "no `{wanted}` in {seen:#?}");
    }

    /// The last step led to nothing that starts like this.
    #[track_caller]
    pub(crate) fn did_not(&self, start: &str) {
        let seen = self.seen();
        assert!(!seen.iter().any(|line| line.trim().starts_with(start)), "`{start}` in {seen:#?}");
    }

    /// The last step led to exactly this, timers left out.
    #[track_caller]
    pub(crate) fn did_exactly(&self, wanted: &[&str]) {
        let mut seen = self.seen();
        seen.retain(|line| !line.trim().starts_with("arm ") && !line.trim().starts_with("disarm "));
        assert_eq!(seen, wanted);
    }
}
