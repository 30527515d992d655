//! Carrying out what the core asks for.

use crate::agent::{Agent, SAVE};
use crate::rescue::{self, Order};
use crate::worker::Op;
use std::collections::VecDeque;
use tokio::time::Instant;
use xenon_api::{Envelope, EventKind, PATH_PEER, PROTOCOL_VERSION, StreamRequest, Wanted};
use xenon_channel::Link;
use xenon_election::{Directive, Effect, Event, Message, NodeId};
use xenon_gtid::GtidSet;
use xenon_plan::observation::SourceAddress;
use xenon_plan::{Process, Role, freezable, looks_like_primary};

/// Messages waiting for a peer; older ones are worth nothing.
const LINK_QUEUE: usize = 64;

impl Agent {
    /// One event through the core, and all that follows.
    pub(crate) async fn step(&mut self, event: Event) {
        if let Event::CannotServe { reason, .. } = &event {
            self.past.cannot_serve = Some((reason.clone(), Instant::now()));
        }
        let effects = self.core.step(event);
        self.carry_out(effects).await;
    }

    pub(crate) async fn carry_out(&mut self, effects: Vec<Effect>) {
        let mut queue: VecDeque<Effect> = effects.into();
        while let Some(effect) = queue.pop_front() {
            match effect {
                Effect::Save { record, then } => match self.store.save(&record, SAVE).await {
                    Ok(()) => then.into_iter().rev().for_each(|effect| queue.push_front(effect)),
                    Err(error) => {
                        queue.extend(self.core.step(Event::SaveFailed { reason: error.to_string() }))
                    }
                },
                Effect::ReportSaved => queue.extend(self.core.step(Event::Saved)),
                Effect::Send { to, message } => self.send(&to, message),
                // C5: a witness has received nothing, and accepts nothing.
                Effect::Freeze { ticket, .. } if self.config.raft.witness => {
                    queue.extend(self.core.step(Event::Frozen { ticket, result: Ok(GtidSet::new()) }));
                }
                Effect::Freeze { ticket, .. } if self.comeback.is_cutting() => {
                    let reason = "the end of its binlog is being cut off (W1)".to_owned();
                    queue.extend(self.core.step(Event::Frozen { ticket, result: Err(reason) }));
                }
                Effect::Freeze { ticket, spare } => match freezable(&self.seen()) {
                    Ok(()) => {
                        let is_primary = self.local.server.as_ref().is_some_and(looks_like_primary);
                        let drain = self.local.drain_left();
                        self.start_op(Op::Freeze(ticket, drain, is_primary, spare));
                    }
                    Err(_) if self.may_read_dead() => {
                        if let Some(places) = self.logs.places.clone() {
                            self.start_op(Op::FreezeDead(ticket, Box::new(places)));
                        }
                    }
                    Err(reason) => {
                        queue.extend(self.core.step(Event::Frozen { ticket, result: Err(reason) }))
                    }
                },
                Effect::Quiesce { ticket } => self.start_op(Op::Quiesce(ticket)),
                Effect::CatchUp { ticket, set } => self.start_op(Op::CatchUp(ticket, set)),
                Effect::Rescue { ticket, from, lacks } => {
                    self.events.story(|story| story.rescuing = lacks.clone());
                    match self.rescue_order(from, lacks) {
                        Ok(order) => self.start_op(Op::Rescue(ticket, Box::new(order))),
                        Err(reason) => {
                            queue.extend(self.core.step(Event::Rescued { ticket, result: Err(reason) }));
                        }
                    }
                }
                Effect::Direct(directive) => {
                    let opens = matches!(directive, Directive::Lead { handed_over: true, .. });
                    self.direct(directive);
                    if opens {
                        // Clients wait for it, and not for what is saved meanwhile.
                        self.replan().await;
                    }
                }
                Effect::Arm { timer, delay } => {
                    let term = self.core.record().term;
                    self.clock.arm(timer, delay, term);
                }
                Effect::Disarm(timer) => self.clock.disarm(timer),
                Effect::Answer(answer) => self.answer = Some(answer),
                Effect::Note(note) => {
                    self.tell(note.clone());
                    self.note_for_report(&note);
                }
            }
        }
    }

    /// W2.
    fn rescue_order(&self, from: NodeId, lacks: GtidSet) -> Result<Order, String> {
        let server = self.local.server.as_ref().ok_or("mysqld here does not answer")?;
        let cluster = self.core.record().config.as_ref().map(|config| config.cluster).unwrap_or_default();
        let received = server.received();
        let what = Wanted::BinlogTail { received: received.clone(), bytes_max: rescue::BYTES_MAX };
        let me = self.core.id().clone();
        let request = StreamRequest { version: PROTOCOL_VERSION, from: me, cluster, what };
        Ok(Order { client: self.client.clone(), from, request, received, lacks })
    }

    /// V4: no process runs, none is being started, and where its files are is known.
    fn may_read_dead(&self) -> bool {
        self.logs.places.is_some() && self.seen().process != Process::Running
    }

    fn send(&mut self, to: &NodeId, message: Message) {
        if let Message::Heartbeat { term, round, .. } = &message {
            self.clock.round_sent(*term, *round);
        }
        self.hold_for_asker(&message);
        self.tally.on_sent(&message);
        let cluster = self.core.record().config.as_ref().map(|config| config.cluster);
        let cluster = cluster.or(self.heard_cluster).unwrap_or_default();
        let remark = self.remark_for(&message);
        let from = self.core.id().clone();
        let envelope = Envelope { version: PROTOCOL_VERSION, from, cluster, message, remark };
        match serde_json::to_vec(&envelope) {
            Ok(body) => {
                let link = self
                    .links
                    .entry(to.clone())
                    .or_insert_with(|| Link::spawn(self.client.clone(), to.as_str(), PATH_PEER, LINK_QUEUE));
                link.send(body.into());
            }
            Err(error) => {
                self.events.push(EventKind::Trouble, format!("a message to {to} cannot be written: {error}"))
            }
        }
        self.forget_strangers();
    }

    /// Links to nodes that are no members (any more) go once they are too many to be mere leave-takings.
    fn forget_strangers(&mut self) {
        let Some(config) = &self.core.record().config else { return };
        if self.heard.len() > config.members.len() {
            self.heard.retain(|id, _| config.members.contains_key(id));
        }
        if self.links.len() > config.members.len() + 16 {
            self.links.retain(|id, _| config.members.contains_key(id));
        }
    }

    pub(crate) async fn on_peer(&mut self, envelope: Envelope) {
        if self.core.state() == xenon_election::State::Leader {
            match &envelope.message {
                Message::Heartbeat { .. } => self.counters.leader_gets_heartbeats += 1,
                Message::Vote { .. } => self.counters.leader_gets_votes += 1,
                _ => {}
            }
        }
        if self
            .core
            .record()
            .config
            .as_ref()
            .is_some_and(|config| config.members.contains_key(&envelope.from))
        {
            self.heard.insert(envelope.from.clone(), Instant::now());
            self.tally.on_received(&envelope.message);
        }
        self.heard_cluster = Some(envelope.cluster);
        self.hear(&envelope);
        let Envelope { from, cluster, message, .. } = envelope;
        self.step(Event::Message { from, cluster, message }).await;
    }

    /// The core's word on what the local server is to be, in the words of plans.
    fn direct(&mut self, directive: Directive) {
        let markers = self.core.record().config.as_ref().map(|config| config.cluster).unwrap_or_default();
        let role = match directive {
            Directive::Unmanaged => Role::Unmanaged,
            Directive::Hold => Role::Hold,
            Directive::Stopped => Role::Stopped,
            Directive::Removed => Role::Removed,
            Directive::Lead { term, acknowledgements, soft, closed, handed_over } => {
                Role::Primary { term, markers, acknowledgements, soft, closed, handed_over }
            }
            Directive::Fence { reason } => Role::Fenced { reason },
            Directive::Suspend { reason } => Role::Suspended { reason },
            Directive::Follow { source_host: host, source_port: port, acknowledge, .. } => {
                Role::Replica { source: SourceAddress { host, port }, acknowledge }
            }
            Directive::Invalid { errant } => Role::Invalid { errant },
        };
        self.take_role(role);
    }
}
