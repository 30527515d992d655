//! An agent's beginning and end, as in `crates/agent/src/boot.rs`.

use super::Agent;
use super::clock::Clock;
use super::effects::PORT;
use super::local::{Local, server_view, wish};
use crate::mysqld::Process;
use crate::rng::Rng;
use crate::world::World;
use crate::world::queue::{Happening, MS, SECOND};
use std::collections::VecDeque;
use xenon_election::{Election, LocalView, Start, State};
use xenon_plan::health::Probe;
use xenon_plan::observation::ServerState;
use xenon_plan::{Address, is_promoted};

impl World {
    /// SIGKILL; the program starts again later.
    pub(crate) fn kill_agent(&mut self, at: usize, for_ms: u64) {
        if self.nodes[at].agent.is_none() {
            return;
        }
        self.tell(at, "agent", || "is killed".to_owned());
        self.drop_agent(at);
        self.plan(for_ms * MS, Happening::AgentStarts { at });
    }

    /// The process is gone; statements that it had sent may still take effect, until the next one ends them.
    pub(crate) fn drop_agent(&mut self, at: usize) {
        self.abandon_worker(at);
        self.nodes[at].agent = None;
    }

    pub(crate) fn on_agent_starts(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        if !node.host_up || node.agent.is_some() {
            return;
        }
        node.agents += 1;
        let number = node.agents;
        let hangs = node.mysqld.hung && node.mysqld.process == Process::Running;
        let first_look = if hangs { SECOND } else { self.rng.between(5 * MS, 60 * MS) };
        self.plan(first_look, Happening::AgentBooted { at, agent: number });
    }

    pub(crate) fn on_agent_booted(&mut self, at: usize, number: u64) {
        let now = self.now;
        let node = &self.nodes[at];
        if !node.host_up || node.agent.is_some() || node.agents != number {
            return;
        }
        let record = node.record.clone().unwrap_or_default();
        let mut local = Local::new(now);
        local.monitor = !node.witness;
        local.server = node.mysqld.answers().then(|| self.server_state(at));
        // Following nobody: a loser of that election gets the winner's marker, too.
        let is_primary = |server: &ServerState| {
            let config = record.config.as_ref();
            record.term > 0
                && server.replication.is_none()
                && config.is_some_and(|config| is_promoted(server, record.term, &config.cluster))
        };
        let primary_of_term = local.server.as_ref().is_some_and(is_primary);
        if primary_of_term {
            local.address = if node.address_note { Address::Here } else { Address::Unknown };
            local.was_primary = true;
        }
        if local.server.is_some() {
            local.health.on_start();
            local.health.on_probe(Probe::Answered);
        }
        let view = LocalView {
            server: local.server.as_ref().map(server_view),
            unfit: local.server.is_none().then(|| "its mysqld has not answered yet".to_owned()),
            source_host: node.id.to_string(),
            source_port: PORT,
            wish: Some(wish(node)),
            ..LocalView::default()
        };
        let boot = node.boot.to_string();
        let start = Start {
            id: node.id.clone(),
            record,
            local: view,
            primary_of_term,
            boot: Some(boot),
            rules: self.setup.rules,
        };
        self.tell(at, "agent", || format!("starts; primary of its term: {primary_of_term}"));
        let (core, effects) = Election::start(start);
        let seed = self.setup.seed ^ (at as u64) << 32 ^ number << 48;
        let led = core.state() == State::Leader;
        let agent = Agent {
            number,
            core,
            clock: Clock::new(self.nodes[at].second, Rng::of(seed, 7)),
            local,
            hung: false,
            inbox: VecDeque::new(),
            todo: VecDeque::new(),
            effects: effects.into(),
            saving: None,
            looking: false,
            look_turn: 0,
            poked: false,
            heard_cluster: None,
            led,
            wakes_at: None,
            replan: true,
        };
        self.nodes[at].agent = Some(agent);
        let process = self.nodes[at].mysqld.number;
        if self.nodes[at].mysqld.process != Process::Down {
            self.on_started(at, process);
        }
        self.poke(at);
        self.plan(0, Happening::Probe { at, agent: number });
        self.plan(0, Happening::Disk { at, agent: number });
        if let Some(agent) = self.nodes[at].agent.as_mut() {
            agent.after();
        }
        self.run_agent(at);
    }

    /// SIGSTOP and SIGCONT.
    pub(crate) fn hang_agent(&mut self, at: usize, hung: bool) {
        let Some(agent) = self.nodes[at].agent.as_mut() else { return };
        if agent.hung == hung {
            return;
        }
        agent.hung = hung;
        self.tell(at, "agent", || if hung { "hangs" } else { "goes on" }.to_owned());
        self.run_agent(at);
        if !hung {
            self.wake_worker(at);
        }
    }
}
