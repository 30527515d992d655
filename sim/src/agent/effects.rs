//! Carrying out what the core asks for, as in `crates/agent/src/effects.rs`.

use super::input::Input;
use super::worker::Op;
use crate::mysqld::show::ACCOUNT;
use crate::world::World;
use crate::world::queue::{Happening, MS};
use xenon_election::{Directive, Effect, Event, Message, NodeId};
use xenon_gtid::GtidSet;
use xenon_plan::observation::{ReceiverState, SourceAddress};
use xenon_plan::{Process, Role, freezable, looks_like_primary};

/// The port of every mysqld.
pub(crate) const PORT: u16 = 3306;

impl World {
    pub(crate) fn carry_out(&mut self, at: usize, effect: Effect) {
        let (now, is_witness) = (self.now, self.nodes[at].witness);
        let logs_are_known = self.nodes[at].logs_are_known;
        let Some(agent) = self.nodes[at].agent.as_mut() else { return };
        // V4: no process runs, none is being started, and where its files are is known.
        let may_read_dead = logs_are_known && agent.local.seen(now).process != Process::Running;
        match effect {
            Effect::Save { record, then } => {
                agent.saving = Some((record, then));
                self.save(at);
            }
            Effect::ReportSaved => {
                let effects = agent.core.step(Event::Saved);
                agent.effects.extend(effects);
            }
            Effect::Send { to, message } => self.send(at, &to, message),
            Effect::Freeze { ticket, .. } if is_witness => {
                // Nothing is here that could grow.
                let effects = agent.core.step(Event::Frozen { ticket, result: Ok(GtidSet::new()) });
                agent.effects.extend(effects);
            }
            Effect::Freeze { ticket, spare } => match freezable(&agent.local.seen(now)) {
                Ok(()) => {
                    let is_primary = agent.local.server.as_ref().is_some_and(looks_like_primary);
                    let drain = agent.local.drain_left(now);
                    let replication = agent.local.server.as_ref().and_then(|it| it.replication.as_ref());
                    let source = replication.filter(|it| it.receiver == ReceiverState::Running);
                    // Nothing points it elsewhere between this look and the freeze.
                    let spared = spare.is_some() && source.and_then(|it| it.source_uuid) == spare;
                    self.start_op(at, Op::Freeze(ticket, drain, is_primary, spared));
                }
                Err(_) if may_read_dead => self.start_op(at, Op::FreezeDead(ticket)),
                Err(reason) => {
                    let effects = agent.core.step(Event::Frozen { ticket, result: Err(reason) });
                    agent.effects.extend(effects);
                }
            },
            Effect::Quiesce { ticket } => self.start_op(at, Op::Quiesce(ticket)),
            Effect::CatchUp { ticket, set } => self.start_op(at, Op::CatchUp(ticket, set)),
            // Not simulated: it is as if the files could not be had. The model checks it (checks/).
            Effect::Rescue { ticket, .. } => {
                let result = Err("nothing is rescued here".to_owned());
                let effects = agent.core.step(Event::Rescued { ticket, result });
                agent.effects.extend(effects);
            }
            Effect::Direct(directive) => self.direct(at, directive),
            Effect::Arm { timer, delay } => {
                let term = agent.core.record().term;
                agent.clock.arm(timer, delay, term, now);
            }
            Effect::Disarm(timer) => agent.clock.disarm(timer),
            Effect::Answer(answer) => self.tell(at, "answer", || match answer {
                Ok(text) => text,
                Err(refused) => format!("refused: {}", refused.what),
            }),
            Effect::Note(note) => self.tell(at, "core", || format!("{note:?}")),
        }
    }

    /// The loop waits until the disk has answered, or for two seconds.
    fn save(&mut self, at: usize) {
        if let Some((landed, for_ms)) = self.nodes[at].kill_at_save.take() {
            if landed {
                self.land(at);
            }
            self.kill_agent(at, for_ms);
            return;
        }
        let disk = &self.nodes[at].saves;
        let (delay, landed, answered) = match (disk.fail, disk.stall) {
            // A half-done write may yet turn up on disk.
            (true, _) => (self.rng.between(MS / 10, 5 * MS), self.rng.percent(30), false),
            (_, true) => (2_000 * MS, self.rng.percent(50), false),
            _ => (self.rng.skewed(MS / 10, 20 * MS), true, true),
        };
        let Some(agent) = self.nodes[at].agent.as_ref() else { return };
        let number = agent.number;
        self.plan(delay, Happening::Saved { at, agent: number, landed, answered });
    }

    fn land(&mut self, at: usize) {
        let Some(agent) = self.nodes[at].agent.as_ref() else { return };
        if let Some((record, _)) = &agent.saving {
            self.nodes[at].record = Some(record.clone());
            self.note_settled();
        }
    }

    pub(crate) fn on_saved(&mut self, at: usize, number: u64, landed: bool, answered: bool) {
        if self.agent(at, number).is_none() {
            return;
        }
        if landed {
            self.land(at);
        }
        let Some(agent) = self.agent(at, number) else { return };
        let Some((_, then)) = agent.saving.take() else { return };
        if answered {
            then.into_iter().rev().for_each(|effect| agent.effects.push_front(effect));
        } else {
            let reason = "the disk does not answer".to_owned();
            let effects = agent.core.step(Event::SaveFailed { reason });
            agent.effects.extend(effects);
        }
        self.run_agent(at);
    }

    fn send(&mut self, at: usize, to: &NodeId, message: Message) {
        let now = self.now;
        let Some(agent) = self.nodes[at].agent.as_mut() else { return };
        if let Message::Heartbeat { term, round, .. } = &message {
            agent.clock.round_sent(*term, *round, now);
        }
        let config = agent.core.record().config.as_ref();
        let cluster = config.map(|config| config.cluster).or(agent.heard_cluster).unwrap_or_default();
        let Some(to) = crate::schedule::text::node_of(to.as_str()).filter(|to| *to < self.nodes.len()) else {
            return;
        };
        self.messages += 1;
        if self.log.is_wanted() && self.setup.messages_are_told {
            let text = format!("→ {} {message:?}", self.nodes[to].id);
            self.tell(at, "send", || text);
        }
        if !self.nodes[to].host_up || self.network.agents_cut(at, to) || self.network.loses(&mut self.rng) {
            return;
        }
        let Some(receiver) = self.nodes[to].agent.as_ref().map(|agent| agent.number) else { return };
        let from = self.nodes[at].id.clone();
        let times = 1 + u32::from(self.network.repeats(&mut self.rng));
        for _ in 0..times {
            let delay = self.network.agent_delay(&mut self.rng);
            let input = Box::new(Input::Peer { from: from.clone(), cluster, message: message.clone() });
            self.plan(delay, Happening::Input { at: to, agent: receiver, input });
        }
    }

    /// The core's word on what the local server is to be, in the words of plans.
    fn direct(&mut self, at: usize, directive: Directive) {
        let Some(agent) = self.nodes[at].agent.as_ref() else { return };
        let markers = agent.core.record().config.as_ref().map(|config| config.cluster).unwrap_or_default();
        let role = match directive {
            Directive::Unmanaged => Role::Unmanaged,
            Directive::Hold => Role::Hold,
            Directive::Stopped => Role::Stopped,
            Directive::Removed => Role::Removed,
            Directive::Lead { term, acknowledgements, soft, closed, handed_over } => {
                Role::Primary { term, markers, acknowledgements, soft, closed, handed_over }
            }
            Directive::Suspend { reason } => Role::Suspended { reason },
            Directive::Fence { reason } => Role::Fenced { reason },
            Directive::Follow { source_host: host, source_port: port, acknowledge, .. } => {
                Role::Replica { source: SourceAddress { host, port }, acknowledge }
            }
            Directive::Invalid { errant } => Role::Invalid { errant },
        };
        self.tell(at, "role", || format!("{role:?}"));
        self.take_role(at, role);
    }
}

/// What every node's replication logs in as.
pub(crate) fn account() -> String {
    ACCOUNT.to_owned()
}
