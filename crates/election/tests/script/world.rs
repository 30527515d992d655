//! Nodes, their servers, and the network between them.
//!
//! Commands (`n1` … name nodes):
//! - `nodes n1 n2 …`: nodes that belong to no cluster
//! - `formed n1 n2 …`: all that `formation.txt` shows, unlogged; n1 leads term 1, open
//! - `form n1 [cluster=2] n1 n2 …`, `add n1 n4`, `remove n1 n4`, `handover n1 n2`, `disable n1`, `enable n1`
//! - `fire n1 election`: a timer runs out
//! - `settle`: messages, freezes and replication until nothing moves; no timer runs out
//! - `deliver 2`: the two oldest messages or answers only; `lose 1`: the oldest is lost
//! - `beat n1 [times]`: all look at their servers, n1's heartbeat timer fires, settle
//! - `look n1 …`, `write n1`, `stray n1` (a write on a server that should have none), `lag n1`, `catch-up n1`
//! - `cut n1`, `heal n1`: the network of agent and server; `crash n1`, `restart n1`: the agent
//! - `die n1`, `revive n1`: the server; `disk-full n1`, `disk-ok n1`: the agent's record
//! - `show`: a line for each node

use crate::mysqld::Mysqld;
use crate::show::{self, Detail, cluster_uuid};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use xenon_election::*;
use xenon_gtid::{Gtid, Uuid};

#[derive(Default)]
pub(crate) struct World {
    nodes: BTreeMap<NodeId, Node>,
    /// In flight, oldest first.
    queue: VecDeque<(NodeId, Event)>,
    cut: BTreeSet<NodeId>,
    /// Transactions that clients wait for: whose, and which.
    waiting: Vec<(NodeId, Gtid)>,
    log: Vec<String>,
}

struct Node {
    /// `None` while the agent is down.
    core: Option<Election>,
    /// What is on its disk.
    record: Record,
    disk_full: bool,
    armed: BTreeSet<Timer>,
    server: Mysqld,
}

fn number(id: &NodeId) -> u8 {
    id.as_str().trim_start_matches('n').parse().unwrap()
}

impl World {
    /// One command, and the log of it.
    pub(crate) fn run(&mut self, line: &str) -> Vec<String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (command, rest) = words.split_first().unwrap();
        let ids: Vec<NodeId> =
            rest.iter().filter(|word| word.starts_with('n')).map(|word| NodeId::from(*word)).collect();
        let count = rest.iter().find_map(|word| word.parse::<usize>().ok());
        match *command {
            "formed" => {
                let names = rest.join(" ");
                let first = rest[0];
                for line in [
                    format!("nodes {names}"),
                    format!("form {first} {names}"),
                    "settle".to_owned(),
                    format!("look {names}"),
                    format!("fire {first} election"),
                    "settle".to_owned(),
                    format!("beat {first}"),
                ] {
                    self.run(&line);
                }
            }
            "nodes" => ids.iter().for_each(|id| self.create(id)),
            "form" => {
                let number = rest.iter().find_map(|word| word.strip_prefix("cluster=")).unwrap_or("1");
                let cluster = cluster_uuid(number.parse().unwrap());
                self.ask(&ids[0], Request::Form { cluster, voters: ids[1..].to_vec(), idle: vec![] });
            }
            "add" => self.ask(&ids[0], Request::Add { nodes: ids[1..].to_vec(), idle: false }),
            "remove" => self.ask(&ids[0], Request::Remove { nodes: ids[1..].to_vec() }),
            "handover" => self.ask(&ids[0], Request::HandOver { target: ids.get(1).cloned() }),
            "disable" => self.ask(&ids[0], Request::Disable),
            "enable" => self.ask(&ids[0], Request::Enable),
            "fire" => self.fire(&ids[0], show::timer(rest[1]).unwrap()),
            "settle" => self.settle(),
            "deliver" => (0..count.unwrap_or(1)).for_each(|_| self.deliver()),
            "lose" => self.lose(),
            "beat" => (0..count.unwrap_or(1)).for_each(|_| self.beat(&ids[0])),
            "look" => ids.iter().for_each(|id| self.look(id)),
            "write" => self.write(&ids[0]),
            "stray" => {
                let gtid = self.node(&ids[0]).server.write();
                self.log.push(format!("{} commits {} by mistake", ids[0], show_gtid(gtid)));
            }
            "lag" => self.node(&ids[0]).server.lags = true,
            "catch-up" => {
                self.node(&ids[0]).server.lags = false;
                self.replicate();
            }
            "cut" => self.cut.extend(ids),
            "heal" => self.cut.retain(|id| !ids.contains(id)),
            "crash" => self.crash(&ids[0]),
            "restart" => self.restart(&ids[0]),
            "die" => {
                let server = &mut self.node(&ids[0]).server;
                server.close();
                server.runs = false;
                self.look(&ids[0]);
                let term = self.core(&ids[0]).record().term;
                let reason = "mysqld has died".to_owned();
                self.step(&ids[0], Event::CannotServe { term, reason });
            }
            "revive" => {
                self.node(&ids[0]).server.runs = true;
                self.look(&ids[0]);
            }
            "disk-full" => self.node(&ids[0]).disk_full = true,
            "disk-ok" => self.node(&ids[0]).disk_full = false,
            "show" => self.show(),
            other => panic!("no command {other}"),
        }
        std::mem::take(&mut self.log)
    }

    fn node(&mut self, id: &NodeId) -> &mut Node {
        self.nodes.get_mut(id).unwrap()
    }

    fn core(&self, id: &NodeId) -> &Election {
        self.nodes[id].core.as_ref().unwrap()
    }

    /// M of this node's cluster.
    fn markers(&self, id: &NodeId) -> Uuid {
        let config = self.nodes[id].core.as_ref().and_then(|core| core.record().config.as_ref());
        config.map_or(Uuid::default(), |config| config.cluster)
    }

    fn create(&mut self, id: &NodeId) {
        let node = Node {
            core: None,
            record: Record::default(),
            disk_full: false,
            armed: BTreeSet::new(),
            server: Mysqld::new(number(id)),
        };
        self.nodes.insert(id.clone(), node);
        self.restart(id);
        self.log.clear();
    }

    fn restart(&mut self, id: &NodeId) {
        let node = &self.nodes[id];
        let primary_of_term = node.server.promoted
            && node.server.writable
            && node.server.leads.is_some_and(|(term, _)| term == node.record.term);
        let start = Start {
            id: id.clone(),
            record: node.record.clone(),
            local: node.server.view(id, 0),
            primary_of_term,
            boot: None,
            rules: Rules::all(),
        };
        let (core, effects) = Election::start(start);
        self.node(id).core = Some(core);
        self.log.push(format!("> {id} starts"));
        self.carry_out(id, effects);
    }

    fn crash(&mut self, id: &NodeId) {
        let node = self.node(id);
        node.core = None;
        node.armed.clear();
        self.queue.retain(|(to, _)| to != id);
        self.log.push(format!("{id}'s agent is gone"));
    }

    fn ask(&mut self, id: &NodeId, request: Request) {
        self.step(id, Event::Request(request));
    }

    fn fire(&mut self, id: &NodeId, timer: Timer) {
        if !self.node(id).armed.remove(&timer) {
            return self.log.push(format!("{id} has no timer {timer:?}"));
        }
        self.step(id, Event::Timer(timer));
    }

    fn look(&mut self, id: &NodeId) {
        let clients = self.acknowledging(id, None);
        let view = self.nodes[id].server.view(id, clients);
        if self.nodes[id].core.is_some() {
            self.step_with(id, Event::Looked(Box::new(view)), None);
        }
    }

    /// Replicas that acknowledge to this server, and have this transaction.
    fn acknowledging(&self, id: &NodeId, gtid: Option<Gtid>) -> u32 {
        let count = self.nodes.iter().filter(|(other, node)| {
            let connected = !self.cut.contains(id) && !self.cut.contains(other);
            node.server.source.as_ref() == Some(id)
                && node.server.acknowledges
                && connected
                && gtid.is_none_or(|gtid| node.server.received.contains(&gtid))
        });
        count.count() as u32
    }

    fn beat(&mut self, id: &NodeId) {
        for node in self.nodes.keys().cloned().collect::<Vec<_>>() {
            self.look(&node);
        }
        self.fire(id, Timer::Heartbeat);
        self.settle();
    }

    fn write(&mut self, id: &NodeId) {
        if !self.nodes[id].server.writable {
            return self.log.push(format!("{id} is read-only"));
        }
        let gtid = self.node(id).server.write();
        self.log.push(format!("{id} writes {}", show_gtid(gtid)));
        self.waiting.push((id.clone(), gtid));
        self.replicate();
    }

    /// Every receiver takes what its source has; who waits for acknowledgements goes on.
    fn replicate(&mut self) {
        for id in self.nodes.keys().cloned().collect::<Vec<_>>() {
            let server = &self.nodes[&id].server;
            let Some(source) = server.source.clone().filter(|source| self.nodes.contains_key(source)) else {
                continue;
            };
            let connected = !self.cut.contains(&id) && !self.cut.contains(&source);
            let from = &self.nodes[&source].server;
            if !connected || server.lags || !server.runs || !from.runs {
                continue;
            }
            let new = from.received.subtract(&server.received);
            if !new.is_empty() {
                self.log.push(format!("  {id} receives {}", show::set(&new)));
                self.node(&id).server.received.union_with(&new);
            }
        }
        self.acknowledge();
    }

    fn acknowledge(&mut self) {
        for (id, gtid) in std::mem::take(&mut self.waiting) {
            let server = &self.nodes[&id].server;
            let leads = server.leads.filter(|_| server.runs);
            if leads.is_some_and(|(_, w)| self.acknowledging(&id, Some(gtid)) >= w) {
                self.log.push(format!("  the client has its OK for {}", show_gtid(gtid)));
            } else {
                self.waiting.push((id, gtid));
            }
        }
        for id in self.nodes.keys().cloned().collect::<Vec<_>>() {
            let server = &self.nodes[&id].server;
            let Some((term, w)) = server.leads.filter(|_| !server.promoted) else { continue };
            let marker = Gtid { uuid: self.markers(&id), tag: None, number: term };
            if self.acknowledging(&id, Some(marker)) >= w {
                let server = &mut self.node(&id).server;
                (server.promoted, server.writable) = (true, true);
                self.log.push(format!("  {id} is open for writes: its marker is acknowledged"));
                self.step_with(&id, Event::Promoted { term }, None);
            }
        }
    }

    fn settle(&mut self) {
        self.replicate();
        while !self.queue.is_empty() {
            self.deliver();
        }
    }

    fn deliver(&mut self) {
        let Some((to, event)) = self.queue.pop_front() else { return };
        let heading = match &event {
            Event::Message { from, message, .. } => {
                if self.cut.contains(&to)
                    || self.cut.contains(from)
                    || self.nodes.get(&to).is_none_or(|n| n.core.is_none())
                {
                    return;
                }
                format!("> {to} ← {from} {}", show::message(message))
            }
            Event::Frozen { result: Ok(set), .. } => format!("> {to} is frozen at {}", show::set(set)),
            Event::Quiesced { result: Ok(set), .. } => format!("> {to} is closed at {}", show::set(set)),
            Event::CaughtUp { result: Ok(()), .. } => format!("> {to} has caught up"),
            other => format!("> {to} {other:?}"),
        };
        self.step_with(&to, event, Some(heading));
        self.replicate();
    }

    fn lose(&mut self) {
        if let Some((to, Event::Message { from, message, .. })) = self.queue.pop_front() {
            self.log.push(format!("lost: {from} → {to} {}", show::message(&message)));
        }
    }

    fn step(&mut self, id: &NodeId, event: Event) {
        self.step_with(id, event, None);
    }

    fn step_with(&mut self, id: &NodeId, event: Event, heading: Option<String>) {
        let Some(core) = &mut self.node(id).core else { return };
        let effects = core.step(event);
        self.log.extend(heading);
        self.carry_out(id, effects);
    }

    fn carry_out(&mut self, id: &NodeId, effects: Vec<Effect>) {
        let lines = show::effects(&effects, Detail::Notes);
        self.log.extend(lines.into_iter().map(|line| format!("  {line}")));
        let mut queue = VecDeque::from(effects);
        while let Some(effect) = queue.pop_front() {
            self.carry_out_one(id, effect, &mut queue);
        }
    }

    fn carry_out_one(&mut self, id: &NodeId, effect: Effect, queue: &mut VecDeque<Effect>) {
        match effect {
            Effect::Save { .. } if self.nodes[id].disk_full => {
                self.log.push(format!("> {id} cannot save"));
                self.step(id, Event::SaveFailed { reason: "disk full".to_owned() });
            }
            Effect::Save { record, then } => {
                self.node(id).record = record;
                then.into_iter().rev().for_each(|effect| queue.push_front(effect));
            }
            Effect::ReportSaved => self.step(id, Event::Saved),
            Effect::Send { to, message } => {
                let cluster = match &message {
                    Message::Offer { config } => config.cluster,
                    _ => self.markers(id),
                };
                self.queue.push_back((to, Event::Message { from: id.clone(), cluster, message }));
            }
            Effect::Freeze { ticket, spare } => {
                let server = &mut self.node(id).server;
                let spared =
                    server.source.clone().filter(|_| spare.is_some() && server.source_uuid() == spare);
                server.close();
                server.source = spared;
                // V4: a dead server's files say what it has.
                let result = Ok(server.received.clone());
                self.queue.push_back((id.clone(), Event::Frozen { ticket, result }));
            }
            Effect::Quiesce { ticket } => {
                let server = &mut self.node(id).server;
                server.writable = false;
                let result = Ok(server.received.clone());
                self.queue.push_back((id.clone(), Event::Quiesced { ticket, result }));
            }
            Effect::CatchUp { ticket, set } => {
                let has = self.nodes[id].server.received.contains_set(&set);
                let result = if has { Ok(()) } else { Err("it lags".to_owned()) };
                self.queue.push_back((id.clone(), Event::CaughtUp { ticket, result }));
            }
            Effect::Rescue { ticket, from, .. } => {
                let found = self.nodes.get(&from).map(|dead| dead.server.received.clone());
                let result = match found {
                    Some(found) => {
                        let server = &mut self.node(id).server;
                        server.received = server.received.union(&found);
                        Ok(())
                    }
                    None => Err("it does not answer".to_owned()),
                };
                self.queue.push_back((id.clone(), Event::Rescued { ticket, result }));
            }
            Effect::Direct(directive) => {
                let markers = self.markers(id);
                self.node(id).server.direct(&directive, markers);
            }
            Effect::Arm { timer, .. } => {
                self.node(id).armed.insert(timer);
            }
            Effect::Disarm(timer) => {
                self.node(id).armed.remove(&timer);
            }
            Effect::Answer(_) | Effect::Note(_) => {}
        }
    }

    fn show(&mut self) {
        for (id, node) in &self.nodes {
            let has = show::set(&node.server.received);
            let line = match &node.core {
                None => format!("{id} (agent down) has {has}"),
                Some(core) => {
                    let config = core.record().config.as_ref().map_or("-".to_owned(), show::config);
                    let (state, term) = (core.state(), core.record().term);
                    let wanted = show::directive(core.directive());
                    format!("{id} {state} term {term} config {config} has {has}; {wanted}")
                }
            };
            self.log.push(line);
        }
    }
}

fn show_gtid(gtid: Gtid) -> String {
    let mut set = xenon_gtid::GtidSet::new();
    set.insert(gtid);
    show::set(&set)
}
